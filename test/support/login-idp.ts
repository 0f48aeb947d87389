/** The half of an OpenID provider that logs people in to the console: at once, as whoever the test says, and with claims that it may bend. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ConfigInput } from '../../src/config.ts';
import { jwt, sha256, type TestKey } from './keys.ts';

export interface LoginPerson {
  readonly sub: string;
  readonly name?: string;
  readonly groups?: readonly string[];
}
export interface LoginIdp {
  readonly issuer: string;
  readonly key: TestKey;
  /** Who is sitting there. */
  person: LoginPerson;
  /** What stands in the id_token instead. */
  bend?: (claims: Record<string, unknown>) => object;
  /** What it says of itself instead. */
  metadata?: object;
  /** It answers nobody. */
  down?: boolean;
  /** Another key than the published one. */
  signer?: TestKey;
  /** Codes given and not yet redeemed. */
  codes?: Map<string, { readonly challenge: string; readonly redirect: string; readonly nonce: string }>;
}
export const PERSON: LoginPerson = { sub: 'u_alice', name: 'Alice Moreau', groups: ['console-viewer'] };
export const CLIENT = 'countersign-console';
/** As a rig configures it: a group of its own for each role. */
export const LOGIN = {
  issuer: 'people',
  clientId: CLIENT,
  roles: {
    viewer: ['console-viewer'],
    approver: ['console-approver'],
    operator: ['console-operator'],
    auditor: ['console-auditor'],
  },
} satisfies NonNullable<ConfigInput['console']>['login'];

const loginMetadata = (issuer: string): object => ({
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  end_session_endpoint: `${issuer}/end`,
  response_types_supported: ['code'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['ES256'],
  code_challenge_methods_supported: ['S256'],
  authorization_response_iss_parameter_supported: true,
});

/** False: this was about something else. */
function answerLogin(idp: LoginIdp, request: IncomingMessage, response: ServerResponse): boolean {
  const url = new URL(request.url ?? '', idp.issuer);
  if (url.pathname === '/authorize') authorize(idp, url.searchParams, response);
  else if (url.pathname === '/token') void token(idp, request, response);
  // Asks nothing, which a real one does.
  else if (url.pathname === '/end') response.writeHead(303, { location: url.searchParams.get('post_logout_redirect_uri') ?? '/' }).end();
  else return false;
  return true;
}
function authorize(idp: LoginIdp, asked: URLSearchParams, response: ServerResponse): void {
  const value = (name: string): string => asked.get(name) ?? '';
  if (value('client_id') !== CLIENT || value('code_challenge_method') !== 'S256') {
    response.writeHead(400).end('{}');
    return;
  }
  const code = randomBytes(16).toString('hex');
  idp.codes ??= new Map();
  idp.codes.set(code, { challenge: value('code_challenge'), redirect: value('redirect_uri'), nonce: value('nonce') });
  const back = new URL(value('redirect_uri'));
  back.search = new URLSearchParams({ code, state: value('state'), iss: idp.issuer }).toString();
  response.writeHead(303, { location: back.href }).end();
}
async function token(idp: LoginIdp, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('content-type', 'application/json');
  let text = '';
  for await (const part of request) text += part;
  const form = new URLSearchParams(text);
  const code = form.get('code') ?? '';
  const given = idp.codes?.get(code);
  idp.codes?.delete(code);
  if (!given || form.get('redirect_uri') !== given.redirect || sha256(form.get('code_verifier') ?? '') !== given.challenge) {
    response.writeHead(400).end(JSON.stringify({ error: 'invalid_grant' }));
    return;
  }
  const at = Math.floor(Date.now() / 1000);
  const claims = { iss: idp.issuer, aud: CLIENT, nonce: given.nonce, iat: at, exp: at + 600, ...idp.person };
  const signer = idp.signer ?? idp.key;
  const idToken = await jwt(signer, { alg: 'ES256', kid: idp.key.kid, typ: 'JWT' }, idp.bend?.(claims) ?? claims);
  response.end(JSON.stringify({ access_token: 'canary-access-token', token_type: 'Bearer', expires_in: 600, id_token: idToken }));
}
/** A rig's issuer of people: their keys, and their way into the console. */
export async function issuerOf(idp: LoginIdp & { issuer: string; requests: number }): Promise<Server> {
  const server = createServer((request, response) => {
    idp.requests++;
    if (idp.down) return void request.destroy();
    if (answerLogin(idp, request, response)) return;
    response.setHeader('content-type', 'application/json');
    if (request.url === '/.well-known/openid-configuration')
      response.end(JSON.stringify({ issuer: idp.issuer, jwks_uri: `${idp.issuer}/jwks`, ...loginMetadata(idp.issuer), ...idp.metadata }));
    else if (request.url === '/jwks') response.end(JSON.stringify({ keys: [idp.key.publicJwk] }));
    else response.writeHead(404).end();
  })
    .listen(0, '127.0.0.1')
    .unref(); // a test that wants the broker's refusal to start ends by itself
  await new Promise((resolve) => server.once('listening', resolve));
  idp.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return server;
}
