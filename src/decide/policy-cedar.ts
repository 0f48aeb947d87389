import { statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs';
import type { Engine, Problem } from '../bundle/bundle.ts';
import type { Policy, Question, Verdict } from '../model.ts';
import { no, ok } from '../wire/result.ts';
import { strictest } from './demands.ts';
import { createSlots, type Index, indexRules, type Slots } from './policy-cedar-index.ts';
import { createPairs, type Pairs } from './policy-cedar-pair.ts';
import { toCall } from './policy-cedar-request.ts';
import { readSchema, type Typed } from './policy-cedar-schema.ts';
import { Unfit } from './policy-cedar-shape.ts';
import { type Rule, readPolicies } from './policy-cedar-source.ts';
import { hasEnded, standing } from './policy-cedar-standing.ts';
import { refuseLooseEnds, refuseStrangers, refuseTwins, unique, unregistered, validateRules } from './policy-cedar-validate.ts';
import { stated } from './policy-cedar-words.ts';

/** Cedar's names for parsed policies belong to the process, whatever engines there are. */
const processSlots = createSlots();

/** Cedar: validated strictly when loaded, decided without a schema on values that are typed here. */
export function cedarEngine(options: { readonly slots?: Slots } = {}): Engine {
  const slots = options.slots ?? processSlots;
  return async (sources) => {
    const problems: Problem[] = [];
    const warnings: Problem[] = [];
    const typed = readSchema(sources, problems, warnings);
    const rules: Rule[] = [];
    for (const { file, text } of sources.policies) rules.push(...(await readPolicies(file, text, problems)));
    refuseTwins(rules, problems);
    refuseLooseEnds(rules, problems);
    refuseStrangers(
      rules,
      sources.servers.map(({ id }) => id),
      problems,
      warnings,
    );
    warnings.push(
      ...unregistered(
        rules,
        sources.agents.map(({ id }) => id),
      ),
    );
    if (typed) await validateRules(typed, rules, problems, warnings);
    if (!typed || problems.length > 0) return no(unique(problems));
    slots.forget();
    return ok({ policy: cedarPolicy({ typed, rules, slots }), warnings: unique(warnings) });
  };
}

/** Allow if and only if Cedar answers, allows, names a permit and met no error: it skips a forbid that fails, and allows. */
export function cedarPolicy(parts: {
  readonly typed: Typed;
  readonly rules: readonly Rule[];
  readonly slots: Slots;
  readonly index?: Index;
}): Policy {
  const { typed, rules, slots } = parts;
  const index = parts.index ?? indexRules(rules);
  const byId = new Map(rules.map((rule) => [rule.id, rule]));
  const pairs = createPairs();
  return {
    size: rules.length,
    rules: rules.map(stated),
    decide(question) {
      try {
        return decideOne(question, typed, index, slots, byId);
      } catch (fault) {
        return fault instanceof Unfit ? refused('input', fault.code) : refused('error', 'policy_error');
      }
    },
    both(subject, actor) {
      try {
        return decideBoth(subject, actor, typed, index, slots, pairs);
      } catch {
        return undefined;
      }
    },
  };
}

function decideOne(question: Question, typed: Typed, index: Index, slots: Slots, byId: ReadonlyMap<string, Rule>): Verdict {
  const { ids, call } = toCall(question, typed);
  const slice = index(ids.principal, ids.action, ids.resource);
  if (slice.rules.length === 0) return refused('denied', 'no_permit');
  const slot = slots.hold(slice);
  if (slot === undefined) return refused('error', 'policy_error');
  const answer = statefulIsAuthorized({ ...ids, ...call(slice.reads), preparsedPolicySetId: slot, validateRequest: false });
  if (answer.type !== 'success') return refused('error', 'policy_error');
  const { decision, diagnostics } = answer.response;
  const met = [...diagnostics.reason].sort().flatMap((id) => byId.get(id) ?? []);
  if (met.length !== diagnostics.reason.length) return refused('error', 'policy_error');
  const forbids = met.filter((rule) => rule.effect === 'forbid');
  // A forbid that holds has decided, whatever else could not be judged.
  if (decision === 'deny' && forbids.length > 0) return forbidden(forbids);
  if (diagnostics.errors.length > 0) {
    const messages = diagnostics.errors.map(({ error }) => error.message);
    const failed = diagnostics.errors.map(({ policyId }) => policyId).sort();
    if (messages.some((message) => /does not have the attribute/.test(message))) return refused('input', 'input_missing', failed);
    const overflow = messages.every((message) => message.startsWith('integer overflow'));
    return overflow ? refused('input', 'input_overflow', failed) : refused('error', 'policy_error', failed);
  }
  if (decision !== 'allow' || met.length === 0 || forbids.length > 0) return refused('denied', 'no_permit');
  const counted = standing(met, question.now);
  if (counted.length > 0) return allowed(counted);
  const ended = met.filter((rule) => hasEnded(rule, question.now)).map(({ id }) => id);
  return refused('denied', ended.length > 0 ? 'permit_expired' : 'no_permit', ended);
}

/** A clean allow with a permit of each, or nothing: whatever else it is, asking one after the other says what. */
function decideBoth(
  subject: Question,
  actor: Question,
  typed: Typed,
  index: Index,
  slots: Slots,
  pairs: Pairs,
): readonly [Verdict, Verdict] | undefined {
  const [first, second] = [toCall(subject, typed), toCall(actor, typed)];
  const { principal, action, resource } = first.ids;
  const pair = pairs(index(principal, action, resource), index(second.ids.principal, action, resource));
  const slot = pair && slots.hold(pair.slice);
  if (!pair || slot === undefined) return undefined;
  const answer = statefulIsAuthorized({
    ...first.ids,
    ...first.call(pair.slice.reads),
    preparsedPolicySetId: slot,
    validateRequest: false,
  });
  if (answer.type !== 'success' || answer.response.decision !== 'allow') return undefined;
  const { reason, errors } = answer.response.diagnostics;
  if (errors.length > 0) return undefined;
  const met = pair.slice.rules.filter(({ id }) => reason.includes(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
  if (met.length !== reason.length || met.some(({ effect }) => effect !== 'permit')) return undefined;
  const of = (ids: ReadonlySet<string>): readonly Rule[] =>
    standing(
      met.filter(({ id }) => ids.has(id)),
      subject.now,
    );
  const [its, theirs] = [of(pair.subject), of(pair.actor)];
  return its.length > 0 && theirs.length > 0 ? [allowed(its), allowed(theirs)] : undefined;
}

type Denial = Extract<Verdict, { allow: false }>;
const refused = (cause: 'denied' | 'input' | 'error', code: string, policies: readonly string[] = []): Denial => ({
  allow: false,
  cause,
  policies,
  code,
});
function forbidden(rules: readonly Rule[]): Verdict {
  const teaches = rules.find((rule) => rule.code !== undefined);
  const verdict = refused(
    'denied',
    teaches?.code ?? 'forbidden',
    rules.map((rule) => rule.id),
  );
  return teaches?.remedy ? { ...verdict, remedy: teaches.remedy } : verdict;
}
function allowed(rules: readonly Rule[]): Verdict {
  const ttls = rules.flatMap((rule) => rule.ttlSeconds ?? []);
  const replaced = new Set(rules.flatMap((rule) => rule.insteadOf ?? []));
  const approval = strictest(rules.flatMap((rule) => (replaced.has(rule.id) ? [] : (rule.approval ?? []))));
  return {
    allow: true,
    policies: rules.map((rule) => rule.id),
    ...(ttls.length > 0 && { ttlSeconds: Math.min(...ttls) }),
    ...(approval && { approval }),
  };
}
