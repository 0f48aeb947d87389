/** Rules that fail when they are asked, and attributes that are not what a schema promised: never a grant. */
import type { Json } from '../../src/wire/json.ts';
import type { Asking } from '../support/rig.ts';
import type { Case } from './oracle.ts';

const input = { status: 403, error: 'access_denied', reason: 'policy_input' } as const;
const denied = { status: 403, error: 'access_denied', reason: 'policy_denied' } as const;
const args = { status: 400, error: 'invalid_authorization_details', reason: 'arguments_bad' } as const;
const call = (identifier: string, given: Json): Asking => ({ entry: { identifier }, args: given });
const groups = (value: Json): Asking => ({ subject: { claims: { groups: value } } });
const MAX = Number.MAX_SAFE_INTEGER;

/** Tools whose rules fail: each is permitted to everybody, so that only the failure stands in the way. */
export const TOOLS = `
  overflow_forbid:
    description: A forbid that errors.
    input: { type: object, required: [n], properties: { n: { type: integer } } }
  overflow_permit:
    description: A permit that errors beside one that holds.
    input: { type: object, required: [n], properties: { n: { type: integer } } }
  overflow_both:
    description: A forbid that holds beside one that errors.
    input: { type: object, required: [n], properties: { n: { type: integer } } }
  optional:
    description: A forbid on what may be absent, asked for with has.
    input: { type: object, properties: { n: { type: integer }, note: { type: string } } }
  price:
    description: A price of more places than Cedar's decimals have.
    input: { type: object, required: [price], properties: { price: { type: number } } }
  odd:
    description: Arguments in every shape.
    input:
      type: object
      properties:
        any: { type: object, additionalProperties: true }
        tags: { type: array, items: { type: string }, maxItems: 3, uniqueItems: true }
        when: { type: [string, "null"] }
        deep: { type: object, properties: { deep: { type: object, properties: { n: { type: integer } } } } }
`;
const ALLOWED = ['overflow_forbid', 'overflow_permit', 'overflow_both', 'optional', 'price', 'odd']
  .map((tool) => `shop::Action::"${tool}"`)
  .join(', ');
export const RULES = `
@id("all-odd-tools")
permit (principal, action in [${ALLOWED}], resource == Server::"shop");
@id("overflow-forbid")
forbid (principal, action == shop::Action::"overflow_forbid", resource) when { context.input.n + 9223372036854775807 > 9223372036854775807 };
@id("overflow-permit")
permit (principal, action == shop::Action::"overflow_permit", resource) when { context.input.n * 9223372036854775807 > 0 };
@id("overflow-both-errors")
forbid (principal, action == shop::Action::"overflow_both", resource) when { context.input.n + 9223372036854775807 > 9223372036854775807 };
@id("overflow-both-holds")
@reason("it_holds")
forbid (principal, action == shop::Action::"overflow_both", resource) when { context.input.n > 0 };
@id("optional-forbid")
@reason("too_many")
forbid (principal, action == shop::Action::"optional", resource) when { context.input has n && context.input.n > 5 };
@id("price-forbid")
@reason("too_dear")
forbid (principal, action == shop::Action::"price", resource) when { context.input.price.greaterThan(decimal("9.99")) };
@id("odd-forbid")
@reason("tagged")
forbid (principal, action == shop::Action::"odd", resource) when { context.input has tags && context.input.tags.contains("no") };
`;

