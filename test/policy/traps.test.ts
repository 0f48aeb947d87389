/** What the policy engine does when left alone, and what this broker makes of it. Each trap is shown on the engine first. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type AuthorizationAnswer, isAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import type { Json, JsonObject } from '../../src/wire/json.ts';
import { ALL, type Ask, compiled, decideBy, forbid, PAY, permit, problems, short } from './fixture.ts';

const scope = `principal, action == ${PAY}, resource`;
const overflow = forbid('never', scope, 'context.input.amount * 9223372036854775807 > 1');

function bare(policies: Record<string, string>, input: unknown): AuthorizationAnswer | 'throws' {
  try {
    return isAuthorized({
      principal: { type: 'Person', id: 'people:u_alice' },
      action: { type: 'shop::Action', id: 'pay' },
      resource: { type: 'Server', id: 'shop' },
      context: { input } as never,
      policies: { staticPolicies: policies },
      entities: [],
    });
  } catch {
    return 'throws';
  }
}
const bareDecision = (answer: ReturnType<typeof bare>): string =>
  answer === 'throws' ? answer : answer.type === 'failure' ? 'failure' : answer.response.decision;
const deep = (levels: number): JsonObject => (levels === 0 ? {} : { a: deep(levels - 1) });

describe('the engine alone', () => {
  test('skips a forbid that fails, and allows', () => {
    const answer = bare({ a: ALL, never: overflow }, { amount: 2 });
    assert.equal(bareDecision(answer), 'allow');
    assert.ok(answer !== 'throws' && answer.type === 'success' && answer.response.diagnostics.errors.length === 1);
  });
  const hostile: readonly (readonly [string, unknown, string])[] = [
    ['takes an integer that was rounded on the way', { amount: 2 ** 53 + 2 }, 'allow'],
    ['makes an entity of __entity', { amount: { __entity: { type: 'Person', id: 'people:u_alice' } } }, 'allow'],
    ['fails on a float', { amount: 1.5 }, 'failure'],
    ['fails on null', { amount: null }, 'failure'],
    ['throws on a bigint', { amount: 1n }, 'throws'],
    ['throws on a lone surrogate', { amount: '\ud800' }, 'throws'],
    ['throws on deep nesting', { amount: deep(200) }, 'throws'],
  ];
  for (const [name, input, expected] of hostile) test(name, () => assert.equal(bareDecision(bare({ a: ALL }, input)), expected));
});

describe('what this broker says', async () => {
  const table: readonly (readonly [name: string, policies: string, ask: Ask, expected: string])[] = [
    ['a forbid that fails', ALL + overflow, { args: { amount: 2 } }, 'input input_overflow never'],
    [
      'a permit that fails beside one that holds',
      ALL + permit('b', scope, 'context.input.amount * 9223372036854775807 > 1'),
      { args: { amount: 2 } },
      'input input_overflow b',
    ],
    [
      'a forbid that holds beside one that fails',
      ALL + overflow + forbid('no', scope, 'context.input.amount > 1'),
      { args: { amount: 2 } },
      'denied forbidden no',
    ],
    [
      'a claim that the schema requires and the token lacks',
      ALL + forbid('g', scope, 'principal is Person && principal.groups.contains("banned")'),
      { subject: person({}) },
      'input input_missing g',
    ],
    [
      'a claim of another type',
      ALL + forbid('g', scope, 'principal is Person && principal.groups.contains("banned")'),
      { subject: person({ groups: 'banned' }) },
      'input input_mistyped',
    ],
    [
      'a list claim with one value of another type',
      ALL + forbid('g', scope, 'principal is Person && principal.groups.contains("banned")'),
      { subject: person({ groups: ['a', 1] }) },
      'input input_mistyped',
    ],
    [
      'an optional claim of another type is not taken for absent',
      ALL + forbid('d', scope, 'principal is Person && principal has department && principal.department == "x"'),
      { subject: person({ department: 7 }) },
      'input input_mistyped',
    ],
    [
      'a null claim is absent',
      ALL + forbid('d', scope, 'principal is Person && principal has department && principal.department == "x"'),
      { subject: person({ department: null }) },
      'allow all',
    ],
    ['a claim that no rule reads may be anything', ALL, { subject: person({ groups: 5 }) }, 'allow all'],
    ['no policy at all', permit('other', `principal, action == shop::Action::"look", resource`), {}, 'denied no_permit'],
    ['a permit whose condition does not hold', permit('p', scope, 'context.input.amount > 5'), {}, 'denied no_permit'],
    [
      'a record that looks like an entity is a record',
      ALL + forbid('e', scope, 'context.input has place && context.input.place.country == "x"'),
      { args: { amount: 1, place: { country: 'y' } } },
      'allow all',
    ],
    [
      'an optional argument that is absent',
      permit('p', scope, 'context.input has note && context.input.note == "x"'),
      {},
      'denied no_permit',
    ],
    ['a default is filled in', permit('p', scope, '!context.input.fast'), {}, 'allow p'],
    [
      'a price of four places',
      permit('p', scope, 'context.input has price && context.input.price.lessThan(decimal("0.5"))'),
      { args: { amount: 1, price: 0.4999 } },
      'allow p',
    ],
    [
      'a whole price',
      permit('p', scope, 'context.input has price && context.input.price == decimal("3.0")'),
      { args: { amount: 1, price: 3 } },
      'allow p',
    ],
    [
      'a price of five places is not rounded',
      permit('p', scope, 'context.input has price && context.input.price.lessThan(decimal("0.5"))'),
      { args: { amount: 1, price: 0.49999 } },
      'input input_unrepresentable',
    ],
    [
      'a price beyond the type',
      permit('p', scope, 'context.input has price && context.input.price.lessThan(decimal("0.5"))'),
      { args: { amount: 1, price: 1e15 } },
      'input input_unrepresentable',
    ],
    [
      '… matters only to rules that read it',
      permit('p', scope, 'context.input has place && context.input.place.country == "FR"'),
      { args: { amount: 1, place: { country: 'FR', lat: 48.8566969 } } },
      'allow p',
    ],
    [
      'a list is a set',
      permit('p', scope, 'context.input has tags && context.input.tags.containsAll(["b", "a"])'),
      { args: { amount: 1, tags: ['a', 'a', 'b'] } },
      'allow p',
    ],
    ['the clock is the exchange’s', permit('p', scope, 'context.now == datetime("2026-11-20T12:00:00Z")'), {}, 'allow p'],
    [
      'a record read whole by one rule and in part by another',
      permit('whole', scope, 'context.subject == {id: "people:u_alice", kind: "person", issuer: "people"}') +
        permit('part', scope, 'context.subject.kind == "person"') +
        permit('there', scope, 'context has subject'),
      {},
      'allow part there whole',
    ],
    ['hidden arguments are judged by nobody', ALL, { tool: 'secret' }, 'allow all'],
    ['a base token has no arguments', ALL, { tool: 'tool:list' }, 'allow all'],
  ];
  for (const [name, policies, ask, expected] of table) {
    test(name, async () => assert.equal(short(decideBy((await compiled(policies)).bundle, ask)), expected));
  }

  // Strict JSON and the tool's schema refuse these before; a decision must not lean on it.
  const { bundle } = await compiled(permit('p', scope, 'context.input.amount > 0'));
  const arrived: readonly (readonly [string, unknown, string])[] = [
    ['an unsafe integer', { amount: 2 ** 53 }, 'input input_mistyped'],
    ['a float for an integer', { amount: 1.5 }, 'input input_mistyped'],
    ['text for an integer', { amount: '1' }, 'input input_mistyped'],
    ['an entity for an integer', { amount: { __entity: { type: 'Person', id: 'people:u_alice' } } }, 'input input_mistyped'],
    ['an entity in an argument that no rule reads', { amount: 1, note: { __entity: { type: 'Person', id: 'x' } } }, 'input input_mistyped'],
    ['an extension value', { amount: 1, note: { __extn: { fn: 'decimal', arg: '1.0' } } }, 'input input_mistyped'],
    ['a bigint', { amount: 1n }, 'input input_mistyped'],
    ['null', { amount: null }, 'input input_missing p'],
    ['nothing', {}, 'input input_missing p'],
    ['a lone surrogate', { amount: 1, note: '\ud800' }, 'input input_mistyped'],
    ['deep nesting', { amount: 1, note: deep(200) as Json }, 'input input_mistyped'],
    ['arguments that cannot even be looked at', new Proxy({}, { ownKeys: () => assert.fail() }), 'error policy_error'],
  ];
  for (const [name, args, expected] of arrived)
    test(name, () => assert.equal(short(decideBy(bundle, { args: args as JsonObject })), expected));
});

describe('what does not load', () => {
  const table: readonly (readonly [name: string, policies: string, expected: readonly string[]])[] = [
    [
      'a misspelt argument, with its line',
      `// one\n// two\n@id("é")\npermit (principal, action == ${PAY}, resource)\nwhen { "éé" == "éé" &&\n  context.input.amuont > 1 };`.replace(
        '@id("é")',
        '@id("e")',
      ),
      ['p.cedar:6: attribute `input.amuont` in context for shop::Action::"pay" not found (did you mean `amount`?)'],
    ],
    [
      'a misspelt tool',
      permit('a', 'principal, action == shop::Action::"pya", resource'),
      ['p.cedar:1: unrecognized action `shop::Action::"pya"` (did you mean `shop::Action::"pay"`?)'],
    ],
    [
      'a rule on hidden arguments',
      permit('a', 'principal, action == shop::Action::"secret", resource', 'context.input.it == "x"'),
      ['p.cedar:1: attribute `input` in context for shop::Action::"secret" not found (did you mean `now`?)'],
    ],
    [
      'text compared with a number',
      permit('a', scope, 'context.input.amount == "5"'),
      [
        'p.cedar:1: the types Long and String are not compatible (both operands to a `==` expression must have compatible types. Types must be exactly equal to be compatible)',
      ],
    ],
    [
      'an optional argument read without `has`',
      permit('a', scope, 'context.input.note == "x"'),
      [
        'p.cedar:1: unable to guarantee safety of access to optional attribute `input.note` in context for shop::Action::"pay" (try testing for the attribute\'s presence with `context.input has note && ..`)',
      ],
    ],
    ['two policies of one @id', `${ALL}\n\n${forbid('all', scope, 'true')}`, ['p.cedar:4: @id all stands twice (first at p.cedar:1)']],
    [
      'a policy without @id',
      `${ALL}permit (principal, action, resource);`,
      ['p.cedar:2: the policy has no @id (every decision names the policies that made it)'],
    ],
    [
      'an empty @id',
      '@id permit (principal, action, resource);',
      ['p.cedar:1: @id says nothing', 'p.cedar:1: the policy has no @id (every decision names the policies that made it)'],
    ],
    [
      'a forbid that can hold for nobody',
      ALL + forbid('f', 'principal in Server::"x", action, resource', 'true'),
      [
        'p.cedar:2: unable to find an applicable action given the policy scope constraints',
        'p.cedar:2: policy is impossible: the policy expression evaluates to false for all valid requests',
      ],
    ],
    [
      'an attribute of an entity that the policy names',
      ALL + permit('o', scope, 'Person::"people:u_bob".groups.contains("x")'),
      [
        'p.cedar:2: reads an attribute of something else than principal, resource or context (entities stand alone here: attributes are known of principal, resource and context only)',
      ],
    ],
    [
      '… or chooses',
      ALL + permit('o', scope, '(if principal is Person then principal else Person::"people:u_bob") has department'),
      [
        'p.cedar:2: reads an attribute of something else than principal, resource or context (entities stand alone here: attributes are known of principal, resource and context only)',
      ],
    ],
    [
      'a template',
      permit('t', 'principal == ?principal, action, resource'),
      [
        'p.cedar:1: expected a static policy, got a template containing the slot ?principal (try removing the template slot(s) from this policy)',
      ],
    ],
    [
      'a file cut inside a policy',
      `${ALL}@id("x") forbid (principal, action, resource) when { true }`,
      ['p.cedar:2: unexpected end of input (expected `;` or identifier)'],
    ],
    ['an unfinished string', `${ALL}@id("x`, ['p.cedar:2: invalid token (try checking that all strings are closed properly)']],
  ];
  for (const [name, policies, expected] of table) {
    test(name, async () => {
      const got = await problems(policies);
      assert.deepEqual([...got], [...expected]);
    });
  }
  test('all of them at once, in order', async () => {
    const got = await problems(
      `${permit('a', scope, 'context.input.x == 1')}${permit('b', scope, 'context.input.y == 1')}permit (principal, action, resource);`,
      {
        'agents.yaml': 'people: []\nagents: []\nmore: 1\n',
      },
    );
    assert.deepEqual(
      got.map((line) => line.slice(0, 14)),
      ['agents.yaml:3:', 'p.cedar:1: att', 'p.cedar:2: att', 'p.cedar:3: the'],
    );
  });
});

function person(attributes: JsonObject): NonNullable<Ask['subject']> {
  return { kind: 'person', issuer: 'people', subject: 'u_alice', exp: 2e9, attributes };
}
