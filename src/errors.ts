/** Every "no" and its one wire form (wire.md §3.3). A refusal is a value; a throw is a fault. */
import type { Claim } from './store/store.ts';
import type { DetailsFlaw } from './wire/details.ts';
import type { ProofFlaw } from './wire/dpop.ts';
import type { TokenFlaw } from './wire/jws.ts';
import { no, type Result as WireResult } from './wire/result.ts';

export type Reason =
  // what arrived
  | 'limited'
  | 'request_malformed'
  | 'type_unsupported'
  | 'grant_unsupported'
  | 'grant_refused'
  // who asks
  | 'client_unknown'
  | 'client_unauthenticated'
  | 'client_suspended'
  | 'owner_missing'
  | 'assertion_replayed'
  | 'proof_bad'
  | 'proof_replayed'
  | 'nonce_needed'
  // on whose behalf
  | 'subject_bad'
  | 'subject_binding'
  | 'may_act_mismatch'
  | 'actor_bad'
  | 'actor_replayed'
  | 'issuer_unavailable'
  // what for
  | 'resource_unknown'
  | 'resource_refused'
  | 'details_bad'
  | 'arguments_bad'
  | 'tool_unknown'
  // may they
  | 'policy_denied'
  | 'policy_input'
  | 'policy_error'
  | 'budget_exhausted'
  | 'suspended'
  // who must agree
  | 'approval_needed'
  | 'approval_pending'
  | 'approval_unknown'
  | 'approval_denied'
  | 'approval_expired'
  | 'approval_too_fast'
  | 'approvals_too_many'
  | 'plan_decided'
  | 'step_refused'
  | 'vote_refused'
  // what people may do here
  | 'login_needed'
  | 'login_refused'
  | 'role_refused'
  | 'forgery_suspected'
  // asking again
  | 'retry_mismatch'
  | 'retry_lapsed'
  | 'retry_in_flight'
  | 'token_redeemed'
  | 'receipt_bad'
  | 'receipt_replayed'
  // making and keeping it
  | 'mint_refused'
  | 'mint_backpressure'
  | 'not_found'
  | 'state_conflict'
  | 'deadline'
  | 'unavailable'
  | 'fault';

/** What a policy's own annotations teach the one who was refused; never built from input. */
export interface Remedy {
  readonly text: string;
  readonly hints?: readonly Readonly<Record<string, string | number | boolean>>[];
}
/** An expected no. `detail` is for the ledger, never for the wire. */
export interface Refusal {
  readonly reason: Reason;
  readonly detail?: TokenFlaw | ProofFlaw | DetailsFlaw | string;
  /** The stable code that the deciding policy names (`@reason`); the wire shows it in place of `reason`. */
  readonly code?: string;
  readonly remedy?: Remedy;
  readonly deferral?: { readonly code: string; readonly interval: number; readonly expiresIn: number; readonly uri?: string };
  /** Of a plan: the step, from 0, that it is about. */
  readonly step?: number;
  readonly retryAfterSeconds?: number;
  /** The entry it stands in: what a person quotes when they ask why. */
  readonly decision?: string;
  /** State that this no leaves behind: the pending approval, the time of the last poll. */
  readonly claims?: readonly Claim<Reason>[];
}
export type Result<T> = WireResult<T, Refusal>;
export const refuse = (reason: Reason, rest: Omit<Refusal, 'reason'> = {}): { readonly ok: false; readonly error: Refusal } =>
  no({ reason, ...rest });

export interface WireError {
  readonly status: number;
  readonly error: string;
  readonly text: string;
  readonly retryAfterSeconds?: number;
}
const wire = (status: number, error: string, text: string, retryAfterSeconds?: number): WireError => ({
  status,
  error,
  text,
  ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
});

