/** One conversation with the broker's token endpoint: discovery, nonce, retries, and every no as one error. Knows no MCP. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import { ASSERTION_JWT_BEARER } from '../wire/oauth.ts';
import { AgentError, type AgentErrorFacts } from './error.ts';
import type { Client, Prover } from './key.ts';

export type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>;
/** Of the broker: where exchanges, plans and withdrawals go. */
export type Endpoint = 'token' | 'plans' | 'status' | 'revoke';
export interface Asking {
  /** Default `token`. At `status` and `revoke` the client speaks for itself alone: no subject or actor token goes there. */
  readonly endpoint?: Endpoint;
  /** Made anew for each try: subject and actor tokens may have to be fresh. */
  readonly form: () => Promise<Readonly<Record<string, string>>>;
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal | undefined;
}
/** Answers with the body of a 200. Errors: AgentError, or the signal's own reason. */
export type Ask = (asking: Asking) => Promise<JsonObject>;

export interface Conversation {
  readonly issuer: string;
  readonly client: Client;
  readonly prover: Prover;
  readonly fetch: Fetch;
  readonly now: () => number;
  readonly wait?: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly attempts: number;
  readonly timeoutSeconds: number;
}

const METADATA_SECONDS = 3_600;
const MAX_BODY = 256 * 1024;
const MAX_WAIT_SECONDS = 30;
const RETRIED = new Set([409, 429, 502, 503, 504]);
interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonObject | undefined;
  /** The answer brought a nonce. */
  readonly nonce: boolean;
}

export function conversation(options: Conversation): Ask {
  const { issuer, client, prover, now } = options;
  const { wait = pause } = options;
  const endpoints = discovery(options);

  async function post(asking: Asking): Promise<Reply> {
    const url = (await endpoints(asking.signal))(asking.endpoint ?? 'token');
    // Assertion and proof are good for one try each (wire.md §3): both are signed anew.
    const nonce = prover.nonce(url);
    const said = client.assertion(now(), nonce);
    const [assertion, proof, form] = await Promise.all([said, prover.prove({ method: 'POST', url }), asking.form()]);
    const body = new URLSearchParams({ ...form, client_assertion_type: ASSERTION_JWT_BEARER, client_assertion: assertion });
    const headers = new Headers({ 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json', dpop: proof });
    if (asking.idempotencyKey !== undefined) headers.set('idempotency-key', `"${asking.idempotencyKey}"`);
    return call(options, url, { method: 'POST', headers, body: body.toString() }, asking.signal);
  }

  return async (asking) => {
    for (let attempt = 1; ; attempt++) {
      let reply: Reply | undefined;
      let fault: unknown;
      try {
        reply = await post(asking);
        // RFC 9449 §8: sign again with the nonce just given; a second such answer is no challenge but a refusal.
        if (reply.status === 400 && reply.body?.['error'] === 'use_dpop_nonce' && reply.nonce) reply = await post(asking);
      } catch (error) {
        asking.signal?.throwIfAborted();
        if (!(error instanceof Unreachable)) throw error;
        fault = error.cause;
      }
      if (reply?.status === 200) {
        // RFC 7009 §2.2: nothing is said there.
        const body = asking.endpoint === 'revoke' ? {} : reply.body;
        if (!body) throw new AgentError('ERR_PROTOCOL', 'token answer');
        return body;
      }
      if (reply && !RETRIED.has(reply.status)) throw refused(reply, issuer);
      const retryAfterSeconds = reply && retryAfter(reply.headers, now());
      if (attempt >= options.attempts) {
        const facts = { ...(reply && facing(reply, issuer)), ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) };
        throw new AgentError('ERR_UNAVAILABLE', undefined, facts, fault);
      }
      await wait(
        retryAfterSeconds === undefined ? 100 * 2 ** attempt : Math.min(retryAfterSeconds, MAX_WAIT_SECONDS) * 1_000,
        asking.signal,
      );
    }
  };

  /** RFC 8414 §3: one request for all who wait, kept for an hour, never a failure. */
  function discovery({ fetch }: Conversation): (signal?: AbortSignal) => Promise<Endpoints> {
    let known: { readonly of: Promise<Endpoints>; readonly until: number } | undefined;
    return (signal) => {
      if (!known || known.until <= now()) {
        // Without the first caller's signal: others wait for this answer too.
        const entry = { of: discover(fetch), until: now() + METADATA_SECONDS };
        entry.of.catch(() => {
          if (known === entry) known = undefined;
        });
        known = entry;
      }
      return orAbort(known.of, signal);
    };
  }
  async function discover(fetch: Fetch): Promise<Endpoints> {
    const reply = await call({ ...options, fetch }, metadataUrl(issuer), { headers: { accept: 'application/json' } });
    if (RETRIED.has(reply.status)) throw new Unreachable();
    // RFC 8414 §3.3: a document that names another issuer must not be used.
    if (reply.status !== 200 || reply.body?.['issuer'] !== issuer)
      throw new AgentError('ERR_PROTOCOL', 'metadata', { status: reply.status });
    const { body } = reply;
    const urlOf: Endpoints = (name) => {
      const url = body[MEMBERS[name]];
      if (typeof url !== 'string' || !isSecure(url)) throw new AgentError('ERR_PROTOCOL', MEMBERS[name]);
      return name === 'status' ? `${url}/status` : url;
    };
    urlOf('token');
    return urlOf;
  }
}
/** Errors: ERR_PROTOCOL where the broker names none. */
type Endpoints = (name: Endpoint) => string;
/** RFC 8414 §2, and ours. */
const MEMBERS = {
  token: 'token_endpoint',
  plans: 'countersign_plans_endpoint',
  status: 'countersign_plans_endpoint',
  revoke: 'revocation_endpoint',
} as const satisfies Readonly<Record<Endpoint, string>>;

export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal && { signal });
  } catch (fault) {
    signal?.throwIfAborted(); // Its own reason, which Node's AbortError only carries.
    throw fault;
  }
}

