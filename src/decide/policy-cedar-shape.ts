import type { CedarValueJson, Type } from '@cedar-policy/cedar-wasm/nodejs';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { below, type Reads } from './policy-cedar-reads.ts';

/** A value's type as policies are checked against it, and as it is handed over: one definition for both, so that they cannot part. */
export type Shape =
  | { readonly is: 'string' | 'long' | 'bool' | 'decimal' | 'datetime' }
  | { readonly is: 'set'; readonly of: Shape }
  | { readonly is: 'record'; readonly fields: Fields };
export type Fields = ReadonlyMap<string, { readonly shape: Shape; readonly required: boolean }>;

export const STRING: Shape = { is: 'string' };
export const LONG: Shape = { is: 'long' };
export const DATETIME: Shape = { is: 'datetime' };
/** Names that end in `?` may be absent. */
export function record(fields: Readonly<Record<string, Shape>>): Shape & { readonly is: 'record' } {
  const entries = Object.entries(fields).map(
    ([name, shape]) => [name.replace(/\?$/, ''), { shape, required: !name.endsWith('?') }] as const,
  );
  return { is: 'record', fields: new Map(entries) };
}

export function toCedar(shape: Shape): Type<string> {
  switch (shape.is) {
    case 'string':
      return { type: 'String' };
    case 'long':
      return { type: 'Long' };
    case 'bool':
      return { type: 'Boolean' };
    case 'set':
      return { type: 'Set', element: toCedar(shape.of) };
    case 'record':
      return {
        type: 'Record',
        attributes: Object.fromEntries([...shape.fields].map(([name, { shape: s, required }]) => [name, { ...toCedar(s), required }])),
      };
    default:
      return { type: 'Extension', name: shape.is };
  }
}
export function sameShape(a: Shape, b: Shape): boolean {
  return JSON.stringify(toCedar(a)) === JSON.stringify(toCedar(b));
}

/** A value is not what its registration says it is, or Cedar cannot hold it: then nothing is decided on it. `code` is a constant. */
export class Unfit extends Error {
  readonly code: 'input_mistyped' | 'input_unrepresentable';
  constructor(code: Unfit['code']) {
    super(code);
    this.code = code;
  }
}

/** The value for Cedar, as far as it is read. Null counts as absent. Throws Unfit. */
export function build(shape: Shape, value: Json, reads: Reads): CedarValueJson {
  switch (shape.is) {
    case 'string':
      if (typeof value !== 'string' || !value.isWellFormed()) throw new Unfit('input_mistyped');
      return value;
    case 'bool':
      if (typeof value !== 'boolean') throw new Unfit('input_mistyped');
      return value;
    case 'long':
      // Cedar rounds beyond 2^53 without a word.
      if (!Number.isSafeInteger(value)) throw new Unfit('input_mistyped');
      return value as number;
    case 'decimal':
      return decimal(value);
    case 'datetime':
      if (typeof value !== 'string') throw new Unfit('input_mistyped');
      return { __extn: { fn: 'datetime', arg: value } };
    case 'set':
      if (!Array.isArray(value)) throw new Unfit('input_mistyped');
      return (value as readonly Json[]).map((item) => build(shape.of, item, true));
    case 'record': {
      if (!isObject(value)) throw new Unfit('input_mistyped');
      const out: Record<string, CedarValueJson> = {};
      for (const [name, field] of shape.fields) {
        const part = below(reads, name);
        if (part === undefined || !Object.hasOwn(value, name)) continue;
        const held = value[name];
        if (held !== undefined && held !== null) out[name] = build(field.shape, held, part);
      }
      return out;
    }
    default:
      return shape satisfies never;
  }
}

/** Cedar's decimal: four places, 64 bits. What would have to be rounded is not handed over. */
function decimal(value: Json): CedarValueJson {
  if (typeof value !== 'number') throw new Unfit('input_mistyped');
  const text = Number.isInteger(value) ? `${value}.0` : String(value);
  if (!/^-?\d+\.\d{1,4}$/.test(text) || Math.abs(value) >= 922_337_203_685_477) throw new Unfit('input_unrepresentable');
  return { __extn: { fn: 'decimal', arg: text } };
}

/**
 * A tool's arguments as policies see them. A shape comes from what a schema states outright (`type`, or `enum`/`const` of one type): other
 * keywords only narrow it. What states none is left out, so that a policy that reads it does not load; `unseen` says which.
 */
export function shapeOfArguments(schema: JsonObject, at: string, unseen: (at: string, why: string) => void): Fields {
  const fields = new Map<string, { readonly shape: Shape; readonly required: boolean }>();
  const required = Array.isArray(schema['required']) ? (schema['required'] as readonly Json[]) : [];
  for (const [name, part] of Object.entries((schema['properties'] ?? {}) as JsonObject)) {
    const shape = shapeOf(part, `${at}.${name}`, unseen);
    if (shape)
      fields.set(name, { shape, required: required.includes(name) || (isObject(part) && 'default' in part && part['default'] !== null) });
  }
  if ((schema['additionalProperties'] ?? false) !== false || (schema['unevaluatedProperties'] ?? false) !== false)
    unseen(at, 'it takes further members');
  return fields;
}
function shapeOf(schema: Json, at: string, unseen: (at: string, why: string) => void): Shape | undefined {
  const lost = (why: string): undefined => {
    unseen(at, why);
    return undefined;
  };
  if (!isObject(schema)) return lost('its schema states no type');
  switch (schema['type'] ?? typeOfValues(schema)) {
    case 'string':
      return STRING;
    case 'integer':
      return LONG;
    case 'boolean':
      return { is: 'bool' };
    case 'number':
      return { is: 'decimal' };
    case 'array': {
      const items = schema['prefixItems'] === undefined && schema['items'];
      const of = isObject(items ?? null) ? shapeOf(items as Json, `${at}[]`, () => {}) : undefined;
      return of && of.is !== 'record' && of.is !== 'set' ? { is: 'set', of } : lost('only lists of plain values of one type can be judged');
    }
    case 'object':
      return schema['properties'] === undefined
        ? lost('its members have no names')
        : { is: 'record', fields: shapeOfArguments(schema, at, unseen) };
    default:
      return lost('its schema states no single type');
  }
}
function typeOfValues(schema: JsonObject): string | undefined {
  const values = Array.isArray(schema['enum']) ? (schema['enum'] as readonly Json[]) : 'const' in schema ? [schema['const']] : [];
  const types = new Set(values.map((value) => (Number.isSafeInteger(value) ? 'integer' : typeof value)));
  const [only] = types;
  return types.size === 1 && (only === 'string' || only === 'integer' || only === 'boolean') ? only : undefined;
}
