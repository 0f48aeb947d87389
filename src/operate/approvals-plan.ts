/** A plan as people see it: each of its steps with what it would run with, and how it stands. */
import { type Step, type StepState, statesOf } from '../approve/plan.ts';
import type { Approval } from '../approve/state.ts';
import type { Bundle } from '../model.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';

export interface ShownStep {
  readonly resource: string;
  readonly tool: string;
  readonly description?: string;
  readonly schema?: JsonObject;
  /** Absent where the tool's are hidden. */
  readonly arguments?: JsonObject;
  readonly arguments_digest: string;
  readonly purpose?: string;
  /** False: policy allows it without asking anybody, whatever is voted. */
  readonly needs_approval: boolean;
  readonly state: StepState;
  readonly txn?: string;
}
export interface ShownPlan {
  /** Each step only after the one before it was granted. */
  readonly ordered: boolean;
  readonly steps: readonly ShownStep[];
}

/** Nothing for a single action. `args`: as they were sealed. */
export function shownPlan({ plan, votes, state }: Approval, args: JsonObject, { servers }: Pick<Bundle, 'servers'>): Partial<ShownPlan> {
  if (!plan) return {};
  const sealed = Array.isArray(args['steps']) ? (args['steps'] as readonly Json[]) : [];
  const states = statesOf(plan, votes, state === 'pending');
  const steps = plan.steps.map(({ resource, tool, digest, asks, facts, taken }, at): ShownStep => {
    const one = sealed[at];
    const own = isObject(one) ? one['arguments'] : undefined;
    const registered = servers.byResource(resource)?.tools.get(tool);
    return {
      resource,
      tool,
      ...(registered && { description: registered.description, schema: registered.schema }),
      ...(isObject(own) && { arguments: own }),
      arguments_digest: digest,
      ...(facts.purpose !== undefined && { purpose: facts.purpose }),
      needs_approval: asks,
      state: states[at] ?? 'refused',
      ...(taken && { txn: taken.txn }),
    };
  });
  return { ordered: plan.ordered, steps };
}
/** What it would reach: itself, or each of its steps. */
export const callsOf = (approval: Approval): readonly Pick<Step, 'resource' | 'tool'>[] => approval.plan?.steps ?? [approval];
