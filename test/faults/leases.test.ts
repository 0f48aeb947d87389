/** What a back end makes is delivered or ended, whoever dies, sleeps, lies or asks too often. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FakeBackend, fakeArm, fakeBackend, fakeProgram, type Mood, registerFake } from '../support/fake-backend.ts';
import type { Program } from '../support/toy.ts';
import { nothingLost, readLedger } from './checks.ts';
import { type Broker, eventually, type House, look, notReady, openHouse } from './harness.ts';
import { killWhileMinting } from './lease-killing.ts';
import { type Action, type Clients, createClients, launchOf, loginOf, openLeases, strays, wordOf } from './leasing.ts';

const DEADLINE_MS = 1_000;
const CAP = 50;
let program: Program;
before(async () => {
  program = await fakeProgram();
});
after(() => program.remove());

interface Stage extends AsyncDisposable {
  readonly house: House;
  readonly back: FakeBackend;
  readonly clients: Clients;
  broker: Broker;
}
async function openStage(options: { readonly listing: boolean; readonly ttl: number; readonly deadlineMs?: number }): Promise<Stage> {
  const { listing, ttl, deadlineMs = 5_000 } = options;
  await using started = new AsyncDisposableStack();
  const back = started.use(await fakeBackend());
  const house = started.use(await openHouse({ config: { backends: [fakeArm(back, { listing })], deadlineMs } }));
  await registerFake(house.policies, CAP, ttl);
  const broker = await house.start(launchOf(house, program));
  const held = started.move();
  return { house, back, broker, clients: createClients(house), [Symbol.asyncDispose]: () => held.disposeAsync() };
}
const SETTLED = { open: 0, overdue: 0 };
const straysOf = ({ house, back, clients }: Stage): readonly unknown[] => strays(house, back, clients);

describe('a back end that', () => {
  let stage: Stage;
  before(async () => {
    stage = await openStage({ listing: true, ttl: 10, deadlineMs: DEADLINE_MS });
  });
  after(() => stage[Symbol.asyncDispose]());

  /** Its mood, the stated refusal, and whether /readyz can see it. */
  const table: readonly (readonly [Mood, string, boolean])[] = [
    ['sealed', '503 temporarily_unavailable 2', true],
    ['dead', '503 temporarily_unavailable 2', true],
    ['hangs', '503 temporarily_unavailable 2', true],
    ['late', '503 temporarily_unavailable 2', true],
    ['loses', '503 temporarily_unavailable 2', true],
    ['garbled', '503 temporarily_unavailable 2', true],
    ['generous', '503 temporarily_unavailable 2', false],
    ['busy', '503 temporarily_unavailable 5', false],
    ['denies', '403 access_denied', false],
  ];
  for (const [mood, refusal, seen] of table) {
    it(`is ${mood}: the stated refusal within the deadline, /readyz names the kind, others go on`, async () => {
      const { house, back, clients } = stage;
      await sleep(1_050); // what /readyz knows is a second old at most
      const before = clients.given.size;
      back.mood = mood;
      const began = performance.now();
      const asked = Promise.all([clients.exchange(), clients.action().then((action) => action && clients.redeem(action))]);
      // Signed here, while that one is waited for.
      assert.ok(await clients.action());
      assert.ok(performance.now() - began < DEADLINE_MS, 'nobody waits for a kind they do not want');
      for (const reply of await asked) assert.equal(reply && wordOf(reply), refusal);
      assert.ok(performance.now() - began < DEADLINE_MS + 700, `${performance.now() - began} ms`);
      if (seen) assert.deepEqual(await notReady(house.issuer), { status: 200, failing: ['mint_fake degraded'] });
      assert.equal(clients.given.size, before);
      back.mood = 'good';
      assert.ok(await eventually(async () => (await notReady(house.issuer)).failing.length === 0));
      assert.equal(wordOf(await clients.exchange()), '200', 'and is well again');
    });
  }

  it('has been as it likes: nothing stays, each story is told to its end, and the ledger is whole', async () => {
    const { house } = stage;
    assert.ok(await eventually(() => straysOf(stage).length === 0, 20_000), JSON.stringify(straysOf(stage)));
    assert.ok(await eventually(async () => (await openLeases(house)).open === 0, 30_000), JSON.stringify(await openLeases(house)));
    const rows = readLedger(house.store);
    const of = (kind: string): Set<string | null> => new Set(rows.filter((row) => row.kind === kind).map(({ txn }) => txn));
    const refusedByBackEnd = new Set(rows.filter(({ detail }) => detail === 'fake_busy' || detail === 'fake_denied').map(({ txn }) => txn));
    const untold = [...of('intent')].filter((txn) => !of('ended').has(txn) && !refusedByBackEnd.has(txn));
    assert.deepEqual(untold, []);
    const { text } = await look(`${house.issuer}/metrics`);
    assert.doesNotMatch(text, /countersign_leases\{kind="fake",state="overdue"\} [1-9]/);
    await stage.broker.stop();
    await nothingLost(house);
  });
});

