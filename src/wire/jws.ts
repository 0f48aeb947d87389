/** One JWT, checked whole: exact form, header allow-list, signature, claims (RFC 8725). The same for id tokens, assertions and action tokens. */
import { type KeyObject, sign, verify } from 'node:crypto';
import { isObject, type Json, type JsonObject, parseJson } from './json.ts';
import type { Remembered } from './remembered.ts';
import { no, ok, type Result } from './result.ts';

export type TokenFlaw =
  | 'token_form'
  | 'token_header'
  | 'token_alg'
  | 'token_typ'
  | 'token_kid'
  | 'token_signature'
  | 'token_issuer'
  | 'token_audience'
  | 'token_expired'
  | 'token_early'
  | 'token_lifetime'
  | 'token_claim'
  | 'keys_unavailable';
export type Alg = 'ES256' | 'RS256';

/** Does the work at a time of its own choosing, with others of its kind. */
export type Turn = <T>(kind: string, work: () => T) => Promise<T>;
/** Who waits, and until when; the signal is made for whoever reads it. */
export interface Waiting {
  readonly signal: AbortSignal;
  readonly turn?: Turn;
}
/** Where a signature's key comes from. Throws when it cannot know; undefined when there is no such key. */
export interface KeySource {
  find(kid: string | undefined, alg: Alg, waiting?: Waiting): Promise<KeyObject | undefined>;
}
export interface Expected {
  /** Accepted `typ` values, compared without case and without `application/`; `undefined` in the list accepts an absent one. */
  readonly typ: readonly (string | undefined)[];
  readonly algs: readonly Alg[];
  readonly issuer: string;
  /** The token's `aud` is exactly this one (a string, or a list of one). */
  readonly audience: string;
  readonly maxLifetimeSeconds: number;
  readonly now: number;
  /** Claims that must be present as non-empty strings, beside `iss`, `sub`, `iat`, `exp`. */
  readonly required?: readonly string[];
  readonly skewSeconds?: number;
  /** A longer text than any token's is not even read. */
  readonly maxLength?: number;
  /** Signatures that need no second look. */
  readonly remembered?: Remembered;
}
export interface Claims extends JsonObject {
  readonly iss: string;
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
}
export interface Jws {
  readonly header: JsonObject & { readonly alg: Alg };
  readonly payload: JsonObject;
  readonly signed: string;
  readonly signature: Buffer;
}

export const MAX_TOKEN_LENGTH = 16 * 1024;
export const SKEW_SECONDS = 10;
const FORM = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const ALGS: ReadonlySet<unknown> = new Set<Alg>(['ES256', 'RS256']);
/** Headers that name a key or change how the token is read: never obeyed, so refused (RFC 8725 §3.10, RFC 7797). */
const FORBIDDEN = ['jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'];
const MAX_STRING = 1_024;

/** Headers repeat, token after token of one key: read once each. Only what is well formed is kept, and no more than this many. */
const headers = new Map<string, JsonObject>();
const MAX_HEADERS = 4_096;
function readHeader(text: string): JsonObject | undefined {
  const known = headers.get(text);
  if (known) return known;
  const bytes = segment(text);
  const header = bytes && object(bytes);
  if (header && text.length <= 1_024) {
    if (headers.size >= MAX_HEADERS) headers.delete(headers.keys().next().value as string);
    // A copy: what was cut out of a request would keep the whole of it in memory.
    headers.set(Buffer.from(text, 'latin1').toString('latin1'), header);
  }
  return header;
}

/** Form and header alone. One string per token: unpadded base64url that re-encodes to itself, so no second spelling passes. */
export function readJws(
  token: string,
  options: { readonly typ: Expected['typ']; readonly jwk?: true; readonly maxLength?: number | undefined },
): Result<Jws, TokenFlaw> {
  const { maxLength = MAX_TOKEN_LENGTH } = options;
  if (typeof token !== 'string' || token.length > maxLength || !FORM.test(token)) return no('token_form');
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  const header = readHeader(token.slice(0, first));
  const payload = peeked?.token === token ? peeked.payload : payloadOf(token.slice(first + 1, second), maxLength);
  peeked = undefined;
  const signature = segment(token.slice(second + 1));
  if (!header || !payload || !signature) return no('token_form');
  for (const name of FORBIDDEN) if (name in header) return no('token_header');
  if ('jwk' in header && !options.jwk) return no('token_header');
  if (!ALGS.has(header['alg'])) return no('token_alg');
  if (!options.typ.includes(typ(header['typ']))) return no('token_typ');
  if ('kid' in header && (typeof header['kid'] !== 'string' || header['kid'] === '' || header['kid'].length > 256)) return no('token_kid');
  return ok({ header: header as Jws['header'], payload, signed: token.slice(0, second), signature });
}

/**
 * Synchronous on a KeyObject: cheaper than WebCrypto by a third. ES256 signatures are the 64 bytes of RFC 7518 §3.4. The twin with
 * s' = n - s verifies too, and signers do not normalise s: replay is keyed on (`iss`, `jti`), never on the token's string.
 */
