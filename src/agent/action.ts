import type { CallContext } from '../wire/details.ts';
import type { JsonObject } from '../wire/json.ts';
import type { META_PROOF, META_TOKEN } from '../wire/oauth.ts';
import type { ApprovalMode, Waiting } from './waiting.ts';

/** One tool call that is about to happen. */
export interface Action {
  /** The tool server's registered resource URI. */
  readonly resource: string;
  readonly tool: string;
  /** Exactly what will stand in `params.arguments`; absent: `{}`. */
  readonly arguments?: object;
  /** Why, for the ledger and the approver; never trusted. */
  readonly purpose?: string;
  readonly context?: CallContext;
  /** Names this one intended action: the same key always brings the same `txn`. Default: a fresh one. */
  readonly idempotencyKey?: string;
  /** `wait`: where people must agree they are asked, and this waits until they have decided or `signal` aborts. Default `refuse`: ERR_DENIED. */
  readonly approval?: ApprovalMode;
  /** How the wait goes. What it throws ends the wait. */
  readonly onWaiting?: (waiting: Waiting) => void;
  /** Opts in to human approval without waiting: then ERR_APPROVAL_PENDING instead of ERR_DENIED. The same action again has the same code. */
  readonly deferred?: boolean;
  readonly signal?: AbortSignal;
}
export interface BoundToken {
  readonly token: string;
  /** Seconds since the epoch. */
  readonly expiresAt: number;
  /** The payload as it stands; this library has not verified the signature, the tool server will. */
  readonly claims: JsonObject;
  /** `Authorization` and a fresh `DPoP` proof for one HTTP request (RFC 9449 §7.1). */
  present(request: { readonly method: string; readonly url: string }): Promise<PresentedHeaders>;
}
export type PresentedHeaders = { readonly authorization: string; readonly dpop: string };
export interface Authorization extends BoundToken {
  readonly txn: string;
  /** For a POST to the resource itself, once. */
  readonly headers: PresentedHeaders;
  /** For `_meta` of the call, where headers cannot change per call (wire.md §5), once. */
  readonly meta: { readonly [META_TOKEN]: string; readonly [META_PROOF]: string };
}
export interface BaseOptions {
  /** The token that a server has just refused. */
  readonly stale?: string;
  readonly signal?: AbortSignal | undefined;
}
