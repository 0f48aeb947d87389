/** A request that people are asked about, whether it is one action or a plan: what stands for it already, and the record that a new one leaves. */
import type { Asked, Claim, Draft, EpochSeconds, Id } from '../model.ts';
import { nameOf } from '../model.ts';
import type { Store } from '../store/store.ts';
import type { Json, JsonObject } from '../wire/json.ts';
import { factsOf } from './asking.ts';
import { isCrowded, waitingOf, waits } from './crowd.ts';
import { approvalKey, type Keeper, latestKey, REMEMBER_SECONDS } from './kept.ts';
import { type Approval, hasLapsed, isOpen, type Subject } from './state.ts';

/** Who asks, with the keys that they have proved: the client's, and the one that the token is bound to. */
export type Asker = Pick<Asked, 'caller' | 'subject' | 'actors' | 'until'> & { readonly key: string; readonly jkt: string };
/** Where a request is remembered. */
export interface Place {
  /** HMAC over all that it is bound to. */
  readonly bind: string;
  readonly version: number;
  /** It is open, or people said no to it: a denial stands for the code's life (wire.md §3.4). */
  readonly earlier?: Approval;
  /** As many of this client's wait as may. */
  readonly crowded: boolean;
}
export interface Making extends Pick<Approval, 'state' | 'resource' | 'tool' | 'digest' | 'credential' | 'demand' | 'plan'> {
  readonly asker: Asker;
  readonly place: Place;
  /** As its client says it; absent: its own. */
  readonly retry?: Approval['retry'] | undefined;
  /** Sealed. */
  readonly arguments: JsonObject;
}
export interface Made {
  readonly approval: Approval;
  /** Two at once: the other's is the one, and asking again finds it. */
  readonly claims: readonly Claim[];
}

export const actedOf = (subject: Asked['subject']): Subject =>
  subject.kind === 'agent'
    ? { kind: 'agent', id: subject.id }
    : { kind: subject.kind, issuer: subject.issuer, subject: subject.subject, exp: subject.exp };

/** `about`: what is asked, in the words that make it the same request. */
export async function placeOf(
  { store, keeper }: { readonly store: Pick<Store, 'look'>; readonly keeper: Keeper },
  { caller, key, jkt, subject, actors }: Asker,
  about: readonly Json[],
  now: EpochSeconds,
): Promise<Place> {
  const chain = [caller.client.id, key, jkt, subject.kind, nameOf(subject), actors.map((actor) => actor.id)];
  const bind = keeper.bind([...chain, ...about]);
  const { found, sums } = await store.look([latestKey(bind)], [waitingOf(caller.client.id)]);
  const [latest] = found;
  const id = latest && (latest.value as Id<'apr'>);
  const before = id && keeper.read(id, (await store.look([approvalKey(id)])).found[0])?.approval;
  const stands = before?.bind === bind && !hasLapsed(before, now) && (isOpen(before) || (before.state === 'denied' && now < before.until));
  return { bind, version: latest?.version ?? 0, crowded: isCrowded(sums[0]), ...(stands && { earlier: before }) };
}

export function make(keeper: Keeper, { asker, place, retry, arguments: args, plan, ...what }: Making, draft: Draft): Made {
  const { caller, key, jkt, subject, actors, until: proofs } = asker;
  const { bind, version } = place;
  const { now } = draft;
  const id: Id<'apr'> = `apr_${draft.id.slice(draft.id.indexOf('_') + 1)}`;
  draft.note({ approval: id });
  const ends = now + what.demand.ttlSeconds;
  const approval: Approval = {
    ...what,
    id,
    bind,
    client: caller.client.id,
    key,
    jkt,
    subject: actedOf(subject),
    actors: actors.map((actor) => actor.id),
    bundle: draft.facts.bundle ?? '',
    made: now,
    until: Math.floor(Math.min(ends, proofs)),
    proofs,
    // One result, however it is fetched: the grant is remembered as under an Idempotency-Key (wire.md §3.4).
    retry: retry ?? { key: `retry/approval/${id}`, fingerprint: bind },
    votes: [],
    facts: factsOf(draft.facts),
    sealed: keeper.seal(id, { arguments: args, attributes: subject.kind === 'agent' ? {} : subject.attributes }),
    ...(plan && { plan }),
  };
  return {
    approval,
    claims: [
      // As long as fresh proofs could make it last.
      { key: latestKey(bind), version, value: id, until: ends + REMEMBER_SECONDS, else: 'retry_in_flight' },
      keeper.write({ version: 0, approval }, approval, 'retry_in_flight'),
      ...(what.state === 'pending' ? [waits(approval)] : []),
    ],
  };
}
