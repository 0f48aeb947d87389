/** The smallest change that would decide otherwise: single changes to a question, each asked anew, the nearest first. Pure; what it is told it believes. */

import type { Rehearsal } from '../decide/rehearse.ts';
import type { Bundle, StatedRule } from '../model.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { nearest } from './flip-integer.ts';
import { covers } from './mandate.ts';
import { readRules } from './read-rules.ts';

/** `unfit`: the arguments are not of the tool's schema, so nothing was decided. */
export type Fate = 'allowed' | 'approval' | 'refused' | 'unfit';
/** One change, and what becomes of it. */
export interface Flip {
  readonly change: 'argument' | 'attribute' | 'chain' | 'tool' | 'agent';
  /** Of an argument or attribute: its names. */
  readonly path: readonly string[];
  /** Null: it is not there. */
  readonly from: Json;
  readonly to: Json;
  readonly fate: Exclude<Fate, 'unfit'>;
  /** Below 1: an integer, by how much of itself it moves. Then an argument, who is acted for, the chain, another tool, another agent. */
  readonly distance: number;
  readonly question: Rehearsal;
}
export interface Flips {
  /** How many questions were asked. */
  readonly tried: number;
  /** Everything that belongs to the search was asked; else there may be a nearer one. */
  readonly complete: boolean;
  /** The nearest first. */
  readonly found: readonly Flip[];
}
export interface FlipOptions {
  readonly bundle: Pick<Bundle, 'agents' | 'servers' | 'policy'>;
  readonly question: Rehearsal;
  readonly fate: Fate;
  readonly ask: (question: Rehearsal) => Promise<Fate>;
  /** Values at which a budget ends, by argument. */
  readonly budgets?: ReadonlyMap<string, readonly number[]>;
  readonly limit?: number;
}
const LIMIT = 500;
const SHOWN = 6;
/** Of tools, agents, values of one place: what is beyond is not asked, and said so. */
const MOST = 40;
const MOST_RULES = 1_000;
const DISTANCE = { argument: 1, attribute: 2, chain: 3, tool: 4, agent: 5 } as const;

export async function findFlips(options: FlipOptions): Promise<Flips> {
  const { bundle, question, fate, ask, limit = LIMIT } = options;
  let tried = 0;
  let complete = true;
  const found: Flip[] = [];
  const asks = async (candidate: Rehearsal): Promise<Fate | undefined> => {
    if (tried >= limit) {
      complete = false;
      return undefined;
    }
    tried++;
    return ask(candidate);
  };
  const attempt = async (candidate: Omit<Flip, 'fate'>): Promise<void> => {
    const becomes = await asks(candidate.question);
    if (becomes !== undefined && differs(fate, becomes)) found.push({ ...candidate, fate: becomes });
  };
  const some = <T>(all: readonly T[]): readonly T[] => {
    if (all.length > MOST) complete = false;
    return all.slice(0, MOST);
  };

  const near = (bundle.policy.rules ?? []).filter((rule) => covers(rule, question.server, question.tool) && concerns(rule, question));
  const rules = await readRules(near, MOST_RULES);
  if (rules.length < near.length) complete = false;
  const places = [...argumentPlaces(options, rules), ...attributePlaces(question, rules)];
  for (const place of places) {
    for (const to of some(place.values)) {
      const { change, path, value } = place;
      await attempt({ change, path, from: value ?? null, to: to ?? null, distance: DISTANCE[change], question: place.with(to) });
    }
  }
  for (const candidate of [...chains(question), ...some(tools(options)), ...some(agents(options))]) await attempt(candidate);

  // Last: each takes as many questions as there are.
  for (const { integer, change, path, value, with: made } of places) {
    if (!integer || typeof value !== 'number') continue;
    const marks = integer.marks.toSorted((a, b) => Math.abs(a - value) - Math.abs(b - value));
    if (marks.length > MOST) complete = false;
    const at = await nearest({
      value,
      ...integer,
      marks: marks.slice(0, MOST),
      differs: async (to) => {
        const becomes = await asks(made(to));
        return becomes === undefined ? undefined : differs(fate, becomes);
      },
    });
    if (at === undefined) continue;
    const gap = Math.abs(at - value);
    await attempt({ change, path, from: value, to: at, distance: gap / (gap + Math.max(1, Math.abs(value))), question: made(at) });
  }
  const sorted = found.sort((a, b) => a.distance - b.distance || (a.path.join() < b.path.join() ? -1 : 1));
  return { tried, complete, found: sorted.slice(0, SHOWN) };
}
/** A rule that names somebody else says nothing of them. */
function concerns({ principal }: StatedRule, { agent, via, for: supposed }: Rehearsal): boolean {
  const names = [agent, ...via, ...(supposed ? [`${supposed.issuer}:${supposed.subject}`] : [])];
  return principal?.id === undefined || names.includes(principal.id);
}
/** To break the arguments is no way to decide otherwise; to mend them is. */
const differs = (fate: Fate, becomes: Fate): becomes is Flip['fate'] =>
  becomes !== 'unfit' && (fate === 'unfit' || fate === 'refused' ? becomes !== 'refused' : becomes !== fate);

