/** `fetch` for one MCP client transport: reads the JSON-RPC body, and gets each `tools/call` a token of its own. */
import { createHash, randomUUID } from 'node:crypto';
import type { CallContext } from '../wire/details.ts';
import { isObject, type Json, type JsonObject, parseJson } from '../wire/json.ts';
import { ACTION_CALL } from '../wire/oauth.ts';
import type { Action, Authorization, BaseOptions, BoundToken } from './action.ts';
import { AgentError } from './error.ts';
import type { Fetch } from './exchange.ts';
import { bare, type Prover } from './key.ts';
import type { ApprovalMode, Waiting, WhenAborted } from './waiting.ts';

export interface Calling {
  readonly tool: string;
  readonly arguments: JsonObject;
}
export interface FetchOptions {
  /** As registered at the broker; absent: the request's URL without query and fragment. Tokens then go to its origin alone. */
  readonly resource?: string;
  /** Why this call is made, for the ledger and the approver. */
  readonly purpose?: (call: Calling) => string | undefined;
  readonly context?: CallContext;
  /**
   * `wait`: a call that people must agree to waits for them, as long as the transport lets it: give the MCP client a request timeout to match. What it
   * gives up on is cancelled; the same call again goes on with the same approval. `link`: the call fails at once with the page where people decide, as a
   * URL elicitation (MCP 2025-11-25) that the client shows; the same call again runs once they have. Default `refuse`: ERR_DENIED.
   */
  readonly approval?: ApprovalMode;
  /** Default `keep`: a transport gives up after a time of its own, and people may need longer. */
  readonly whenAborted?: WhenAborted;
  readonly onWaiting?: (waiting: Waiting) => void;
}
export interface FetchParts {
  readonly fetch: Fetch;
  readonly proofs: Prover;
  readonly authorize: (action: Action) => Promise<Authorization>;
  readonly baseToken: (resource: string, options: BaseOptions) => Promise<BoundToken>;
}

/** Larger messages than arguments may be, since results travel in messages too. */
const MAX_MESSAGE = 8 * 1024 * 1024;

/**
 * Errors: AgentError, before anything reaches the tool server. Every answer of the tool server is returned as it is, but for two that
 * come before any effect: a nonce challenge, and a base token it does not accept any more. A `tools/call` is never sent again with
 * another token: not after a 401, not after a 409 `action_consumed`.
 */
export function guardedFetch({ fetch, proofs, authorize, baseToken }: FetchParts, options: FetchOptions): Fetch {
  const own = options.resource === undefined ? undefined : URL.parse(options.resource);
  if (own === null) throw new AgentError('ERR_OPTIONS', 'resource: must be a URL');
  const transport = randomUUID();

  return async (input, init = {}) => {
    const url = String(input instanceof Request ? input.url : input);
    const method = (init.method ?? 'GET').toUpperCase();
    const resource = options.resource ?? bare(url);
    // A token of one server is never shown to another.
    if (own && new URL(url).origin !== own.origin) throw new AgentError('ERR_ACTION', 'not the origin of the resource');
    if (input instanceof Request) throw new AgentError('ERR_ACTION', 'a URL is expected, not a Request');
    const signal = init.signal ?? undefined;

    const call = method === 'POST' ? readCall(init.body) : undefined;
    if (call) {
      const purpose = options.purpose?.(call);
      const asked = authorize({
        resource,
        tool: call.tool,
        arguments: call.arguments,
        idempotencyKey: keyOf(transport, call.id),
        ...(purpose !== undefined && { purpose }),
        ...(options.context && { context: options.context }),
        ...(options.approval && { approval: options.approval }),
        ...(options.onWaiting && { onWaiting: options.onWaiting }),
        whenAborted: options.whenAborted ?? 'keep',
        ...(signal && { signal }),
      });
      const token = await (options.approval === 'link' ? asked.catch((fault: unknown) => linked(fault, call, init)) : asked);
      return token instanceof Response ? token : send(url, method, init, token);
    }
    const token = await baseToken(resource, { signal });
    const response = await send(url, method, init, token);
    if (response.status !== 401) return response;
    const fresh = await baseToken(resource, { stale: token.token, signal });
    await response.body?.cancel();
    return send(url, method, init, fresh);
  };

  async function send(url: string, method: string, init: RequestInit, token: BoundToken): Promise<Response> {
    const signed = async (): Promise<Response> => {
      const headers = new Headers(init.headers);
      const { authorization, dpop } = await token.present({ method, url });
      headers.set('authorization', authorization);
      headers.set('dpop', dpop);
      // A redirect followed in silence would carry the token to a URL that the proof does not name.
      return fetch(url, { ...init, method, headers, redirect: init.redirect === 'error' ? 'error' : 'manual' });
    };
    const response = await signed();
    const nonce = proofs.heed(response, url);
    if (!nonce || response.status !== 401 || !/\buse_dpop_nonce\b/.test(response.headers.get('www-authenticate') ?? '')) return response;
    // RFC 9449 §9: the same token, a new proof. The server looks at the nonce before it marks the action as used (wire.md §5).
    await response.body?.cancel();
    const second = await signed();
    proofs.heed(second, url);
    return second;
  }
}

