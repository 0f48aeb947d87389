import { setImmediate as breathe } from 'node:timers/promises';
import { policyToJson, type SchemaJson, type ValidationError, validate } from '@cedar-policy/cedar-wasm/nodejs';
import type { Problem } from '../bundle/bundle.ts';
import { didYouMean } from '../bundle/nearest.ts';
import type { Typed } from './policy-cedar-schema.ts';
import { plain, problemOf, type Rule } from './policy-cedar-source.ts';

export function refuseTwins(rules: readonly Rule[], problems: Problem[]): void {
  const first = new Map<string, Rule>();
  for (const rule of rules) {
    const twin = first.get(rule.id);
    if (!twin) first.set(rule.id, rule);
    else {
      const { file, line } = rule.source;
      problems.push({ file, line, text: `@id ${rule.id} stands twice`, hint: `first at ${twin.source.file}:${twin.source.line}` });
    }
  }
}

/** A permit that takes the place of another's demand: the other must be there, and be no such permit itself, or two could undo each other. */
export function refuseLooseEnds(rules: readonly Rule[], problems: Problem[]): void {
  const byId = new Map(rules.map((rule) => [rule.id, rule]));
  for (const { insteadOf = [], source } of rules)
    for (const id of insteadOf) {
      const { file, line } = source;
      const other = byId.get(id);
      if (!other) problems.push({ file, line, text: `there is no policy ${id}`, ...didYouMean(id, [...byId.keys()]) });
      else if (!other.approval) problems.push({ file, line, text: `@approval_instead_of names ${id}, which demands nothing` });
      else if (other.insteadOf) problems.push({ file, line, text: `@approval_instead_of names ${id}, which has one itself` });
    }
}

/** Cedar knows types, not who is registered. A forbid on a server that is not protects nobody: whoever wrote it believes otherwise. */
export function refuseStrangers(rules: readonly Rule[], servers: readonly string[], problems: Problem[], warnings: Problem[]): void {
  for (const { effect, scope, source } of rules) {
    const { type, id } = scope.resource ?? {};
    if (type !== 'Server' || id === undefined || servers.includes(id)) continue;
    const { file, line } = source;
    (effect === 'forbid' ? problems : warnings).push({ file, line, text: `there is no server ${id}`, ...didYouMean(id, servers) });
  }
}

const NAMED = /\b(Agent|Actor)::"((?:[^"\\]|\\.)*)"/g;
/** Agents that policies name and nobody has registered: perhaps not yet, or no more. What is meant for them holds for nobody. */
export function unregistered(rules: readonly Rule[], agents: readonly string[]): readonly Problem[] {
  const known = new Set(agents);
  return rules.flatMap(({ source: { file, line, text } }) => {
    const strangers = new Set([...text.matchAll(NAMED)].map(([, , id = '']) => id).filter((id) => !known.has(id)));
    if (strangers.size === 0) return [];
    // Only what Cedar reads counts, not what a comment says.
    const parsed = policyToJson(text);
    const read = parsed.type === 'success' ? JSON.stringify(parsed.json) : '';
    const isNamed = (id: string): boolean => ['Agent', 'Actor'].some((type) => read.includes(JSON.stringify({ type, id }).slice(1, -1)));
    return [...strangers].filter(isNamed).map((id) => ({ file, line, text: `there is no agent ${id}`, ...didYouMean(id, agents) }));
  });
}

/**
 * Strictly, and without keeping exchanges waiting. Cedar tries a policy on every action of the schema, so a policy that names its actions
 * is first shown those alone: what is sound among them is sound among all. Whatever is not, all of the schema judges, in its own words.
 */
export async function validateRules(typed: Typed, rules: readonly Rule[], problems: Problem[], warnings: Problem[]): Promise<void> {
  const groups = Map.groupBy(rules, ({ scope }) => scope.actions?.join(' '));
  const doubtful: Rule[] = [];
  for (const [named, group] of groups) {
    const schema = named === undefined ? undefined : only(typed.schema, group[0]?.scope.actions ?? []);
    const answer = schema && judge(schema, group);
    const sound = answer?.type === 'success' && answer.validationErrors.length + answer.validationWarnings.length === 0;
    if (!sound) doubtful.push(...group);
    await breathe();
  }
  for (let at = 0; at < doubtful.length; at += 20) {
    const group = doubtful.slice(at, at + 20);
    const answer = judge(typed.schema, group);
    await breathe();
    if (answer.type !== 'success') {
      problems.push({ file: '*.cedar', text: 'Cedar cannot validate the policies', hint: plain(answer.errors[0]?.message ?? '') });
      return;
    }
    const byId = new Map(group.map((rule) => [rule.id, rule]));
    const place = ({ policyId, error }: ValidationError): Problem => {
      const rule = byId.get(policyId);
      return rule ? problemOf(rule.source, error) : { file: '*.cedar', text: plain(error.message) };
    };
    problems.push(...answer.validationErrors.map(place));
    for (const warning of answer.validationWarnings) {
      // A forbid that can never hold protects nobody: whoever wrote it believes otherwise.
      (byId.get(warning.policyId)?.effect === 'forbid' ? problems : warnings).push(place(warning));
    }
  }
}
const judge = (schema: SchemaJson<string>, rules: readonly Rule[]): ReturnType<typeof validate> =>
  validate({
    schema,
    policies: { staticPolicies: Object.fromEntries(rules.map((rule) => [rule.id, rule.text])) },
    validationSettings: { mode: 'strict' },
  });

/** The schema with these actions alone; undefined where one of them is not in it. */
function only(schema: SchemaJson<string>, actions: readonly string[]): SchemaJson<string> | undefined {
  const out: SchemaJson<string> = { '': schema[''] ?? { entityTypes: {}, actions: {} } };
  for (const key of actions) {
    const [type, id] = JSON.parse(key) as [string, string];
    const namespace = type.replace(/::Action$/, '');
    const action = schema[namespace]?.actions[id];
    if (!action) return undefined;
    out[namespace] = { entityTypes: {}, actions: { ...out[namespace]?.actions, [id]: action } };
  }
  return out;
}

/** One offence, found once per action that the policy applies to, is told once. */
export const unique = (problems: readonly Problem[]): readonly Problem[] => [
  ...new Map(problems.map((p) => [JSON.stringify(p), p])).values(),
];
