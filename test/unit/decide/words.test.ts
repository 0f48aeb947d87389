/** What a policy says, in plain words: every form that conditions can take, and where there are none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatedRule } from '../../../src/model.ts';
import { compiled, PAY } from '../../policy/fixture.ts';

const SCOPE = `principal is Person, action == ${PAY}, resource`;
const rulesOf = async (text: string): Promise<readonly StatedRule[]> => {
  const { rules } = (await compiled(text)).bundle.policy;
  assert.ok(rules);
  return rules;
};
const only = async (when: string, kind = 'when'): Promise<StatedRule> => {
  const [rule] = await rulesOf(`@id("one") permit (${SCOPE}) ${kind} { ${when} };`);
  assert.ok(rule);
  return rule;
};

const WORDS: readonly (readonly [string, string])[] = [
  ['context.input.amount > 5000', 'when amount is more than 5,000'],
  ['context.input.amount >= 1 && context.input.amount <= 9', 'when amount is at least 1 and amount is at most 9'],
  ['context.input.amount != 3 || context.input.fast', 'when amount is not 3 or fast'],
  ['(context.input.amount == 3 || context.input.fast) && !context.input.fast', 'when (amount is 3 or fast) and it is not so that fast'],
  ['principal.groups.contains("support")', 'when the person’s groups include “support”'],
  ['principal.groups.containsAny(["a", "b"])', 'when the person’s groups include any of “a”, “b”'],
  ['principal has department && principal.department like "pay*"', 'when the person’s department looks like “pay*”'],
  ['!(context.input has note)', 'when note is not given'],
  ['context.input has note && ["x", "y"].contains(context.input.note)', 'when note is one of “x”, “y”'],
  ['context has actor && context.actor.depth > 1', 'when the number of agents in a row is more than 1'],
  ['context.subject.id == "people:u_alice"', 'when whoever is acted for is “people:u_alice”'],
  ['context.now < datetime("2027-01-01T00:00:00Z")', 'when the time is less than 2027-01-01T00:00:00Z'],
  ['context.input has price && context.input.price.lessThan(decimal("12.5"))', 'when price is less than 12.5'],
  ['context.input.amount * 2 > 10', 'when amount times 2 is more than 10'],
  ['context.said has purpose', 'when the stated purpose is given'],
  ['context.input has place && context.input.place.country == "DE"', 'when place.country is “DE”'],
  ['context has actor', 'when an agent acts for somebody else'],
  ['!(context has actor) || context.input.fast', 'when no agent acts for somebody else or fast'],
  ['context.input has note || context.input.fast', 'when note is given or fast'],
  // No plain words: said so, and the source stands beside it.
  ['(if context.input.fast then context.input.amount > 1 else true)', 'when its condition holds, which is best read in its source'],
];
for (const [when, words] of WORDS) {
  test(when, async () => assert.deepEqual((await only(when)).said().conditions, [words]));
}

test('unless is said as such; several conditions each', async () => {
  assert.deepEqual((await only('context.input.fast', 'unless')).said().conditions, ['unless fast']);
  assert.deepEqual((await only('context.input.fast } unless { context.input.amount < 3')).said().conditions, [
    'when fast',
    'unless amount is less than 3',
  ]);
});

test('a policy keeps its place, its scope and its owner', async () => {
  const text = `// about\n\n@id("all") @owner("team:x")\npermit (principal, action, resource);\n@id("bot") @ttl("30s")\npermit (\n  principal == Actor::"bot", action in [${PAY}, shop::Action::"look"], resource == Server::"shop");`;
  const [all, bot] = await rulesOf(text);
  assert.ok(all && bot);
  const { said, ...place } = all;
  assert.deepEqual(place, {
    id: 'all',
    effect: 'permit',
    file: 'p.cedar',
    line: 3,
    lastLine: 4,
    text: '@id("all") @owner("team:x")\npermit (principal, action, resource);',
  });
  assert.deepEqual(said(), { owner: 'team:x', conditions: [], compared: [] });
  assert.deepEqual([bot.principal, bot.server, bot.ttlSeconds], [{ type: 'Actor', id: 'bot' }, 'shop', 30]);
  assert.deepEqual(bot.tools, [
    { server: 'shop', tool: 'pay' },
    { server: 'shop', tool: 'look' },
  ]);
  assert.equal(bot.line + 2, bot.lastLine);
});

test('what it compares with, by attribute', async () => {
  const compared = async (when: string) =>
    (await only(when)).said().compared.map(({ path, as, value }) => [path?.join('.') ?? '', as, value]);
  assert.deepEqual(await compared('context.input.amount > 5000 && principal.groups.contains("a")'), [
    ['context.input.amount', 'value', 5000],
    ['principal.groups', 'member', 'a'],
  ]);
  assert.deepEqual(await compared('7 < context.input.amount || (context.input has note && ["x"].contains(context.input.note))'), [
    ['context.input.amount', 'value', 7],
    ['context.input.note', 'value', 'x'],
  ]);
  assert.deepEqual(await compared('context.input.amount * 2 > 10'), [
    ['', 'value', 2],
    ['', 'value', 10],
  ]);
});
