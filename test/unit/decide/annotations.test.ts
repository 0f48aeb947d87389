import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL, compiled, decideBy, PAY, problems } from '../../policy/fixture.ts';

const scope = `(principal, action == ${PAY}, resource)`;

test('a permit says how long and who must agree; the strictest of all that hold counts', async () => {
  const { bundle } = await compiled(`
@id("a") @ttl("2m") @owner("team:a") permit ${scope};
@id("b") @ttl("90s") @approval("team:privacy, people:u_alice") permit ${scope};
@id("c") @approval("team:privacy,team:legal") @quorum("2") @approval_ttl("5m") permit ${scope};
@id("d") @ttl("1s") @quorum("9") @approval("team:never") permit ${scope} when { context.input.amount > 5 };`);
  assert.deepEqual(decideBy(bundle), {
    allow: true,
    policies: ['a', 'b', 'c'],
    ttlSeconds: 90,
    approval: { who: ['people:u_alice', 'team:legal', 'team:privacy'], quorum: 2, ttlSeconds: 300 },
  });
});

test('a forbid teaches: the first by id that has something to say', async () => {
  const { bundle } = await compiled(`${ALL}
@id("z") @reason("late") @remedy("tomorrow") forbid ${scope};
@id("a") forbid ${scope};
@id("m") @reason("too_large") @remedy("less") @hint("[{\\"argument\\":\\"amount\\",\\"maximum\\":5,\\"hard\\":true}]") forbid ${scope};`);
  assert.deepEqual(decideBy(bundle), {
    allow: false,
    cause: 'denied',
    policies: ['a', 'm', 'z'],
    code: 'too_large',
    remedy: { text: 'less', hints: [{ argument: 'amount', maximum: 5, hard: true }] },
  });
});

const TABLE: readonly (readonly [string, string])[] = [
  ['@ttl("90s") forbid', '@ttl on a forbid means nothing (it belongs to the permit)'],
  ['@approval("team:a") forbid', '@approval on a forbid means nothing (it belongs to the permit)'],
  ['@reason("x") permit', '@reason on a permit means nothing (a permit that does not hold is silent; write a forbid)'],
  ['@ttl("90") permit', '@ttl must be a time such as 90s or 2m, at most 5m'],
  ['@ttl("1h") permit', '@ttl must be a time such as 90s or 2m, at most 5m'],
  ['@ttl("0s") permit', '@ttl must be a time such as 90s or 2m, at most 5m'],
  ['@ttl("301s") permit', '@ttl must be a time such as 90s or 2m, at most 5m'],
  ['@tll("90s") permit', 'unknown annotation @tll (did you mean ttl?)'],
  ['@reason("Too large") forbid', '@reason must be a code of lower-case letters and underscores'],
  ['@remedy("less") forbid', '@remedy without @reason (a program reads the code, a person the remedy)'],
  ['@reason("x") @hint("{}") forbid', '@hint without @remedy'],
  ['@reason("x") @remedy("y") @hint("{") forbid', '@hint must be a JSON object of strings, numbers and booleans, or a list of such'],
  ['@reason("x") @remedy("y") @hint("[]") forbid', '@hint must be a JSON object of strings, numbers and booleans, or a list of such'],
  [
    '@reason("x") @remedy("y") @hint("{\\"a\\":{}}") forbid',
    '@hint must be a JSON object of strings, numbers and booleans, or a list of such',
  ],
  ['@approval("privacy") permit', '@approval must name who, such as team:privacy or people:u_alice'],
  ['@approval("team:a,") permit', '@approval must name who, such as team:privacy or people:u_alice'],
  ['@confirm("yes") permit', '@confirm is not enforced by this broker yet (name who must agree with @approval)'],
  ['@quorum("2") permit', '@quorum and @approval_ttl need @approval'],
  ['@approval("team:a") @quorum("0") permit', '@quorum must be a number from 1 to 99'],
  ['@approval("team:a") @approval_ttl("9d") permit', '@approval_ttl must be a time such as 15m or 4h, at most a week'],
  ['@owner permit', '@owner says nothing'],
];
for (const [text, expected] of TABLE) {
  test(`refused: ${text}`, async () => assert.deepEqual(await problems(`${ALL}\n@id("x") ${text} ${scope};`), [`p.cedar:3: ${expected}`]));
}
test('an @id that is no name', async () => {
  assert.deepEqual(await problems(`@id("a b") permit ${scope};`), ['p.cedar:1: @id must be letters, digits, dots, dashes and underscores']);
});
