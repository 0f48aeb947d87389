import type { JsonObject } from '../wire/json.ts';

/** What an agent can act on; `error` and `reason` say more. */
export type AgentCode =
  /** `createAgent` was given something it cannot work with. */
  | 'ERR_OPTIONS'
  /** The action is not strict JSON (wire.md §4) or is no JSON-RPC call; nothing was sent. */
  | 'ERR_ACTION'
  /** Policy, budget or a person says no. Read `reason` and `remedy`; asking again unchanged will not help. */
  | 'ERR_DENIED'
  /** A person must decide first: `deferral` names the code to poll; `error` is `slow_down` where that was too soon. */
  | 'ERR_APPROVAL_PENDING'
  /** Nobody decided in time. Asking again asks people again. */
  | 'ERR_APPROVAL_EXPIRED'
  /** People have decided on a plan: there is no token for it, but for its steps. `plan` looks after this by itself. */
  | 'ERR_PLAN_DECIDED'
  /** The broker does not know this client, its key, or this grant for it. */
  | 'ERR_CLIENT'
  /** The broker refused the request as sent: subject token, resource, details or proof. `error` is the OAuth code. */
  | 'ERR_REQUEST'
  /** The grant under this Idempotency-Key has ended. A new one would be a second action, so none was asked for. */
  | 'ERR_LAPSED'
  /** The broker cannot be reached or cannot decide now; every try is used up. */
  | 'ERR_UNAVAILABLE'
  /** An answer that is not what wire.md promises: do not trust it. */
  | 'ERR_PROTOCOL';

export interface AgentErrorFacts {
  readonly status?: number;
  /** The OAuth error code (RFC 6749 §5.2). */
  readonly error?: string;
  /** Stable code of the refusal. */
  readonly reason?: string;
  readonly remedy?: { readonly text: string; readonly hints?: readonly JsonObject[] };
  /** What the operator's `explain` takes. */
  readonly decisionId?: string;
  readonly deferral?: {
    readonly code: string;
    readonly intervalSeconds: number;
    readonly expiresInSeconds: number;
    readonly approvalUri?: string;
  };
  /** Of a plan: which step it is about. */
  readonly step?: number;
  readonly retryAfterSeconds?: number;
}

const TEXT: Readonly<Record<AgentCode, string>> = {
  ERR_OPTIONS: 'The agent cannot be made from these options.',
  ERR_ACTION: 'The action cannot be asked for: it is not strict JSON, or no single JSON-RPC call.',
  ERR_DENIED: 'The broker does not allow this action.',
  ERR_APPROVAL_PENDING: 'A person must approve this action first.',
  ERR_APPROVAL_EXPIRED: 'Nobody decided on this action in time.',
  ERR_PLAN_DECIDED: 'People have decided on this plan.',
  ERR_CLIENT: 'The broker does not accept this client.',
  ERR_REQUEST: 'The broker refused the request.',
  ERR_LAPSED: 'The grant for this request has ended.',
  ERR_UNAVAILABLE: 'The broker cannot be reached or cannot decide now.',
  ERR_PROTOCOL: 'The broker gave an answer that is not of the protocol.',
};

/** Thrown by this library alone. The text is constant; `cause` may hold the network's own error. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentCode;
  /** Says which part, for `ERR_OPTIONS`, `ERR_ACTION` and `ERR_PROTOCOL`: a constant; where a person must decide, the broker's page for it. */
  readonly detail: string | undefined;
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly reason: string | undefined;
  readonly remedy: AgentErrorFacts['remedy'];
  readonly decisionId: string | undefined;
  readonly deferral: AgentErrorFacts['deferral'];
  readonly step: number | undefined;
  readonly retryAfterSeconds: number | undefined;
  constructor(code: AgentCode, detail?: string, facts: AgentErrorFacts = {}, cause?: unknown) {
    super(detail === undefined ? TEXT[code] : `${TEXT[code]} (${detail})`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.detail = detail;
    this.status = facts.status;
    this.error = facts.error;
    this.reason = facts.reason;
    this.remedy = facts.remedy;
    this.decisionId = facts.decisionId;
    this.deferral = facts.deferral;
    this.step = facts.step;
    this.retryAfterSeconds = facts.retryAfterSeconds;
  }
}
