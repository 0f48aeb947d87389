/** Which arguments may stand in a session policy: those that are always there, of a type that fits, and short enough. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Json, JsonObject } from '../../../src/wire/json.ts';
import { PARAMETERS, READ, readAws, registered, SCHEMA } from './aws-world.ts';

const CUSTOMER = { $param: 'customer' };

suite('parameters', () => {
  const parameter = (given: Json, more: JsonObject = {}): JsonObject => registered(READ, { parameters: { customer: given, ...more } });
  const flaws = (settings: JsonObject, tool: JsonObject = {}): unknown => {
    const found = readAws(settings, { tool });
    return found.ok ? 'registered' : found.error;
  };
  const { customer } = PARAMETERS;
  for (const [what, given, expected] of [
    [
      'of no argument',
      { ...customer, argument: 'nobody' },
      ['the tool has no argument of this name', 'the schema must say type: string of the argument'],
    ],
    [
      'of a member of every object',
      { ...customer, argument: 'toString' },
      ['the tool has no argument of this name', 'the schema must say type: string of the argument'],
    ],
    ['of an argument that may be absent', { ...customer, argument: 'note' }, ['the argument must be required in the schema of the tool']],
    ['of another type', { ...customer, argument: 'year' }, ['the schema must say type: string of the argument']],
    ['an integer of text', { argument: 'customer_id', type: 'integer' }, ['the schema must say type: integer of the argument']],
    ['an enum without its values', { argument: 'order', type: 'enum' }, ['the schema must list the values of the argument as enum']],
  ] as const) {
    test(what, () =>
      assert.deepEqual(
        flaws(parameter(given)),
        expected.map((flaw) => `parameters.customer: ${flaw}`),
      ),
    );
  }
  test('of no type', () =>
    assert.deepEqual(flaws(parameter({ ...customer, type: 'text' })), [
      'parameters.customer.type: must be segment, enum, integer or uuid',
    ]));
  test('of an argument of two types', () => {
    const tool = { schema: { ...SCHEMA, required: ['size'] } };
    const settings = parameter({ argument: 'size', type: 'integer' });
    assert.deepEqual(flaws(settings, tool), ['parameters.customer: the schema must say type: integer of the argument']);
  });
  test('an enum with a value that could be more', () => {
    const properties = { customer_id: { type: 'string', enum: ['a', 'b*'] } };
    const found = flaws(parameter({ argument: 'customer_id', type: 'enum' }), { schema: { ...SCHEMA, properties } });
    assert.deepEqual(found, ['parameters.customer: each value of the enum must be letters, digits, _ and -']);
  });
  test('of a tool whose arguments are hidden', () =>
    assert.deepEqual(flaws(registered(), { hidden: true }), ['parameters.customer: the arguments of this tool are hidden']));
  test('a tool whose arguments are hidden may have a policy without any', () =>
    assert.equal(flaws(registered({ ...READ, Resource: '*' }, { parameters: {} }), { hidden: true }), 'registered'));
  test('that the policy does not use', () =>
    assert.deepEqual(flaws(parameter(customer, { year: PARAMETERS.year })), ['parameters.year: the policy does not use it']));
  test('that nobody declares', () =>
    assert.deepEqual(flaws(registered(READ, { parameters: {} })), ['policy: a $param names no parameter']));

  test('with the longest values there can be, the document is no longer than STS takes', () => {
    const many = (count: number): JsonObject =>
      registered({ ...READ, Resource: Array.from({ length: count }, (_, i) => ({ $join: [`arn:aws:s3:::exports/${i}/`, CUSTOMER] })) });
    assert.equal(flaws(many(19)), 'registered');
    assert.deepEqual(flaws(many(20)), ['policy: with its longest arguments it has 2106 characters, and STS takes 2048']);
    // The schema says how long they are: at most 128 where it does not.
    const { maxLength: _, ...open } = { type: 'string', maxLength: 64 };
    const tool = { schema: { ...SCHEMA, properties: { customer_id: open } } };
    assert.equal(flaws(many(10), tool), 'registered');
    assert.match(String(flaws(many(18), tool)), /^policy: with its longest arguments/);
  });
});
