/** What every back end of the store must do. Written against the port alone, so that it runs unchanged on each. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { GENESIS, link } from '../../src/store/chain.ts';
import { type Batch, type Claim, type Store, StoreFault } from '../../src/store/store.ts';
import { canonical } from '../../src/wire/digest.ts';
import type { Json, JsonObject } from '../../src/wire/json.ts';

export interface Made {
  /** Empty, or shared with other suites: every name used here is new. */
  readonly store: Store;
  /** The store's own clock, epoch seconds, to be set. */
  readonly clock: { at: number };
}
const T = 1_795_176_000;

export function storeContract(name: string, make: () => Promise<Made>): void {
  describe(`store contract: ${name}`, () => {
    let store: Store;
    let clock: { at: number };
    let round = 0;
    let n = '';
    before(async () => {
      ({ store, clock } = await make());
    });
    after(() => store.close());
    beforeEach(() => {
      clock.at = T;
      n = `t${round++}`;
    });

    const commit = <R extends string>(claims: readonly Claim<R>[], more: Partial<Batch<R>> = {}): Promise<R | undefined> =>
      store.commit<R>({ at: clock.at, notAfter: clock.at + 30, claims, entries: [], ...more });
    const put = (key: string, version: number, value: Json, rest: object = {}): Claim<string> => ({
      key,
      version,
      value,
      else: `${key}@${version}`,
      ...rest,
    });
    const add = (
      sum: string,
      id: string,
      amount: number,
      limit = 100,
      rest: { windowSeconds?: number; until?: number } = {},
    ): Claim<string> => ({
      sum,
      id,
      amount,
      limit,
      windowSeconds: 3600,
      else: 'full',
      ...rest,
    });
    const get = async (key: string) => (await store.look([key])).found[0];
    const sum = async (name: string, windowSeconds = 3600) => (await store.look([], [{ sum: name, windowSeconds }])).sums[0];
    const entry = (body: JsonObject, ...terms: string[]) => ({ body, terms });
    const ledger = async () => store.scan({ term: 'entry', limit: 1_000_000 });

    // How a key is kept may depend on how long it lives, so every law of keys is tried on each life.
    for (const [life, until] of [
      ['short', T + 120],
      ['a day', T + 86_400],
      ['for ever', undefined],
    ] as const) {
      const rest = until === undefined ? {} : { until };
      describe(`keys that live ${life}`, () => {
        it('are set once at version 0, then version by version', async () => {
          assert.equal(await get(`${n}/a`), undefined);
          assert.equal(await commit([put(`${n}/a`, 0, { x: 1 }, rest)]), undefined);
          assert.deepEqual(await get(`${n}/a`), { version: 1, value: { x: 1 } });
          assert.equal(await commit([put(`${n}/a`, 0, 2, rest)]), `${n}/a@0`);
          assert.equal(await commit([put(`${n}/a`, 2, 2, rest)]), `${n}/a@2`);
          assert.equal(await commit([put(`${n}/a`, 1, null, rest)]), undefined);
          assert.deepEqual(await get(`${n}/a`), { version: 2, value: null });
        });
        it('are only checked where no value is given', async () => {
          assert.equal(await commit([{ key: `${n}/a`, version: 0, else: 'there' }]), undefined);
          assert.equal(await commit([{ key: `${n}/a`, version: 1, else: 'absent' }]), 'absent');
          await commit([put(`${n}/a`, 0, 1, rest)]);
          assert.equal(await commit([{ key: `${n}/a`, version: 0, else: 'there' }]), 'there');
          assert.equal(await commit([{ key: `${n}/a`, version: 1, else: 'absent' }]), undefined);
          assert.deepEqual(await get(`${n}/a`), { version: 1, value: 1 });
        });
        it('hold with orSame where the very value stands, and stay as they are', async () => {
          const same = (value: Json) => put(`${n}/a`, 0, value, { ...rest, orSame: true });
          assert.equal(await commit([same({ a: [1, 'x'], b: { c: null } })]), undefined);
          assert.equal(await commit([same({ b: { c: null }, a: [1, 'x'] })]), undefined);
          assert.equal((await get(`${n}/a`))?.version, 1);
          assert.equal(await commit([same({ a: [1, 'y'], b: { c: null } })]), `${n}/a@0`);
          assert.equal(await commit([{ key: `${n}/a`, version: 0, orSame: true, else: 'there' }]), 'there');
        });
        it('see the earlier claims of their own batch', async () => {
          assert.equal(await commit([put(`${n}/a`, 0, 1, rest), put(`${n}/a`, 1, 2, rest), put(`${n}/a`, 1, 3, rest)]), `${n}/a@1`);
          assert.equal(await get(`${n}/a`), undefined);
          assert.equal(await commit([put(`${n}/a`, 0, 1, rest), put(`${n}/a`, 1, 2, rest)]), undefined);
          assert.deepEqual(await get(`${n}/a`), { version: 2, value: 2 });
        });
        it('leave nothing where any claim of the batch fails, and name the first that does', async () => {
          await commit([put(`${n}/taken`, 0, 1, rest)]);
          const failed = await commit(
            [put(`${n}/a`, 0, 1, rest), add(`${n}/s`, 'i', 5), put(`${n}/taken`, 0, 2, rest), put(`${n}/taken`, 7, 2)],
            {
              entries: [entry({ n }, n)],
            },
          );
          assert.equal(failed, `${n}/taken@0`);
          assert.equal(await get(`${n}/a`), undefined);
          assert.equal(await sum(`${n}/s`), 0);
          assert.deepEqual(await store.scan({ term: n, limit: 10 }), []);
        });
        it('go to one of fifty contenders, round after round', async () => {
          for (let i = 0; i < 40; i++) {
            const answers = await Promise.all(Array.from({ length: 50 }, (_, who) => commit([put(`${n}/${i}`, 0, who, rest)])));
            const winners = answers.flatMap((answer, who) => (answer === undefined ? [who] : []));
            assert.equal(winners.length, 1);
            assert.deepEqual(await get(`${n}/${i}`), { version: 1, value: winners[0] });
          }
        });
        it('take a race for the next version once', async () => {
          await commit([put(`${n}/a`, 0, 0, rest)]);
          for (let version = 1; version <= 20; version++) {
            const answers = await Promise.all(Array.from({ length: 20 }, () => commit([put(`${n}/a`, version, version, rest)])));
            assert.equal(answers.filter((answer) => answer === undefined).length, 1);
          }
          assert.equal((await get(`${n}/a`))?.version, 21);
        });
        if (until !== undefined) {
          it('are absent past their end, for claims by the batch, for a look by the store', async () => {
            await commit([put(`${n}/a`, 0, 1, { ...rest, terms: [`${n}/term`] }), put(`${n}/b`, 0, 1, rest)]);
            clock.at = until;
            assert.equal((await get(`${n}/b`))?.version, 1);
            assert.equal(await commit([put(`${n}/b`, 0, 1, rest)]), `${n}/b@0`);
            assert.equal((await store.scan({ term: `${n}/term`, limit: 10 })).length, 1);
            clock.at = until + 1;
            assert.equal(await get(`${n}/b`), undefined);
            assert.deepEqual(await store.scan({ term: `${n}/term`, limit: 10 }), []);
            assert.equal(await commit([put(`${n}/b`, 1, 2)]), `${n}/b@1`);
            assert.equal(await commit([put(`${n}/b`, 0, 2, { orSame: true, until: until + 60 })]), undefined);
            assert.deepEqual(await get(`${n}/b`), { version: 1, value: 2 });
          });
        }
      });
    }

    it('keeps a key at its version when its life grows and shrinks', async () => {
      const lives = [60, 86_400, 30, undefined, 45, 3_600, undefined, 10];
      for (const [version, life] of lives.entries()) {
        assert.equal(await commit([put(`${n}/a`, version, version, life === undefined ? {} : { until: T + life })]), undefined);
        assert.deepEqual(await get(`${n}/a`), { version: version + 1, value: version });
      }
      clock.at = T + 11;
      assert.equal(await get(`${n}/a`), undefined);
      assert.equal(await commit([put(`${n}/a`, 0, 'again')]), undefined);
      clock.at = T + 100_000;
      assert.deepEqual(await get(`${n}/a`), { version: 1, value: 'again' });
    });

    it('burns a mark once among many batches that carry more', async () => {
      const tries = await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          commit([put(`once/${n}`, 0, 1, { until: T + 60 }), put(`${n}/${i}`, 0, i, { until: T + 86_400 })], {
            entries: [entry({ i }, n)],
          }),
        ),
      );
      assert.equal(tries.filter((failed) => failed === undefined).length, 1);
      assert.equal(tries.filter((failed) => failed === `once/${n}@0`).length, 99);
      assert.equal((await store.scan({ term: n, limit: 1000 })).length, 1);
    });

    describe('sums', () => {
      it('let exactly seven of two hundred in', async () => {
        for (let i = 0; i < 5; i++) {
          const answers = await Promise.all(Array.from({ length: 200 }, (_, id) => commit([add(`${n}/${i}`, `${id}`, 1, 7)])));
          assert.equal(answers.filter((answer) => answer === undefined).length, 7);
          assert.equal(answers.filter((answer) => answer === 'full').length, 193);
          assert.equal(await sum(`${n}/${i}`), 7);
        }
      });
      it('replace an amount under its id, and never refuse what does not raise them', async () => {
        assert.equal(await commit([add(n, 'a', 60)]), undefined);
        assert.equal(await commit([add(n, 'b', 41)]), 'full');
        assert.equal(await commit([add(n, 'a', 20)]), undefined);
        assert.equal(await sum(n), 20);
        assert.equal(await commit([add(n, 'b', 80)]), undefined);
        assert.equal(await commit([add(n, 'b', 81)]), 'full');
        assert.equal(await sum(n), 100);
        assert.equal(await commit([add(n, 'b', 79, 10)]), undefined, 'a limit that was lowered since does not stop a settlement');
        assert.equal(await commit([add(n, 'a', 0, 10)]), undefined, 'nor a release');
        assert.equal(await sum(n), 79);
        assert.equal(await commit([add(n, 'c', 0, 10)]), undefined);
        assert.equal(await commit([add(n, 'd', Number.POSITIVE_INFINITY)]), 'full');
      });
      it('see the earlier claims of their own batch', async () => {
        assert.equal(await commit([add(n, 'a', 60), add(n, 'b', 60)]), 'full');
        assert.equal(await sum(n), 0);
        assert.equal(await commit([add(n, 'a', 60), add(n, 'a', 90), add(n, 'b', 10), add(`${n}/other`, 'a', 99)]), undefined);
        assert.equal(await sum(n), 100);
        assert.equal(await commit([add(n, 'a', 0), add(n, 'c', 90)]), undefined);
        assert.equal(await sum(n), 100);
      });
      it('let an amount go past its end', async () => {
        await commit([add(n, 'a', 100, 100, { until: T + 60 })]);
        clock.at = T + 60;
        assert.equal(await sum(n), 100);
        assert.equal(await commit([add(n, 'b', 1)]), 'full');
        clock.at = T + 61;
        assert.equal(await sum(n), 0);
        assert.equal(await commit([add(n, 'b', 100)]), undefined);
        assert.equal(await commit([add(n, 'a', 1)]), 'full', 'what has gone is a new amount');
      });
      it('let an amount go with the window: never early, a sixtieth late at most, and the clock of a settlement is the first', async () => {
        for (const windowSeconds of [1, 60, 3600, 86_400]) {
          const name = `${n}/${windowSeconds}`;
          const rest = { windowSeconds };
          clock.at = T + 17;
          await commit([add(name, 'a', 50, 100, rest)]);
          clock.at += windowSeconds - 1;
          assert.equal(await sum(name, windowSeconds), 50);
          assert.equal(await commit([add(name, 'a', 100, 100, rest)]), undefined);
          assert.equal(await commit([add(name, 'b', 1, 100, rest)]), 'full');
          clock.at += 1 + Math.floor(windowSeconds / 60);
          assert.equal(await sum(name, windowSeconds), 0);
          assert.equal(await commit([add(name, 'b', 100, 100, rest)]), undefined);
        }
      });
      it('are judged by any window, also one that was never claimed by', async () => {
        const hour = { windowSeconds: 3600 };
        await commit([add(n, 'a', 6, 10, hour)]);
        clock.at += 3_000;
        await commit([add(n, 'b', 3, 10, hour), add(n, 'b', 3, 10, { windowSeconds: 86_400 })]);
        assert.equal(await sum(n, 600), 3);
        clock.at += 1_000;
        assert.equal(await sum(n, 3600), 3);
        assert.equal(await sum(n, 86_400), 9);
        assert.equal(await commit([add(n, 'c', 5, 10, hour), add(n, 'c', 5, 10, { windowSeconds: 86_400 })]), 'full');
        assert.equal(await commit([add(n, 'c', 5, 10, hour)]), undefined);
        assert.equal(await sum(n, 86_400), 14);
      });
      it('agree with what a look says', async () => {
        for (let i = 0; i < 60; i++) {
          const left = 100 - Number(await sum(n, 600));
          assert.equal(await commit([add(n, `over${i}`, left + 1, 100, { windowSeconds: 600 })]), 'full');
          if (left > 0) assert.equal(await commit([add(n, `in${i}`, Math.min(left, 1 + (i % 9)), 100, { windowSeconds: 600 })]), undefined);
          clock.at += 13;
        }
      });
    });

    describe('the ledger', () => {
      it('chains entries in the order in which they became durable', async () => {
        const before = (await ledger()).length;
        await Promise.all(
          Array.from({ length: 60 }, (_, i) => commit([], { entries: [entry({ n, i, half: 1 }), entry({ i, half: 2, n })] })),
        );
        const rows = await ledger();
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
        for (let i = 0; i < 7; i++) await commit([], { entries: [entry({ i })] });
        for (const newestFirst of [false, true]) {
          const all = await store.scan({ term: 'entry', limit: 1_000_000, newestFirst });
          const paged = [];
          for (let last: string | undefined; ; ) {
            const page = await store.scan({ term: 'entry', limit: 3, newestFirst, ...(last !== undefined && { after: last }) });
            paged.push(...page);
            last = page.at(-1)?.key;
            if (page.length < 3) break;
          }
          assert.deepEqual(paged, all);
        }
      });
    });

    describe('terms', () => {
      const page = (more: object = {}) => store.scan({ term: `${n}/t`, limit: 10, ...more });
      it('find keys and entries, in order of key, paged both ways', async () => {
        await commit(
          [put(`${n}/b`, 0, 'b', { terms: [`${n}/t`, `${n}/u`] }), put(`${n}/a`, 0, 'a', { terms: [`${n}/t`], until: T + 90 })],
          {
            entries: [entry({ n }, `${n}/t`), entry({ n }, `${n}/u`)],
          },
        );
        const all = await page();
        assert.deepEqual(
          all.map((stored) => stored.key.replace(/\d{16}/, '#')),
          ['entry/#', `${n}/a`, `${n}/b`],
        );
        assert.match(String(all[0]?.hash), /^[0-9a-f]{64}$/);
        assert.deepEqual(all[1], { key: `${n}/a`, version: 1, value: 'a' });
        assert.deepEqual(await page({ newestFirst: true }), [...all].reverse());
        assert.deepEqual(await page({ after: all[0]?.key, limit: 1 }), [all[1]]);
        assert.deepEqual(await page({ after: `${n}/b`, limit: 1, newestFirst: true }), [all[1]]);
        assert.deepEqual(await page({ limit: 0 }), []);
        assert.deepEqual(await store.scan({ term: `${n}/none`, limit: 10 }), []);
      });
      it('of a write take the place of those before it', async () => {
        await commit([put(`${n}/a`, 0, 1, { terms: [`${n}/t`] })]);
        await commit([put(`${n}/a`, 1, 2, { terms: [`${n}/u`] })]);
        assert.deepEqual(await page(), []);
        assert.equal((await store.scan({ term: `${n}/u`, limit: 10 }))[0]?.version, 2);
        await commit([put(`${n}/a`, 2, 3, { until: T + 60 })]);
        assert.deepEqual(await store.scan({ term: `${n}/u`, limit: 10 }), []);
      });
    });

    it('refuses what comes after its last second, by its own clock, and writes nothing', async () => {
      const claims = [put(`${n}/a`, 0, 1)];
      await assert.rejects(
        commit(claims, { notAfter: T - 1, entries: [entry({ n }, n)] }),
        (fault) => fault instanceof StoreFault && fault.what === 'deadline',
      );
      assert.equal(await get(`${n}/a`), undefined);
      assert.deepEqual(await store.scan({ term: n, limit: 1 }), []);
      assert.equal(await commit(claims, { notAfter: T }), undefined);
    });

    it('takes no batch that the port cannot mean, and goes on', async () => {
      const wrong: readonly (readonly [string, Partial<Batch<string>>])[] = [
        ['a lone surrogate in a key', { claims: [put(`${n}/\ud800`, 0, 1)] }],
        ['a NUL in a key', { claims: [put(`${n}/\0`, 0, 1)] }],
        ['an empty key', { claims: [put('', 0, 1)] }],
        ['a key that names an entry', { claims: [put('entry/0000000000000001', 0, 1)] }],
        ['a version below zero', { claims: [put(n, -1, 1)] }],
        ['a value that is not JSON', { claims: [put(n, 0, { a: undefined } as unknown as Json)] }],
        ['a number that JSON cannot hold', { claims: [put(n, 0, Number.NaN)] }],
        ['an end that is no time', { claims: [put(n, 0, 1, { until: Number.NaN })] }],
        ['an amount below zero', { claims: [add(n, 'a', -1)] }],
        ['an amount that is no number', { claims: [add(n, 'a', Number.NaN)] }],
        ['a window of nothing', { claims: [add(n, 'a', 1, 1, { windowSeconds: 0 })] }],
        ['an entry that is no object', { entries: [{ body: [] as unknown as JsonObject, terms: [] }] }],
        ['an entry with half a character', { entries: [entry({ a: '\udc00' })] }],
        ['the ledger as a term', { entries: [entry({}, 'entry')] }],
        ['a batch of no time', { at: Number.NaN }],
      ];
      const before = (await ledger()).length;
      for (const [what, batch] of wrong) await assert.rejects(commit([], batch), TypeError, what);
      assert.equal((await ledger()).length, before);
      assert.equal(await get(n), undefined);
      assert.equal(await commit([put(n, 0, 1)]), undefined);
    });

    it('tells followers of a prefix what changes, until they stop', async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      const stream = store.follow(`${n}/a`, stop.signal);
      await commit([put(`${n}/a1`, 0, 1), put(`${n}/b`, 0, 1), put(`${n}/a2`, 0, 1, { until: T + 30 })]);
      await commit([put(`${n}/a1`, 7, 1)]);
      await commit([put(`${n}/a2`, 0, 1, { orSame: true })]);
      for await (const key of stream) {
        seen.push(key);
        if (seen.length === 2) await commit([put(`${n}/a1`, 1, 2)]);
        if (seen.length === 3) stop.abort();
      }
      assert.deepEqual([...seen.slice(0, 2)].sort().concat(seen.slice(2)), [`${n}/a1`, `${n}/a2`, `${n}/a1`]);
      for await (const key of store.follow(n, AbortSignal.abort())) assert.fail(key);
    });

    it('lands what is under way when it closes, and answers nothing after', async () => {
      const other = await make();
      const { store } = other;
      const batch = (i: number): Batch<string> => ({ at: T, notAfter: T + 30, claims: [put(`${n}/${i}`, 0, i)], entries: [] });
      other.clock.at = T;
      const following = (async () => {
        for await (const _ of store.follow('none/', new AbortController().signal)) assert.fail();
      })();
      const answers = Promise.all(Array.from({ length: 20 }, (_, i) => store.commit(batch(i))));
      const closed = Promise.all([store.close(), store.close()]);
      assert.deepEqual(new Set(await answers), new Set([undefined]));
      await closed;
      await following;
      const isClosed = (fault: unknown): boolean => fault instanceof StoreFault && fault.what === 'closed';
      await assert.rejects(store.commit(batch(99)), isClosed);
      await assert.rejects(store.look([n]), isClosed);
      await assert.rejects(store.scan({ term: 'entry', limit: 1 }), isClosed);
    });
  });
}