/** One constant text a reason; nothing presented ever stands in it. */
export function toWire(reason: Reason): WireError {
  switch (reason) {
    case 'limited':
      return wire(429, 'temporarily_unavailable', 'Too many requests; ask again after a while.', 1);
    case 'request_malformed':
      return wire(400, 'invalid_request', 'A parameter is missing, repeated or malformed.');
    case 'type_unsupported':
      return wire(400, 'invalid_request', 'This token type is not supported here.');
    case 'grant_unsupported':
      return wire(400, 'unsupported_grant_type', 'This grant type is not supported.');
    case 'grant_refused':
      return wire(400, 'unauthorized_client', 'This client may not use this grant.');
    case 'client_unknown':
    case 'client_unauthenticated':
    case 'assertion_replayed':
      return wire(401, 'invalid_client', 'Client authentication failed.');
    case 'proof_bad':
    case 'proof_replayed':
      return wire(400, 'invalid_dpop_proof', 'The DPoP proof was not accepted.');
    case 'nonce_needed':
      return wire(400, 'use_dpop_nonce', 'Sign the DPoP proof again with the nonce of this answer.');
    case 'subject_bad':
    case 'subject_binding':
      return wire(400, 'invalid_request', 'The subject token was not accepted.');
    case 'may_act_mismatch':
      return wire(400, 'invalid_request', 'The subject token does not let this actor act.');
    case 'actor_bad':
    case 'actor_replayed':
      return wire(400, 'invalid_request', 'The actor token was not accepted.');
    case 'resource_unknown':
    case 'resource_refused':
      return wire(400, 'invalid_target', 'This resource cannot be asked for here.');
    case 'details_bad':
      return wire(400, 'invalid_authorization_details', 'authorization_details must be exactly one entry of the published type; see /rar.');
    case 'arguments_bad':
      return wire(400, 'invalid_authorization_details', "The arguments are not strict JSON of the tool's registered schema.");
    case 'tool_unknown':
      return wire(400, 'invalid_authorization_details', 'The resource registers no tool of this name.');
    case 'policy_denied':
      return wire(403, 'access_denied', 'Policy does not allow this action.');
    case 'policy_input':
      return wire(403, 'access_denied', 'Policy could not judge this action: something it needs to know is absent.');
    case 'client_suspended':
    case 'suspended':
      return wire(403, 'access_denied', 'This is suspended.');
    case 'owner_missing':
      return wire(403, 'access_denied', 'This agent has no owner any more.');
    case 'budget_exhausted':
      return wire(403, 'access_denied', 'The budget for this is spent.');
    case 'approval_needed':
      return wire(403, 'access_denied', 'A person must approve this action.');
    case 'approval_denied':
      return wire(400, 'access_denied', 'A person refused this action.');
    case 'approval_pending':
      return wire(400, 'authorization_pending', 'A person has not decided yet.');
    case 'approval_too_fast':
      return wire(400, 'slow_down', 'Poll less often.');
    case 'approval_expired':
      return wire(400, 'expired_token', 'Nobody decided in time.');
    case 'approvals_too_many':
      return wire(403, 'access_denied', 'Too many requests of this agent wait for people.');
    case 'plan_decided':
      return wire(400, 'plan_decided', 'People have decided: see /plans/status, and ask for each step with plan=<deferral_code>.');
    case 'step_refused':
      return wire(403, 'access_denied', 'This is no step of the plan that may be taken now.');
    case 'vote_refused':
      return wire(403, 'access_denied', 'This person may not decide this.');
    case 'login_needed':
      return wire(401, 'login_required', 'Log in first.');
    case 'login_refused':
      return wire(403, 'access_denied', 'This login was not accepted; begin again.');
    case 'role_refused':
      return wire(403, 'access_denied', 'Your roles do not allow this.');
    case 'forgery_suspected':
      return wire(403, 'access_denied', 'This request did not come from the console; load the page again.');
    case 'approval_unknown':
      return wire(400, 'invalid_grant', 'This code is unknown, used, or of another client or key.');
    case 'retry_mismatch':
      return wire(400, 'invalid_request', 'This Idempotency-Key belongs to another request.');
    case 'retry_lapsed':
      return wire(400, 'invalid_grant', 'The grant under this Idempotency-Key has ended.');
    case 'retry_in_flight':
      return wire(409, 'temporarily_unavailable', 'The same request is being answered; ask again.', 1);
    case 'token_redeemed':
      return wire(400, 'invalid_request', 'This action token has been redeemed.');
    case 'receipt_bad':
      return wire(400, 'invalid_request', 'The receipt was not accepted.');
    case 'receipt_replayed':
      return wire(409, 'receipt_exists', 'This action has its receipt.');
    case 'mint_refused':
      return wire(403, 'access_denied', 'This credential is not registered for the tool.');
    case 'mint_backpressure':
      return wire(503, 'temporarily_unavailable', 'Too many credentials of this role are outstanding.', 5);
    case 'not_found':
      return wire(404, 'not_found', 'There is nothing under this name.');
    case 'state_conflict':
      return wire(409, 'state_conflict', 'Somebody else changed this; look again.');
    case 'issuer_unavailable':
      return wire(503, 'temporarily_unavailable', "The subject's issuer cannot be reached.", 2);
    case 'policy_error':
    case 'deadline':
    case 'unavailable':
      return wire(503, 'temporarily_unavailable', 'The broker cannot decide safely now.', 2);
    case 'fault':
      return wire(500, 'server_error', 'The broker failed; the fault is recorded.');
    default:
      return reason satisfies never;
  }
}

/** Wrong options: all problems at once, no values shown. The process does not start. */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`configuration refused:\n${problems.map((p) => `  - ${p}`).join('\n')}`);
    this.problems = problems;
  }
}
/** A dead back end or a jumping clock: 503, unlike a bug: 500. `what` is a constant. */
export class Unavailable extends Error {
  readonly what: string;
  constructor(what: string, cause?: unknown) {
    super(`${what} unavailable`, { cause });
    this.what = what;
  }
}
