/** Several actions that people decide on at once (wire.md §3.4). Pure: which of them they agreed to, and which may be taken now. */
import type { EpochSeconds, Facts } from '../model.ts';
import { isSameCall } from '../wire/details.ts';
import type { Digest } from '../wire/digest.ts';
import { no, ok, type Result } from '../wire/result.ts';

export interface Step {
  readonly resource: string;
  readonly tool: string;
  readonly digest: Digest;
  /** Policy asked for people when the plan was made. A step that it did not ask them for needs nobody's word. */
  readonly asks: boolean;
  /** What the ledger says of this action alone. */
  readonly facts: Facts;
  /** Once it was granted: the action that it became, and when. */
  readonly taken?: { readonly txn: string; readonly at: EpochSeconds };
}
export interface Plan {
  /** Each step only after the one before it was granted. */
  readonly ordered: boolean;
  readonly steps: readonly Step[];
}
/** As far as it concerns steps: those that are agreed to; absent: all. */
export interface StepVote {
  readonly vote: 'approve' | 'deny';
  readonly steps?: readonly number[];
}
export type VoteFlaw = 'no_such_step' | 'out_of_order';
export type StepFlaw = 'step_not_agreed' | 'step_early' | 'step_taken';

/**
 * A vote that names steps must name some of the plan, one at least that people are asked for, and none twice. In an ordered plan nothing can
 * come after a step that is left out, so leaving out is only possible at the end.
 */
export function voteFlaw(plan: Plan | undefined, { vote, steps: named }: StepVote): VoteFlaw | undefined {
  if (named === undefined) return undefined;
  if (!plan || vote === 'deny' || new Set(named).size < named.length) return 'no_such_step';
  if (!named.every((at) => plan.steps[at] !== undefined) || !named.some((at) => plan.steps[at]?.asks)) return 'no_such_step';
  if (!plan.ordered) return undefined;
  const gap = plan.steps.findIndex(({ asks }, at) => asks && !named.includes(at));
  return gap >= 0 && named.some((at) => at > gap) ? 'out_of_order' : undefined;
}

/** What everybody who agreed agreed to, with what needs nobody; in an ordered plan up to the first that is not among them. */
export function agreedSteps({ ordered, steps }: Plan, votes: readonly StepVote[]): readonly number[] {
  const may = steps.map(({ asks }, at) => !asks || isNamed(votes, at));
  const end = ordered ? may.indexOf(false) : -1;
  return steps.flatMap((_, at) => (may[at] && (end < 0 || at < end) ? [at] : []));
}
/** By everybody who voted. */
export const isNamed = (votes: readonly StepVote[], at: number): boolean =>
  votes.length > 0 && votes.every(({ vote, steps }) => vote === 'approve' && (steps === undefined || steps.includes(at)));
/** Somebody agreed to something that they were asked for. */
export const isAny = (plan: Plan, votes: readonly StepVote[]): boolean => agreedSteps(plan, votes).some((at) => plan.steps[at]?.asks);

/** The step that a call is, or -1. */
export const stepOf = ({ steps }: Plan, call: Pick<Step, 'resource' | 'tool' | 'digest'>): number =>
  steps.findIndex((step) => isSameCall(step, call));

/** The plan once this step was granted. Errors: why it may not be now. */
export function take(plan: Plan, votes: readonly StepVote[], at: number, taken: NonNullable<Step['taken']>): Result<Plan, StepFlaw> {
  if (plan.steps[at]?.taken) return no('step_taken');
  if (!agreedSteps(plan, votes).includes(at)) return no('step_not_agreed');
  if (plan.ordered && plan.steps.some((step, before) => before < at && !step.taken)) return no('step_early');
  return ok({ ...plan, steps: plan.steps.map((step, i) => (i === at ? { ...step, taken } : step)) });
}
/** Nothing is left to be taken. */
export const isSpent = (plan: Plan, votes: readonly StepVote[]): boolean =>
  agreedSteps(plan, votes).every((at) => plan.steps[at]?.taken !== undefined);

export type StepState = 'waiting' | 'agreed' | 'refused' | 'granted';
/** How each stands, for those who look. `pending`: nobody has decided on the plan yet. */
export function statesOf(plan: Plan, votes: readonly StepVote[], pending: boolean): readonly StepState[] {
  const agreed = new Set(agreedSteps(plan, votes));
  return plan.steps.map(({ taken }, at) => (taken ? 'granted' : pending ? 'waiting' : agreed.has(at) ? 'agreed' : 'refused'));
}
