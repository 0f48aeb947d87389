import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { no, ok, type Result } from '../wire/result.ts';
import type { ArgumentRules } from './formats.ts';

// `ownProperties`: else `required: ["toString"]` is satisfied by every object. No coercion anywhere: the tool would run another value.
const shared = { allowUnionTypes: true, strictRequired: false, validateFormats: false, ownProperties: true, logger: false } as const;
/** Says what is wrong with a schema as it is written. What it compiles, the meta-schema first, runs once: it need not run well. */
const strict = new Ajv2020({ ...shared, strict: true, useDefaults: true, code: { optimize: false } });
// What `strict` has found to be a schema is one when closed: these two need not compile the meta-schema again, and ask it.
const trusting = { ...shared, strict: false, meta: false, validateSchema: false } as const;
/** Judges arguments. Not strict: closing a schema adds keywords beside types that it does not state. */
const judge = new Ajv2020(trusting);
const filler = new Ajv2020({ ...trusting, useDefaults: true });

/** Errors: everything that is wrong with the schema, in words. */
export function compileArguments(schema: JsonObject): Result<ArgumentRules, readonly string[]> {
  if (schema['type'] !== 'object') return no(['input must be a JSON Schema of type object']);
  if ('$id' in schema || '$anchor' in schema) return no(['input: $id and $anchor mean nothing here']);
  const flaw = attempt(() => compile(strict, schema));
  if (flaw !== undefined) return no([`input: ${flaw}`]);
  const wrong = badDefaults(schema, 'input');
  if (wrong.length > 0) return no(wrong);
  const closed = close(schema, true);
  const holds = compile(judge, closed);
  const fill = compile(filler, closed);
  return ok({
    notes: notesOn(schema),
    check: (args) => (holds(args) ? undefined : codeOf(holds.errors?.[0], schema)),
    fill: (args) => {
      const filled = structuredClone(args);
      fill(filled);
      return filled;
    },
  });
}

/** Compiled and forgotten: ajv keeps what it compiles for ever, and bundles are reloaded. */
function compile(ajv: Ajv2020, schema: JsonObject): ReturnType<Ajv2020['compile']> {
  try {
    return ajv.compile(schema);
  } finally {
    ajv.removeSchema(schema);
  }
}
function attempt(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (fault) {
    return fault instanceof Error ? fault.message : 'cannot be compiled';
  }
}

/** The offence's keyword and, where it lies in a registered argument, that name: both stand in the registration, nothing in the request. */
function codeOf(error: ErrorObject | undefined, schema: JsonObject): string {
  if (!error) return 'schema';
  const own = (schema['properties'] ?? {}) as JsonObject;
  const missing =
    error.keyword === 'required' && error.instancePath === '' ? (error.params as { missingProperty: string }).missingProperty : undefined;
  const name = missing ?? error.instancePath.split('/')[1];
  return name !== undefined && Object.hasOwn(own, name) ? `${error.keyword}:${name}` : error.keyword;
}

// Where a schema describes another value than its parent does. `contains`, `not`, `if` and `propertyNames` only ask, and stay as they are.
const VALUES = ['items', 'additionalProperties', 'unevaluatedProperties', 'unevaluatedItems'];
const VALUE_MAPS = ['properties', 'patternProperties'];
const VALUE_LISTS = ['prefixItems'];
// Where it describes the same value further: closing one of these would refuse what its siblings allow.
const SAME = ['then', 'else'];
const SAME_MAPS = ['dependentSchemas', '$defs', 'definitions'];
const SAME_LISTS = ['allOf', 'anyOf', 'oneOf'];
const COMPOSING = [...SAME, ...SAME_LISTS, 'if', '$ref', '$dynamicRef', 'dependentSchemas'];

/** Closes every object that does not itself say what else it takes. An unknown argument is then refused, not passed on unjudged. */
function close(schema: Json, value: boolean): JsonObject {
  if (!isObject(schema)) return schema as unknown as JsonObject;
  const out: Record<string, Json> = {};
  for (const [key, part] of Object.entries(schema)) {
    if (VALUES.includes(key)) out[key] = close(part, true);
    else if (SAME.includes(key)) out[key] = close(part, false);
    else if (VALUE_MAPS.includes(key)) out[key] = mapped(part, true);
    else if (SAME_MAPS.includes(key)) out[key] = mapped(part, false);
    else if (VALUE_LISTS.includes(key)) out[key] = (part as readonly Json[]).map((item) => close(item, true));
    else if (SAME_LISTS.includes(key)) out[key] = (part as readonly Json[]).map((item) => close(item, false));
    else out[key] = part;
  }
  const type = schema['type'];
  const maybeObject = type === undefined || type === 'object' || (Array.isArray(type) && type.includes('object'));
  if (value && maybeObject && !('additionalProperties' in schema) && !('unevaluatedProperties' in schema)) {
    out[COMPOSING.some((key) => key in schema) ? 'unevaluatedProperties' : 'additionalProperties'] = false;
  }
  return out;
}
const mapped = (part: Json, value: boolean): JsonObject =>
  Object.fromEntries(Object.entries(part as JsonObject).map(([name, schema]) => [name, close(schema, value)]));

/** A default that its own schema refuses would reach the policy as another type than the policy was checked against. */
function badDefaults(schema: Json, at: string): readonly string[] {
  if (!isObject(schema)) return [];
  const found: string[] = [];
  for (const [name, part] of Object.entries((schema['properties'] ?? {}) as JsonObject)) {
    if (isObject(part) && 'default' in part && !('$ref' in part)) {
      const fits = compile(judge, close(part, true));
      if (!fits(part['default'])) found.push(`${at}.${name}: the default is not of its own schema`);
    }
    found.push(...badDefaults(part, `${at}.${name}`));
  }
  return isObject(schema['items']) ? [...found, ...badDefaults(schema['items'], `${at}[]`)] : found;
}

function notesOn(schema: JsonObject): readonly string[] {
  const notes: string[] = [];
  const look = (part: Json, at: string): void => {
    if (!isObject(part)) return;
    if (typeof part['format'] === 'string') notes.push(`${at}: format is a comment here and checked by nobody`);
    for (const [name, child] of Object.entries((part['properties'] ?? {}) as JsonObject)) look(child, `${at}.${name}`);
    look(part['items'] ?? null, `${at}[]`);
  };
  look(schema, 'input');
  return notes;
}
