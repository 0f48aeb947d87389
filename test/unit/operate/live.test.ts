/** What listeners are told: each entry once and in order, the latest where there are too many, nothing that they may not know. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createLive, type LiveEvent } from '../../../src/operate/live.ts';
import { memoryStore } from '../../support/memory-store.ts';
import { testWorld } from '../../support/test-world.ts';

const CANARY = 'canary-of-an-argument';

function room() {
  const world = testWorld();
  const store = memoryStore({ now: world.now });
  const faults: unknown[] = [];
  const live = createLive({ store, world, onFault: (fault) => faults.push(fault) });
  let made = 0;
  return {
    live,
    store,
    faults,
    async commit(count: number, more: object = {}): Promise<void> {
      for (let i = 0; i < count; i++) {
        const body = { kind: 'minted', at: world.now(), exchange: `exc_${++made}`, client: 'refund-bot', tool: 'create_refund', ...more };
        await store.commit({ at: world.now(), notAfter: world.now() + 60, claims: [], entries: [{ body, terms: [] }] });
      }
    },
    /** Another broker's second passes: nobody here said that there is something new. */
    async pass(times = 1): Promise<void> {
      for (let i = 0; i < times; i++) {
        world.pass(1);
        for (let k = 0; k < 10; k++) await turn();
        world.pass(0.2);
        for (let k = 0; k < 10; k++) await turn();
      }
    },
    listener() {
      const events: LiveEvent[] = [];
      const of = { events, ended: 0, take: (event: LiveEvent) => void events.push(event), end: () => void of.ended++ };
      return of;
    },
  };
}
const seqs = (events: readonly LiveEvent[]): readonly number[] => events.flatMap((event) => ('entry' in event ? [event.entry.seq] : []));
const skipped = (events: readonly LiveEvent[]): number => events.reduce((sum, event) => sum + ('skipped' in event ? event.skipped : 0), 0);
const from = (first: number, last: number): readonly number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

describe('live', () => {
  it('begins with the latest few, and goes on with each once, whoever wrote it', async () => {
    const { live, commit, pass, listener } = room();
    await commit(50);
    const one = listener();
    assert.equal(await live.listen(one), true);
    assert.deepEqual(seqs(one.events), from(31, 50));
    await commit(3);
    // It has seen what the others are yet to be told.
    const two = listener();
    await live.listen(two, 52);
    await commit(2);
    await pass();
    assert.deepEqual(seqs(one.events), from(31, 55));
    assert.deepEqual(seqs(two.events), [53, 54, 55], 'from where it was');
    live.leave(one);
    await commit(1);
    await pass();
    assert.deepEqual([seqs(one.events).at(-1), seqs(two.events).at(-1)], [55, 56]);
  });

  it('counts what it leaves out, and tells the latest', async () => {
    const { live, commit, pass, listener } = room();
    const one = listener();
    await live.listen(one);
    await commit(1_000);
    await pass(2);
    assert.equal(seqs(one.events).at(-1), 1_000);
    assert.equal(seqs(one.events).length + skipped(one.events), 1_000);
    assert.ok(one.events.length <= 120, 'no more than somebody can look at');
    const late = listener();
    await live.listen(late, 10);
    assert.deepEqual([seqs(late.events).length + skipped(late.events), seqs(late.events).at(-1)], [990, 1_000]);
  });

  it('never tells arguments, purposes, keys or what a person wrote', async () => {
    const { live, commit, listener } = room();
    const hidden = ['arguments', 'purpose', 'jkt', 'detail', 'proof', 'jti'].map((name): [string, string] => [name, CANARY]);
    await commit(1, { ...Object.fromEntries(hidden), recorded: { amount: CANARY }, context: { reason: CANARY }, reserved: { a: CANARY } });
    const one = listener();
    await live.listen(one);
    assert.equal(one.events.length, 1);
    assert.equal(JSON.stringify(one.events).includes(CANARY), false);
  });

  it('waits while the store cannot answer, and misses nothing', async () => {
    const { live, store, faults, commit, pass, listener } = room();
    const one = listener();
    await live.listen(one);
    await commit(2);
    store.break('unreachable');
    await pass(2);
    assert.deepEqual(seqs(one.events), []);
    await assert.rejects(live.listen(listener()), { what: 'unreachable' });
    store.break(undefined);
    await pass();
    assert.deepEqual(seqs(one.events), [1, 2]);
    assert.deepEqual(faults, [], 'that the store is away is told elsewhere');
  });

  it('lets go of a listener that fails, says so, and tells the others', async () => {
    const { live, faults, commit, pass, listener } = room();
    const [one, bad, other] = [listener(), listener(), listener()];
    const fault = new Error('a bug');
    const take = (): void => {
      throw fault;
    };
    for (const each of [one, Object.assign(bad, { take }), other]) await live.listen(each);
    await commit(2);
    await pass(2);
    await commit(1);
    await pass();
    assert.deepEqual(
      [one, other].map(({ events }) => seqs(events)),
      [from(1, 3), from(1, 3)],
    );
    assert.deepEqual([faults, bad.ended, one.ended], [[fault], 1, 0]);
  });

  it('has room for some, and ends them all when the broker stops', async () => {
    const { live, listener } = room();
    const all = Array.from({ length: 64 }, listener);
    for (const one of all) assert.equal(await live.listen(one), true);
    assert.equal(await live.listen(listener()), false);
    live.leave(all[0] ?? listener());
    const last = listener();
    assert.equal(await live.listen(last), true);
    live.release();
    assert.deepEqual([last.ended, all[0]?.ended, all[1]?.ended], [1, 0, 1]);
    assert.equal(await live.listen(listener()), false);
  });
});
