import { createPrivateKey, createPublicKey, generateKeyPairSync, KeyObject, randomUUID } from 'node:crypto';
import { proofClaims, thumbprintEc } from '../wire/dpop.ts';
import type { JsonObject } from '../wire/json.ts';
import type { Alg } from '../wire/jws.ts';
import { TYP_CLIENT_ASSERTION, TYP_PROOF } from '../wire/oauth.ts';
import { type SigningKey, signJwt } from '../wire/sign.ts';
import { AgentError } from './error.ts';

/** A private key as JWK, or as Node or WebCrypto holds it. */
export type PrivateKey = JsonObject | SigningKey;

const LIFE_SECONDS = 60;

/** What a client says of itself with its registered key, to this broker and nobody else, once. */
export interface Client {
  /** RFC 7523bis §4: its authentication. With the broker's latest nonce, if it gave one: a broker that has just lost its memory need not wait. */
  assertion(now: number, nonce?: string): Promise<string>;
  /** As a sub-agent (wire.md §2): who acts, and the thumbprint of the key it will hold. */
  actorToken(now: number, jkt: string): Promise<string>;
}

/** Errors: ERR_OPTIONS. A JWK's own `kid` stands in the header; `keyId` overrules it. */
export function clientOf(options: {
  readonly issuer: string;
  readonly clientId: string;
  readonly key: PrivateKey;
  readonly keyId?: string;
}): Client {
  const { issuer, clientId } = options;
  const key = importKey(options.key, 'key');
  const alg = algOf(key, 'key');
  const kid = options.keyId ?? (isJwk(options.key) && typeof options.key['kid'] === 'string' ? options.key['kid'] : undefined);
  const say = (typ: string, now: number, more: JsonObject): Promise<string> =>
    signJwt(
      key,
      { alg, typ, ...(kid !== undefined && { kid }) },
      { iss: clientId, sub: clientId, aud: issuer, jti: randomUUID(), iat: now, exp: now + LIFE_SECONDS, ...more },
    );
  return {
    assertion: (now, nonce) => say(TYP_CLIENT_ASSERTION, now, { ...(nonce !== undefined && { nonce }) }),
    actorToken: (now, jkt) => say('JWT', now, { cnf: { jkt } }),
  };
}

/** What tokens are bound to: signs one proof per request (RFC 9449 §4.2), with the last nonce that the other side gave (§8, §9). */
export interface Prover {
  readonly thumbprint: string;
  /** `url` is cut at its query. */
  prove(request: { readonly method: string; readonly url: string; readonly token?: string }): Promise<string>;
  /** The last one that this origin gave. */
  nonce(url: string): string | undefined;
  /** Remembers a `DPoP-Nonce` for the origin it came from; true when there was one. */
  heed(response: Response, url: string): boolean;
}

/** Without a key, a fresh P-256 key that never leaves this process. Errors: ERR_OPTIONS. */
export function prover(key: PrivateKey | undefined, now: () => number): Prover {
  const signer = key === undefined ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : importKey(key, 'proofKey');
  if (algOf(signer, 'proofKey') !== 'ES256') throw new AgentError('ERR_OPTIONS', 'proofKey: must be P-256');
  const { x, y } = createPublicKey(signer).export({ format: 'jwk' });
  if (x === undefined || y === undefined) throw new AgentError('ERR_OPTIONS', 'proofKey: must be P-256');
  const jwk = { kty: 'EC', crv: 'P-256', x, y };
  const nonces = new Map<string, string>();
  const nonceOf = (url: string): string | undefined => nonces.get(new URL(url).origin);
  return {
    nonce: nonceOf,
    thumbprint: thumbprintEc({ x, y }),
    prove({ method, url, token }) {
      const claims = proofClaims({
        htm: method,
        htu: bare(url),
        iat: now(),
        jti: randomUUID(),
        token,
        nonce: nonceOf(url),
      });
      return signJwt(signer, { alg: 'ES256', typ: TYP_PROOF, jwk }, claims);
    },
    heed(response, url) {
      const nonce = response.headers.get('dpop-nonce');
      if (!nonce || nonce.length > 512) return false;
      nonces.set(new URL(url).origin, nonce);
      return true;
    },
  };
}

/** `htu` has neither query nor fragment (RFC 9449 §4.2). */
export const bare = (url: string): string => url.split(/[?#]/, 1)[0] ?? url;

function importKey(key: PrivateKey, name: string): KeyObject {
  let imported: KeyObject;
  try {
    if (key instanceof KeyObject) imported = key;
    else imported = isJwk(key) ? createPrivateKey({ key, format: 'jwk' }) : KeyObject.from(key as Parameters<typeof KeyObject.from>[0]);
  } catch {
    throw new AgentError('ERR_OPTIONS', `${name}: must be a private key`);
  }
  if (imported.type !== 'private') throw new AgentError('ERR_OPTIONS', `${name}: must be a private key`);
  return imported;
}
function algOf(key: KeyObject, name: string): Alg {
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256';
  if (key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048) return 'RS256';
  throw new AgentError('ERR_OPTIONS', `${name}: must be P-256, or RSA of 2048 bits or more`);
}
const isJwk = (key: PrivateKey): key is JsonObject => 'kty' in key;
