/** A rule in place of a question that is always answered yes: it covers what was agreed to and no more, and it ends. Shown, never applied. Pure. */
import { createHash } from 'node:crypto';
import type { Bundle, EpochSeconds, Tool } from '../model.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { no, ok, type Result } from '../wire/result.ts';
import type { Habit, Seen } from './fatigue-habit.ts';

/** Why there is none. */
export type NoRule =
  | 'asked_too_seldom'
  | 'denied_lately'
  /** A confirmation or a signature is wanted, or several agents act in a row. */
  | 'meant_to_be_asked'
  /** The tool or the policy that asks is not in force any more. */
  | 'not_in_force'
  /** An argument of which no rule could say what was agreed to. */
  | 'unbounded';
export interface Proposal {
  /** Cedar, to be put into the bundle by somebody who has read it. */
  readonly policy: string;
  /** The last day it holds, UTC. */
  readonly until: string;
  readonly insteadOf: readonly string[];
  /** What it is about, in words, one bound each. */
  readonly bounds: readonly string[];
}
/** So often in a row; so many seconds since the last no. */
export const ALWAYS = { times: 10, quietSeconds: 30 * 86_400 } as const;
const DAYS = 30;

/** Errors: why nothing is proposed. */
export function propose(habit: Habit, bundle: Bundle, now: EpochSeconds): Result<Proposal, NoRule> {
  if (habit.streak < ALWAYS.times) return no('asked_too_seldom');
  if (habit.deniedAt !== undefined && now - habit.deniedAt < ALWAYS.quietSeconds) return no('denied_lately');
  if (habit.strong || habit.depth > 1) return no('meant_to_be_asked');
  const server = bundle.servers.byResource(habit.resource);
  const tool = server?.tools.get(habit.tool);
  const asking = (bundle.policy.rules ?? []).filter(
    ({ id, effect, approval }) => effect === 'permit' && approval && habit.policies.includes(id),
  );
  if (!server || !tool || asking.length === 0) return no('not_in_force');
  const args = conditionsOf(tool, habit);
  if (!args) return no('unbounded');
  const insteadOf = asking.map(({ id }) => id).sort();
  const until = new Date((now + DAYS * 86_400) * 1000).toISOString().slice(0, 10);
  const types = new Set(asking.map(({ principal }) => principal?.type));
  const [type] = types;
  const principal = types.size === 1 && type !== undefined ? `principal is ${type}` : 'principal';
  const all = [...agentOf(habit), ...subjectsOf(habit), ...args];
  const scope = `shop ${server.id} ${habit.tool} ${all.map(([text]) => text).join('\n')}`;
  const id = `habit-${createHash('sha256').update(scope).digest('hex').slice(0, 12)}`;
  const policy = [
    `// ${habit.streak} times in a row people agreed to this. It ends by itself; then they are asked again.`,
    `@id("${id}")`,
    `@until("${until}")`,
    `@approval_instead_of(${quoted(insteadOf.join(', '))})`,
    'permit (',
    `  ${principal},`,
    `  action == ${server.id}::Action::${quoted(habit.tool)},`,
    `  resource == Server::${quoted(server.id)}`,
    ')',
    `when {\n  ${all.map(([text]) => text).join(' &&\n  ')}\n};`,
    '',
  ].join('\n');
  return ok({ policy, until, insteadOf, bounds: all.map(([, said]) => said) });
}

