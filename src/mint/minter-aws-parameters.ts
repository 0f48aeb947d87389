/** Arguments that may stand in a session policy: each has a type whose values can neither leave their place nor mean more than themselves. */
import type { Tool } from '../model.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { no, ok, type Result } from '../wire/result.ts';

/** No wildcard, quote, brace, slash, dot or dollar, and none of their look-alikes. */
const VALUE = /^[A-Za-z0-9_-]{1,128}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const MAX_SEGMENT = 128;
const MAX_INTEGER = String(Number.MAX_SAFE_INTEGER);

export const PARAMETER_TYPES = ['segment', 'enum', 'integer', 'uuid'] as const;
type ParameterType = (typeof PARAMETER_TYPES)[number];
/** As registered, by name: the argument whose value it is, and what that may be. */
export type Entries = Readonly<Record<string, { readonly argument: string; readonly type: ParameterType }>>;
export interface Parameter {
  readonly name: string;
  readonly argument: string;
  readonly type: ParameterType;
  /** Of an enum: the schema's own. */
  readonly values: ReadonlySet<string>;
  /** The longest value there can be. */
  readonly longest: string;
}

/** Errors: parameters that an argument of this tool cannot always fill. */
export function readParameters(entries: Entries, tool: Pick<Tool, 'schema' | 'hidden'>): Result<readonly Parameter[], readonly string[]> {
  const flaws: string[] = [];
  const all = isObject(tool.schema['properties']) ? tool.schema['properties'] : {};
  const required = Array.isArray(tool.schema['required']) ? (tool.schema['required'] as readonly Json[]) : [];
  const parameters = Object.entries(entries).map(([name, { argument, type }]): Parameter => {
    const flaw = (what: string): void => void flaws.push(`parameters.${name}: ${what}`);
    const schema: Json = (Object.hasOwn(all, argument) ? all[argument] : undefined) ?? {};
    if (tool.hidden) flaw('the arguments of this tool are hidden');
    else if (!Object.hasOwn(all, argument)) flaw('the tool has no argument of this name');
    else if (!required.includes(argument)) flaw('the argument must be required in the schema of the tool');
    const values = new Set<string>();
    if (!isObject(schema) || schema['type'] !== (type === 'integer' ? 'integer' : 'string'))
      flaw(`the schema must say type: ${type === 'integer' ? 'integer' : 'string'} of the argument`);
    else if (type === 'enum') {
      const list = Array.isArray(schema['enum']) ? (schema['enum'] as readonly Json[]) : [];
      if (list.length === 0) flaw('the schema must list the values of the argument as enum');
      for (const value of list) {
        if (typeof value === 'string' && VALUE.test(value)) values.add(value);
        else flaw('each value of the enum must be letters, digits, _ and -');
      }
    }
    return { name, argument, type, values, longest: longestOf(type, isObject(schema) ? schema : {}, values) };
  });
  return flaws.length > 0 ? no(flaws) : ok(parameters);
}
function longestOf(type: Parameter['type'], schema: JsonObject, values: ReadonlySet<string>): string {
  const max = schema['maxLength'];
  switch (type) {
    case 'segment':
      return 'x'.repeat(typeof max === 'number' ? Math.min(Math.max(max, 1), MAX_SEGMENT) : MAX_SEGMENT);
    case 'enum':
      return [...values].reduce((longest, value) => (value.length > longest.length ? value : longest), '');
    case 'integer':
      return MAX_INTEGER;
    case 'uuid':
      return 'x'.repeat(36);
    default:
      return type satisfies never;
  }
}

/** The arguments' values as text. Errors: `<type>:<argument>`, which both stand in the registration, of the first that does not fit. */
export function fillParameters(parameters: readonly Parameter[], args: JsonObject): Result<ReadonlyMap<string, string>, string> {
  const values = new Map<string, string>();
  for (const parameter of parameters) {
    const { name, argument, type } = parameter;
    const value = Object.hasOwn(args, argument) ? textOf(parameter, args[argument]) : undefined;
    if (value === undefined) return no(`${type}:${argument}`);
    values.set(name, value);
  }
  return ok(values);
}
function textOf({ type, values }: Parameter, value: Json | undefined): string | undefined {
  if (type === 'integer') return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? String(value) : undefined;
  if (typeof value !== 'string') return undefined;
  const fits = type === 'enum' ? values.has(value) : (type === 'uuid' ? UUID : VALUE).test(value);
  return fits ? value : undefined;
}