export function signatureHolds(alg: Alg, key: KeyObject, signed: string, signature: Uint8Array): boolean {
  const details = key.asymmetricKeyDetails;
  if (alg === 'ES256') {
    if (key.asymmetricKeyType !== 'ec' || details?.namedCurve !== 'prime256v1' || signature.length !== 64) return false;
    return verify('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }, signature);
  }
  if (key.asymmetricKeyType !== 'rsa' || (details?.modulusLength ?? 0) < 2048) return false;
  return verify('sha256', Buffer.from(signed), key, signature);
}

/** One compact JWS over claims as they are. Synchronous, for the same reason. */
export function signJws(key: KeyObject, header: JsonObject & { readonly alg: Alg }, claims: JsonObject): string {
  const signed = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(signed), header.alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key);
  return `${signed}.${signature.toString('base64url')}`;
}

/** A whole token. Errors: the first flaw in the order form, header, issuer, key, signature, claims. */
export async function checkToken(
  token: string,
  keys: KeySource,
  expected: Expected,
  waiting?: Waiting,
): Promise<Result<Claims, TokenFlaw>> {
  const read = readJws(token, { typ: expected.typ, maxLength: expected.maxLength });
  if (!read.ok) return read;
  const { header, payload, signed, signature } = read.value;
  if (!expected.algs.includes(header.alg)) return no('token_alg');
  // Before any key is looked for: a token of another issuer must not make us fetch.
  if (payload['iss'] !== expected.issuer) return no('token_issuer');
  let key: KeyObject | undefined;
  try {
    key = await keys.find(header['kid'] as string | undefined, header.alg, waiting);
  } catch {
    return no('keys_unavailable');
  }
  if (!key) return no('token_kid');
  const found = key;
  if (expected.remembered?.holds(token, found)) return checkClaims(payload, expected);
  const check = (): boolean => signatureHolds(header.alg, found, signed, signature);
  if (!(waiting?.turn ? await waiting.turn('verify', check) : check())) return no('token_signature');
  const claims = checkClaims(payload, expected);
  if (claims.ok) expected.remembered?.keep(token, found, claims.value.exp);
  return claims;
}

export function checkClaims(payload: JsonObject, expected: Expected): Result<Claims, TokenFlaw> {
  const { now, skewSeconds: skew = SKEW_SECONDS } = expected;
  const { iss, sub, aud, iat, exp, nbf } = payload;
  if (iss !== expected.issuer) return no('token_issuer');
  if (!soleAudience(aud, expected.audience)) return no('token_audience');
  if (!isText(sub)) return no('token_claim');
  for (const name of expected.required ?? []) if (!isText(payload[name])) return no('token_claim');
  if (payload['jti'] !== undefined && !isText(payload['jti'])) return no('token_claim');
  if (!isTime(iat) || !isTime(exp)) return no('token_claim');
  if (nbf !== undefined && !isTime(nbf)) return no('token_claim');
  if (exp <= now) return no('token_expired');
  if (iat > now + skew || (nbf !== undefined && nbf > now + skew)) return no('token_early');
  if (exp - iat > expected.maxLifetimeSeconds || exp <= iat) return no('token_lifetime');
  return ok(payload as Claims);
}

/** The unverified payload: to choose an issuer by, and for nothing else. */
export function peek(token: string): JsonObject | undefined {
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH || !FORM.test(token)) return undefined;
  const first = token.indexOf('.');
  const payload = payloadOf(token.slice(first + 1, token.indexOf('.', first + 1)));
  peeked = { token, payload };
  return payload;
}
/** Whoever peeks reads the token next: its payload is parsed once. */
let peeked: { readonly token: string; readonly payload: JsonObject | undefined } | undefined;
function payloadOf(text: string, maxLength?: number): JsonObject | undefined {
  const bytes = segment(text);
  return bytes && object(bytes, maxLength);
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** The alphabet has been checked: what is left to re-encode otherwise is a length of no whole bytes, or set bits behind the last one. */
function segment(text: string): Buffer | undefined {
  const over = text.length % 4;
  if (over === 1) return undefined;
  const spare = over === 2 ? 0b1111 : over === 3 ? 0b11 : 0;
  if ((ALPHABET.indexOf(text.charAt(text.length - 1)) & spare) !== 0) return undefined;
  return Buffer.from(text, 'base64url');
}
function object(bytes: Buffer, maxLength = MAX_TOKEN_LENGTH): JsonObject | undefined {
  const text = bytes.toString('utf8');
  if (text.charCodeAt(0) === 0xfeff || (text.includes('\ufffd') && !Buffer.from(text).equals(bytes))) return undefined;
  const parsed = parseJson(text, maxLength);
  return parsed.ok && isObject(parsed.value) ? parsed.value : undefined;
}
function typ(value: Json | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') return '';
  const lower = value.toLowerCase();
  return lower.startsWith('application/') ? lower.slice('application/'.length) : lower === 'jwt' ? 'JWT' : lower;
}
function soleAudience(aud: Json | undefined, audience: string): boolean {
  return aud === audience || (Array.isArray(aud) && aud.length === 1 && aud[0] === audience);
}
const isText = (value: Json | undefined): value is string => typeof value === 'string' && value !== '' && value.length <= MAX_STRING;
const isTime = (value: Json | undefined): value is number => typeof value === 'number' && value > 0 && value < 1e11;
