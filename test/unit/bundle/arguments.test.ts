import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileArguments } from '../../../src/bundle/bundle-folder-arguments.ts';
import type { JsonObject } from '../../../src/wire/json.ts';

const object = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({ type: 'object', properties, ...more });
const rules = (schema: JsonObject) => {
  const compiled = compileArguments(schema);
  assert.ok(compiled.ok, compiled.ok ? '' : compiled.error.join());
  return compiled.value;
};
const REFUND = object(
  {
    id: { type: 'string', minLength: 1 },
    amount: { type: 'integer', minimum: 1 },
    to: object({ iban: { type: 'string' } }),
    tags: { type: 'array', items: object({ k: { type: 'string' } }) },
  },
  { required: ['id'] },
);
const COMPOSED = object({ a: { type: 'string' } }, { allOf: [{ type: 'object', properties: { b: { type: 'string' } } }] });
const REFERRED = object({ at: { $ref: '#/$defs/at' } }, { $defs: { at: object({ x: { type: 'integer' } }) } });
const OPEN = object({ a: { type: 'string' } }, { additionalProperties: { type: 'integer' } });

/** The first offence as a code of registered words: no value and no unregistered name of the request stands in it. */
const TABLE: readonly (readonly [string, JsonObject, JsonObject, string | undefined])[] = [
  ['right', REFUND, { id: 'x', amount: 1, to: { iban: 'y' }, tags: [{ k: 'v' }] }, undefined],
  ['missing', REFUND, {}, 'required:id'],
  ['inherited is missing', object({ toString: { type: 'string' } }, { required: ['toString'] }), {}, 'required:toString'],
  ['unknown', REFUND, { id: 'x', 'secret-name': 1 }, 'additionalProperties'],
  ['unknown deeper', REFUND, { id: 'x', to: { iban: 'y', bic: 'z' } }, 'additionalProperties:to'],
  ['unknown in a list', REFUND, { id: 'x', tags: [{ k: 'v', l: 1 }] }, 'additionalProperties:tags'],
  ['text for a number is not coerced', REFUND, { id: 'x', amount: '1' }, 'type:amount'],
  ['a fraction', REFUND, { id: 'x', amount: 1.5 }, 'type:amount'],
  ['too small', REFUND, { id: 'x', amount: 0 }, 'minimum:amount'],
  ['null', REFUND, { id: null }, 'type:id'],
  ['composed: of both', COMPOSED, { a: 'x', b: 'y' }, undefined],
  ['composed: of neither', COMPOSED, { a: 'x', c: 'y' }, 'unevaluatedProperties'],
  ['referred: known', REFERRED, { at: { x: 1 } }, undefined],
  ['referred: unknown', REFERRED, { at: { x: 1, y: 2 } }, 'unevaluatedProperties:at'],
  ['open by its own word', OPEN, { a: 'x', b: 1 }, undefined],
  ['… no further than that', OPEN, { a: 'x', b: 'y' }, 'type'],
  ['no properties at all', { type: 'object' }, { a: 1 }, 'additionalProperties'],
];
for (const [name, schema, args, expected] of TABLE) test(name, () => assert.equal(rules(schema).check(args), expected));

test('defaults are filled into a copy, at every depth', () => {
  const { fill } = rules(object({ n: { type: 'integer', default: 20 }, o: object({ deep: { type: 'boolean', default: true } }) }));
  const given = { o: {} };
  assert.deepEqual(fill(given), { n: 20, o: { deep: true } });
  assert.deepEqual(given, { o: {} });
  assert.deepEqual(fill({ n: 1 }), { n: 1 });
});

test('what cannot be obeyed is refused', () => {
  const table: readonly (readonly [JsonObject, RegExp])[] = [
    [{ properties: {} }, /must be a JSON Schema of type object/],
    [{ type: ['object', 'null'] }, /must be a JSON Schema of type object/],
    [object({ a: { type: 'string', pattern: '(' } }), /Invalid regular expression/],
    [object({ a: { $ref: 'https://elsewhere.example/x.json' } }), /can't resolve reference/],
    [object({ a: { minimum: 3 } }), /missing type/],
    [object({ a: { default: 1, anyOf: [{ type: 'string' }] } }), /the default is not of its own schema/],
    [object({}, { anyOf: [{ type: 'object', properties: { a: { type: 'string', default: 'x' } } }] }), /default is ignored/],
    [object({}, { $id: 'x' }), /\$id and \$anchor/],
  ];
  for (const [schema, expected] of table) {
    const compiled = compileArguments(schema);
    assert.match(compiled.ok ? 'compiled' : compiled.error.join(), expected);
  }
});

test('one schema can be compiled again and again', () => {
  for (let i = 0; i < 3; i++) assert.equal(rules(REFUND).check({ id: 'x' }), undefined);
});
