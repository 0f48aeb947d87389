/** A tiny broker for these tests: it signs whatever it is asked to, with jose, and keeps no rules. */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { type CallRequest, createVerifier, memoryConsumed, type Verifier, type VerifierOptions } from '../../../src/verify/verify.ts';
import { digest } from '../../../src/wire/digest.ts';
import type { Json, JsonObject } from '../../../src/wire/json.ts';
import { localKeys } from '../../../src/wire/jwks.ts';
import type { KeySource } from '../../../src/wire/jws.ts';
import { jwt, sha256, type TestKey } from '../../support/keys.ts';

export const ISSUER = 'https://broker.example';
export const RESOURCE = 'https://mcp.shop.example/mcp';
export const TOOL = 'create_refund';
export const ARGS: JsonObject = { payment_id: 'pay_8Qx2', amount_minor: 4250, currency: 'EUR' };
export const NOW = 1_795_176_000;

export function newKey(kid: string = randomUUID(), alg: TestKey['alg'] = 'ES256'): TestKey {
  const pair = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = pair.publicKey.export({ format: 'jwk' }) as JsonObject;
  const { kty, crv, x, y, e, n } = jwk;
  const jkt = sha256(JSON.stringify(kty === 'EC' ? { crv, kty, x, y } : { e, kty, n }));
  return { alg, kid, private: pair.privateKey, publicJwk: { ...jwk, kid, alg }, jkt };
}
export const broker = newKey('k1');
export const brokerRsa = newKey('k2', 'RS256');
export const agent = newKey('agent');
export const thief = newKey('thief');

export function keySource(): KeySource {
  const keys = localKeys({ keys: [broker.publicJwk, brokerRsa.publicJwk] });
  if (!keys.ok) throw new Error(keys.error);
  return keys.value;
}
export interface Minting {
  readonly claims?: object;
  readonly header?: object;
  readonly key?: TestKey;
  readonly args?: Json;
  readonly tool?: string;
  readonly entry?: object;
  readonly resource?: string;
  readonly now?: number;
}
/** An action token as wire.md §3.2 shows it, but for what is asked otherwise; `undefined` leaves a claim out. */
export function actionToken(asked: Minting = {}): Promise<string> {
  const { key = broker, tool = TOOL, args = ARGS, resource = RESOURCE, now = NOW } = asked;
  const entry = {
    type: 'urn:countersign:tool-call:v1',
    locations: [resource],
    actions: ['tools/call'],
    identifier: tool,
    arguments_digest: digest(args),
    ...asked.entry,
  };
  const claims = {
    iss: ISSUER,
    sub: 'people:u_5b2f61',
    aud: resource,
    client_id: 'refund-bot',
    iat: now,
    exp: now + 120,
    jti: randomUUID(),
    txn: randomUUID(),
    scope: `tool:${tool}`,
    act: { sub: 'refund-bot', iss: ISSUER },
    cnf: { jkt: agent.jkt },
    authorization_details: [entry],
    ...asked.claims,
  };
  return jwt(key, { alg: key.alg, typ: 'at+jwt', kid: key.kid, ...asked.header }, claims);
}
export const baseToken = (claims: object = {}, { resource = RESOURCE, now = NOW }: Minting = {}): Promise<string> =>
  jwt(
    broker,
    { alg: 'ES256', typ: 'at+jwt', kid: broker.kid },
    {
      iss: ISSUER,
      sub: 'refund-bot',
      aud: resource,
      client_id: 'refund-bot',
      iat: now,
      exp: now + 600,
      jti: randomUUID(),
      scope: 'tool:list',
      ...claims,
    },
  );
export interface Proving {
  readonly claims?: object;
  readonly header?: object;
  readonly key?: TestKey;
  readonly jwk?: object;
}
export type Form = 'header' | 'meta';
export const FORMS: readonly Form[] = ['header', 'meta'];

export function proof(token: string, form: Form, asked: Proving & { resource?: string; now?: number } = {}): Promise<string> {
  const { key = agent, resource = RESOURCE, now = NOW } = asked;
  const { kty, crv, x, y } = key.publicJwk;
  const header = { alg: key.alg, typ: 'dpop+jwt', jwk: asked.jwk ?? { kty, crv, x, y }, ...asked.header };
  const htm = form === 'header' ? 'POST' : 'tools/call';
  return jwt(key, header, { htm, htu: resource, iat: now, jti: randomUUID(), ath: sha256(token), ...asked.claims });
}
/** One call as it reaches the verifier, by either form. */
export function call(form: Form, token: string, proved: string | undefined, rest: Partial<CallRequest> = {}): CallRequest {
  const shared = { tool: TOOL, arguments: ARGS, ...rest };
  if (form === 'header') return { http: { method: 'POST', url: RESOURCE, authorization: `DPoP ${token}`, dpop: proved }, ...shared };
  const meta = { 'countersign/action-token': token, ...(proved !== undefined && { 'countersign/action-proof': proved }) };
  return { meta, ...shared };
}
export async function goodCall(form: Form, asked: Minting = {}): Promise<CallRequest> {
  const token = await actionToken(asked);
  return call(form, token, await proof(token, form));
}
/** A verifier with a clock that can be moved. */
export function shop(options: Partial<VerifierOptions> = {}): Verifier & { clock: { now: number } } {
  const clock = { now: NOW };
  const now = (): number => clock.now;
  const verifier = createVerifier({
    issuer: ISSUER,
    resource: RESOURCE,
    consumed: memoryConsumed({ now }),
    keys: keySource(),
    now,
    ...options,
  });
  return { ...verifier, clock };
}
