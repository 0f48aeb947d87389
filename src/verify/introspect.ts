/** Asks the broker whether a token still stands (RFC 7662): sees a revocation at once, at the price of a round trip per action. */
import { randomUUID } from 'node:crypto';
import { isObject, parseJson } from '../wire/json.ts';
import type { Alg } from '../wire/jws.ts';
import { ASSERTION_JWT_BEARER, TYP_CLIENT_ASSERTION } from '../wire/oauth.ts';
import { type SigningKey, signJwt } from '../wire/sign.ts';
import { outgoing } from './outgoing.ts';

export interface IntrospectOptions {
  /** This tool server's id at the broker, and the private key registered for it. */
  readonly clientId: string;
  readonly key: SigningKey;
  readonly kid?: string;
  readonly alg?: Alg;
  readonly fetch?: typeof fetch;
}
/** Throws when the broker does not say. */
export type Introspect = (token: string, jti: string) => Promise<boolean>;

export function introspector(issuer: string, options: IntrospectOptions, now: () => number): Introspect {
  const { clientId, key, kid, alg = 'ES256' } = options;
  const post = outgoing({ url: `${issuer.replace(/\/$/, '')}/introspect`, ...(options.fetch && { fetch: options.fetch }) });
  return async (token, jti) => {
    const iat = now();
    const header = { alg, typ: TYP_CLIENT_ASSERTION, ...(kid !== undefined && { kid }) };
    const claims = { iss: clientId, sub: clientId, aud: issuer, iat, exp: iat + 60, jti: randomUUID() };
    const form = new URLSearchParams({
      token,
      client_id: clientId,
      client_assertion_type: ASSERTION_JWT_BEARER,
      client_assertion: await signJwt(key, header, claims),
    });
    const { status, text } = await post(form.toString(), 'application/x-www-form-urlencoded');
    const parsed = parseJson(text);
    if (status !== 200 || !parsed.ok || !isObject(parsed.value)) throw new Error('introspection was not answered');
    const { active } = parsed.value;
    if (typeof active !== 'boolean') throw new Error('introspection was not answered');
    // Another token's answer is no answer.
    if (active && parsed.value['jti'] !== undefined && parsed.value['jti'] !== jti) throw new Error('introspection was not answered');
    return active;
  };
}