it('a back end that does it twice: one is delivered, the other is ended', async () => {
  // They live longer than all of this takes.
  await using stage = await openStage({ listing: true, ttl: 60 });
  const { back, house, clients } = stage;
  back.mood = 'twice';
  const reply = await clients.exchange();
  back.mood = 'good';
  assert.equal(reply.status, 200);
  // Nothing is amiss in any record: the next look at the list finds it, and a start looks at once, at whatever is older than a moment.
  await stage.broker.stop();
  await sleep(3_000);
  stage.broker = await house.start(launchOf(house, program));
  assert.ok(await eventually(() => back.made.filter(({ endedBy }) => endedBy === 'name').length === 1, 30_000));
  assert.ok(back.works(loginOf(reply)));
});

describe('SIGKILL while it mints', () => {
  for (const listing of [true, false]) {
    it(`leaves nothing${listing ? ', and at once, where we may list' : ' past the granted end, where we may not'}`, async (t) => {
      const ttl = listing ? 60 : 6;
      await using stage = await openStage({ listing, ttl });
      const { house, back, clients } = stage;
      await stage.broker.stop();
      const killed = await killWhileMinting(house, back, clients, { kills: 3, launch: launchOf(house, program) });
      stage.broker = await house.start(launchOf(house, program));
      assert.ok(killed.orphans > 0, 'a kill fell between the making and the record');
      assert.ok(await eventually(() => straysOf(stage).length === 0, 20_000), JSON.stringify(straysOf(stage)));
      if (!listing) assert.ok(await eventually(async () => (await openLeases(house)).open === 0, 15_000));
      assert.deepEqual(straysOf(stage), [], 'created − delivered − ended');
      await stage.broker.stop();
      await nothingLost(house);
      t.diagnostic(`${back.made.length} made, ${clients.given.size} delivered, ${killed.orphans} orphans after ${killed.kills} kills`);
    });
  }
});

describe('500 redemptions at once, for a role of which there are 50', () => {
  it('are never more than 50, and all are served as places come free', async (t) => {
    await using stage = await openStage({ listing: true, ttl: 60 });
    const { house, back, clients } = stage;
    const actions: Action[] = [];
    while (actions.length < 500) {
      const some = await Promise.all(Array.from({ length: 50 }, () => clients.action()));
      actions.push(...some.filter((action) => action !== undefined));
    }
    const words = new Map<string, number>();
    const count = (word: string): void => void words.set(word, (words.get(word) ?? 0) + 1);
    const first = await Promise.all(actions.map((action) => clients.redeem(action)));
    for (const reply of first) count(wordOf(reply));
    assert.deepEqual([...words].sort(), [
      ['200', CAP],
      ['503 temporarily_unavailable 5', 500 - CAP],
    ]);
    assert.deepEqual([back.most('refunds'), back.outstanding('refunds').length], [CAP, CAP]);

    // Each is done with it, says so, and makes room for another.
    const settle = async ({ txn }: Action): Promise<void> => assert.equal((await clients.receipt(txn)).status, 204);
    const began = performance.now();
    let waiting = actions.filter((_, i) => first[i]?.status !== 200);
    await Promise.all(actions.filter((_, i) => first[i]?.status === 200).map(settle));
    for (const limit = began + 60_000; waiting.length > 0 && performance.now() < limit; await sleep(20)) {
      const some = waiting.slice(0, CAP);
      const replies = await Promise.all(some.map((action) => clients.redeem(action)));
      const served = some.filter((_, i) => replies[i]?.status === 200);
      await Promise.all(served.map(settle));
      waiting = waiting.filter((action) => !served.includes(action));
    }
    t.diagnostic(`450 more by places that came free: ${Math.round(performance.now() - began)} ms`);
    assert.deepEqual([waiting.length, clients.given.size, back.made.length], [0, 500, 500]);
    assert.ok(back.most('refunds') <= CAP, `${back.most('refunds')} at once`);
    assert.ok(await eventually(() => back.outstanding().length === 0));
    assert.ok(await eventually(async () => (await openLeases(house)).open === 0));
    assert.deepEqual(await openLeases(house), SETTLED);
    await nothingLost(house);
  });
});
