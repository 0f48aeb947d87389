/** Who must agree? Knows people and waiting; may not know how a token is checked or minted. */
import { type Reason, type Refusal, type Result, refuse } from '../errors.ts';
import type { Agreed, Asked, Bundle, Caller, Claim, Decision, Demand, Draft, EpochSeconds, Facts, Id } from '../model.ts';
import { nameOf } from '../model.ts';
import type { Store } from '../store/store.ts';
import type { Json, JsonObject } from '../wire/json.ts';
import { ok } from '../wire/result.ts';
import { approvalKey, type Keeper, type Kept, latestKey, pollKey, REMEMBER_SECONDS } from './kept.ts';
import { type Chain, restore } from './restore.ts';
import { type Approval, hasLapsed, isCovered, isOpen, step } from './state.ts';

export interface Approve {
  /**
   * A poll: the request as it was proved when it was first made, if people have agreed and client and key are the same. Errors: `approval_unknown`
   * for a code of nobody or of another client or key, and for a record that was edited; `approval_pending`, `approval_too_fast`,
   * `approval_denied`, `approval_expired`; `suspended` once anybody in it is halted, which ends it; what the bundle in force does not know any more.
   */
  resume(code: string, caller: Caller, bundle: Bundle, draft: Draft): Promise<Result<Asked>>;
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
}
/** Seconds between two polls, and how much longer after one that came too fast (RFC 8628 §3.5). */
const INTERVAL = { first: 5, step: 5, most: 60 } as const;

