/**
 * The library agents import: one short-lived credential for each tool action. Knows the broker's wire and the shape of a `tools/call`;
 * may not know the broker itself, `verify/` or any MCP SDK.
 *
 * ```ts
 * import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
 * import { createAgent } from 'countersign/agent';
 * const agent = createAgent({
 *   issuer: 'https://broker.example', clientId: 'refund-bot', key: privateJwk,
 *   subject: () => ({ token: session.idToken, type: 'id_token' }), // absent: the agent acts for itself
 * });
 * const client = new Client({ name: 'refund-bot', version: '1.0.0' });
 * await client.connect(new StreamableHTTPClientTransport(new URL('https://mcp.shop.example/mcp'), { fetch: agent.fetch }));
 * await client.callTool({ name: 'create_refund', arguments: { payment_id: 'pay_8Qx2', amount_minor: 4250, currency: 'EUR' } });
 * ```
 */
import { randomUUID } from 'node:crypto';
import { COMPLETION_DEFERRED, PARAM_COMPLETION_MODE } from '../wire/deferred.ts';
import { grantedDetails } from '../wire/details.ts';
import { digest } from '../wire/digest.ts';
import { isObject, type JsonObject } from '../wire/json.ts';
import { peek } from '../wire/jws.ts';
import {
  ACTION_CALL,
  GRANT_CLIENT,
  GRANT_EXCHANGE,
  META_PROOF,
  META_TOKEN,
  SCOPE_LIST,
  scopeOf,
  TYPE_ACCESS_TOKEN,
  TYPE_JWT,
} from '../wire/oauth.ts';
import { type Action, type Authorization, type BaseOptions, type BoundToken, entryOf } from './action.ts';
import { AgentError } from './error.ts';
import { type Ask, type Asking, conversation, type Fetch, isSecure, orAbort, pause } from './exchange.ts';
import { clientOf, type PrivateKey, prover } from './key.ts';
import { type Plan, type PlannedAction, type PlanOptions, planner } from './plan.ts';
import { type FetchOptions, guardedFetch } from './transport.ts';
import { pollOnce, untilDecided, type Waiting } from './waiting.ts';

export type { Action, Authorization, BaseOptions, BoundToken, PresentedHeaders } from './action.ts';
export { type AgentCode, AgentError, type AgentErrorFacts } from './error.ts';
export type { Ask, Asking, Fetch } from './exchange.ts';
export type { PrivateKey } from './key.ts';
export type { Plan, PlannedAction, PlanOptions, PlanStep, PlanWaiting } from './plan.ts';
export { type Calling, type FetchOptions, type UrlElicitation, urlElicitation } from './transport.ts';
export type { ApprovalMode, Waiting, WhenAborted } from './waiting.ts';

export type TokenType = 'id_token' | 'access_token' | 'id-jag' | 'jwt';
/** On whose behalf: what a trusted issuer says of a person or service (RFC 8693 §2.1). */
export interface SubjectToken {
  readonly token: string;
  readonly type: TokenType | `urn:ietf:params:oauth:token-type:${TokenType}`;
}
export interface AgentOptions {
  /** The broker: https, or http on loopback. */
  readonly issuer: string;
  readonly clientId: string;
  /** Private key of client authentication: P-256, or RSA of 2048 bits. */
  readonly key: PrivateKey;
  /** `kid` of that key where the JWK does not carry it. */
  readonly keyId?: string;
  /** P-256 private key that tokens are bound to; absent: a fresh one that never leaves this process. */
  readonly proofKey?: PrivateKey;
  /** A value, or a function that is asked before each exchange; absent: the agent acts for itself (`client_credentials`). */
  readonly subject?: SubjectToken | (() => SubjectToken | Promise<SubjectToken>);
  /**
   * The agent that delegates to this one, whose subject it is: its client asks, this one is named as actor, and tokens are bound to this
   * one's key. Where both are not in one process, a function that brings the asking there.
   */
  readonly under?: Pick<Agent, 'askFor'>;
  readonly fetch?: Fetch;
  /** Seconds since the epoch. */
  readonly now?: () => number;
  readonly wait?: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Tries of one exchange, all under one Idempotency-Key. Default 4. */
  readonly attempts?: number;
  /** Of one HTTP request to the broker. Default 10. */
  readonly timeoutSeconds?: number;
}
export interface Agent {
  readonly clientId: string;
  /** RFC 7638 thumbprint of the key that tokens are bound to. */
  readonly thumbprint: string;
  /** One action token. Errors: AgentError. */
  authorize(action: Action): Promise<Authorization>;
  /**
   * Several actions, on which people decide once: resolves when they have (at once where nobody must be asked). Each step that they agreed to is
   * then authorized by itself. Errors: AgentError, as for one action; ERR_DENIED with `step` where policy refuses one of them.
   */
  plan(actions: readonly PlannedAction[], options?: PlanOptions): Promise<Plan>;
  /** Opens everything but `tools/call`; kept until shortly before its end, or until it is named as `stale`. Errors: AgentError. */
  baseToken(resource: string, options?: BaseOptions): Promise<BoundToken>;
  /** For one MCP client transport. Each reading makes a new function, since (function, JSON-RPC `id`) names an action: never share one. */
  readonly fetch: Fetch;
  /** The same, with a resource that is not the URL, a purpose, a context. */
  fetchWith(options: FetchOptions): Fetch;
  /** One exchange in this agent's name for a sub-agent of its own (`under`). */
  readonly askFor: Ask;
  /** One proof by the agent's own key: for requests this library does not make, and for tests. */
  prove(request: { readonly method: string; readonly url: string; readonly token?: string }): Promise<string>;
}