/** Where one value stands, or could. */
interface Place {
  readonly change: 'argument' | 'attribute';
  readonly path: readonly string[];
  readonly value: Json | undefined;
  /** What could stand there instead; undefined: nothing. */
  readonly values: readonly (Json | undefined)[];
  /** Where it is an integer: how far it may go, and where something may change. */
  readonly integer?: { readonly from: number; readonly to: number; readonly marks: readonly number[] };
  readonly with: (to: Json | undefined) => Rehearsal;
}
const DEPTH = 4;

function argumentPlaces({ bundle, question, budgets }: FlipOptions, rules: readonly StatedRule[]): readonly Place[] {
  const tool = bundle.servers.byId(question.server)?.tools.get(question.tool);
  if (!tool || tool.hidden) return [];
  const compared = comparedAt(rules, ['context', 'input']);
  const walk = (schema: JsonObject, path: readonly string[]): readonly Place[] => {
    const required = Array.isArray(schema['required']) ? schema['required'] : [];
    return Object.entries(isObject(schema['properties']) ? schema['properties'] : {}).flatMap(([name, part]): readonly Place[] => {
      if (!isObject(part)) return [];
      const at = [...path, name];
      const value = valueAt(question.arguments, at);
      if (isObject(part['properties']) && isObject(value) && at.length < DEPTH) return walk(part, at);
      const marks = [...compared(at), ...((at.length === 1 && budgets?.get(name)) || [])];
      const place = placeOf('argument', at, value, marks, part, !required.includes(name));
      return [{ ...place, with: (to) => ({ ...question, arguments: changed(question.arguments, at, to) }) }];
    });
  };
  return walk(tool.schema, []);
}
/** What rules read of a person beside what was given: those are the attributes that could make a difference. */
function attributePlaces(question: Rehearsal, rules: readonly StatedRule[]): readonly Place[] {
  const supposed = question.for;
  if (!supposed) return [];
  const compared = comparedAt(rules, ['principal']);
  const read = rules.flatMap((rule) => rule.said().compared.flatMap(({ path }) => (path?.[0] === 'principal' ? (path[1] ?? []) : [])));
  return [...new Set([...Object.keys(supposed.attributes), ...read])].map((name) => {
    const value = supposed.attributes[name];
    const place = placeOf('attribute', [name], value, compared([name]), {}, true, isMember(rules, name));
    return { ...place, with: (to) => ({ ...question, for: { ...supposed, attributes: changed(supposed.attributes, [name], to) } }) };
  });
}
const isMember = (rules: readonly StatedRule[], name: string): boolean =>
  rules.some((rule) => rule.said().compared.some(({ path, as }) => as === 'member' && path?.[0] === 'principal' && path[1] === name));

/** What rules compare with the value at a path; what they reckon with may be about any of them. */
function comparedAt(rules: readonly StatedRule[], root: readonly string[]): (path: readonly string[]) => readonly Json[] {
  const all = rules.flatMap((rule) => rule.said().compared);
  return (path) => {
    const name = [...root, ...path].join('\n');
    return all.flatMap((one) => (one.path === undefined || one.path.join('\n') === name ? [one.value] : []));
  };
}

