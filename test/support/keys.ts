/** Keys and tokens for tests, made with jose: an independent hand on every signature. */
import { generateKeyPairSync, hash, type KeyObject, randomUUID, sign } from 'node:crypto';
import { SignJWT } from 'jose';
import type { JsonObject } from '../../src/wire/json.ts';

export interface TestKey {
  readonly alg: 'ES256' | 'RS256';
  readonly kid: string;
  readonly private: KeyObject;
  readonly publicJwk: JsonObject;
  readonly jkt: string;
}
export function newKey(kid: string = randomUUID(), alg: TestKey['alg'] = 'ES256'): TestKey {
  const pair = alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicJwk = { ...(pair.publicKey.export({ format: 'jwk' }) as JsonObject), kid, alg, use: 'sig' };
  return { alg, kid, private: pair.privateKey, publicJwk, jkt: thumbprint(pair.publicKey) };
}
export function thumbprint(key: KeyObject): string {
  const jwk = key.export({ format: 'jwk' });
  const members = jwk.kty === 'EC' ? { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y } : { e: jwk.e, kty: jwk.kty, n: jwk.n };
  return sha256(JSON.stringify(members));
}
export const sha256 = (text: string): string => hash('sha256', text, 'base64url');

/** Undefined members are left out; the header is exactly what is given. */
export const jwt = (key: Pick<TestKey, 'private'>, header: object, claims: object): Promise<string> =>
  new SignJWT(JSON.parse(JSON.stringify(claims))).setProtectedHeader(JSON.parse(JSON.stringify(header))).sign(key.private);

/** A JWS over bytes as they are, for headers and payloads that no library would make. */
export function rawJws(key: Pick<TestKey, 'private'>, header: string, payload: string | Buffer): string {
  const input = `${Buffer.from(header).toString('base64url')}.${Buffer.from(payload).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(input), { key: key.private, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}