/** The network failed, or an answer broke off: the same request may be sent again. */
class Unreachable extends Error {}

async function call(options: Conversation, url: string, init: RequestInit, signal?: AbortSignal): Promise<Reply> {
  const timeout = AbortSignal.timeout(options.timeoutSeconds * 1_000);
  let response: Response;
  let text: string | undefined;
  try {
    response = await options.fetch(url, { ...init, redirect: 'manual', signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
    text = await readBody(response);
  } catch (cause) {
    throw new Unreachable('unreachable', { cause });
  }
  const parsed = text === undefined ? undefined : parseJson(text, MAX_BODY);
  return {
    status: response.status,
    headers: response.headers,
    body: parsed?.ok && isObject(parsed.value) ? parsed.value : undefined,
    nonce: options.prover.heed(response, url),
  };
}
/** Undefined beyond the limit. */
async function readBody(response: Response): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_BODY) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
/** The promise is shared; giving up is each one's own. */
export function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  if (signal.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** wire.md §3.3, seen from the other side. */
function refused(reply: Reply, issuer: string): AgentError {
  const facts = facing(reply, issuer);
  switch (facts.error) {
    case 'access_denied':
      return new AgentError('ERR_DENIED', undefined, facts);
    case 'authorization_pending':
      return facts.deferral
        ? new AgentError('ERR_APPROVAL_PENDING', facts.deferral.approvalUri, facts)
        : new AgentError('ERR_PROTOCOL', 'deferral', facts);
    case 'slow_down':
      return new AgentError('ERR_APPROVAL_PENDING', facts.deferral?.approvalUri, facts);
    case 'plan_decided':
      return new AgentError('ERR_PLAN_DECIDED', undefined, facts);
    case 'expired_token':
      return new AgentError('ERR_APPROVAL_EXPIRED', undefined, facts);
    case 'invalid_client':
    case 'unauthorized_client':
    case 'unsupported_grant_type':
      return new AgentError('ERR_CLIENT', undefined, facts);
    case 'invalid_grant':
      return new AgentError('ERR_LAPSED', undefined, facts);
    case undefined:
      return new AgentError(reply.status >= 500 ? 'ERR_UNAVAILABLE' : 'ERR_PROTOCOL', 'refusal', facts);
    default:
      return new AgentError(reply.status >= 500 ? 'ERR_UNAVAILABLE' : 'ERR_REQUEST', undefined, facts);
  }
}
function facing({ status, body }: Reply, issuer: string): AgentErrorFacts {
  const text = (name: string): string | undefined => (typeof body?.[name] === 'string' ? body[name] : undefined);
  const [error, reason, decisionId, code] = [text('error'), text('reason'), text('decision_id'), text('deferral_code')];
  const remedy = body?.['remedy'];
  const step = body?.['step'];
  return {
    status,
    ...(error !== undefined && { error }),
    ...(reason !== undefined && { reason }),
    ...(decisionId !== undefined && { decisionId }),
    ...(isObject(remedy) &&
      typeof remedy['text'] === 'string' && {
        remedy: { text: remedy['text'], ...(Array.isArray(remedy['hints']) && { hints: remedy['hints'].filter(isObject) }) },
      }),
    ...(typeof step === 'number' && { step }),
    ...(code !== undefined && body && { deferral: deferralOf(body, code, issuer) }),
  };
}

/** The link is shown to people, so it must be the broker's own page and nothing else. */
export function deferralOf(body: JsonObject, code: string, issuer: string): NonNullable<AgentErrorFacts['deferral']> {
  const { interval, expires_in: expiresIn, approval_uri: uri } = body;
  const own = typeof uri === 'string' && uri.startsWith(`${issuer}/`) && /^\/[a-z/]+\/apr_[0-9a-f]{1,64}$/.test(uri.slice(issuer.length));
  return {
    code,
    intervalSeconds: typeof interval === 'number' ? interval : 5,
    expiresInSeconds: typeof expiresIn === 'number' ? expiresIn : 0,
    ...(own && { approvalUri: uri }),
  };
}

/** RFC 9110 §10.2.3: seconds or a date. */
function retryAfter(headers: Headers, now: number): number | undefined {
  const text = headers.get('retry-after');
  if (text === null) return undefined;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil(date / 1_000 - now));
}

/** RFC 8414 §3.1: the well-known part stands between host and path. */
function metadataUrl(issuer: string): string {
  const url = new URL(issuer);
  return `${url.origin}/.well-known/oauth-authorization-server${url.pathname === '/' ? '' : url.pathname}`;
}
/** Https, or http on loopback; no user, query or fragment. */
export function isSecure(text: string): boolean {
  const url = URL.parse(text);
  if (!url || url.username || url.password || url.search || url.hash) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && /^(localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(url.hostname));
}
