/** Several actions, one decision of people (wire.md §3.4). Which of them may be taken is plan.ts; that they are taken one by one is the record's version. */
import { type Refusal, type Result, refuse } from '../errors.ts';
import type { Agreed, Asked, Bundle, Caller, Claim, Demand, Draft, EpochSeconds, Facts } from '../model.ts';
import type { Found, Store } from '../store/store.ts';
import { digest } from '../wire/digest.ts';
import type { JsonObject } from '../wire/json.ts';
import { no, ok } from '../wire/result.ts';
import { planned } from '../wire/signed.ts';
import { type Asking, type Deferral, factsOf, NEVER, wordsOf } from './asking.ts';
import { TOO_MANY } from './crowd.ts';
import { approvalKey, type Keeper, type Kept } from './kept.ts';
import { actedOf, make, placeOf } from './made.ts';
import { isNamed, type Step, type StepState, statesOf, stepOf } from './plan.ts';
import { isSamePrincipals } from './renew.ts';
import { type Chain, restore } from './restore.ts';
import { type Approval, hasLapsed, isMeetable, isOpen, step } from './state.ts';

/** A step that policy allows, and whom it wants asked. */
export interface Judged {
  readonly asked: Asked;
  readonly facts: Facts;
  readonly demand?: Demand;
  readonly claims: readonly Claim[];
}
/** Of all steps as one. */
export interface Whole {
  readonly ordered: boolean;
  /** The strictest of theirs. */
  readonly demand?: Demand;
  /** They cannot all be afforded. What was taken of an earlier one has been paid. */
  readonly over?: Refusal;
}
export interface Submitted {
  /** `approved`: nobody has to be asked. */
  readonly state: 'pending' | 'approved';
  readonly deferral: Deferral;
  readonly claims: readonly Claim[];
}
/** As answered at /plans/status: what became of each step, in order. */
export interface PlanStatus {
  readonly state: Approval['state'];
  readonly ordered: boolean;
  readonly steps: readonly {
    readonly state: StepState;
    readonly asks: boolean;
    readonly call: Pick<Step, 'resource' | 'tool' | 'digest'>;
    readonly txn?: string;
  }[];
  readonly deferral: Deferral;
}
export interface Plans {
  /** One approval for all of them; the same plan again has the same code. Errors: as of a single approval, with the `step`; `over` of a new one. */
  submit(steps: readonly Judged[], how: Whole, draft: Draft): Promise<Result<Submitted>>;
  /**
   * An exchange that names a plan, with what people gave it; any other as it is. Errors: as of a poll, and `step_refused` with `step_unlisted`,
   * `step_not_agreed`, `step_early`.
   */
  step(asked: Result<Asked>, draft: Draft): Result<Asked> | Promise<Result<Asked>>;
  /** Errors: `approval_unknown`. */
  status(code: string, caller: Caller, draft: Draft): Promise<Result<PlanStatus>>;
  /** The answer to a poll for a plan that is neither denied nor lapsed: there is no token for a plan. */
  poll(kept: Kept, poll: Found | undefined, renewed: boolean, caller: Caller, bundle: Bundle, draft: Draft): Promise<Result<never>>;
}
export interface PlansOptions {
  readonly store: Pick<Store, 'look'>;
  readonly keeper: Keeper;
  readonly asking: Asking;
  readonly unhalted: (asked: Asked) => readonly Claim[];
  readonly reaches: Chain['reaches'];
  /** People can log in here, by a name that passkeys can be bound to. */
  readonly proofs: boolean;
  /** Stands where the resource of a single action does. */
  readonly resource: string;
}
export const PLAN_TOOL = 'plan';
/** How long a plan may be taken that nobody has to agree to. Seconds. */
export const UNASKED_SECONDS = 900;
const NOBODY: Demand = { who: [], quorum: 0, ttlSeconds: UNASKED_SECONDS };

