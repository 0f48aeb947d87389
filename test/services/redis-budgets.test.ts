/**
 * A budget that two brokers spend from, in any interleaving: never overspent, and nothing refused that there was room for. The model knows
 * nothing of steps and buckets: it keeps a list of what was granted and when, and adds it up.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import fc from 'fast-check';
import type { Claim } from '../../src/store/store.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { at, openAt } from './redis-room.ts';

const T = 1_795_176_000;
/** Two limits on the same amounts, as an agent's and a server's. */
const BUDGETS = [
  { sum: 'budget/hour', limit: 40, windowSeconds: 3_600 },
  { sum: 'budget/minute', limit: 25, windowSeconds: 60 },
] as const;
/** Broker clocks differ by so much at most here. Seconds. */
const LAG = 3;

interface Amount {
  readonly at: number;
  /** Of each budget: before this group, and now. */
  was: number[];
  is: number[];
}
const op = fc.record({
  broker: fc.constantFrom(0, 1),
  /** A new amount, or one of those before, lowered or given back. */
  is: fc.constantFrom('take', 'take', 'take', 'settle', 'release'),
  amount: fc.integer({ min: 1, max: 12 }),
  pick: fc.nat(30),
  lag: fc.constantFrom(0, 0, 1, LAG),
});
const groups = fc.array(
  fc.record({ wait: fc.constantFrom(0, 0, 1, 20, 59, 61, 700, 3_700), ops: fc.array(op, { minLength: 1, maxLength: 10 }) }),
  {
    minLength: 3,
    maxLength: 20,
  },
);

suite('budgets of two brokers on one Redis', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let count = 0;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
  });
  after(() => redis.stop());

  test('any interleaving: never overspent, never refused while there is room', async () => {
    const seen = { granted: 0, refused: 0, settled: 0 };
    await fc.assert(
      fc.asyncProperty(groups, async (plan) => {
        let now = T;
        const name = `budgets-${count++}`;
        const open = () => openAt({ place: at(redis), password: redis.password, name, now: () => now });
        const brokers = await Promise.all([open(), open()]);
        const amounts = new Map<string, Amount>();
        try {
          for (const { wait, ops } of plan) {
            now += wait;
            for (const amount of amounts.values()) amount.was = [...amount.is];
            const refused: { readonly amount: number; readonly budget: string }[] = [];
            // One each: who wins when two settle the same amount is not asked here.
            const busy = new Set<string>();
            await Promise.all(
              ops.map(async ({ broker, is, amount, pick, lag }, i) => {
                const known = [...amounts.keys()].filter((id) => !busy.has(id));
                const old = is === 'take' ? undefined : known[pick % Math.max(1, known.length)];
                if (is !== 'take' && old === undefined) return;
                const id = old ?? `${name}/${now}/${i}/${amounts.size}`;
                busy.add(id);
                const held = old === undefined ? undefined : amounts.get(old);
                const next = held ? (is === 'release' ? 0 : Math.min(...held.is, amount)) : amount;
                // What has left a window would be a new amount in it, and is left alone (decide/budgets.ts, settle).
                const holding = BUDGETS.filter(({ windowSeconds }) => !held || held.at + windowSeconds > now + LAG + 1);
                const claims = holding.map((budget): Claim<string> => ({ ...budget, id, amount: next, else: budget.sum }));
                const failed = await brokers[broker]?.commit({ at: now - lag, notAfter: now + 5, claims, entries: [] });
                if (held) {
                  assert.equal(failed, undefined, 'what lowers a sum is never refused');
                  for (const [b, budget] of BUDGETS.entries()) if (holding.includes(budget)) held.is[b] = next;
                  seen.settled++;
                } else if (failed === undefined) {
                  amounts.set(id, { at: now, was: [0, 0], is: [next, next] });
                  seen.granted++;
                } else {
                  refused.push({ amount: next, budget: failed });
                  seen.refused++;
                }
              }),
            );
            for (const [b, { sum, limit, windowSeconds }] of BUDGETS.entries()) {
              let [spent, most] = [0, 0];
              for (const { at: when, was, is } of amounts.values()) {
                if (when > now - windowSeconds + LAG) spent += is[b] ?? 0;
                if (when > now - windowSeconds - windowSeconds / 60 - LAG - 1) most += Math.max(was[b] ?? 0, is[b] ?? 0);
              }
              assert.ok(spent <= limit, `${spent} of ${limit} within ${windowSeconds} s`);
              for (const { amount, budget } of refused)
                if (budget === sum) assert.ok(most + amount > limit, `${amount} refused with at most ${most} of ${limit} spent`);
            }
          }
        } finally {
          await Promise.all(brokers.map((store) => store.close()));
        }
      }),
      { numRuns: 40, endOnFailure: true },
    );
    assert.ok(seen.granted > 200 && seen.refused > 50 && seen.settled > 50, JSON.stringify(seen));
  });
});