/** A condition, and what it says. */
type Bound = readonly [cedar: string, words: string];
function agentOf({ kind, agent }: Habit): readonly Bound[] {
  if (kind === 'agent') return [[`!(context has actor) && context.subject.id == ${quoted(agent)}`, `agent ${shown(agent)}, for itself`]];
  return [[`context has actor && context.actor.id == ${quoted(agent)} && context.actor.depth == 1`, `agent ${shown(agent)}`]];
}
function subjectsOf({ kind, subjects }: Habit): readonly Bound[] {
  const who = [`context.subject.kind == ${quoted(kind)}`, `a ${kind}`] as const;
  if (kind === 'agent') return [who];
  if (subjects === 'many') return [[who[0], `for any ${kind}`]];
  return [[`${who[0]} && ${among('context.subject.id', subjects)}`, `for ${subjects.map(shown).join(', ')}`]];
}
/** One for each argument that the tool knows; undefined where one of them cannot be bounded. */
function conditionsOf({ schema }: Tool, { seen, streak }: Habit): readonly Bound[] | undefined {
  const { properties = {}, additionalProperties = false, unevaluatedProperties = false } = schema;
  if (!isObject(properties) || additionalProperties !== false || unevaluatedProperties !== false) return undefined;
  const bounds: Bound[] = [];
  for (const [name, part] of Object.entries(properties)) {
    const found = boundOf(name, typeOf(part), Object.hasOwn(seen, name) ? seen[name] : undefined, streak, isSure(schema, name, part));
    if (!found) return undefined;
    bounds.push(found);
  }
  return Object.keys(seen).every((name) => Object.hasOwn(properties, name)) ? bounds : undefined;
}
/** Whether it is always there: Cedar calls it a mistake to ask. */
function isSure({ required }: JsonObject, name: string, part: Json): boolean {
  return (
    (Array.isArray(required) && required.includes(name)) || (isObject(part) && part['default'] !== undefined && part['default'] !== null)
  );
}
/** What policies see of it (policies/README.md); undefined: nothing, or nothing that could be bounded. */
function typeOf(part: Json): 'integer' | 'string' | 'boolean' | 'other' | undefined {
  if (!isObject(part)) return undefined;
  const { type, enum: values } = part;
  if (type === undefined && Array.isArray(values) && values.every((value) => typeof value === 'string')) return 'string';
  if (type === 'integer' || type === 'string' || type === 'boolean') return type;
  const items = part['items'] ?? null;
  const isSet = type === 'array' && isObject(items) && PLAIN.includes(String(items['type']));
  return type === 'number' || isSet || (type === 'object' && isObject(part['properties'] ?? null)) ? 'other' : undefined;
}
const PLAIN = ['string', 'integer', 'boolean', 'number'];
function boundOf(
  name: string,
  type: ReturnType<typeof typeOf>,
  seen: Seen | undefined,
  streak: number,
  isAlways: boolean,
): Bound | undefined {
  const input = `context.input[${quoted(name)}]`;
  const has = `context.input has ${quoted(name)}`;
  const said = /^\w+$/.test(name) ? name : shown(name);
  // What policies cannot see, they cannot keep away.
  if (type === undefined) return undefined;
  if (!seen) return isAlways ? undefined : [`!(${has})`, `${said} is not given`];
  if (seen.kind === 'other' || seen.kind !== type) return undefined;
  const [holds, words] = valueBound(input, said, seen);
  if (isAlways) return [holds, words];
  if (seen.times >= streak) return [`${has} && ${holds}`, words];
  return [`(if ${has} then ${holds} else true)`, `${words}, or it is not given`];
}
function valueBound(input: string, name: string, seen: Exclude<Seen, { kind: 'other' }>): Bound {
  switch (seen.kind) {
    case 'integer':
      return seen.min === seen.max
        ? [`${input} == ${seen.min}`, `${name} is ${seen.min}`]
        : [`(${input} >= ${seen.min} && ${input} <= ${seen.max})`, `${name} is ${seen.min} to ${seen.max}`];
    case 'boolean':
      return seen.values.length > 1
        ? [`(${input} || !${input})`, `${name} is either`]
        : [seen.values[0] ? input : `!${input}`, `${name} is ${String(seen.values[0])}`];
    case 'string':
      // A name of its own each time, such as a payment's: what is bounded is the rest.
      return seen.values === 'many'
        ? [`${input} like "*"`, `${name} is anything`]
        : [among(input, seen.values), `${name} is ${seen.values.map(shown).join(' or ')}`];
    default:
      return seen satisfies never;
  }
}
const among = (what: string, values: readonly string[]): string =>
  values.length === 1 ? `${what} == ${quoted(values[0] ?? '')}` : `[${values.map(quoted).join(', ')}].contains(${what})`;

/** A string of Cedar's: whatever is not plain is spelt out, so that nobody's text ends it or hides in it. */
export function quoted(text: string): string {
  const spelt = text.replace(/[^\p{L}\p{N} ._:@/+=,#!?%&()[\]{}<>;|~^$*'`-]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
  return `"${spelt}"`;
}
const shown = (text: string): string => `“${quoted(text).slice(1, -1)}”`;
