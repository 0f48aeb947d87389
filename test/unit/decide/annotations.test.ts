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

test('what is demanded of others, of the owner and of the person themselves comes together', async () => {
  const { bundle } = await compiled(`
@id("a") @confirm permit ${scope};
@id("b") @approval("owner") @approval_ttl("1h") permit ${scope};
@id("c") @approval("team:legal") @approval_proof("passkey") permit ${scope};`);
  assert.deepEqual(decideBy(bundle), {
    allow: true,
    policies: ['a', 'b', 'c'],
    approval: { who: ['owner', 'team:legal'], quorum: 1, ttlSeconds: 900, confirm: true, proof: 'passkey' },
  });
});
test('a confirmation alone asks nobody else', async () => {
  const { bundle } = await compiled(`@id("a") @confirm @approval_ttl("5m") permit ${scope};`);
  assert.deepEqual(decideBy(bundle), { allow: true, policies: ['a'], approval: { who: [], quorum: 0, ttlSeconds: 300, confirm: true } });
});
test('a permit demands less than another only where it says in whose place it stands', async () => {
  const small = (more: string): string => `
@id("general") @approval("team:legal") permit ${scope};
@id("small") ${more} permit ${scope} when { context.input.amount < 9 };`;
  const [plain, instead] = [await compiled(small('@confirm')), await compiled(small('@confirm @approval_instead_of("general")'))];
  const approvalOf = ({ bundle }: typeof plain): unknown => {
    const verdict = decideBy(bundle);
    return verdict.allow && [verdict.policies, verdict.approval];
  };
  const both = ['general', 'small'];
  assert.deepEqual(approvalOf(plain), [both, { who: ['team:legal'], quorum: 1, ttlSeconds: 900, confirm: true }]);
  assert.deepEqual(approvalOf(instead), [both, { who: [], quorum: 0, ttlSeconds: 900, confirm: true }]);
  const nobody = await compiled(small('@approval_instead_of("general")'));
  assert.deepEqual(approvalOf(nobody), [both, undefined]);
});
test('two permits that would undo each other do not load', async () => {
  const undo = (id: string, other: string): string => `@id("${id}") @confirm @approval_instead_of("${other}") permit ${scope};\n`;
  assert.deepEqual(await problems(undo('a', 'b') + undo('b', 'a')), [
    'p.cedar:1: @approval_instead_of names b, which has one itself',
    'p.cedar:2: @approval_instead_of names a, which has one itself',
  ]);
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
  ['@approval("privacy") permit', '@approval must name who, such as team:privacy, people:u_alice or owner'],
  ['@approval("team:a,") permit', '@approval must name who, such as team:privacy, people:u_alice or owner'],
  ['@approval("owners") permit', '@approval must name who, such as team:privacy, people:u_alice or owner'],
  ['@confirm("yes") permit', '@confirm takes no value (it asks the person acted for, and nobody else)'],
  ['@confirm("no") permit', '@confirm takes no value (it asks the person acted for, and nobody else)'],
  ['@confirm forbid', '@confirm on a forbid means nothing (it belongs to the permit)'],
  ['@quorum("2") permit', '@quorum needs @approval'],
  ['@confirm @quorum("2") permit', '@quorum needs @approval'],
  ['@approval_ttl("5m") permit', '@approval_ttl and @approval_proof need @approval or @confirm'],
  ['@approval_proof("passkey") permit', '@approval_ttl and @approval_proof need @approval or @confirm'],
  ['@confirm @approval_proof("password") permit', '@approval_proof must be passkey'],
  ['@approval_instead_of("al") permit', 'there is no policy al (did you mean all?)'],
  ['@approval_instead_of("x") permit', '@approval_instead_of names x, which demands nothing'],
  ['@approval_instead_of("x") @confirm permit', '@approval_instead_of names x, which has one itself'],
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
