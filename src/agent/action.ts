import { type CallContext, TOOL_NAME } from '../wire/details.ts';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import { ACTION_CALL, DETAILS_TYPE, type META_PROOF, type META_TOKEN } from '../wire/oauth.ts';
import { AgentError } from './error.ts';
import type { ApprovalMode, Waiting, WhenAborted } from './waiting.ts';

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
  /** What the broker is told when `signal` ends a wait. Default `withdraw`. */
  readonly whenAborted?: WhenAborted;
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

/** The entry of `authorization_details` that it is (wire.md §3). Errors: ERR_ACTION. */
export function entryOf({ resource, tool, arguments: given, purpose, context }: Action): {
  readonly details: JsonObject;
  readonly args: JsonObject;
} {
  if (!TOOL_NAME.test(tool)) throw new AgentError('ERR_ACTION', 'tool name');
  const args = strict(given ?? {});
  const details: JsonObject = {
    type: DETAILS_TYPE,
    locations: [resource],
    actions: [ACTION_CALL],
    identifier: tool,
    arguments: args,
    ...(purpose !== undefined && { purpose }),
    ...(context !== undefined && { context: { ...context } }),
  };
  return { details, args };
}
/** As JSON will carry it, and only if both ends read it alike (wire.md §4). */
function strict(args: object): JsonObject {
  let text: string;
  try {
    text = JSON.stringify(args);
  } catch {
    throw new AgentError('ERR_ACTION', 'arguments');
  }
  const parsed = parseJson(text);
  if (!parsed.ok || !isObject(parsed.value)) throw new AgentError('ERR_ACTION', 'arguments');
  return parsed.value;
}
