/** Key sets as they come from outside: a set with one bad key is refused whole. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { isObject, type Json, type JsonObject } from './json.ts';
import type { Alg, KeySource } from './jws.ts';
import { no, ok, type Result } from './result.ts';

/** A private or symmetric key, a weak key or two keys of one name condemn the set; keys for other uses or algorithms are passed over. */
export type JwksFlaw = 'jwks_form' | 'jwks_count' | 'jwks_private' | 'jwks_weak' | 'jwks_duplicate';
export interface PublicKey {
  readonly kid: string | undefined;
  readonly alg: Alg;
  readonly key: KeyObject;
}
export const MAX_KEYS = 100;

/** Errors: what is wrong with the set. An empty set is well-formed and verifies nothing. */
export function readJwks(value: Json): Result<readonly PublicKey[], JwksFlaw> {
  if (!isObject(value) || !Array.isArray(value['keys'])) return no('jwks_form');
  const entries = value['keys'] as readonly Json[];
  if (entries.length > MAX_KEYS) return no('jwks_count');
  const keys: PublicKey[] = [];
  const names = new Set<string>();
  for (const jwk of entries) {
    if (!isObject(jwk)) return no('jwks_form');
    if ('d' in jwk || 'p' in jwk || 'k' in jwk || jwk['kty'] === 'oct') return no('jwks_private');
    const kid = jwk['kid'];
    if (kid !== undefined && (typeof kid !== 'string' || kid === '')) return no('jwks_form');
    if (jwk['use'] !== undefined && jwk['use'] !== 'sig') continue;
    if (Array.isArray(jwk['key_ops']) && !jwk['key_ops'].includes('verify')) continue;
    const alg = algOf(jwk);
    if (!alg) continue;
    if (kid !== undefined) {
      if (names.has(kid)) return no('jwks_duplicate');
      names.add(kid);
    }
    let key: KeyObject;
    try {
      key = createPublicKey({ key: material(jwk), format: 'jwk' });
    } catch {
      return no('jwks_form');
    }
    if (alg === 'RS256' && isWeakRsa(key, jwk)) return no('jwks_weak');
    keys.push({ kid, alg, key });
  }
  return ok(keys);
}

/** A token without `kid` finds a key only where the set has exactly one for its algorithm. */
export function pick(keys: readonly PublicKey[], kid: string | undefined, alg: Alg): KeyObject | undefined {
  if (kid !== undefined) return keys.find((k) => k.kid === kid && k.alg === alg)?.key;
  const fit = keys.filter((k) => k.alg === alg);
  return fit.length === 1 ? fit[0]?.key : undefined;
}

/** A key set that stands in the bundle or in a configuration. */
export function localKeys(value: Json): Result<KeySource, JwksFlaw> {
  const read = readJwks(value);
  if (!read.ok) return read;
  return ok({ find: async (kid, alg) => pick(read.value, kid, alg) });
}

function algOf(jwk: JsonObject): Alg | undefined {
  const alg = jwk['alg'];
  if (jwk['kty'] === 'EC' && jwk['crv'] === 'P-256' && (alg === undefined || alg === 'ES256')) return 'ES256';
  if (jwk['kty'] === 'RSA' && (alg === undefined || alg === 'RS256')) return 'RS256';
  return undefined;
}
/** Only the public members reach the import. */
function material(jwk: JsonObject): JsonObject {
  const { kty, crv, x, y, n, e } = jwk;
  return (kty === 'EC' ? { kty, crv, x, y } : { kty, n, e }) as JsonObject;
}

/** A larger one signs nothing that 65537 does not, and makes each verification as slow as a signature. */
const MAX_EXPONENT = 2n ** 32n;
function isWeakRsa(key: KeyObject, jwk: JsonObject): boolean {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < 2048 || modulusLength > 8192) return true;
  if (publicExponent < 3n || publicExponent > MAX_EXPONENT || publicExponent % 2n === 0n) return true;
  const n = BigInt(`0x${Buffer.from(String(jwk['n']), 'base64url').toString('hex')}`);
  return n % 2n === 0n || isRoca(n);
}

/** CVE-2017-15361: such a modulus is a power of 65537 modulo each of these primes; a random one is so with 2^-154. */
const ROCA_PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139,
  149, 151, 157, 163, 167,
];
function isRoca(n: bigint): boolean {
  return ROCA_PRIMES.every((p) => {
    const rest = Number(n % BigInt(p));
    let power = 1;
    for (let i = 0; i < p; i++) {
      if (power === rest) return true;
      power = (power * 65537) % p;
    }
    return false;
  });
}
