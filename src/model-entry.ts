/** The ledger's vocabulary: what is said of an exchange, and the unit of work it is said in. */
import type { Reason } from './errors.ts';
import type { JsonObject } from './wire/json.ts';
import type { Turn } from './wire/jws.ts';
import type { CredentialKind } from './wire/oauth.ts';

export type EpochSeconds = number;
export type Id<P extends 'exc' | 'apr' | 'led' | 'key' | 'lea'> = `${P}_${string}`;

export type EntryKind = Outcome | Agreement | Course | Upkeep;
type Outcome = 'refused' | 'minted' | 'faulted';
type Agreement = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled';
type Course = 'intent' | 'redeemed' | 'receipt' | 'revoked' | 'ended';
type Upkeep = 'key' | 'bundle' | 'repair' | 'session' | 'export' | 'passkey';
/** One schema for every entry; what is not known stands as null. */
export interface Facts {
  readonly request?: string; // What was asked of us: exchange, client_credentials, deferred, plan, introspect, revoke, receipt, operator, console, start
  readonly client?: string;
  readonly owner?: string;
  readonly subject?: string;
  readonly actors?: readonly string[]; // Outermost first
  readonly resource?: string;
  readonly tool?: string;
  readonly arguments?: string; // HMAC of the canonical arguments, never the arguments
  readonly recorded?: JsonObject; // Those arguments that the registration marks as recordable
  readonly purpose?: string; // What the agent says it is for: quoted, never trusted
  readonly context?: JsonObject;
  readonly jkt?: string; // Thumbprint of the key the grant is bound to
  readonly credential?: CredentialKind;
  readonly policies?: readonly string[];
  readonly bundle?: string;
  readonly approval?: string;
  readonly txn?: string;
  readonly jti?: string;
  readonly exp?: EpochSeconds;
  readonly reason?: string; // A stable code from errors.ts
  readonly code?: string; // The policy's own code
  readonly detail?: string;
  readonly outcome?: string; // What the tool server says happened; how a lease ended
  readonly proof?: string; // Digest of the agent's proof of possession that came with a receipt
  readonly by?: string; // Who, of the people: an operator or approver
  readonly reserved?: JsonObject; // By budget: under which name, how much
  readonly again?: boolean; // The same grant, given again under its Idempotency-Key
}
export interface Entry extends Facts {
  readonly kind: EntryKind;
  readonly at: EpochSeconds;
  readonly exchange: Id<'exc'>;
}
/** One exchange's unit of work, opened by the conductor: rooms note what they learn and spend what may be seen once; record commits it. */
export interface Draft {
  readonly id: Id<'exc'>;
  readonly now: EpochSeconds;
  readonly signal: AbortSignal; // aborts at the deadline
  readonly late: boolean; // the deadline has passed
  readonly turn: Turn;
  readonly facts: Facts;
  note(facts: Facts): void;
  /** Burnt whatever the outcome: an assertion, a proof, an action token. */
  spend(mark: Mark): void;
}
export interface Mark {
  readonly once: string;
  readonly issued: EpochSeconds; // it was made no earlier: a store whose memory begins later cannot know whether it was seen
  readonly until: EpochSeconds;
  readonly else: Reason;
  readonly bound?: string; // it may come again with this same value alone: a workload token and the key it first came with
}
