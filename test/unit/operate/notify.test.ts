/** What is told is told at least once and by one broker; a receiver that is away, dead brokers and hostile names included. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailWords } from '../../../src/operate/notices-words.ts';
import type { Delivery, Notice } from '../../../src/operate/notifier.ts';
import { ask, decide, desk, ISSUER, kinds, RESOURCE, rest, scene, secret, teller } from './telling.ts';

const FAILED: Delivery = { ok: false, flaw: 'network' };

test('what stood before is no news; what comes is told once', async () => {
  const on = scene();
  await ask(on);
  const one = desk();
  const { told } = await teller(on, one);
  await rest();
  assert.deepEqual(one.got, []);
  await decide(on, await ask(on));
  await rest();
  assert.deepEqual(kinds(one.got), ['pending', 'approved']);
  on.world.pass(60);
  await rest();
  assert.equal(one.got.length, 2);
  assert.deepEqual(
    told.map(({ outcome }) => outcome),
    ['sent', 'sent'],
  );
  assert.deepEqual(on.faults, []);
});

test('what could not be told is tried again at growing distances, with the same id, until it is no news', async () => {
  const on = scene();
  const one = desk();
  one.answer = () => FAILED;
  const { notify, told } = await teller(on, one);
  await ask(on);
  await rest();
  const tries: number[] = [0];
  for (let second = 0; second < 960; second += 5) {
    on.world.pass(5);
    await rest();
    if (one.got.length > tries.length) tries.push(second + 5);
  }
  assert.deepEqual(tries, [0, 15, 75, 375]);
  assert.equal(new Set(one.got.map(({ id }) => id)).size, 1);
  assert.deepEqual(told.at(-1), { notifier: 'desk', outcome: 'late' });
  assert.equal(notify.states().get('desk'), 'failing');
  assert.equal((await on.store.scan({ term: 'notify/desk', limit: 10 })).length, 0);
});

test('a receiver that asks for time gets it', async () => {
  const on = scene();
  const one = desk();
  one.answer = () => ({ ok: false, flaw: 'status', status: 503, afterSeconds: 120 });
  await teller(on, one);
  await ask(on);
  await rest();
  for (const [seconds, expected] of [
    [100, 1],
    [21, 2],
  ] as const) {
    on.world.pass(seconds);
    await rest();
    on.world.pass(1);
    await rest();
    assert.equal(one.got.length, expected);
  }
});

test('a broker that dies in the middle of a delivery leaves it to the next one', async () => {
  const on = scene();
  const dead = desk();
  dead.answer = (_, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve({ ok: false, flaw: 'timeout' })));
  const first = await teller(on, dead);
  await ask(on);
  await rest();
  assert.equal(dead.got.length, 1);
  await first.notify.close();
  on.readers.length = 0;
  await ask(on); // while nobody tells anything
  const alive = desk();
  const second = await teller(on, alive);
  await rest();
  assert.equal(alive.got.length, 1, 'what came meanwhile is told at once');
  on.world.pass(16);
  await rest();
  assert.deepEqual(alive.got.map(({ id }) => id).includes(dead.got[0]?.id ?? ''), true);
  assert.equal(alive.got.length, 2);
  await second.notify.close();
});

test('of several brokers one tells; a slow receiver keeps no other waiting', async () => {
  const on = scene();
  const desks = [desk(), desk(), desk()];
  const slow = desk('slow');
  slow.answer = () => new Promise(() => undefined);
  for (const one of desks) await teller(on, one, slow);
  for (let i = 0; i < 20; i++) await ask(on);
  for (let i = 0; i < 10; i++) await rest();
  const ids = desks.flatMap(({ got }) => got.map(({ id }) => id));
  assert.deepEqual([ids.length, new Set(ids).size], [20, 20]);
  assert.deepEqual(on.faults, []);
});

test('a store that fails keeps what is due', async () => {
  const on = scene();
  const one = desk();
  await teller(on, one);
  const approval = await ask(on);
  on.store.break('unreachable');
  await rest();
  on.world.pass(15);
  await rest();
  on.store.break(undefined);
  on.world.pass(15);
  await rest();
  on.world.pass(15);
  await rest();
  assert.ok(one.got.some(({ facts }) => facts['approval'] === approval.id));
  assert.deepEqual(on.faults, [], 'readyz tells of the store');
});

test('a receiver that is gone gets nothing more; another under its name gets what comes', async () => {
  const on = scene();
  const one = desk('chat', 'first');
  one.answer = () => ({ ok: false, flaw: 'gone', status: 410 });
  const first = await teller(on, one);
  await ask(on);
  await rest();
  await ask(on);
  on.world.pass(20);
  await rest();
  assert.deepEqual([one.got.length, first.notify.states().get('chat')], [1, 'gone']);
  await first.notify.close();
  const again = desk('chat', 'first');
  const second = await teller(on, again);
  await ask(on);
  await rest();
  assert.deepEqual([again.got.length, second.told, second.notify.states().get('chat')], [0, [], 'gone']);
  await second.notify.close();
  const other = desk('chat', 'second');
  await teller(on, other);
  await ask(on);
  await rest();
  assert.equal(other.got.length, 1);
});

test('what somebody else wrote into the store is never told', async () => {
  const on = scene();
  const one = desk();
  await teller(on, one);
  const forged = {
    notice: { id: 'x', event: 'pending', link: 'https://evil.example', who: [], facts: {}, until: 2e9, at: 0 },
    tries: 0,
    next: 0,
  };
  const sealedElsewhere = secret.seal('notify/other/1', forged);
  for (const [key, value] of [
    ['notify/desk/entry/1', forged],
    ['notify/desk/entry/2', sealedElsewhere],
  ] as const)
    await on.store.commit({
      at: on.world.now(),
      notAfter: 2e9,
      claims: [{ key, version: 0, value, terms: ['notify/desk'], else: 'no' }],
      entries: [],
    });
  on.world.pass(15);
  await rest();
  assert.deepEqual(one.got, []);
  assert.ok(on.faults.length > 0, 'somebody is told of the store');
});

test('a confirmation is asked of the person it is done for; a plan names its steps and none of their arguments', async () => {
  const on = scene();
  const one = desk();
  await teller(on, one);
  await ask(on, { more: { demand: { who: [], quorum: 0, ttlSeconds: 60, confirm: true } } });
  const step = { resource: RESOURCE, tool: 'pay', digest: `sha-256:${'A'.repeat(43)}`, asks: true, facts: { purpose: 'canary' } } as const;
  const plan = { ordered: true, steps: Array.from({ length: 30 }, () => step) };
  const recorded = { steps: [{ purpose: 'canary', recorded: { amount: 1 } }] };
  const approval = await ask(on, { facts: { recorded, tool: 'plan' }, more: { plan, tool: 'plan', resource: `${ISSUER}/plans` } });
  await rest();
  const [first, second] = one.got;
  assert.deepEqual([first?.who, first?.facts['confirmation'], first?.facts['quorum']], [['people:u_carol'], true, 0]);
  const { steps, of, tool } = second?.facts ?? {};
  assert.deepEqual([Array.isArray(steps) && steps.length, Array.isArray(steps) && steps[0], of, tool], [20, 'shop/pay', 30, undefined]);
  assert.equal(JSON.stringify(one.got).includes('canary'), false);
  assert.match(mailWords(second ?? assert.fail()).subject, /^An agent waits for people to agree: a plan, bot$/);
  // Agreed to by nobody: a plan of which nothing needs people.
  const draft = on.record.open('plan');
  draft.note({ approval: approval.id });
  await on.record.commit(draft, 'approved', []);
  await rest();
  assert.equal(one.got.length, 2);
});

test('where there is no console there is no link, and nothing to decide by either', () => {
  const notice: Notice = {
    id: 'led_1',
    event: 'pending',
    at: 1,
    who: ['team:x'],
    facts: { approval: 'apr_1', tool: 'pay', agent: 'bot' },
    until: 2,
  };
  const { text } = mailWords(notice);
  assert.match(text, /npm run approvals -- show apr_1/);
  assert.equal(/:\/\//.test(text), false);
});

const HOSTILE = [
  '<!channel>',
  '[click](https://evil.example)',
  '<script>alert(1)</script>',
  'https://evil.example/x',
  '\u202Eevil',
  '\u200B\uFEFFhidden',
  'a\r\nBcc: x@evil.example',
  '\u0000\u001B[2J',
  '@everyone `code` *bold* |x|',
  'x'.repeat(100_000),
];
for (const text of HOSTILE)
  test(`an agent or issuer that writes ${JSON.stringify(text.slice(0, 24))} moves nobody's cursor and makes no link`, async () => {
    const on = scene();
    const one = desk();
    await teller(on, one);
    const facts = { purpose: text, context: { session: text }, recorded: { amount: 5, note: text, fast: true, unmarked: 7 } };
    await ask(on, { facts, subject: text, client: text });
    await rest();
    const [notice] = one.got;
    assert.ok(notice);
    assert.deepEqual(notice.facts['recorded'], { amount: 5, note: '(see the console)', fast: true });
    const { subject, text: mail } = mailWords(notice);
    const said = [JSON.stringify(notice.facts), subject, mail.replace(notice.link ?? '', '')].join('\n');
    assert.equal(
      /[<>[\]()|`*]/.test(JSON.stringify(notice.facts).replace('(see the console)', '').replace('["', '').replace('"]', '')),
      false,
    );
    assert.equal(/\/\/|[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(said.replaceAll('\n', '')), false, said);
    assert.equal(/\n/.test(subject), false);
    assert.ok(said.length < 3_000);
    assert.equal(notice.link, `${ISSUER}/console/approvals/${notice.facts['approval']}`);
  });
