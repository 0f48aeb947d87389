/** Who must agree? Knows people and waiting; may not know how a token is checked or minted. */
import { type Result, refuse } from '../errors.ts';
import type { Agreed, Asked, Bundle, Caller, Claim, Decision, Demand, Draft } from '../model.ts';
import type { Store } from '../store/store.ts';
import { ok } from '../wire/result.ts';
import { type Asking, NEVER, wordsOf } from './asking.ts';
import { TOO_MANY } from './crowd.ts';
import { approvalKey, type Keeper, pollKey } from './kept.ts';
import { actedOf, make, placeOf } from './made.ts';
import type { Plans } from './plans.ts';
import { isSamePrincipals, type Renewal, renewed } from './renew.ts';
import { type Chain, restore } from './restore.ts';
import { hasLapsed, isCovered, isMeetable, isOpen, step } from './state.ts';

export interface Approve extends Pick<Plans, 'step'> {
  /**
   * A poll: the request as it was proved when it was first made, if people have agreed and client and key are the same. Errors: `approval_unknown`
   * for a code of nobody or of another client or key, and for a record that was edited; `approval_pending`, `approval_too_fast`,
   * `approval_denied`, `approval_expired`; `suspended` once anybody in it is halted, which ends it; what the bundle in force does not know any more.
   */
  resume(code: string, caller: Caller, bundle: Bundle, draft: Draft, fresh: Result<Renewal | undefined>): Promise<Result<Asked>>;
  /** Nothing demanded, or agreed and still agreed; else a refusal that leaves the pending approval behind. */
  agree(asked: Asked, decision: Decision, draft: Draft): Promise<Result<readonly Claim[]>>;
}
export interface ApproveOptions {
  readonly store: Pick<Store, 'look'>;
  readonly keeper: Keeper;
  /** Each holds while nobody and nothing in it is halted. */
  readonly unhalted: (asked: Asked) => readonly Claim[];
  /** May this issuer's people still be acted for at this server? */
  readonly reaches: Chain['reaches'];
  readonly asking: Asking;
  readonly plans: Plans;
  /** People can log in here, by a name that passkeys can be bound to. */
  readonly proofs: boolean;
}
export function createApprove({ store, keeper, unhalted, reaches, asking, plans, proofs }: ApproveOptions): Approve {
  const { deferral, waiting, ended } = asking;
  async function ask(asked: Asked, demand: Demand, decision: Decision, draft: Draft): Promise<Result<never>> {
    const { caller, action, subject, kind, jkt } = asked;
    const args = action.kind === 'call' ? action.call.arguments : undefined;
    const hidden = action.kind === 'list' || !args || caller.jkt === undefined || jkt === undefined;
    const cannot = hidden || !isMeetable(demand, actedOf(subject), { proofs });
    if (cannot || !asked.deferred) return refuse('approval_needed', { code: 'approval_needed', remedy: cannot ? NEVER : OPT_IN });
    const { resource, tool, digest } = action.call;
    const { now } = draft;
    const asker = { ...asked, key: caller.jkt, jkt };
    const place = await placeOf({ store, keeper }, asker, [resource, tool, digest, kind], now);
    const { earlier } = place;
    if (earlier)
      return isOpen(earlier)
        ? refuse('approval_pending', { detail: earlier.id, deferral: deferral(earlier, now) })
        : refuse('approval_denied', { detail: earlier.id });
    if (place.crowded) return refuse('approvals_too_many', { remedy: TOO_MANY });
    const what = { state: 'pending', resource, tool, digest, credential: kind, demand, arguments: args } as const;
    const { approval, claims } = make(keeper, { ...what, asker, place, retry: asked.retry }, draft);
    return refuse('approval_pending', {
      detail: wordsOf(demand),
      deferral: deferral(approval, now),
      claims: [...decision.claims, ...claims],
    });
  }

  return {
    step: plans.step,

    async resume(code, caller, bundle, draft, fresh) {
      if (!fresh.ok) return fresh;
      const { now } = draft;
      const id = keeper.idOf(code);
      if (!id) return refuse('approval_unknown', { detail: 'code' });
      const { found } = await store.look([approvalKey(id), pollKey(id)]);
      const kept = keeper.read(id, found[0]);
      if (!kept) return refuse('approval_unknown', { detail: found[0] ? 'edited' : 'code' });
      const stood = kept.approval;
      if (stood.client !== caller.client.id || stood.key !== caller.jkt) return refuse('approval_unknown', { detail: 'binding' });
      if (fresh.value && !isSamePrincipals(stood, fresh.value)) return refuse('approval_unknown', { detail: 'principals' });
      draft.note(stood.facts);
      const approval = fresh.value ? renewed(stood, fresh.value, keeper, now) : stood;
      const held = { ...kept, approval };
      if (approval.state === 'denied') return refuse('approval_denied', { detail: id });
      if (approval.state === 'expired' || hasLapsed(approval, now)) {
        draft.note({ approval: id });
        return refuse('approval_expired', ended(kept, 'lapse', now, 'approval_expired'));
      }
      if (approval.plan) return plans.poll(held, found[1], approval !== stood, caller, bundle, draft);
      const asked = restore(approval, keeper.open(approval), { caller, bundle, now, reaches });
      if (!asked.ok) return asked;
      const halts = unhalted(asked.value).flatMap((claim) => ('key' in claim ? [claim.key] : []));
      if (approval.state !== 'redeemed' && (await store.look(halts)).found.some((halt) => halt !== undefined)) {
        draft.note({ approval: id });
        return refuse('suspended', ended(kept, 'cancel', now, 'suspended'));
      }
      if (approval.state === 'cancelled') return refuse('approval_unknown', { detail: 'cancelled' });
      if (approval.state === 'pending') return waiting(held, found[1], now, approval !== stood);
      draft.note({ approval: id });
      const redeemed = step(approval, { what: 'redeem' }, now);
      const agreed: Agreed = {
        id,
        story: id,
        demand: approval.demand,
        by: approval.votes.flatMap(({ vote, by, confirms }) => (vote === 'approve' && !confirms ? [by] : [])),
        until: approval.until,
        spend: redeemed.ok ? [keeper.write(kept, redeemed.value, 'retry_in_flight')] : [],
      };
      return ok({ ...asked.value, agreed });
    },

    async agree(asked, decision, draft) {
      const { agreed } = asked;
      const { approval: demand } = decision;
      if (!agreed) return demand ? ask(asked, demand, decision, draft) : ok([]);
      // Redeemed, and what was given is not remembered any more: never a second one.
      if (agreed.spend.length === 0) return refuse('approval_unknown', { detail: 'redeemed' });
      if (!demand || isCovered(demand, agreed)) return ok(agreed.spend);
      // What was given is of no use any more: it ends, so that asking again asks people again.
      const kept = keeper.read(agreed.id, (await store.look([approvalKey(agreed.id)])).found[0]);
      const left = kept ? ended(kept, 'cancel', draft.now, 'approval_needed') : {};
      return refuse('approval_needed', { code: 'approval_outgrown', remedy: OUTGROWN, ...left });
    },
  };
}

const OPT_IN = { text: 'Ask again with completion_mode=deferred, then poll until people have decided.' };
const OUTGROWN = { text: 'The rules ask for more than people agreed to. Ask again, and they are asked again.' };
