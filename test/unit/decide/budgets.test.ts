/** What a budget lets through, over random actions, receipts and times, against a model that keeps a list and adds it up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { overspent, reserve, reservedOf, settle, sharesOf, spentOf } from '../../../src/decide/budgets.ts';
import type { Agent, Asked, Budget } from '../../../src/model.ts';
import { sqliteStore } from '../../../src/store/store-sqlite.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { ALL, agentOf, asked, compiled, NOW, problems } from '../../policy/fixture.ts';

const budget = (more: Partial<Budget>): Budget => ({
  id: 'sum',
  title: 'Payments',
  on: { server: 'shop', tool: 'pay' },
  per: ['agent'],
  sum: 'amount',
  where: {},
  limit: 20,
  windowSeconds: 60,
  ...more,
});
const BUDGETS = [
  budget({}),
  budget({ id: 'calls', per: ['subject', 'tool'], limit: 4, windowSeconds: 120 }),
  budget({ id: 'fast', per: ['server'], where: { fast: true }, limit: 15, windowSeconds: 3_600 }),
].map(({ sum, ...rest }) => (rest.id === 'calls' ? rest : { ...rest, sum: sum ?? '' }));

interface Taken {
  readonly names: Readonly<Record<string, string>>;
  readonly at: number;
  amounts: Record<string, number>;
}
const action = fc.record({
  agent: fc.constantFrom('bot', 'sub'),
  subject: fc.constantFrom('u_alice', 'u_bob'),
  amount: fc.integer({ min: 0, max: 12 }),
  fast: fc.boolean(),
  wait: fc.constantFrom(0, 0, 1, 30, 59, 61, 500),
  receipt: fc.option(fc.record({ outcome: fc.constantFrom('done', 'failed', 'not_run'), amount: fc.integer({ min: -1, max: 15 }) })),
});

test('against a model', async () => {
  const { bundle: compiledBundle } = await compiled(ALL);
  const bundle = { ...compiledBundle, budgets: BUDGETS };
  const seen = { granted: 0, refused: 0, settled: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 30 }), async (actions) => {
      let now = NOW;
      const store = await sqliteStore({ path: ':memory:', now: () => now });
      const model: Taken[] = [];
      try {
        for (const [i, one] of actions.entries()) {
          now += one.wait;
          const agent = agentOf(bundle, one.agent);
          const it = of(agent, one, bundle);
          const shares = sharesOf(it, bundle);
          const { sums } = await store.look([], shares);
          const over = overspent(spentOf(shares, sums));
          const amounts: Record<string, number> = { sum: one.amount, calls: 1, ...(one.fast && { fast: one.amount }) };
          const names = { sum: one.agent, calls: `${one.subject} pay`, fast: 'shop' };
          const fits = BUDGETS.every(({ id, limit, windowSeconds }) => {
            const mine = model.filter((t) => t.names[id] === names[id as keyof typeof names] && t.at + windowSeconds > now);
            const spent = mine.reduce((sum, t) => sum + (t.amounts[id] ?? 0), 0);
            return amounts[id] === undefined || spent + amounts[id] <= limit;
          });
          assert.equal(over === undefined, fits, JSON.stringify({ i, one, model }));
          const claims = reserve(shares, `txn_${i}`);
          assert.equal(await store.commit({ at: now, notAfter: now + 5, claims, entries: [] }), fits ? undefined : 'budget_exhausted');
          if (!fits) {
            seen.refused++;
            continue;
          }
          seen.granted++;
          const taken: Taken = { names, at: now, amounts };
          model.push(taken);
          if (!one.receipt) continue;
          const { outcome, amount } = one.receipt;
          const settled = settle(
            { ...reservedOf(shares), reserved: reservedOf(shares).reserved, txn: `txn_${i}`, at: now, outcome, amounts: { amount } },
            bundle,
            now,
          );
          assert.equal(await store.commit({ at: now, notAfter: now + 5, claims: settled, entries: [] }), undefined);
          if (outcome === 'not_run') taken.amounts = {};
          else if (amount >= 0) for (const id of ['sum', 'fast']) taken.amounts[id] = Math.min(taken.amounts[id] ?? 0, amount);
          if (settled.length > 0) seen.settled++;
        }
      } finally {
        await store.close();
      }
    }),
    { numRuns: 60, seed: 20261121 },
  );
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 30, `${what}: ${count}`);
});
function of(
  agent: Agent,
  { amount, fast, subject }: { amount: number; fast: boolean; subject: string },
  bundle: Parameters<typeof asked>[0],
): Asked {
  const args: JsonObject = { amount, fast };
  return asked(bundle, { args, actors: [agent], subject: { kind: 'person', issuer: 'people', subject, exp: 2e9, attributes: {} } });
}

test('what has left its window, or is not there, is not settled', () => {
  const at = NOW;
  const reserved = { sum: { sum: 'budget/sum/60/x', amount: 5 } };
  const given = (more: object, now: number) =>
    settle({ reserved, txn: 't', at, outcome: 'not_run', amounts: {}, ...more }, { budgets: BUDGETS }, now);
  assert.equal(given({}, at + 59).length, 1);
  assert.deepEqual(given({}, at + 60), []);
  assert.deepEqual(given({ reserved: undefined }, at), []);
  assert.deepEqual(given({ reserved: { sum: { sum: 7, amount: 5 } } }, at), []);
  assert.deepEqual(given({ outcome: 'done', amounts: { amount: 5 } }, at), []);
  assert.equal(given({ outcome: 'failed', amounts: { amount: 0 } }, at).length, 1);
  assert.deepEqual(settle({ reserved, txn: 't', at, outcome: 'done', amounts: { amount: 1 } }, { budgets: [] }, at), []);
});

const file = (text: string): Promise<readonly string[]> => problems(ALL, { 'budgets.yaml': `budgets:\n${text}` });
const GOOD = '  - { id: a, title: A, on: { server: shop, tool: pay }, per: [agent], sum: amount, limit: 5, window: 1h }\n';
/** What stands in the file, and what is said of it. */
const TABLE: readonly (readonly [string, RegExp])[] = [
  [GOOD.replace('sum: amount', 'sum: amuont'), /budgets\.yaml:2: pay has no argument amuont \(did you mean amount\?\)/],
  [GOOD.replace('sum: amount', 'sum: note'), /pay\.note is no integer/],
  [GOOD, /pay\.amount may be below zero \(give it `minimum: 0`/],
  [GOOD.replace('server: shop', 'server: shops'), /there is no server shops \(did you mean shop\?\)/],
  [GOOD.replace('tool: pay', 'tool: pays'), /shop has no tool pays \(did you mean pay\?\)/],
  [GOOD.replace('tool: pay', 'tool: secret').replace('sum: amount', 'sum: it'), /the arguments of secret are hidden/],
  [GOOD.replace('sum: amount, ', 'where: { note: x }, '), /pay\.note may be absent, and then nothing is counted/],
  [GOOD.replace('limit: 5', 'limit: 0'), /budgets\.0\.limit|too small|>=1/i],
  [GOOD.replace('window: 1h', 'window: 59s'), /between a minute and 31 days/],
  [GOOD.replace('window: 1h', 'window: 1 hour'), /such as 24h/],
  [GOOD.replace('per: [agent]', 'per: []'), /must say whose it is/],
  [GOOD.replace('id: a,', 'id: a-b,'), /lower-case letters, digits and underscores/],
  [GOOD.replace('limit', 'limits'), /unknown key limits \(did you mean limit\?\)/],
  [GOOD + GOOD, /this budget stands twice/],
];
for (const [text, expected] of TABLE) {
  test(`a budget that is refused at load: ${expected.source.slice(0, 60)}`, async () => {
    const said = await file(text);
    assert.ok(
      said.some((line) => expected.test(line)),
      said.join('\n'),
    );
  });
}
test('a rule that misspells a budget does not load', async () => {
  const said = await problems(
    '@id("p") permit (principal, action == shop::Action::"look", resource) when { context.budgets.clals.left > 1 };',
    { 'budgets.yaml': 'budgets:\n  - { id: calls, title: C, on: { server: shop, tool: look }, per: [agent], limit: 5, window: 1h }\n' },
  );
  assert.match(said.join('\n'), /p\.cedar:1: .*clals/);
});
