/** What is learnt from votes counts once, on however many brokers, and only from records of this secret. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Bundle } from '../../../src/model.ts';
import { createFatigue, type Fatigue, type ShownFatigue } from '../../../src/operate/fatigue.ts';
import { ask, bundle, decide, keeper, rest, type Scene, scene, secret } from './telling.ts';

function learner({ world, store, record, readers, faults }: Scene): Fatigue {
  const tool = { schema: {}, fill: (args: object) => args };
  const server = { id: 'shop', tools: new Map([['pay', tool]]) };
  const current = (): Bundle => ({ ...bundle, servers: { byResource: () => server }, policy: { size: 0 } }) as unknown as Bundle;
  const fatigue = createFatigue({
    ...{ world, store, record, keeper, secret },
    bundles: { current } as never,
    onFault: (fault) => faults.push(fault),
  });
  fatigue.begin();
  readers.push(fatigue.read);
  return fatigue;
}
const ALL = { limit: 1_000 };
const counts = ({ habits, approvers }: ShownFatigue): unknown => [
  habits.map(({ asked, approved, denied, in_a_row: row }) => [asked, approved, denied, row]),
  approvers.map(({ who, votes, approved }) => [who, votes, approved]),
];

test('three brokers count each entry once, also those that were there before', async () => {
  const on = scene();
  await decide(on, await ask(on));
  const all = [learner(on), learner(on), learner(on)];
  for (let i = 0; i < 15; i++) await decide(on, await ask(on), i === 9 ? 'deny' : 'approve', i % 2 ? 'people:u_a' : 'people:u_b');
  for (let i = 0; i < 40; i++) await rest();
  const expected = [
    [[16, 15, 1, 5]],
    [
      ['people:u_a', 7, 6],
      ['people:u_b', 8, 8],
      ['people:u_lea', 1, 1],
    ],
  ];
  for (const one of all) {
    const told = await one.list(undefined, ALL);
    assert.deepEqual(counts({ ...told, approvers: [...told.approvers].sort((a, b) => (a.who < b.who ? -1 : 1)) }), expected);
  }
  assert.deepEqual(
    (await all[0]?.list('people:u_a', ALL))?.approvers.map(({ who }) => who),
    ['people:u_a'],
  );
  await Promise.all(all.map((one) => one.close()));
  assert.deepEqual(on.faults, []);
});

test('how long it took runs from the question; under two seconds only where that is certain', async () => {
  const on = scene();
  const fatigue = learner(on);
  const TABLE = [
    [10, 0],
    [30, 1],
    [30, 2],
    [60, 90],
  ] as const;
  for (const [before, after] of TABLE) {
    const approval = await ask(on);
    on.world.pass(before);
    assert.ok((await fatigue.seen(approval.id, 'people:u_lea')).ok);
    on.world.pass(after);
    assert.ok((await fatigue.seen(approval.id, 'people:u_lea')).ok, 'a second look changes nothing');
    await decide(on, approval);
    await rest();
  }
  const unseen = await ask(on);
  await fatigue.seen(unseen.id, 'people:u_other');
  await decide(on, unseen);
  for (let i = 0; i < 10; i++) await rest();
  const [lea] = (await fatigue.list(undefined, ALL)).approvers;
  assert.deepEqual([lea?.votes, lea?.shown, lea?.quick, lea?.median_seconds], [5, 4, 2, 31]);
  assert.equal((await fatigue.seen(unseen.id, 'people:u_lea')).ok, true, 'it can still be denied');
  assert.equal((await fatigue.seen(`apr_${'f'.repeat(32)}`, 'people:u_lea')).ok, false);
  await fatigue.close();
});

test('what one agreed to and another then denied is one vote of each', async () => {
  const on = scene();
  const fatigue = learner(on);
  const approval = await ask(on);
  await decide(on, approval, 'approve', 'people:u_a');
  for (let i = 0; i < 5; i++) await rest();
  await decide(on, approval, 'deny', 'people:u_b');
  for (let i = 0; i < 5; i++) await rest();
  const { approvers } = await fatigue.list(undefined, ALL);
  assert.deepEqual(approvers.map(({ who, votes, approved }) => [who, votes, approved]).sort(), [
    ['people:u_a', 1, 1],
    ['people:u_b', 1, 0],
  ]);
  await fatigue.close();
});

test('what another demand, agent or tool was is another habit; a plan is none', async () => {
  const on = scene();
  const fatigue = learner(on);
  await decide(on, await ask(on));
  await decide(on, await ask(on, { client: 'other' }));
  await decide(on, await ask(on, { tool: 'gone' }));
  await decide(on, await ask(on, { more: { demand: { who: ['team:leads', 'team:x'], quorum: 2, ttlSeconds: 900 } } }));
  await decide(on, await ask(on, { more: { plan: { ordered: false, steps: [] } } }));
  for (let i = 0; i < 10; i++) await rest();
  assert.equal((await fatigue.list(undefined, ALL)).habits.length, 4);
  await fatigue.close();
});

test('a record that somebody else wrote is told of, counts for nothing and stops nothing', async () => {
  const on = scene();
  const fatigue = learner(on);
  await decide(on, await ask(on));
  for (let i = 0; i < 5; i++) await rest();
  const keys = [...on.store.keys.keys()].filter((key) => key.startsWith('fatigue/'));
  assert.equal(keys.length, 2);
  for (const key of keys) {
    const kept = on.store.keys.get(key);
    if (kept) on.store.keys.set(key, { ...kept, value: { approved: 1_000_000 } });
  }
  assert.deepEqual(await fatigue.list(undefined, ALL), { approvers: [], habits: [] });
  assert.equal(on.faults.length, 2);
  await decide(on, await ask(on));
  for (let i = 0; i < 5; i++) await rest();
  assert.deepEqual(counts(await fatigue.list(undefined, ALL)), [[[1, 1, 0, 1]], [['people:u_lea', 1, 1]]]);
  await fatigue.close();
});
