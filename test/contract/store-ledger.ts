import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GENESIS, link } from '../../src/store/chain.ts';
import { canonical } from '../../src/wire/digest.ts';
import { type Room, T } from './store-room.ts';

export function ledgerContract(on: Room): void {
  describe('the ledger', () => {
    it('chains entries in the order in which they became durable', async () => {
      const before = (await on.ledger()).length;
      await Promise.all(
        Array.from({ length: 60 }, (_, i) =>
          on.commit([], { entries: [on.entry({ n: on.n, i, half: 1 }), on.entry({ i, half: 2, n: on.n })] }),
        ),
      );
      const rows = await on.ledger();
      assert.equal(rows.length, before + 120);
      let previous = GENESIS;
      for (const [i, row] of rows.entries()) {
        assert.equal(row.key, `entry/${String(i + 1).padStart(16, '0')}`);
        assert.equal(row.version, 1);
        previous = link(previous, canonical(row.value));
        assert.equal(row.hash, previous);
      }
      const halves = rows.slice(before).map((row) => row.value as { i: number; half: number });
      for (let i = 0; i < halves.length; i += 2) {
        assert.deepEqual([halves[i]?.half, halves[i + 1]?.half], [1, 2]);
        assert.equal(halves[i]?.i, halves[i + 1]?.i);
      }
    });
    it('is paged both ways', async () => {
      for (let i = 0; i < 7; i++) await on.commit([], { entries: [on.entry({ i })] });
      for (const newestFirst of [false, true]) {
        const all = await on.store.scan({ term: 'entry', limit: 1_000_000, newestFirst });
        const paged = [];
        for (let last: string | undefined; ; ) {
          const page = await on.store.scan({ term: 'entry', limit: 3, newestFirst, ...(last !== undefined && { after: last }) });
          paged.push(...page);
          last = page.at(-1)?.key;
          if (page.length < 3) break;
        }
        assert.deepEqual(paged, all);
      }
    });
  });

  describe('terms', () => {
    const page = (more: object = {}) => on.store.scan({ term: `${on.n}/t`, limit: 10, ...more });
    it('find keys and entries, in order of key, paged both ways', async () => {
      await on.commit(
        [
          on.put(`${on.n}/b`, 0, 'b', { terms: [`${on.n}/t`, `${on.n}/u`] }),
          on.put(`${on.n}/a`, 0, 'a', { terms: [`${on.n}/t`], until: T + 90 }),
        ],
        {
          entries: [on.entry({ n: on.n }, `${on.n}/t`), on.entry({ n: on.n }, `${on.n}/u`)],
        },
      );
      const all = await page();
      assert.deepEqual(
        all.map((stored) => stored.key.replace(/\d{16}/, '#')),
        ['entry/#', `${on.n}/a`, `${on.n}/b`],
      );
      assert.match(String(all[0]?.hash), /^[0-9a-f]{64}$/);
      assert.deepEqual(all[1], { key: `${on.n}/a`, version: 1, value: 'a' });
      assert.deepEqual(await page({ newestFirst: true }), [...all].reverse());
      assert.deepEqual(await page({ after: all[0]?.key, limit: 1 }), [all[1]]);
      assert.deepEqual(await page({ after: `${on.n}/b`, limit: 1, newestFirst: true }), [all[1]]);
      assert.deepEqual(await page({ limit: 0 }), []);
      assert.deepEqual(await on.store.scan({ term: `${on.n}/none`, limit: 10 }), []);
    });
    it('of a write take the place of those before it', async () => {
      await on.commit([on.put(`${on.n}/a`, 0, 1, { terms: [`${on.n}/t`] })]);
      await on.commit([on.put(`${on.n}/a`, 1, 2, { terms: [`${on.n}/u`] })]);
      assert.deepEqual(await page(), []);
      assert.equal((await on.store.scan({ term: `${on.n}/u`, limit: 10 }))[0]?.version, 2);
      await on.commit([on.put(`${on.n}/a`, 2, 3, { until: T + 60 })]);
      assert.deepEqual(await on.store.scan({ term: `${on.n}/u`, limit: 10 }), []);
    });
  });
}
