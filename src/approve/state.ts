/** What becomes of an approval. Pure: what stood, what happened and when in; what stands now out, or why it cannot happen. */
import { type Agent, type Demand, type EpochSeconds, type Facts, type Id, nameOf, type Person, type Retry } from '../model.ts';
import type { Digest } from '../wire/digest.ts';
import type { CredentialKind } from '../wire/oauth.ts';
import { no, ok, type Result } from '../wire/result.ts';
import { isAny, isSpent, type Plan, type StepFlaw, take, type VoteFlaw, voteFlaw } from './plan.ts';

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
  /** The person acted for, about their own action: it counts as their confirmation, and as nobody's agreement. */
  readonly confirms?: true;
  /** The passkey that signed it: its credential id. What it signed stands in the ledger. */
  readonly passkey?: string;
  /** Of a plan, which steps are agreed to; absent: all. */
  readonly steps?: readonly number[];
  /** Who says that it was this person: an operator at the local socket, as long as nobody can log in. */
  readonly via: string;
}
export type Subject = Pick<Person, 'kind' | 'issuer' | 'subject' | 'exp'> | Pick<Agent, 'kind' | 'id'>;
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
  readonly subject: Subject;
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
  /** Several actions, decided at once; absent: one. */
  readonly plan?: Plan;
}
export type Happening =
  | { readonly what: 'vote'; readonly vote: Omit<Vote, 'at'> }
  | { readonly what: 'redeem' }
  | { readonly what: 'take'; readonly at: number; readonly txn: string }
  | { readonly what: 'cancel' }
  | { readonly what: 'lapse' };
export type Flaw =
  | VoteFlaw
  | StepFlaw
  | 'decided'
  | 'undecided'
  | 'lapsed'
  | 'too_early'
  | 'already_voted'
  | 'own_action'
  | 'not_an_approver'
  | 'not_asked'
  | 'proof_needed';

/** Somebody may still do something about it. */
export const isOpen = ({ state }: Pick<Approval, 'state'>): boolean => state === 'pending' || state === 'approved';
/** Fresh proofs may let it last longer than it does, never longer than this. */
export const latestOf = ({ made, demand }: Pick<Approval, 'made' | 'demand'>): EpochSeconds => made + demand.ttlSeconds;
export const hasLapsed = (it: Pick<Approval, 'state' | 'until'>, now: EpochSeconds): boolean => isOpen(it) && now >= it.until;

/**
 * One step. Errors: `decided` at an end, `lapsed` past `until`, `undecided` for a redemption before enough people agreed, `too_early` for a lapse
 * before its time; of a vote `own_action`, `not_an_approver`, `already_voted`; of a confirmation `not_asked`; of a yes
 * `proof_needed`.
 */
export function step(it: Approval, happening: Happening, now: EpochSeconds): Result<Approval, Flaw> {
  if (!isOpen(it)) return no('decided');
  if (happening.what === 'lapse') return now >= it.until ? ok({ ...it, state: 'expired' }) : no('too_early');
  if (now >= it.until) return no('lapsed');
  switch (happening.what) {
    case 'cancel':
      return ok({ ...it, state: 'cancelled' });
    case 'redeem':
      return it.state === 'approved' && !it.plan ? ok({ ...it, state: 'redeemed' }) : no('undecided');
    case 'take':
      return taken(it, happening, now);
    case 'vote':
      return voted(it, { ...happening.vote, at: now });
    default:
      return happening satisfies never;
  }
}

