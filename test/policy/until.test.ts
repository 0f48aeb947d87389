/** A permit with a last day, as a bundle's own decision tests look at it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runDecisionTests } from '../../scripts/decision-tests.ts';
import { compiled, files, PAY } from './fixture.ts';

const POLICIES = `@id("asks") @approval("team:leads") permit (principal is Person, action == ${PAY}, resource == Server::"shop");
@id("acts") permit (principal is Actor, action == ${PAY}, resource == Server::"shop");
@id("habit") @until("2026-12-31") @approval_instead_of("asks")
permit (principal is Person, action == ${PAY}, resource == Server::"shop") when { context.input.amount <= 50 };
`;
const TESTS = `tests:
  - { name: small and in time, agent: bot, for: { sub: "people:u_alice", groups: [] }, tool: shop/pay, arguments: { amount: 50 }, at: "2026-12-31T23:59:59Z",
      expect: { decision: allow, policies: [acts, asks, habit] } }
  - { name: a day later people are asked again, agent: bot, for: { sub: "people:u_alice", groups: [] }, tool: shop/pay, arguments: { amount: 50 }, at: "2027-01-01T00:00:00Z",
      expect: { decision: allow, policies: [acts, asks], approval: ["team:leads"] } }
  - { name: large, agent: bot, for: { sub: "people:u_alice", groups: [] }, tool: shop/pay, arguments: { amount: 51 }, at: "2026-12-31T00:00:00Z",
      expect: { decision: allow, policies: [acts, asks], approval: ["team:leads"] } }
`;
test('decision tests say when they are', async () => {
  const { bundle } = await compiled(POLICIES);
  const outcome = runDecisionTests(bundle, files(POLICIES, { 'tests/until.yaml': TESTS }));
  assert.ok(outcome.ok);
  assert.deepEqual(
    outcome.value.map(({ name, got, ok }) => [name, got, ok]),
    [
      ['small and in time', 'allow 60s', true],
      ['a day later people are asked again', 'allow 60s if team:leads agrees', true],
      ['large', 'allow 60s if team:leads agrees', true],
    ],
  );
});
