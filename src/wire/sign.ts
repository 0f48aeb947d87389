import type { KeyObject } from 'node:crypto';
import { type CryptoKey, type JWTHeaderParameters, SignJWT } from 'jose';
import type { JsonObject } from './json.ts';
import type { Alg } from './jws.ts';

/** What signs: a private key in memory, as Node or WebCrypto holds it. */
export type SigningKey = KeyObject | CryptoKey;

/** One compact JWS over claims as they are; nothing is added. */
export function signJwt(
  key: SigningKey,
  header: { readonly alg: Alg; readonly typ?: string; readonly kid?: string; readonly jwk?: JsonObject },
  claims: JsonObject,
): Promise<string> {
  return new SignJWT({ ...claims }).setProtectedHeader(header as JWTHeaderParameters).sign(key);
}
