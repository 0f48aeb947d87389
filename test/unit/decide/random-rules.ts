/** Rules and requests drawn at random, for the decisions that must agree with one another. */
import fc from 'fast-check';
import type { Bundle } from '../../../src/model.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { type Ask, agentOf, compiled, PAY, type question, SERVER } from '../../policy/fixture.ts';

const principals = [
  'principal',
  'principal is Person',
  'principal == Person::"people:u_alice"',
  'principal in Person::"people:u_bob"',
  'principal is Actor',
  'principal == Actor::"bot"',
  'principal is Actor in Actor::"sub"',
  'principal == Agent::"bot"',
  'principal is Agent',
  'principal is Service',
];
const actions = [
  'action',
  `action == ${PAY}`,
  'action == shop::Action::"look"',
  `action in [${PAY}, shop::Action::"look"]`,
  'action in shop::Action::"tool:list"',
  'action == two::Action::"pay"',
  'action in [two::Action::"look", two::Action::"pay"]',
];
const resources = [
  'resource',
  'resource == Server::"shop"',
  'resource is Server',
  'resource in Server::"shop"',
  'resource == Server::"two"',
];
const conditions: readonly (readonly [string, boolean])[] = [
  ['true', false],
  ['context has actor', false],
  ['context has actor && context.actor.depth > 1', false],
  ['context.subject.kind == "person" && context.subject.id like "people:*"', false],
  ['principal is Person && principal.groups.contains("support")', false],
  ['principal is Person && principal has department && principal.department == "care"', false],
  ['principal is Actor && principal.owner == "people:u_alice"', false],
  ['resource.name == "Shop"', false],
  ['context.said has purpose', false],
  ['context.now > datetime("2020-01-01")', false],
  ['context.input.amount > 3', true],
  ['context.input.amount * 4611686018427387904 > 1', true],
  ['context.input has note && context.input.note == "x"', true],
  ['context.input.fast || (context.input has tags && context.input.tags.contains("a"))', true],
  ['context.input has price && context.input.price.greaterThan(decimal("1.5"))', true],
  ['context.input has place && context.input.place.country == "FR"', true],
  ['[context.input.amount, 2].contains(2)', true],
];
export const rule = fc.record({
  permit: fc.boolean(),
  principal: fc.constantFrom(...principals),
  action: fc.constantFrom(...actions),
  resource: fc.constantFrom(...resources),
  when: fc.constantFrom(...conditions),
});
export const ask = fc.record({
  who: fc.constantFrom('alice', 'bob', 'carol', 'service', 'bot', 'sub', 'agent'),
  tool: fc.constantFrom('pay', 'look', 'tool:list'),
  amount: fc.integer({ min: 0, max: 6 }),
  more: fc.constantFrom<JsonObject>(
    {},
    { note: 'x' },
    { tags: ['a'] },
    { fast: true },
    { price: 2.25 },
    { place: { country: 'FR', lat: 1.234567 } },
  ),
  department: fc.boolean(),
  chain: fc.boolean(),
});

/** What can hold for nobody does not load, and is tested elsewhere. */
export const textsOf = (rules: readonly Drawn[]): readonly string[] =>
  rules
    .map((r, i) => {
      const [when, input] = r.when;
      // Only a tool with arguments may be asked about them, and only an existing one of its server.
      const action = input ? `action == ${PAY}` : r.action;
      const resource = action.includes('two::') || r.resource.includes('"two"') ? 'resource' : r.resource;
      const scope = `${r.principal}, ${action}, ${resource}`;
      return `@id("p${i}") ${r.permit ? 'permit' : 'forbid'} (${scope}) when { ${when} };`;
    })
    .filter((text) => !impossible(text));
export const bundleOf = async (texts: readonly string[]): Promise<Bundle> =>
  (await compiled(texts.join('\n'), { 'servers/two.yaml': SERVER.replace('id: shop', 'id: two').replace('/mcp', '/two') })).bundle;
type Drawn = typeof rule extends fc.Arbitrary<infer T> ? T : never;

const impossible = (text: string): boolean =>
  (/principal (is|==|in) (Actor|Agent|Service)/.test(text) && /when \{ principal is Person/.test(text)) ||
  (/principal (is|==|in) (Person|Agent|Service)/.test(text) && /when \{ principal is Actor/.test(text));

export type One = typeof ask extends fc.Arbitrary<infer T> ? T : never;
export function toAsk(one: One, bundle: Parameters<typeof question>[0]): Ask {
  const bot = agentOf(bundle, 'bot');
  const sub = agentOf(bundle, 'sub');
  const actors = one.chain ? [sub, bot] : [bot];
  const attributes = { groups: one.who === 'bob' ? ['support'] : ['other'], ...(one.department && { department: 'care' }) };
  const person = {
    kind: one.who === 'service' ? 'service' : 'person',
    issuer: 'people',
    subject: `u_${one.who}`,
    exp: 2e9,
    attributes,
  } as const;
  const common = { tool: one.tool, args: one.tool === 'pay' ? { amount: one.amount, ...one.more } : {} };
  if (one.who === 'agent') return { ...common, subject: bot, actors: [] };
  if (one.who === 'bot' || one.who === 'sub')
    return { ...common, subject: { ...person, subject: 'u_alice' }, actors: one.who === 'sub' ? [sub, bot] : [bot], as: 'actor' };
  return { ...common, subject: person, actors };
}