function placeOf(
  change: Place['change'],
  path: readonly string[],
  value: Json | undefined,
  marks: readonly Json[],
  schema: JsonObject,
  optional: boolean,
  member = false,
): Omit<Place, 'with'> {
  const list = Array.isArray(schema['enum']) ? (schema['enum'] as readonly Json[]) : undefined;
  const gone = value !== undefined && optional ? [undefined] : [];
  const base = { change, path, value };
  if (Array.isArray(value) || schema['type'] === 'array' || member) {
    const held = (Array.isArray(value) ? value : []) as readonly Json[];
    const less = held.map((_, index): Json => held.filter((_other, at) => at !== index));
    const more = marks.filter((mark) => typeof mark === 'string' && !held.includes(mark)).map((mark): Json => [...held, mark]);
    return { ...base, values: unlike(value, [...more, ...less, ...gone]) };
  }
  if (list) return { ...base, values: unlike(value, [...list, ...gone]) };
  if (typeof value === 'boolean' || schema['type'] === 'boolean') return { ...base, values: unlike(value, [true, false, ...gone]) };
  const numbers = marks.filter((mark): mark is number => typeof mark === 'number' && Number.isSafeInteger(mark));
  if (Number.isSafeInteger(value) && (schema['type'] ?? 'integer') === 'integer')
    return { ...base, values: unlike(value, gone), integer: { ...rangeOf(schema), marks: numbers } };
  if (schema['type'] === 'integer') return { ...base, values: numbers.flatMap((mark) => [mark - 1, mark, mark + 1]) };
  const texts = marks.filter((mark) => typeof mark === 'string');
  return { ...base, values: unlike(value, schema['type'] === 'number' ? gone : [...texts, ...gone]) };
}
function rangeOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonObject): { readonly from: number; readonly to: number } {
  const bound = (value: Json | undefined, less: Json | undefined, by: 1 | -1, none: number): number =>
    typeof value === 'number' ? value : typeof less === 'number' ? less + by : none;
  return {
    from: Math.ceil(bound(minimum, exclusiveMinimum, 1, Number.MIN_SAFE_INTEGER)),
    to: Math.floor(bound(maximum, exclusiveMaximum, -1, Number.MAX_SAFE_INTEGER)),
  };
}
function unlike(value: Json | undefined, values: readonly (Json | undefined)[]): readonly (Json | undefined)[] {
  const seen = new Set([JSON.stringify(value)]);
  return values.filter((one) => {
    const text = JSON.stringify(one);
    if (seen.has(text)) return false;
    seen.add(text);
    return true;
  });
}

function chains(question: Rehearsal): readonly Omit<Flip, 'fate'>[] {
  const { via } = question;
  return via.map((link, index) => {
    const left = via.filter((_, at) => at !== index);
    return { change: 'chain', path: [], from: link, to: null, distance: DISTANCE.chain, question: { ...question, via: left } };
  });
}
/** The same server's other tools, with the arguments that they know too. */
function tools({ bundle, question }: FlipOptions): readonly Omit<Flip, 'fate'>[] {
  const all = [...(bundle.servers.byId(question.server)?.tools.values() ?? [])].filter(({ name }) => name !== question.tool);
  return all.map(({ name, schema }) => {
    const known = isObject(schema['properties']) ? schema['properties'] : {};
    const args = Object.fromEntries(Object.entries(question.arguments).filter(([key]) => Object.hasOwn(known, key)));
    const changedTo = { ...question, tool: name, arguments: args };
    return { change: 'tool', path: [], from: question.tool, to: name, distance: DISTANCE.tool, question: changedTo };
  });
}
function agents({ bundle, question }: FlipOptions): readonly Omit<Flip, 'fate'>[] {
  const all = bundle.agents.all.filter(({ id }) => id !== question.agent && !question.via.includes(id));
  return all.map(({ id }) => {
    const other = { ...question, agent: id };
    return { change: 'agent', path: [], from: question.agent, to: id, distance: DISTANCE.agent, question: other };
  });
}

function valueAt(value: Json, path: readonly string[]): Json | undefined {
  const [name, ...rest] = path;
  if (name === undefined) return value;
  return isObject(value) && Object.hasOwn(value, name) ? valueAt(value[name] ?? null, rest) : undefined;
}
function changed(value: JsonObject, [name = '', ...rest]: readonly string[], to: Json | undefined): JsonObject {
  const held = value[name];
  const part = rest.length === 0 ? to : changed(isObject(held ?? null) ? (held as JsonObject) : {}, rest, to);
  const { [name]: _, ...others } = value;
  return part === undefined ? others : { ...value, [name]: part };
}
