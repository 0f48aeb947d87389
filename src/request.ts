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
export interface ExchangeRequest extends Presented {
  readonly grant: 'exchange' | 'client_credentials';
  /** Idempotency-Key. */
  readonly retry?: string;
  readonly subjectToken?: string;
  readonly subjectTokenType?: string;
  readonly actorToken?: string;
  readonly resource: string;
  /** The text of `authorization_details`. */
  readonly details?: string;
  readonly scope?: string;
  readonly kind: CredentialKind;
  readonly deferred: boolean;
}
export interface DeferredRequest extends Presented {
  readonly grant: 'deferred';
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
