import { randomUUID } from 'node:crypto';
import type { Alg } from '../wire/jws.ts';
import { ASSERTION_JWT_BEARER, TYP_CLIENT_ASSERTION } from '../wire/oauth.ts';
import { type SigningKey, signJwt } from '../wire/sign.ts';

/** How a tool server proves itself to the broker (RFC 7523 §2.2). */
export interface ClientOptions {
  /** This tool server's id at the broker, and the private key registered for it. */
  readonly clientId: string;
  readonly key: SigningKey;
  readonly kid?: string;
  /** What the key signs with; ES256 unless told. */
  readonly alg?: Alg;
}
const LIFE_SECONDS = 60;

/** The form members of one request: an assertion is good for one. `nonce`: the broker's latest, which spares a wait when its memory is new. */
export async function asClient(
  issuer: string,
  options: ClientOptions,
  now: number,
  nonce?: string,
): Promise<Readonly<Record<string, string>>> {
  const { clientId, key, kid, alg = 'ES256' } = options;
  const header = { alg, typ: TYP_CLIENT_ASSERTION, ...(kid !== undefined && { kid }) };
  const named = nonce !== undefined && { nonce };
  const claims = { iss: clientId, sub: clientId, aud: issuer, iat: now, exp: now + LIFE_SECONDS, jti: randomUUID(), ...named };
  return {
    client_id: clientId,
    client_assertion_type: ASSERTION_JWT_BEARER,
    client_assertion: await signJwt(key, header, claims),
  };
}
