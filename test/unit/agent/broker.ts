/** A broker with behaviour, for the agent library's tests: checks assertion, proof and nonce as the real one does, and can be told to fail. */
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { formatDetails, parseDetails } from '../../../src/wire/details.ts';
import { proofChecker } from '../../../src/wire/dpop.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { localKeys } from '../../../src/wire/jwks.ts';
import { checkToken } from '../../../src/wire/jws.ts';
import { GRANT_CLIENT, GRANT_EXCHANGE, SCOPE_LIST, scopeOf, TYP_ACCESS_TOKEN, TYP_CLIENT_ASSERTION } from '../../../src/wire/oauth.ts';
import { signJwt } from '../../../src/wire/sign.ts';

export interface Seen {
  readonly form: URLSearchParams;
  readonly key: string | undefined;
  readonly jkt: string;
}
/** What happens instead of, or around, the next answer. */
export type Trick =
  | { readonly answer: number; readonly body?: JsonObject | string; readonly headers?: Record<string, string> }
  /** The request is served, the answer is lost. */
  | 'lose'
  /** The connection is closed before the request is read. */
  | 'reset'
  /** The token is served with these members or claims changed. */
  | { readonly answerWith?: JsonObject; readonly claims?: JsonObject };

export interface FakeBroker {
  readonly issuer: string;
  readonly seen: Seen[];
  readonly tricks: Trick[];
  readonly counts: { metadata: number; minted: number; challenges: number; refusals: number };
  /** Makes every nonce given so far stale. */
  turnNonce(): void;
  metadata: JsonObject;
  clock: () => number;
  ttlSeconds: number;
  close(): Promise<void>;
}

export const clientKeys = (): { readonly key: KeyObject; readonly jwks: JsonObject; readonly jwk: JsonObject } => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const open = publicKey.export({ format: 'jwk' }) as JsonObject;
  return {
    key: privateKey,
    jwks: { keys: [{ ...open, kid: 'agent-1' }] },
    jwk: { ...(privateKey.export({ format: 'jwk' }) as JsonObject), kid: 'agent-1' },
  };
};

export async function fakeBroker(options: {
  readonly clientId: string;
  readonly jwks: JsonObject;
  readonly nonces?: boolean;
}): Promise<FakeBroker> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const checkProof = proofChecker();
  const local = localKeys(options.jwks);
  if (!local.ok) throw new Error('test keys');
  const ids = new Set<string>();
  const grants = new Map<string, JsonObject>();
  const once = (id: string): boolean => ids.size !== ids.add(id).size;
  let nonce = randomUUID();

  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const broker: FakeBroker = {
    issuer,
    seen: [],
    tricks: [],
    counts: { metadata: 0, minted: 0, challenges: 0, refusals: 0 },
    turnNonce: () => {
      nonce = randomUUID();
    },
    metadata: { issuer, token_endpoint: `${issuer}/token` },
    clock: () => Math.floor(Date.now() / 1_000),
    ttlSeconds: 120,
    close: () => closed(server),
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/.well-known/oauth-authorization-server') {
      broker.counts.metadata++;
      return send(response, 200, broker.metadata);
    }
    const trick = broker.tricks.shift();
    if (trick === 'reset') return void request.socket.destroy();
    let text = '';
    for await (const part of request) text += String(part);
    const form = new URLSearchParams(text);
    if (options.nonces !== false) response.setHeader('dpop-nonce', nonce);
    if (typeof trick === 'object' && 'answer' in trick) {
      for (const [name, value] of Object.entries(trick.headers ?? {})) response.setHeader(name, value);
      return send(response, trick.answer, trick.body ?? {});
    }
    const outcome = await exchange(request, form, typeof trick === 'object' ? trick : {});
    if (outcome.status !== 200 && outcome.body['error'] !== 'use_dpop_nonce') broker.counts.refusals++;
    if (trick === 'lose') return void request.socket.destroy();
    send(response, outcome.status, outcome.body);
  }

  async function exchange(
    request: IncomingMessage,
    form: URLSearchParams,
    trick: { readonly answerWith?: JsonObject; readonly claims?: JsonObject },
  ): Promise<{ readonly status: number; readonly body: JsonObject }> {
    const now = broker.clock();
    const assertion = await checkToken(form.get('client_assertion') ?? '', local.ok ? local.value : { find: async () => undefined }, {
      typ: [TYP_CLIENT_ASSERTION],
      algs: ['ES256'],
      issuer: options.clientId,
      audience: issuer,
      maxLifetimeSeconds: 60,
      now,
      required: ['jti'],
    });
    if (!assertion.ok || !once(String(assertion.value['jti']))) return refusal(401, 'invalid_client');
    const proof = checkProof(String(request.headers['dpop']), {
      htm: 'POST',
      htu: `${issuer}/token`,
      now,
      ...(options.nonces !== false && { nonce: (shown: string | undefined) => shown === nonce }),
    });
    if (!proof.ok && proof.error === 'proof_nonce_needed') {
      broker.counts.challenges++;
      return refusal(400, 'use_dpop_nonce');
    }
    if (!proof.ok || !once(proof.value.jti)) return refusal(400, 'invalid_dpop_proof');
    const key = request.headers['idempotency-key'];
    broker.seen.push({ form, jkt: proof.value.jkt, key: typeof key === 'string' ? key : undefined });

    const resource = form.get('resource') ?? '';
    const details = form.get('authorization_details');
    const call = details === null ? undefined : parseDetails(details, resource);
    if (call && !call.ok) return refusal(400, 'invalid_authorization_details');
    const grant = form.get('grant_type');
    if (grant !== GRANT_EXCHANGE && grant !== GRANT_CLIENT) return refusal(400, 'unsupported_grant_type');
    const name = typeof key === 'string' ? `${key} ${call?.value.digest ?? ''}` : undefined;
    let claims = name === undefined ? undefined : grants.get(name);
    if (!claims) {
      broker.counts.minted++;
      claims = {
        iss: issuer,
        sub: grant === GRANT_EXCHANGE ? 'people:u_1' : options.clientId,
        aud: resource,
        iat: now,
        exp: now + broker.ttlSeconds,
        jti: randomUUID(),
        txn: randomUUID(),
        scope: call ? scopeOf(call.value.tool) : SCOPE_LIST,
        cnf: { jkt: proof.value.jkt },
        ...(call && { authorization_details: formatDetails(call.value) }),
      };
      if (name !== undefined) grants.set(name, claims);
    }
    const token = await signJwt(privateKey, { alg: 'ES256', typ: TYP_ACCESS_TOKEN, kid: 'token-1' }, { ...claims, ...trick.claims });
    const expires = Number(claims['exp']) - now;
    return {
      status: 200,
      body: { access_token: token, token_type: 'DPoP', expires_in: expires, scope: claims['scope'] ?? '', ...trick.answerWith },
    };
  }
  return broker;
}

const refusal = (status: number, error: string): { readonly status: number; readonly body: JsonObject } => ({ status, body: { error } });
function send(response: ServerResponse, status: number, body: JsonObject | string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
export const closed = (server: Server): Promise<void> =>
  new Promise((done) => {
    server.close(() => done());
    server.closeAllConnections();
  });