export function createPlans({ store, keeper, asking, unhalted, reaches, resource, proofs }: PlansOptions): Plans {
  async function find(code: string, caller: Caller): Promise<Result<Kept & { readonly plan: NonNullable<Approval['plan']> }>> {
    const id = keeper.idOf(code);
    if (!id) return refuse('approval_unknown', { detail: 'code' });
    const [found] = (await store.look([approvalKey(id)])).found;
    const kept = keeper.read(id, found);
    if (!kept) return refuse('approval_unknown', { detail: found ? 'edited' : 'code' });
    const { client, key, plan } = kept.approval;
    if (client !== caller.client.id || key !== caller.jkt) return refuse('approval_unknown', { detail: 'binding' });
    return plan ? ok({ ...kept, plan }) : refuse('approval_unknown', { detail: 'no_plan' });
  }
  const isHalted = async (halts: readonly Claim[]): Promise<boolean> => {
    const keys = new Set(halts.flatMap((claim) => ('key' in claim ? [claim.key] : [])));
    return (await store.look([...keys])).found.some((halt) => halt !== undefined);
  };
  /** Why nothing of it may be taken, whichever step it is. */
  function standing(kept: Kept, now: EpochSeconds): Result<undefined> {
    const { approval } = kept;
    const { id, state } = approval;
    if (state === 'denied') return refuse('approval_denied', { detail: id });
    if (state === 'expired' || hasLapsed(approval, now))
      return refuse('approval_expired', asking.ended(kept, 'lapse', now, 'approval_expired'));
    if (state === 'cancelled') return refuse('approval_unknown', { detail: 'cancelled' });
    return state === 'pending' ? refuse('approval_pending', { detail: id, deferral: asking.deferral(approval, now) }) : ok(undefined);
  }

  async function taking(asked: Asked, code: string, draft: Draft): Promise<Result<Asked>> {
    const found = await find(code, asked.caller);
    if (!found.ok) return found;
    const { plan, ...kept } = found.value;
    const { approval } = kept;
    const { id, votes, until, bind } = approval;
    if (!isSamePrincipals(approval, asked)) return refuse('approval_unknown', { detail: 'binding' });
    // What a halt has ended is told as halted while it stands.
    if (approval.state === 'cancelled' && (await isHalted(unhalted(asked)))) return refuse('suspended', { detail: id });
    const stands = standing(kept, draft.now);
    if (!stands.ok) return stands;
    draft.note({ approval: id });
    const at = asked.action.kind === 'call' && asked.kind === approval.credential ? stepOf(plan, asked.action.call) : -1;
    if (at < 0) return refuse('step_refused', { detail: id, ...REFUSED.step_unlisted });
    const txn = `txn_${draft.id.slice(draft.id.indexOf('_') + 1)}`;
    const next = step(approval, { what: 'take', at, txn }, draft.now);
    // Where all that was agreed to is taken, what is not taken was not agreed to.
    const flaw = next.ok ? undefined : approval.state === 'redeemed' && !plan.steps[at]?.taken ? 'step_not_agreed' : next.error;
    if (flaw === 'step_not_agreed' || flaw === 'step_early') return refuse('step_refused', { detail: id, step: at, ...REFUSED[flaw] });
    const named = isNamed(votes, at);
    const agreed: Agreed = {
      id,
      // A step that nobody was asked about, and that was left out, has nobody's word.
      demand: named ? approval.demand : NOBODY,
      by: named ? votes.flatMap(({ by, confirms }) => (confirms ? [] : [by])) : [],
      until,
      // Taken already: then what was given is given again, or nothing is.
      spend: next.ok ? [keeper.write(kept, next.value, 'retry_in_flight')] : [],
    };
    const retry = asked.retry ?? { key: `retry/approval/${id}/${at}`, fingerprint: keeper.bind([bind, at]) };
    return ok({ ...asked, agreed, retry });
  }

  return {
    async submit(steps, { ordered, demand, over }, draft) {
      const [first] = steps;
      if (!first) throw new Error('a plan has steps');
      const { caller, subject, jkt } = first.asked;
      const acted = actedOf(subject);
      const cannot = steps.findIndex((one) => one.demand && !(argumentsOf(one) && isMeetable(one.demand, acted, { proofs })));
      if (cannot >= 0) return refuse('approval_needed', { code: 'approval_needed', remedy: NEVER, step: cannot });
      if (caller.jkt === undefined || jkt === undefined || (demand && !isMeetable(demand, acted, { proofs })))
        return refuse('approval_needed', { code: 'approval_needed', remedy: NEVER });
      const { now } = draft;
      draft.note({ tool: PLAN_TOOL, resource, recorded: { ordered, steps: steps.map(({ facts }) => factsOf(facts) as JsonObject) } });
      const told = planned(
        ordered,
        steps.map((one) => ({ ...callOf(one), arguments: argumentsOf(one) })),
      );
      const planDigest = digest(told);
      const asker = { ...first.asked, key: caller.jkt, jkt };
      const place = await placeOf({ store, keeper }, asker, [resource, planDigest], now);
      const { earlier } = place;
      if (earlier && !isOpen(earlier)) return refuse('approval_denied', { detail: earlier.id });
      if (earlier)
        return ok({
          state: earlier.state === 'pending' ? 'pending' : 'approved',
          deferral: asking.deferral(earlier, now),
          claims: [],
        });
      if (over) return no(over);
      if (demand && place.crowded) return refuse('approvals_too_many', { remedy: TOO_MANY });
      const state = demand ? 'pending' : 'approved';
      if (demand) draft.note({ detail: wordsOf(demand) });
      const what = { state, resource, tool: PLAN_TOOL, digest: planDigest, credential: 'jwt', demand: demand ?? NOBODY } as const;
      const plan = { ordered, steps: steps.map((one) => ({ ...callOf(one), asks: one.demand !== undefined, facts: factsOf(one.facts) })) };
      const { approval, claims } = make(keeper, { ...what, asker, place, arguments: told, plan }, draft);
      // A halt that several steps depend on is held once.
      const held = new Map(steps.flatMap((one) => one.claims).map((claim) => ['key' in claim ? claim.key : claim, claim]));
      return ok({ state, deferral: asking.deferral(approval, now), claims: [...held.values(), ...claims] });
    },

    step: (asked, draft) => (asked.ok && asked.value.plan !== undefined ? taking(asked.value, asked.value.plan, draft) : asked),

    async status(code, caller, draft) {
      const found = await find(code, caller);
      if (!found.ok) return found;
      const { approval, plan } = found.value;
      const { votes } = approval;
      const state = hasLapsed(approval, draft.now) ? 'expired' : approval.state;
      const states = statesOf(plan, votes, state === 'pending');
      const steps = plan.steps.map(({ taken, asks, resource: at, tool, digest: of }, i) => ({
        state: states[i] ?? 'refused',
        asks,
        call: { resource: at, tool, digest: of },
        ...(taken && { txn: taken.txn }),
      }));
      return ok({ state, ordered: plan.ordered, steps, deferral: asking.deferral(approval, draft.now) });
    },

    async poll(kept, poll, renewed, caller, bundle, draft) {
      const { approval } = kept;
      const { now } = draft;
      const sealed = keeper.open(approval);
      const all = (sealed.arguments['steps'] ?? []) as readonly JsonObject[];
      const halts = (approval.plan?.steps ?? []).flatMap(({ resource: at, tool, digest: of, facts }, i) => {
        const args = (all[i]?.['arguments'] ?? {}) as JsonObject;
        const one = { ...approval, resource: at, tool, digest: of, facts };
        const asked = restore(one, { ...sealed, arguments: args }, { caller, bundle, now, reaches });
        return asked.ok ? unhalted(asked.value) : [];
      });
      if (approval.state !== 'redeemed' && (await isHalted(halts))) {
        draft.note({ approval: approval.id });
        return refuse('suspended', asking.ended(kept, 'cancel', now, 'suspended'));
      }
      if (approval.state === 'cancelled') return refuse('approval_unknown', { detail: 'cancelled' });
      return approval.state === 'pending' ? asking.waiting(kept, poll, now, renewed) : refuse('plan_decided', { detail: approval.id });
    },
  };
}

const REFUSED = {
  step_unlisted: { code: 'step_unlisted', remedy: { text: 'Ask with the very details that stand in the plan, or without it.' } },
  step_not_agreed: { code: 'step_not_agreed', remedy: { text: 'People did not agree to this step; see /plans/status.' } },
  step_early: { code: 'step_early', remedy: { text: 'This plan has an order: take the step before this one first.' } },
} as const;

const callOf = ({ asked: { action, server } }: Judged): Pick<Step, 'resource' | 'tool' | 'digest'> => {
  if (action.kind !== 'call') throw new Error('a step is a call');
  return { resource: server.resource, tool: action.call.tool, digest: action.call.digest };
};
const argumentsOf = ({ asked: { action } }: Judged): JsonObject | undefined => (action.kind === 'call' ? action.call.arguments : undefined);
