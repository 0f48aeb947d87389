/** Several actions, one decision of people (wire.md §3.4): submitted, waited for, then taken one by one. */
import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject } from '../wire/json.ts';
import { type Action, type Authorization, entryOf } from './action.ts';
import { AgentError } from './error.ts';
import { type Ask, deferralOf } from './exchange.ts';
import { untilDecided, type Waiting, type WhenAborted, withdraw } from './waiting.ts';

/** One action of a plan. */
export type PlannedAction = Pick<Action, 'resource' | 'tool' | 'arguments' | 'purpose' | 'context'>;
/** How the wait for a plan goes. */
export type PlanWaiting = Omit<Waiting, 'resource' | 'tool'>;
export interface PlanOptions {
  /** Each step only after the one before it was granted. Default false. */
  readonly ordered?: boolean;
  readonly onWaiting?: (waiting: PlanWaiting) => void;
  readonly signal?: AbortSignal;
  /** What the broker is told when `signal` ends the wait. Default `withdraw`. */
  readonly whenAborted?: WhenAborted;
}
export interface PlanStep extends PlannedAction {
  /** `refused`: people left it out. `granted`: it has been taken. */
  readonly state: 'agreed' | 'refused' | 'granted';
}
export interface Plan {
  /** In the order in which they were given, as they stood when people had decided. */
  readonly steps: readonly PlanStep[];
  /** By its place in `steps`, or by the step itself. The same step again is the same token while it lives. Errors: AgentError; ERR_DENIED for what people left out. */
  authorize(step: number | PlanStep, options?: { readonly signal?: AbortSignal }): Promise<Authorization>;
  /** What has not been taken is not wanted any more. Errors: AgentError. */
  withdraw(): Promise<void>;
}
export interface PlanParts {
  readonly ask: Ask;
  readonly now: () => number;
  readonly issuer: string;
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly obtain: (action: Action, more: Readonly<Record<string, string>>) => Promise<Authorization>;
}
const STATES = ['agreed', 'refused', 'granted'] as const;

export function planner(parts: PlanParts): (actions: readonly PlannedAction[], options?: PlanOptions) => Promise<Plan> {
  const { ask, now, issuer, wait, obtain } = parts;

  /** People decide on all of it; a plan that nobody must agree to is decided at once. */
  async function decided(code: string, answer: JsonObject, { signal, whenAborted = 'withdraw', onWaiting }: PlanOptions): Promise<void> {
    if (answer['state'] === 'approved') return;
    const pending = new AgentError('ERR_APPROVAL_PENDING', undefined, { deferral: deferralOf(answer, code, issuer) });
    const tell = (how: PlanWaiting): void => onWaiting?.(how);
    const fault = await untilDecided(pending, { ask, now, wait, signal, whenAborted, tell }).then(
      () => new AgentError('ERR_PROTOCOL', 'a token for a plan'),
      (why: unknown) => why,
    );
    if (!(fault instanceof AgentError) || fault.code !== 'ERR_PLAN_DECIDED') throw fault;
  }

  return async (actions, options = {}) => {
    const { ordered = false, signal } = options;
    const details = actions.map((action) => entryOf(action).details);
    const answer = await ask({
      endpoint: 'plans',
      form: async () => ({ authorization_details: JSON.stringify(details), ordered: String(ordered) }),
      signal,
    });
    const code = answer['deferral_code'];
    if (typeof code !== 'string') throw new AgentError('ERR_PROTOCOL', 'plan');
    await decided(code, answer, options);
    const status = await ask({ endpoint: 'status', form: async () => ({ deferral_code: code }), signal });
    const told = status['steps'];
    if (!Array.isArray(told) || told.length !== actions.length) throw new AgentError('ERR_PROTOCOL', 'plan status');
    const steps = actions.map((action, at): PlanStep => {
      const one: unknown = told[at];
      const state = STATES.find((known) => isObject(one) && one['state'] === known);
      if (!state) throw new AgentError('ERR_PROTOCOL', 'plan status');
      return { ...action, state };
    });

    const keys = steps.map(() => randomUUID());
    // One at a time: two at once would get in each other's way at the broker, and in an ordered plan there is a first.
    let last: Promise<unknown> = Promise.resolve();
    return {
      steps,
      authorize(which, more = {}) {
        const at = typeof which === 'number' ? which : steps.indexOf(which);
        const [step, idempotencyKey] = [steps[at], keys[at]];
        if (!step || idempotencyKey === undefined) return Promise.reject(new AgentError('ERR_ACTION', 'no step of this plan'));
        const { state: _, ...action } = step;
        const taken = last.then(() => obtain({ ...action, ...more, idempotencyKey }, { plan: code }));
        last = taken.catch(() => {});
        return taken;
      },
      withdraw: () => withdraw(ask, code),
    };
  };
}