/** One no ends it, also after others agreed: until it is redeemed nothing has been given. */
function voted(it: Approval, vote: Vote): Result<Approval, Flaw> {
  const { demand, votes } = it;
  const flaw = vote.confirms ? notAsked(it, vote) : notAnother(it, vote);
  if (flaw) return no(flaw);
  if (demand.proof && vote.vote === 'approve' && vote.passkey === undefined) return no('proof_needed');
  const misnamed = voteFlaw(it.plan, vote);
  if (misnamed) return no(misnamed);
  if (vote.vote === 'deny') return ok({ ...it, state: 'denied', votes: [...votes, vote] });
  if (it.state === 'approved') return no('decided');
  if (votes.some(({ by }) => samePerson(by, vote.by))) return no('already_voted');
  const all = [...votes, vote];
  if (!isMet(demand, all)) return ok({ ...it, votes: all });
  return ok({ ...it, state: it.plan && !isAny(it.plan, all) ? 'denied' : 'approved', votes: all });
}
/** One step of a plan; the last one ends it. */
function taken(it: Approval, { at, txn }: { readonly at: number; readonly txn: string }, now: EpochSeconds): Result<Approval, Flaw> {
  if (it.state !== 'approved' || !it.plan) return no('undecided');
  const plan = take(it.plan, it.votes, at, { txn, at: now });
  return plan.ok ? ok({ ...it, plan: plan.value, state: isSpent(plan.value, it.votes) ? 'redeemed' : 'approved' }) : plan;
}
/** Four eyes: not the person acted for, whoever vouches for them, and somebody whom the demand names. */
function notAnother({ subject, demand }: Approval, { by, stands }: Vote): Flaw | undefined {
  if (isFor(subject, by)) return 'own_action';
  return stands.some((name) => demand.who.includes(name)) ? undefined : 'not_an_approver';
}
/** To the letter: somebody of another issuer who has the same subject may be somebody else. */
function notAsked({ subject, demand }: Approval, { by }: Vote): Flaw | undefined {
  return demand.confirm && subject.kind === 'person' && nameOf(subject) === by ? undefined : 'not_asked';
}

/** Everyone named is stood for by somebody, so many different people agree, and the person acted for confirms where that is demanded. */
export function isMet({ who, quorum, confirm, proof }: Demand, votes: readonly Vote[]): boolean {
  const yes = votes.filter(({ vote, passkey }) => vote === 'approve' && (!proof || passkey !== undefined));
  const others = yes.filter(({ confirms }) => !confirms);
  const people = new Set(others.map(({ by }) => bareOf(by)));
  const agreed = people.size >= quorum && who.every((name) => others.some(({ stands }) => stands.includes(name)));
  return yes.length > 0 && agreed && (!confirm || others.length < yes.length);
}
/** Is there anybody who could meet it? `proofs`: somebody can show a passkey here. Of a team that is not known: of whom it is, its people's issuer says. */
export function isMeetable({ who, quorum, confirm, proof }: Demand, subject: Subject, { proofs }: { readonly proofs: boolean }): boolean {
  if (proof && !proofs) return false;
  if (confirm && subject.kind !== 'person') return false;
  const named = who.filter((name) => !isTeam(name));
  if (named.some((name) => !name.includes(':') || isFor(subject, name))) return false;
  return named.length < who.length || new Set(named.map(bareOf)).size >= quorum;
}
/** Does the demand of today ask for no more than was given then? `by`: who agreed, without the person acted for. */
export const isCovered = (today: Demand, given: { readonly demand: Demand; readonly by: readonly string[] }): boolean =>
  (today.proof === undefined || given.demand.proof === today.proof) &&
  (!today.confirm || given.demand.confirm === true) &&
  today.quorum <= new Set(given.by.map(bareOf)).size &&
  today.who.every((name) => given.demand.who.includes(name) || given.by.includes(name));

export const isTeam = (name: string): boolean => name.startsWith('team:');
const isFor = (subject: Subject, name: string): boolean => subject.kind !== 'agent' && samePerson(name, nameOf(subject));
/** One person may be known to several issuers under one subject: what may be the same counts as the same. */
export const samePerson = (a: string, b: string): boolean => bareOf(a) === bareOf(b);
const bareOf = (name: string): string => name.slice(name.indexOf(':') + 1);