interface Call extends Calling {
  readonly id: Json | undefined;
}
/** The `tools/call` in a body, if it is one. Errors: ERR_ACTION for what no guarded server accepts. */
function readCall(body: RequestInit['body']): Call | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body !== 'string') throw new AgentError('ERR_ACTION', 'the body must be text');
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    throw new AgentError('ERR_ACTION', 'the body must be JSON');
  }
  if (Array.isArray(message)) throw new AgentError('ERR_ACTION', 'JSON-RPC arrays are not accepted by guarded servers');
  if (!isObject(message) || message['method'] !== ACTION_CALL) return undefined;

  // Only now strictly: what two parsers could read differently must not be signed for.
  const parsed = parseJson(body, MAX_MESSAGE);
  if (!parsed.ok || !isObject(parsed.value)) throw new AgentError('ERR_ACTION', 'the call must be strict JSON');
  const { id, params } = parsed.value;
  if (!isObject(params) || typeof params['name'] !== 'string') throw new AgentError('ERR_ACTION', 'params');
  const args = params['arguments'];
  if (args !== undefined && !isObject(args)) throw new AgentError('ERR_ACTION', 'arguments');
  return { id, tool: params['name'], arguments: args ?? {} };
}

/** The last revision of MCP whose clients read a URL elicitation from an error; later ones are told in words. */
const LAST_WITH_ELICITATION = '2025-11-25';
/** MCP: URLElicitationRequired; and one of the range that JSON-RPC leaves to implementations. */
const ELICITATION_REQUIRED = -32042;
const RPC_REFUSED = -32050;

/** As MCP 2025-11-25 has it (`URLElicitationRequiredError`). */
export interface UrlElicitation {
  readonly code: typeof ELICITATION_REQUIRED;
  readonly message: string;
  readonly data: {
    readonly elicitations: readonly {
      readonly mode: 'url';
      readonly elicitationId: string;
      readonly url: string;
      readonly message: string;
    }[];
  };
}
/**
 * Where `fault` says that a person must decide first and the broker has a page for it: the error with which an MCP server, itself an agent of this
 * broker, asks its own client to show that page. `throw new UrlElicitationRequiredError(found.data.elicitations, found.message)` in both SDKs.
 */
export function urlElicitation(fault: unknown): UrlElicitation | undefined {
  const url = fault instanceof AgentError && fault.code === 'ERR_APPROVAL_PENDING' ? fault.deferral?.approvalUri : undefined;
  if (url === undefined) return undefined;
  const message = `A person must approve this action first: ${url} — then call the tool again.`;
  const elicitation = { mode: 'url', elicitationId: url.slice(url.lastIndexOf('/') + 1), url, message } as const;
  return { code: ELICITATION_REQUIRED, message, data: { elicitations: [elicitation] } };
}

/** Answered in the tool server's place, which has not been asked: a person decides on that page first. Whatever else went wrong is thrown as it is. */
function linked(fault: unknown, { id = null }: Call, { headers }: RequestInit): Response {
  const elicitation = urlElicitation(fault);
  if (!elicitation) throw fault;
  const reads = (new Headers(headers).get('mcp-protocol-version') ?? LAST_WITH_ELICITATION) <= LAST_WITH_ELICITATION;
  const { message, data } = elicitation;
  const told = { error: 'authorization_pending', approval_uri: data.elicitations[0]?.url };
  return Response.json({ jsonrpc: '2.0', id, error: reads ? elicitation : { code: RPC_REFUSED, message, data: told } });
}

/** wire.md §5: one JSON-RPC request (transport, id) is one key, so that a resend brings the same `txn`. `1` and `"1"` are two ids. */
function keyOf(transport: string, id: Json | undefined): string {
  if (id === undefined || id === null) return randomUUID();
  return createHash('sha256')
    .update(JSON.stringify([transport, id]))
    .digest('base64url');
}
