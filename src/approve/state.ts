/** What becomes of an approval. Pure: what stood, what happened and when in; what stands now out, or why it cannot happen. */
import type { Agent, Demand, EpochSeconds, Facts, Id, Person, Retry } from '../model.ts';
import type { Digest } from '../wire/digest.ts';
import type { CredentialKind } from '../wire/oauth.ts';
import { no, ok, type Result } from '../wire/result.ts';

/** pending → approved → redeemed; denied, expired and cancelled are ends as redeemed is. */
export const STATES = ['pending', 'approved', 'redeemed', 'denied', 'expired', 'cancelled'] as const;
export type State = (typeof STATES)[number];
export interface Vote {
  /** A person's name: `people:u_alice`. */
  readonly by: string;
  readonly vote: 'approve' | 'deny';
  readonly at: EpochSeconds;
  readonly reason: string;
  /** The names of the demand that this person stands for. */
  readonly stands: readonly string[];
  /** Who says that it was this person: an operator at the local socket, as long as nobody can log in. */
  readonly via: string;
}
/** One action that waits for people, and all it is bound to (wire.md §3.4). */
export interface Approval {
  readonly id: Id<'apr'>;
  readonly state: State;
  /** HMAC over what it is bound to: the same request again has the same. */
  readonly bind: string;
  readonly client: string;
  /** Thumbprint of the client's key, and of the key that the token is bound to. */
  readonly key: string;
  readonly jkt: string;
  readonly subject: Pick<Person, 'kind' | 'issuer' | 'subject' | 'exp'> | Pick<Agent, 'kind' | 'id'>;
  readonly actors: readonly string[];
  readonly resource: string;
  readonly tool: string;
  readonly digest: Digest;
  readonly credential: CredentialKind;
  /** The bundle that demanded it; the one in force at redemption decides again. */
  readonly bundle: string;
  readonly demand: Demand;
  readonly made: EpochSeconds;
  /** min(approval TTL, subject `exp`, actor `exp`). */
  readonly until: EpochSeconds;
  /** The proofs' own end. */
  readonly proofs: EpochSeconds;
  readonly retry: Retry;
  readonly votes: readonly Vote[];
  /** What the ledger says of it already. */
  readonly facts: Facts;
  /** Arguments, purpose, context and the subject's attributes, sealed. */
  readonly sealed: string;
}
export type Happening =
  | { readonly what: 'vote'; readonly vote: Omit<Vote, 'at'> }
  | { readonly what: 'redeem' }
  | { readonly what: 'cancel' }
  | { readonly what: 'lapse' };
export type Flaw = 'decided' | 'undecided' | 'lapsed' | 'too_early' | 'already_voted' | 'own_action' | 'not_an_approver';

/** Somebody may still do something about it. */
export const isOpen = ({ state }: Pick<Approval, 'state'>): boolean => state === 'pending' || state === 'approved';
export const hasLapsed = (it: Pick<Approval, 'state' | 'until'>, now: EpochSeconds): boolean => isOpen(it) && now >= it.until;

/**
 * One step. Errors: `decided` at an end, `lapsed` past `until`, `undecided` for a redemption before enough people agreed, `too_early` for a lapse
 * before its time; of a vote `own_action`, `not_an_approver`, `already_voted`.
 */
export function step(it: Approval, happening: Happening, now: EpochSeconds): Result<Approval, Flaw> {
  if (!isOpen(it)) return no('decided');
  if (happening.what === 'lapse') return now >= it.until ? ok({ ...it, state: 'expired' }) : no('too_early');
  if (now >= it.until) return no('lapsed');
  switch (happening.what) {
    case 'cancel':
      return ok({ ...it, state: 'cancelled' });
    case 'redeem':
      return it.state === 'approved' ? ok({ ...it, state: 'redeemed' }) : no('undecided');
    case 'vote':
      return voted(it, { ...happening.vote, at: now });
    default:
      return happening satisfies never;
  }
}

/** One no ends it, also after others agreed: until it is redeemed nothing has been given. */
function voted(it: Approval, vote: Vote): Result<Approval, Flaw> {
  const { subject, demand, votes } = it;
  if (subject.kind !== 'agent' && samePerson(vote.by, `${subject.issuer}:${subject.subject}`)) return no('own_action');
  if (!vote.stands.some((name) => demand.who.includes(name))) return no('not_an_approver');
  if (vote.vote === 'deny') return ok({ ...it, state: 'denied', votes: [...votes, vote] });
  if (it.state === 'approved') return no('decided');
  if (votes.some(({ by }) => samePerson(by, vote.by))) return no('already_voted');
  const all = [...votes, vote];
  return ok({ ...it, state: isMet(demand, all) ? 'approved' : 'pending', votes: all });
}

/** Everyone named is stood for by somebody, and so many different people agree. */
export function isMet({ who, quorum, proof }: Demand, votes: readonly Vote[]): boolean {
  const yes = votes.filter(({ vote }) => vote === 'approve');
  const people = new Set(yes.map(({ by }) => bareOf(by)));
  return proof === undefined && people.size >= quorum && who.every((name) => yes.some(({ stands }) => stands.includes(name)));
}
/** Does the demand of today ask for no more than was given then? */
export const isCovered = (today: Demand, given: { readonly demand: Demand; readonly by: readonly string[] }): boolean =>
  today.proof === undefined &&
  today.quorum <= new Set(given.by.map(bareOf)).size &&
  today.who.every((name) => given.demand.who.includes(name) || given.by.includes(name));

/** One person may be known to several issuers under one subject: what may be the same counts as the same. */
export const samePerson = (a: string, b: string): boolean => bareOf(a) === bareOf(b);
const bareOf = (name: string): string => name.slice(name.indexOf(':') + 1);