export const policyCases: readonly Case[] = [
  // Cedar skips a forbid that errors, and allows.
  { name: 'a forbid that errors', asking: () => call('overflow_forbid', { n: 1 }), ...input, code: 'input_overflow' },
  {
    name: 'a forbid that errors at the largest number',
    asking: () => call('overflow_forbid', { n: MAX }),
    ...input,
    code: 'input_overflow',
  },
  { name: 'a permit that errors beside one that holds', asking: () => call('overflow_permit', { n: 2 }), ...input, code: 'input_overflow' },
  { name: 'a forbid that holds beside one that errors', asking: () => call('overflow_both', { n: 1 }), ...denied, code: 'it_holds' },
  {
    name: 'a forbid that could not be asked for its argument and now can',
    asking: () => call('optional', { n: 6 }),
    ...denied,
    code: 'too_many',
  },
  { name: 'a price of five places', asking: () => call('price', { price: 0.00001 }), ...input, code: 'input_unrepresentable' },
  { name: 'a price in exponents', asking: () => call('price', { price: 1e-7 }), ...input, code: 'input_unrepresentable' },
  { name: 'a price beyond 64 bits', asking: () => call('price', { price: 922_337_203_685_478 }), ...input, code: 'input_unrepresentable' },
  { name: 'a price that is too high by the last place', asking: () => call('price', { price: 9.9901 }), ...denied, code: 'too_dear' },
  { name: 'a word in a list', asking: () => call('odd', { tags: ['yes', 'no'] }), ...denied, code: 'tagged' },

  // The subject is not what the schema promised.
  { name: 'groups null', asking: () => groups(null), ...input, code: 'input_missing' },
  { name: 'groups a number', asking: () => groups(7), ...input, code: 'input_mistyped' },
  { name: 'groups an object', asking: () => groups({ support: true }), ...input, code: 'input_mistyped' },
  { name: 'groups a list of numbers', asking: () => groups([1]), ...input, code: 'input_mistyped' },
  { name: 'groups with a null among them', asking: () => groups(['support', null]), ...input, code: 'input_mistyped' },
  { name: 'groups with a list among them', asking: () => groups([['support']]), ...input, code: 'input_mistyped' },
  { name: 'groups empty', asking: () => groups([]), ...denied, code: 'no_permit' },
  { name: 'the group in another case', asking: () => groups(['Support']), ...denied, code: 'no_permit' },
  { name: 'the group with a space', asking: () => groups(['support ']), ...denied, code: 'no_permit' },
  { name: 'the group with a NUL', asking: () => groups(['support\u0000']), ...denied, code: 'no_permit' },
  { name: 'the group in a wide alphabet', asking: () => groups(['\uff53upport']), ...denied, code: 'no_permit' },
  { name: 'the group composed otherwise', asking: () => groups(['supp\u00f6rt', 'suppo\u0308rt']), ...denied, code: 'no_permit' },
  { name: 'groups in one text', asking: () => groups(['support support-leads']), ...denied, code: 'no_permit' },
  { name: 'a wildcard for a group', asking: () => groups(['*']), ...denied, code: 'no_permit' },
  { name: 'a Cedar expression for a group', asking: () => groups(['" || true || "']), ...denied, code: 'no_permit' },
  {
    name: 'a thousand groups, none of them it',
    asking: () => groups(Array.from({ length: 900 }, (_, i) => `g${i}`)),
    ...denied,
    code: 'no_permit',
  },
  {
    name: 'a person of a name that is another type’s',
    asking: () => ({ subject: { claims: { sub: 'x"; permit (principal, action, resource); //', groups: [] } } }),
    ...denied,
    code: 'no_permit',
  },
  {
    name: 'a person that is called as an agent is',
    asking: () => ({ subject: { claims: { sub: 'refund-bot', groups: [] } } }),
    ...denied,
    code: 'no_permit',
  },

  // Rules of the sample, at their edges.
  {
    name: 'a refund of one cent too many',
    asking: () => call('create_refund', { payment_id: 'p', amount_minor: 5_001, currency: 'EUR' }),
    ...denied,
    code: 'refund_too_large',
  },
  {
    name: 'a refund of the largest number',
    asking: () => call('create_refund', { payment_id: 'p', amount_minor: MAX, currency: 'EUR' }),
    ...denied,
    code: 'refund_too_large',
  },
  {
    name: 'a refund of nothing',
    asking: () => call('create_refund', { payment_id: 'p', amount_minor: 0, currency: 'EUR' }),
    ...args,
    detail: 'minimum:amount_minor',
  },
  {
    name: 'a negative refund',
    asking: () => call('create_refund', { payment_id: 'p', amount_minor: -1, currency: 'EUR' }),
    ...args,
    detail: 'minimum:amount_minor',
  },
  {
    name: 'a refund of minus nothing',
    asking: () => call('create_refund', { payment_id: 'p', amount_minor: -0, currency: 'EUR' }),
    ...args,
    detail: 'minimum:amount_minor',
  },
  {
    name: 'an empty payment',
    asking: () => call('create_refund', { payment_id: '', amount_minor: 1, currency: 'EUR' }),
    ...args,
    detail: 'minLength:payment_id',
  },
  {
    name: 'a payment of 65 characters',
    asking: () => call('create_refund', { payment_id: 'p'.repeat(65), amount_minor: 1, currency: 'EUR' }),
    ...args,
    detail: 'maxLength:payment_id',
  },
  {
    name: 'a currency in lower case',
    asking: () => call('create_refund', { payment_id: 'p', amount_minor: 1, currency: 'eur' }),
    ...args,
    detail: 'enum:currency',
  },
  {
    name: 'a name that every object has',
    asking: () => call('create_refund', { payment_id: 'p', amount_minor: 1, currency: 'EUR', constructor: 1 }),
    ...args,
    detail: 'additionalProperties',
  },
  {
    name: 'required names that every object has',
    asking: () => call('list_orders', { toString: 'x' }),
    ...args,
    detail: 'additionalProperties',
  },
  {
    name: 'an argument too many, deep',
    asking: () => call('odd', { deep: { deep: { n: 1, m: 2 } } }),
    ...args,
    detail: 'additionalProperties:deep',
  },
  { name: 'a fourth tag', asking: () => call('odd', { tags: ['a', 'b', 'c', 'd'] }), ...args, detail: 'maxItems:tags' },
  { name: 'one tag twice', asking: () => call('odd', { tags: ['a', 'a'] }), ...args, detail: 'uniqueItems:tags' },
  { name: 'a sub-agent that refunds', asking: () => ({ actor: {} }), ...denied, code: 'refund_delegated', detail: 'subject' },
  {
    name: 'a tool that the agent has no mandate for, for itself',
    asking: () => ({ subject: null, form: { grant_type: 'client_credentials' }, ...call('list_orders', {}) }),
    ...denied,
    code: 'no_permit',
    detail: 'subject',
  },
  {
    name: 'the list for a person without the group',
    asking: () => ({ details: null, form: { scope: 'tool:list' }, ...groups([]) }),
    ...denied,
    code: 'no_permit',
    detail: 'subject',
  },
  {
    name: 'a tool called list',
    asking: () => call('list', {}),
    status: 400,
    error: 'invalid_authorization_details',
    reason: 'tool_unknown',
  },
  {
    name: 'a tool in another case',
    asking: () => call('Create_Refund', {}),
    status: 400,
    error: 'invalid_authorization_details',
    reason: 'tool_unknown',
  },
  {
    name: "a tool that is every object's",
    asking: () => call('constructor', {}),
    status: 400,
    error: 'invalid_authorization_details',
    reason: 'tool_unknown',
  },
  {
    name: 'a tool that is a prototype',
    asking: () => call('__proto__', {}),
    status: 400,
    error: 'invalid_authorization_details',
    reason: 'tool_unknown',
  },
];
