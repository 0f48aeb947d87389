/** What arrives, as `http/` has read it: nothing here is proved yet. */
import type { CredentialKind } from './wire/oauth.ts';

/** How a client shows itself, on every endpoint that knows clients. */
export interface Presented {
  readonly htm: string;
  readonly htu: string;
  readonly clientId?: string;
  readonly assertion?: string;
  readonly proof?: string;
}
/** On whose behalf, and who acts beside the client. */
export interface Principals {
  readonly subjectToken?: string;
  readonly subjectTokenType?: string;
  readonly actorToken?: string;
}
export interface ExchangeRequest extends Presented, Principals {
  readonly grant: 'exchange' | 'client_credentials';
  /** Idempotency-Key. */
  readonly retry?: string;
  readonly resource: string;
  /** The text of `authorization_details`. */
  readonly details?: string;
  readonly scope?: string;
  readonly kind: CredentialKind;
  readonly deferred: boolean;
  /** The code of the plan that this is a step of (wire.md §3.4). */
  readonly plan?: string;
}
/** A poll. Fresh tokens of the same principals let people decide for longer. */
export interface DeferredRequest extends Presented, Principals {
  readonly grant: 'deferred';
  readonly code: string;
}
/** Several actions that people decide on at once (wire.md §3.4). Each entry of `details` names its own resource. */
export interface PlanRequest extends Presented, Principals {
  readonly grant: 'exchange' | 'client_credentials';
  readonly details: string;
  readonly ordered: boolean;
}
export interface PlanStatusRequest extends Presented {
  readonly code: string;
}
/** A tool server brings an action token, and the agent's proof for it, for the credential that its tool needs (wire.md §6). */
export interface RedeemRequest extends Presented {
  readonly grant: 'redeem';
  readonly retry?: string;
  readonly token: string;
  readonly actionProof: string;
  readonly resource: string;
  readonly details?: string;
  readonly kind: CredentialKind;
  /** The text of `credential_request`: a JSON object of what only the receiver can bring. */
  readonly material?: string;
}
export type TokenRequest = ExchangeRequest | DeferredRequest;
