/** A store against the plainest thing that means the same: maps and a walk over everything. For every back end. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Claim, Store } from '../../src/store/store.ts';
import { lastSecond } from '../../src/store/window.ts';

const T = 1_795_176_000;
const KEYS = ['a', 'b', 'c', 'd'];
/** A sum's windows; a claim on one with two is two claims, each within its limit. */
const WINDOWS: Readonly<Record<string, readonly number[]>> = { s: [10], t: [3600], u: [60, 3600] };
const SUMS = Object.keys(WINDOWS);
const IDS = ['1', '2', '3', '4', '5'];

class Model {
  keys = new Map<string, { version: number; value: number; until: number | undefined; terms: readonly string[] }>();
  sums = new Map<string, { sum: string; amount: number; at: number; until: number | undefined }>();
  entries = 0;

  key(key: string, at: number) {
    const held = this.keys.get(key);
    return held && (held.until === undefined || held.until >= at) ? held : undefined;
  }
  sum(sum: string, span: number, at: number): number {
    let total = 0;
    for (const m of this.sums.values()) if (m.sum === sum && lastSecond(m.at, m.until, span) >= at) total += m.amount;
    return total;
  }
  commit(at: number, claims: readonly Claim[]): string | undefined {
    const [keys, sums] = [new Map(this.keys), new Map(this.sums)];
    const failed = this.#first(at, claims, new Map(this.sums));
    if (failed === undefined) this.entries++;
    else [this.keys, this.sums] = [keys, sums];
    return failed;
  }
  #first(at: number, claims: readonly Claim[], old: Model['sums']): string | undefined {
    for (const claim of claims) {
      if ('sum' in claim) {
        const spans = WINDOWS[claim.sum] ?? [];
        const name = `${claim.sum} ${claim.id}`;
        const counted = (m: { amount: number; at: number; until: number | undefined } | undefined): number =>
          m && lastSecond(m.at, m.until, claim.windowSeconds) >= at ? m.amount : 0;
        const living = this.sums.get(name);
        const own = living && spans.some((span) => lastSecond(living.at, living.until, span) >= at) ? living : undefined;
        const next = { sum: claim.sum, amount: claim.amount, at: own?.at ?? at, until: claim.until };
        const total = this.sum(claim.sum, claim.windowSeconds, at) - counted(own) + claim.amount;
        if (counted(next) > counted(old.get(name)) && total > claim.limit) return claim.else;
        if (claim.amount === 0) this.sums.delete(name);
        else this.sums.set(name, next);
        continue;
      }
      const held = this.key(claim.key, at);
      if ((held?.version ?? 0) !== claim.version) {
        if (claim.orSame && claim.value !== undefined && held?.value === claim.value) continue;
        return claim.else;
      }
      if (claim.value === undefined) continue;
      const next = { version: claim.version + 1, value: Number(claim.value), until: claim.until, terms: claim.terms ?? [] };
      this.keys.set(claim.key, next);
    }
    return undefined;
  }
}

export type Step =
  | { is: 'commit'; ago: number; claims: readonly PlannedClaim[] }
  | { is: 'wait'; seconds: number }
  | { is: 'reopen' }
  | { is: 'together'; batches: readonly (readonly PlannedClaim[])[] };
type PlannedClaim =
  | { key: string; off: number; value: number | undefined; life: number | undefined; terms: readonly string[] | undefined; orSame: boolean }
  | { sum: string; id: string; amount: number; limit: number; life: number | undefined };