export function createApprove({ store, keeper, unhalted, reaches }: ApproveOptions): Approve {
  const deferral = ({ id, until }: Approval, now: EpochSeconds, interval: number): NonNullable<Refusal['deferral']> => ({
    code: keeper.codeOf(id),
    interval,
    expiresIn: Math.max(0, Math.floor(until - now)),
  });

  /** Nobody has decided: told at most so often. */
  function waiting(kept: Kept, poll: { readonly version: number; readonly value: Json } | undefined, now: EpochSeconds) {
    const { id, until } = kept.approval;
    const last = poll?.value as { readonly at: number; readonly interval: number } | undefined;
    const early = last !== undefined && now - last.at < last.interval;
    const before = last?.interval ?? INTERVAL.first;
    const interval = early ? Math.min(INTERVAL.most, before + INTERVAL.step) : before;
    const claim: Claim = {
      key: pollKey(id),
      version: poll?.version ?? 0,
      value: { at: now, interval },
      until: until + REMEMBER_SECONDS,
      else: 'approval_too_fast',
    };
    const rest = { detail: id, deferral: deferral(kept.approval, now, interval), claims: [claim] };
    return refuse(early ? 'approval_too_fast' : 'approval_pending', rest);
  }

  /** An open approval that can lead to nothing any more is ended by the no that says so. */
  function ended(kept: Kept, how: 'lapse' | 'cancel', now: EpochSeconds, otherwise: Reason): { readonly claims?: readonly Claim[] } {
    const next = step(kept.approval, { what: how }, now);
    return next.ok ? { claims: [keeper.write(kept, next.value, otherwise)] } : {};
  }

  async function ask(asked: Asked, demand: Demand, decision: Decision, draft: Draft): Promise<Result<never>> {
    const { caller, action, subject, actors, kind, jkt } = asked;
    const args = action.kind === 'call' ? action.call.arguments : undefined;
    const cannot = demand.proof !== undefined || action.kind === 'list' || !args || caller.jkt === undefined || jkt === undefined;
    if (cannot || !asked.deferred) return refuse('approval_needed', { code: 'approval_needed', remedy: cannot ? NEVER : OPT_IN });
    const { resource, tool, digest } = action.call;
    const { now } = draft;
    const chain = [caller.client.id, caller.jkt, jkt, subject.kind, nameOf(subject), actors.map((actor) => actor.id)];
    const bind = keeper.bind([...chain, resource, tool, digest, kind]);

    const [latest] = (await store.look([latestKey(bind)])).found;
    const before = latest && (latest.value as Id<'apr'>);
    const found = before && keeper.read(before, (await store.look([approvalKey(before)])).found[0]);
    if (found && found.approval.bind === bind && !hasLapsed(found.approval, now)) {
      // A denial stands for the code's life (wire.md §3.4).
      const { approval } = found;
      if (isOpen(approval)) return refuse('approval_pending', { detail: approval.id, deferral: deferral(approval, now, INTERVAL.first) });
      if (approval.state === 'denied' && now < approval.until) return refuse('approval_denied', { detail: approval.id });
    }
    const id: Id<'apr'> = `apr_${draft.id.slice(draft.id.indexOf('_') + 1)}`;
    draft.note({ approval: id });
    const approval: Approval = {
      id,
      state: 'pending',
      bind,
      client: caller.client.id,
      key: caller.jkt,
      jkt,
      subject:
        subject.kind === 'agent'
          ? { kind: 'agent', id: subject.id }
          : { kind: subject.kind, issuer: subject.issuer, subject: subject.subject, exp: subject.exp },
      actors: actors.map((actor) => actor.id),
      resource,
      tool,
      digest,
      credential: kind,
      bundle: draft.facts.bundle ?? '',
      demand,
      made: now,
      until: Math.floor(Math.min(now + demand.ttlSeconds, asked.until)),
      proofs: asked.until,
      // One result, however it is fetched: the grant is remembered as under an Idempotency-Key (wire.md §3.4).
      retry: asked.retry ?? { key: `retry/approval/${id}`, fingerprint: bind },
      votes: [],
      facts: factsOf(draft.facts),
      sealed: keeper.seal(id, { arguments: args, attributes: subject.kind === 'agent' ? {} : subject.attributes }),
    };
    const { until } = approval;
    const pointer = { key: latestKey(bind), version: latest?.version ?? 0, value: id, until: until + REMEMBER_SECONDS };
    const claims: Claim[] = [
      ...decision.claims,
      // Two at once: the other's is the one, and asking again finds it.
      { ...pointer, else: 'retry_in_flight' },
      keeper.write({ version: 0, approval }, approval, 'retry_in_flight'),
    ];
    const detail = `${demand.who.join(', ')}; at least ${demand.quorum}`;
    return refuse('approval_pending', { detail, deferral: deferral(approval, now, INTERVAL.first), claims });
  }

  return {
    async resume(code, caller, bundle, draft) {
      const { now } = draft;
      const id = keeper.idOf(code);
      if (!id) return refuse('approval_unknown', { detail: 'code' });
      const { found } = await store.look([approvalKey(id), pollKey(id)]);
      const kept = keeper.read(id, found[0]);
      if (!kept) return refuse('approval_unknown', { detail: found[0] ? 'edited' : 'code' });
      const { approval } = kept;
      if (approval.client !== caller.client.id || approval.key !== caller.jkt) return refuse('approval_unknown', { detail: 'binding' });
      draft.note(approval.facts);
      if (approval.state === 'denied') return refuse('approval_denied', { detail: id });
      if (approval.state === 'expired' || hasLapsed(approval, now)) {
        draft.note({ approval: id });
        return refuse('approval_expired', ended(kept, 'lapse', now, 'approval_expired'));
      }
      const asked = restore(approval, keeper.open(approval), { caller, bundle, now, reaches });
      if (!asked.ok) return asked;
      const halts = unhalted(asked.value).flatMap((claim) => ('key' in claim ? [claim.key] : []));
      if (approval.state !== 'redeemed' && (await store.look(halts)).found.some((halt) => halt !== undefined)) {
        draft.note({ approval: id });
        return refuse('suspended', ended(kept, 'cancel', now, 'suspended'));
      }
      if (approval.state === 'cancelled') return refuse('approval_unknown', { detail: 'cancelled' });
      if (approval.state === 'pending') return waiting(kept, found[1], now);
      draft.note({ approval: id });
      const redeemed = step(approval, { what: 'redeem' }, now);
      const agreed: Agreed = {
        id,
        demand: approval.demand,
        by: approval.votes.flatMap(({ vote, by }) => (vote === 'approve' ? [by] : [])),
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
const NEVER = { text: 'Ask a person to do this themselves: nobody can be shown this action here.' };
const OUTGROWN = { text: 'The rules ask for more than people agreed to. Ask again, and they are asked again.' };

/** Of the action, for every later entry: no id of one exchange, no outcome. */
const TOLD = [
  'owner',
  'subject',
  'actors',
  'resource',
  'tool',
  'arguments',
  'recorded',
  'purpose',
  'context',
  'jkt',
  'credential',
] as const;
const factsOf = (facts: Facts): Facts => {
  const all: JsonObject = JSON.parse(JSON.stringify(facts));
  return Object.fromEntries(TOLD.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
};