/** A base token this near its end is not used any more. */
const RENEW_BEFORE_SECONDS = 15;
const SHORT_TYPE = /^(id_token|access_token|id-jag|jwt)$/;

/** Errors: AgentError ERR_OPTIONS. Nothing is sent before the first use. */
export function createAgent(options: AgentOptions): Agent {
  const { issuer, clientId, attempts = 4, timeoutSeconds = 10 } = options;
  if (typeof issuer !== 'string' || !isSecure(issuer)) throw new AgentError('ERR_OPTIONS', 'issuer: must be https, or http on loopback');
  if (typeof clientId !== 'string' || clientId === '') throw new AgentError('ERR_OPTIONS', 'clientId: must not be empty');
  if (!(attempts >= 1) || !(timeoutSeconds > 0)) throw new AgentError('ERR_OPTIONS', 'attempts, timeoutSeconds: must be positive');
  const now = options.now ?? (() => Math.floor(Date.now() / 1_000));
  const fetch: Fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const proofs = prover(options.proofKey, now);
  const client = clientOf(options);
  const converse = conversation({
    issuer,
    client,
    prover: proofs,
    fetch,
    now,
    attempts,
    timeoutSeconds,
    ...(options.wait && { wait: options.wait }),
  });

  async function onBehalf(): Promise<Readonly<Record<string, string>>> {
    const { subject } = options;
    if (subject === undefined) return { grant_type: GRANT_CLIENT };
    const { token, type } = typeof subject === 'function' ? await subject() : subject;
    const urn = SHORT_TYPE.test(type) ? `urn:ietf:params:oauth:token-type:${type}` : type;
    return { grant_type: GRANT_EXCHANGE, subject_token: token, subject_token_type: urn, requested_token_type: TYPE_ACCESS_TOKEN };
  }

  const askFor: Ask = async (asking) => {
    if (speaksAlone(asking)) return converse(asking);
    // One sub-agent below a client: a longer chain stands in the sub-agent's own actor token, which this library does not make.
    if (options.under) throw new AgentError('ERR_OPTIONS', 'under: a sub-agent delegates no further');
    return converse({ ...asking, form: async () => ({ ...(await onBehalf()), ...(await asking.form()) }) });
  };
  const { under } = options;
  const ask: Ask = under
    ? (asking) =>
        speaksAlone(asking)
          ? under.askFor(asking)
          : under.askFor({
              ...asking,
              // Good for one try, like an assertion.
              form: async () => ({
                ...(await asking.form()),
                actor_token: await client.actorToken(now(), proofs.thumbprint),
                actor_token_type: TYPE_JWT,
              }),
            })
    : askFor;

  /** What the broker gave must be what was asked for, bound to our key: anything else would fail later, or serve someone else. */
  function accept(answer: JsonObject, resource: string, scope: string): BoundToken {
    const { access_token: token, token_type: type, expires_in: seconds } = answer;
    const claims = typeof token === 'string' ? peek(token) : undefined;
    if (typeof token !== 'string' || !claims || typeof type !== 'string' || type.toLowerCase() !== 'dpop') {
      throw new AgentError('ERR_PROTOCOL', 'access_token');
    }
    const cnf = claims['cnf'];
    if (claims['aud'] !== resource || claims['scope'] !== scope) throw new AgentError('ERR_PROTOCOL', 'audience or scope');
    if (!isObject(cnf) || cnf['jkt'] !== proofs.thumbprint) throw new AgentError('ERR_PROTOCOL', 'cnf');
    const exp = claims['exp'];
    if (typeof exp !== 'number' || typeof seconds !== 'number') throw new AgentError('ERR_PROTOCOL', 'expires_in');
    return {
      token,
      claims,
      // By our own clock, which may not be the broker's.
      expiresAt: Math.min(exp, now() + seconds),
      present: async ({ method, url }) => ({ authorization: `DPoP ${token}`, dpop: await proofs.prove({ method, url, token }) }),
    };
  }

  /** `more`: members of the form beside the action, where it is a step of a plan. */
  async function obtain(action: Action, more: Readonly<Record<string, string>> = {}): Promise<Authorization> {
    const { resource, tool, signal, whenAborted = 'withdraw' } = action;
    const { details, args } = entryOf(action);
    const asks = (action.approval !== undefined && action.approval !== 'refuse') || action.deferred;
    const answer = await ask({
      form: async () => ({
        resource,
        authorization_details: JSON.stringify([details]),
        ...(asks && { [PARAM_COMPLETION_MODE]: COMPLETION_DEFERRED }),
        ...more,
      }),
      idempotencyKey: action.idempotencyKey ?? randomUUID(),
      signal,
    }).catch(async (fault: unknown) => {
      if (!(fault instanceof AgentError) || fault.code !== 'ERR_APPROVAL_PENDING') throw fault;
      if (action.approval === 'link') return (await pollOnce(ask, fault.deferral?.code ?? '', signal)) ?? Promise.reject(fault);
      if (action.approval !== 'wait') throw fault;
      const tell = (how: Omit<Waiting, 'resource' | 'tool'>): void => action.onWaiting?.({ resource, tool, ...how });
      return untilDecided(fault, { ask, now, wait: options.wait ?? pause, signal, whenAborted, tell });
    });
    const bound = accept(answer, resource, scopeOf(tool));
    const granted = grantedDetails(bound.claims['authorization_details'], resource);
    if (!granted.ok || granted.value.tool !== tool || granted.value.digest !== digest(args))
      throw new AgentError('ERR_PROTOCOL', 'details');
    const txn = bound.claims['txn'];
    if (typeof txn !== 'string') throw new AgentError('ERR_PROTOCOL', 'txn');
    const [headers, proof] = await Promise.all([
      bound.present({ method: 'POST', url: resource }),
      proofs.prove({ method: ACTION_CALL, url: resource, token: bound.token }),
    ]);
    return { ...bound, txn, headers, meta: { [META_TOKEN]: bound.token, [META_PROOF]: proof } };
  }

  const plan = planner({ ask, now, issuer, wait: options.wait ?? pause, obtain });

  const held = new Map<string, { readonly token: Promise<BoundToken>; bound?: BoundToken }>();
  function baseToken(resource: string, { stale, signal }: BaseOptions = {}): Promise<BoundToken> {
    const kept = held.get(resource);
    const { bound } = kept ?? {};
    if (kept && !(bound && (bound.token === stale || bound.expiresAt - RENEW_BEFORE_SECONDS <= now()))) return orAbort(kept.token, signal);
    // One exchange for all who wait, so without the first one's signal; a failure is nobody's to keep.
    const token = ask({ form: async () => ({ resource, scope: SCOPE_LIST }) }).then((answer) => {
      entry.bound = accept(answer, resource, SCOPE_LIST);
      return entry.bound;
    });
    const entry: { readonly token: Promise<BoundToken>; bound?: BoundToken } = { token };
    held.set(resource, entry);
    token.catch(() => {
      if (held.get(resource) === entry) held.delete(resource);
    });
    return orAbort(token, signal);
  }

  const fetchWith = (settings: FetchOptions): Fetch => guardedFetch({ fetch, proofs, authorize: obtain, baseToken }, settings);
  return {
    clientId,
    thumbprint: proofs.thumbprint,
    authorize: (action) => obtain(action),
    plan,
    baseToken,
    get fetch() {
      return fetchWith({});
    },
    fetchWith,
    askFor,
    prove: proofs.prove,
  };
}
/** What the client says of its own requests is said in nobody's name. */
const speaksAlone = ({ endpoint }: Asking): boolean => endpoint === 'status' || endpoint === 'revoke';