const life = fc.constantFrom(undefined, undefined, 0, 5, 60, 899, 900, 901, 5_000);
const keyClaim = fc.record({
  key: fc.constantFrom(...KEYS),
  off: fc.constantFrom(0, 0, 0, 0, 1, -1),
  value: fc.constantFrom(undefined, 1, 2),
  life,
  terms: fc.constantFrom(undefined, undefined, ['x'], ['x', 'y']),
  orSame: fc.boolean(),
});
const sumClaim = fc.record({
  sum: fc.constantFrom(...SUMS),
  id: fc.constantFrom(...IDS),
  amount: fc.nat(9),
  limit: fc.constantFrom(10, 20),
  life,
});
const claims = fc.array(fc.oneof(keyClaim, sumClaim), { maxLength: 4 });
/** `reopen`: how often it is closed and opened on what it has, beside 18 for all else. */
export const steps = (reopen: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 12, arbitrary: fc.record({ is: fc.constant('commit' as const), ago: fc.constantFrom(0, 0, 0, 2), claims }) },
      { weight: 4, arbitrary: fc.record({ is: fc.constant('wait' as const), seconds: fc.constantFrom(1, 4, 30, 61, 700, 3_000, 9_000) }) },
      { weight: 2, arbitrary: fc.record({ is: fc.constant('together' as const), batches: fc.array(claims, { maxLength: 6 }) }) },
      { weight: reopen, arbitrary: fc.record({ is: fc.constant('reopen' as const) }) },
    ),
    { maxLength: 40 },
  );

/** `open`: a store that holds nothing, and the same one again. Throws AssertionError where the two differ. */
export async function agrees(open: (now: () => number) => Promise<Store>, plan: readonly Step[]): Promise<void> {
  const model = new Model();
  let at = T;
  let store = await open(() => at);
  const claimsOf = (planned: readonly PlannedClaim[], when: number): Claim[] => {
    const versions = new Map<string, number>();
    return planned.flatMap((p, i): readonly Claim[] => {
      const otherwise = `claim ${i}`;
      const until = p.life === undefined ? {} : { until: when + p.life };
      if ('sum' in p) {
        const { sum, id, amount } = p;
        const windows = WINDOWS[sum] ?? [];
        return windows.map((windowSeconds, w) => ({
          sum,
          id,
          amount,
          limit: p.limit * (w + 1),
          windowSeconds,
          ...until,
          else: `${otherwise}.${w}`,
        }));
      }
      const known = versions.get(p.key) ?? model.key(p.key, when)?.version ?? 0;
      const version = Math.max(0, known + p.off);
      if (p.value !== undefined && version === known) versions.set(p.key, version + 1);
      const rest = { ...until, ...(p.terms && { terms: p.terms }), ...(p.orSame && { orSame: true as const }) };
      return [{ key: p.key, version, ...(p.value !== undefined && { value: p.value }), ...rest, else: otherwise }];
    });
  };
  const batch = (claims: readonly Claim[], when: number) => ({ at: when, notAfter: at, claims, entries: [{ body: {}, terms: [] }] });
  try {
    for (const step of plan) {
      if (step.is === 'wait') at += step.seconds;
      if (step.is === 'commit') {
        const when = at - step.ago;
        const claims = claimsOf(step.claims, when);
        assert.equal(await store.commit(batch(claims, when)), model.commit(when, claims));
      }
      if (step.is === 'together') {
        const batches = step.batches.map((planned) => claimsOf(planned, at));
        const answers = await Promise.all(batches.map((claims) => store.commit(batch(claims, at))));
        assert.deepEqual(
          answers,
          batches.map((claims) => model.commit(at, claims)),
        );
      }
      if (step.is === 'reopen') {
        await store.close();
        store = await open(() => at);
      }
      const queries = SUMS.flatMap((sum) => (WINDOWS[sum] ?? []).map((windowSeconds) => ({ sum, windowSeconds })));
      const seen = await store.look(KEYS, queries);
      const expected = KEYS.map((key) => model.key(key, at)).map((held) => held && { version: held.version, value: held.value });
      assert.deepEqual(seen.found, expected);
      assert.deepEqual(
        seen.sums,
        queries.map((q) => model.sum(q.sum, q.windowSeconds, at)),
      );
      for (const term of ['x', 'y']) {
        const keys = KEYS.filter((key) => model.key(key, at)?.terms.includes(term));
        assert.deepEqual(
          (await store.scan({ term, limit: 10 })).map((stored) => stored.key),
          keys,
        );
      }
      const [newest] = await store.scan({ term: 'entry', limit: 1, newestFirst: true });
      assert.equal(newest ? Number(newest.key.slice('entry/'.length)) : 0, model.entries);
    }
  } finally {
    await store.close();
  }
}
