/** DPoP proofs (RFC 9449): checked alike by the broker and by tool servers, and made by agents. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { sha256 } from './digest.ts';
import { isObject, type JsonObject } from './json.ts';
import { readJws, signatureHolds } from './jws.ts';
import { TYP_PROOF } from './oauth.ts';
import { no, ok, type Result } from './result.ts';

export type ProofFlaw =
  | 'proof_form'
  | 'proof_key'
  | 'proof_signature'
  | 'proof_claim'
  | 'proof_htm'
  | 'proof_htu'
  | 'proof_iat'
  | 'proof_ath'
  | 'proof_nonce_needed';
export interface Proof {
  /** RFC 7638 thumbprint of the proof's key. */
  readonly jkt: string;
  readonly jti: string;
  readonly iat: number;
}
export interface ProofExpected {
  readonly htm: string;
  /** Without query and fragment (RFC 9449 §4.2). */
  readonly htu: string;
  readonly now: number;
  /** The access token whose hash must be in `ath`; without it `ath` is not looked at. */
  readonly token?: string;
  /** Says whether a presented nonce is one of ours and fresh; without it nonces are not asked for. */
  readonly nonce?: (nonce: string | undefined) => boolean;
}
/** A proof is accepted this long before and after its `iat`; its jti must be remembered as long. */
export const PROOF_WINDOW_SECONDS = 60;
export const PROOF_MAX_LENGTH = 4_096;
export type CheckProof = (proof: string, expected: ProofExpected) => Result<Proof, ProofFlaw>;

/**
 * RFC 9449 §4.3, checks 1–11 but for 12 (the caller compares `jkt` with its token) and replay: `jti` is returned, not remembered.
 * Keys are kept by thumbprint, at most `keys` of them: importing one costs as much as a signature.
 */
export function proofChecker(options: { readonly keys?: number } = {}): CheckProof {
  const keys = new Map<string, KeyObject>();
  const limit = options.keys ?? 4_096;
  return (proof, expected) => {
    if (typeof proof !== 'string' || proof.length > PROOF_MAX_LENGTH) return no('proof_form');
    const read = readJws(proof, { typ: [TYP_PROOF], jwk: true });
    if (!read.ok) return no('proof_form');
    const { header, payload, signed, signature } = read.value;
    if (header.alg !== 'ES256') return no('proof_form');
    const jwk = header['jwk'];
    if (!isObject(jwk) || 'd' in jwk || 'k' in jwk) return no('proof_key');
    const { kty, crv, x, y } = jwk;
    if (kty !== 'EC' || crv !== 'P-256' || !isCoordinate(x) || !isCoordinate(y)) return no('proof_key');

    const jkt = thumbprintEc({ x, y });
    let key = keys.get(jkt);
    if (!key) {
      try {
        key = createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' });
      } catch {
        return no('proof_key');
      }
    }
    if (!signatureHolds('ES256', key, signed, signature)) return no('proof_signature');
    // Kept only now: a stranger without the private key must not be able to fill the cache.
    keys.delete(jkt);
    keys.set(jkt, key);
    if (keys.size > limit) keys.delete(keys.keys().next().value as string);

    const { jti, htm, htu, iat, ath, nonce } = payload;
    if (typeof jti !== 'string' || jti === '' || jti.length > 256) return no('proof_claim');
    if (htm !== expected.htm) return no('proof_htm');
    if (typeof htu !== 'string' || !sameUrl(htu, expected.htu)) return no('proof_htu');
    if (typeof iat !== 'number' || Math.abs(iat - expected.now) > PROOF_WINDOW_SECONDS) return no('proof_iat');
    if (expected.token !== undefined && ath !== sha256(expected.token)) return no('proof_ath');
    if (nonce !== undefined && typeof nonce !== 'string') return no('proof_claim');
    if (expected.nonce && !expected.nonce(nonce)) return no('proof_nonce_needed');
    return ok({ jkt, jti, iat });
  };
}

/** RFC 7638 for a P-256 key. */
export const thumbprintEc = (jwk: { readonly x: string; readonly y: string }): string =>
  sha256(`{"crv":"P-256","kty":"EC","x":"${jwk.x}","y":"${jwk.y}"}`);

/** What a proof says; the caller signs it (`typ: dpop+jwt`, `jwk` in the header). */
export function proofClaims(input: {
  readonly htm: string;
  readonly htu: string;
  readonly iat: number;
  readonly jti: string;
  readonly token?: string | undefined;
  readonly nonce?: string | undefined;
}): JsonObject {
  const { htm, htu, iat, jti, token, nonce } = input;
  return { htm, htu, iat, jti, ...(token !== undefined && { ath: sha256(token) }), ...(nonce !== undefined && { nonce }) };
}

const isCoordinate = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value);

/** Equal as they stand, or after scheme, host and port are normalised (RFC 9449 §4.3 check 9); a query or fragment never matches. */
function sameUrl(presented: string, expected: string): boolean {
  if (presented === expected) return true;
  if (presented.length > 2_048 || !URL.canParse(presented)) return false;
  const url = new URL(presented);
  return url.search === '' && url.hash === '' && url.username === '' && url.href === new URL(expected).href;
}
