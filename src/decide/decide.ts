/** May they? Pure: what was asked and the bundle in, a decision out. Knows policies; may not know tokens, stores or clocks. */
import { type Result, refuse } from '../errors.ts';
import type { Agent, Asked, Bundle, Decision, Draft, Question, Verdict } from '../model.ts';
import { ok } from '../wire/result.ts';
import { leftOf, overspent, type Share, spentOf } from './budgets.ts';
import { routed, strictest } from './demands.ts';
import { haltClaims } from './halts.ts';

/** How long an action token lives where no policy says so, and at most. */
export const DEFAULT_TTL_SECONDS = 60;
export const MAX_TTL_SECONDS = 300;

/**
 * One question for the subject and one for every agent that acts for it: all must allow (wire.md §2). Then every budget that the action takes
 * from must have that much left: `sums` say what has been spent of each. Notes the bundle and every policy
 * that took part. Errors: `policy_denied`, `policy_input`, `policy_error` with the deciding policy's code and remedy; `owner_missing` and
 * `client_suspended` for any agent in the chain; `budget_exhausted` with what would fit.
 */
export function decide(
  asked: Asked,
  bundle: Bundle,
  draft: Draft,
  shares: readonly Share[] = [],
  sums: readonly number[] = [],
): Result<Decision> {
  const { subject } = asked;
  const actors = actorsOf(asked);
  const agents = subject.kind === 'agent' ? [subject, ...actors] : actors;
  draft.note({ bundle: bundle.hash });
  for (const agent of agents) {
    if (!agent.owned) return refuse('owner_missing');
    if (agent.suspended) return refuse('client_suspended');
  }

  const allowed: Allowance[] = [];
  const policies: string[] = [];
  const spent = spentOf(shares, sums);
  const budgets = spent.length > 0 ? { budgets: leftOf(spent) } : {};
  const questions = principalsOf(asked).map((principal): Question => ({ principal, asked, now: draft.now, ...budgets }));
  const [first, second] = questions;
  const both = first && second && questions.length === 2 ? bundle.policy.both?.(first, second) : undefined;
  for (const [at, question] of questions.entries()) {
    const verdict = both?.[at] ?? bundle.policy.decide(question);
    policies.push(...verdict.policies);
    draft.note({ policies: [...new Set(policies)] });
    if (!verdict.allow) return refused(verdict, question.principal.as);
    allowed.push(verdict.approval ? { ...verdict, approval: routed(verdict.approval, ownerOf(question.principal, actors)) } : verdict);
  }

  const over = overspent(spent);
  if (over) return over;

  const ttls = allowed.flatMap((verdict) => verdict.ttlSeconds ?? []);
  const caps = agents.flatMap((agent) => agent.limits.maxTtlSeconds ?? []);
  const approval = strictest(allowed.flatMap((verdict) => verdict.approval ?? []));
  return ok({
    ttlSeconds: Math.min(ttls.length > 0 ? Math.min(...ttls) : DEFAULT_TTL_SECONDS, ...caps, MAX_TTL_SECONDS),
    policies: [...new Set(policies)],
    ...(approval && { approval }),
    claims: haltClaims(asked),
  });
}

/** Whom the decision is asked about, the subject first. */
export const principalsOf = (asked: Asked): readonly Question['principal'][] => [
  { as: 'subject', who: asked.subject },
  ...actorsOf(asked).map((who) => ({ as: 'actor', who }) as const),
];
/** An agent for itself is judged as a subject; every other one in the chain as an actor, the caller never left out. */
function actorsOf({ subject, caller, actors }: Asked): readonly Agent[] {
  const isSubject = subject.kind === 'agent' && subject.id === caller.client.id;
  return [...actors, ...(isSubject || actors.some(({ id }) => id === caller.client.id) ? [] : [caller.client])];
}
type Allowance = Extract<Verdict, { allow: true }>;
/** Of the agent in question; of whoever acts, where it is about the one on whose behalf. */
const ownerOf = ({ who }: Question['principal'], actors: readonly Agent[]): string | undefined =>
  (who.kind === 'agent' ? who : actors[0])?.owner;
const REASONS = { denied: 'policy_denied', input: 'policy_input', error: 'policy_error' } as const;
function refused(verdict: Extract<Verdict, { allow: false }>, as: 'subject' | 'actor'): ReturnType<typeof refuse> {
  return refuse(REASONS[verdict.cause], { code: verdict.code, detail: as, ...(verdict.remedy && { remedy: verdict.remedy }) });
}
