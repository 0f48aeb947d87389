/** What every back end of the store must do. Written against the port alone, so that it runs unchanged on each. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Batch, StoreFault } from '../../src/store/store.ts';
import type { Json, JsonObject } from '../../src/wire/json.ts';
import { keysContract } from './store-keys.ts';
import { ledgerContract } from './store-ledger.ts';
import { type Made, Room, T } from './store-room.ts';
import { sumsContract } from './store-sums.ts';

/** `make`: a store that holds nothing yet, whose clock the tests set. Called more than once. */
export function storeContract(name: string, make: () => Promise<Made>): void {
  describe(`store contract: ${name}`, () => {
    const on = new Room();
    before(async () => on.enter(await make()));
    after(() => on.store.close());
    beforeEach(() => on.next());

    keysContract(on);
    sumsContract(on);
    ledgerContract(on);

    it('refuses what comes after its last second, by its own clock, and writes nothing', async () => {
      const claims = [on.put(`${on.n}/a`, 0, 1)];
      await assert.rejects(
        on.commit(claims, { notAfter: T - 1, entries: [on.entry({ n: on.n }, on.n)] }),
        (fault) => fault instanceof StoreFault && fault.what === 'deadline',
      );
      assert.equal(await on.get(`${on.n}/a`), undefined);
      assert.deepEqual(await on.store.scan({ term: on.n, limit: 1 }), []);
      assert.equal(await on.commit(claims, { notAfter: T }), undefined);
    });

    it('takes no batch that the port cannot mean, and goes on', async () => {
      const wrong: readonly (readonly [string, Partial<Batch<string>>])[] = [
        ['a lone surrogate in a key', { claims: [on.put(`${on.n}/\ud800`, 0, 1)] }],
        ['a NUL in a key', { claims: [on.put(`${on.n}/\0`, 0, 1)] }],
        ['an empty key', { claims: [on.put('', 0, 1)] }],
        ['a key that names an entry', { claims: [on.put('entry/0000000000000001', 0, 1)] }],
        ['a version below zero', { claims: [on.put(on.n, -1, 1)] }],
        ['a value that is not JSON', { claims: [on.put(on.n, 0, { a: undefined } as unknown as Json)] }],
        ['a number that JSON cannot hold', { claims: [on.put(on.n, 0, Number.NaN)] }],
        ['an end that is no time', { claims: [on.put(on.n, 0, 1, { until: Number.NaN })] }],
        ['an amount below zero', { claims: [on.add(on.n, 'a', -1)] }],
        ['an amount that is no number', { claims: [on.add(on.n, 'a', Number.NaN)] }],
        ['a window of nothing', { claims: [on.add(on.n, 'a', 1, 1, { windowSeconds: 0 })] }],
        ['an entry that is no object', { entries: [{ body: [] as unknown as JsonObject, terms: [] }] }],
        ['an entry with half a character', { entries: [on.entry({ a: '\udc00' })] }],
        ['the ledger as a term', { entries: [on.entry({}, 'entry')] }],
        ['a batch of no time', { at: Number.NaN }],
      ];
      const before = (await on.ledger()).length;
      for (const [what, batch] of wrong) await assert.rejects(on.commit([], batch), TypeError, what);
      assert.equal((await on.ledger()).length, before);
      assert.equal(await on.get(on.n), undefined);
      assert.equal(await on.commit([on.put(on.n, 0, 1)]), undefined);
    });

    it('tells followers of a prefix what changes, until they stop', async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      const stream = on.store.follow(`${on.n}/a`, stop.signal);
      await on.commit([on.put(`${on.n}/a1`, 0, 1), on.put(`${on.n}/b`, 0, 1), on.put(`${on.n}/a2`, 0, 1, { until: T + 30 })]);
      await on.commit([on.put(`${on.n}/a1`, 7, 1)]);
      await on.commit([on.put(`${on.n}/a2`, 0, 1, { orSame: true })]);
      for await (const key of stream) {
        seen.push(key);
        if (seen.length === 2) await on.commit([on.put(`${on.n}/a1`, 1, 2)]);
        if (seen.length === 3) stop.abort();
      }
      assert.deepEqual([...seen.slice(0, 2)].sort().concat(seen.slice(2)), [`${on.n}/a1`, `${on.n}/a2`, `${on.n}/a1`]);
      for await (const key of on.store.follow(on.n, AbortSignal.abort())) assert.fail(key);
    });

    it('lands what is under way when it closes, and answers nothing after', async () => {
      const other = await make();
      const batch = (i: number): Batch<string> => ({ at: T, notAfter: T + 30, claims: [on.put(`${on.n}/${i}`, 0, i)], entries: [] });
      other.clock.at = T;
      const following = (async () => {
        for await (const _ of other.store.follow('none/', new AbortController().signal)) assert.fail();
      })();
      const answers = Promise.all(Array.from({ length: 20 }, (_, i) => other.store.commit(batch(i))));
      const closed = Promise.all([other.store.close(), other.store.close()]);
      assert.deepEqual(new Set(await answers), new Set([undefined]));
      await closed;
      await following;
      const isClosed = (fault: unknown): boolean => fault instanceof StoreFault && fault.what === 'closed';
      await assert.rejects(other.store.commit(batch(99)), isClosed);
      await assert.rejects(other.store.look([on.n]), isClosed);
      await assert.rejects(other.store.scan({ term: 'entry', limit: 1 }), isClosed);
    });
  });
}
