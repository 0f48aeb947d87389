/** One presented token, proved: scheme, form, signature, claims, key. Knows tokens and proofs; may not know tools or arguments. */

import { sha256 } from '../wire/digest.ts';
import { type CheckProof, PROOF_WINDOW_SECONDS } from '../wire/dpop.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { type Claims, checkToken, type KeySource, peek, SKEW_SECONDS } from '../wire/jws.ts';
import { META_PROOF, META_TOKEN, SCOPE_LIST, TYP_ACCESS_TOKEN } from '../wire/oauth.ts';
import type { Consumed } from './consumed.ts';
import type { Nonces } from './nonces.ts';
import type { Refuse, VerifyCode } from './refusal.ts';

/** The HTTP request as its sender sees it. */
export interface HttpRequest {
  readonly method: string;
  /** Without query; the resource itself where it is left out. */
  readonly url?: string;
  readonly authorization?: string | undefined;
  readonly dpop?: string | undefined;
}
/** A token as it came: by which scheme, with which proof, and what that proof must name. */
export interface Presented {
  readonly scheme: 'Bearer' | 'DPoP';
  readonly token: string;
  readonly proof: string | undefined;
  readonly htm: string;
  readonly htu: string;
}
/** A token that holds. `jkt` is the key that proved possession, if it is bound to one. */
export interface Held {
  readonly claims: Claims;
  readonly scopes: readonly string[];
  readonly isAction: boolean;
  readonly token: string;
  readonly jkt?: string;
  readonly proof?: string;
}
export interface CredentialRules {
  readonly issuers: ReadonlyMap<string, KeySource>;
  readonly resource: string;
  readonly consumed: Consumed;
  readonly checkProof: CheckProof;
  readonly nonces?: Nonces;
  readonly maxLifetimeSeconds: number;
  readonly maxBaseLifetimeSeconds: number;
  readonly now: () => number;
  readonly refuse: Refuse;
}

/** RFC 6750 §2.1, RFC 9449 §7.1. Another scheme counts as no token; two tokens or none after the scheme as a bad one. */
export function inHeader(http: HttpRequest | undefined, resource: string): Presented | undefined {
  if (!http?.authorization) return undefined;
  const [, name = '', rest = ''] = /^([A-Za-z]+)(?: +(.*))?$/s.exec(http.authorization) ?? [];
  const scheme = { bearer: 'Bearer', dpop: 'DPoP' }[name.toLowerCase()] as Presented['scheme'] | undefined;
  if (!scheme) return undefined;
  return { scheme, token: rest, proof: http.dpop, htm: http.method, htu: http.url ?? resource };
}

/** wire.md §5, the second form. */
export function inMeta(meta: Json | undefined, resource: string, refuse: Refuse): Presented | undefined {
  if (meta === undefined) return undefined;
  if (!isObject(meta)) throw refuse('ERR_REQUEST_FORM');
  const token = meta[META_TOKEN];
  const proof = meta[META_PROOF];
  if (token === undefined && proof === undefined) return undefined;
  if (token === undefined) throw refuse('ERR_TOKEN_MISSING');
  if (typeof token !== 'string') throw refuse('ERR_TOKEN_FORM');
  if (proof !== undefined && typeof proof !== 'string') throw refuse('ERR_PROOF_FORM');
  return { scheme: 'DPoP', token, proof, htm: 'tools/call', htu: resource };
}

/** The first half of wire.md §5, in its order: scheme against `cnf`, header, signature, claims, proof. */
export async function hold(presented: Presented, rules: CredentialRules): Promise<Held> {
  const { refuse, resource, now, issuers } = rules;
  const { scheme, token } = presented;
  const unverified = peek(token);
  if (!unverified) throw refuse('ERR_TOKEN_FORM');
  const bound = unverified['cnf'] !== undefined;
  // A stolen bound token must not pass as a plain one, nor an unbound one as proved (RFC 9449 §7.1).
  if (bound !== (scheme === 'DPoP')) throw refuse('ERR_TOKEN_SCHEME');

  const issuer = unverified['iss'];
  const keys = typeof issuer === 'string' ? issuers.get(issuer) : undefined;
  if (typeof issuer !== 'string' || !keys) throw refuse('ERR_TOKEN_ISSUER');
  const isAction = unverified['authorization_details'] !== undefined;
  const checked = await checkToken(token, keys, {
    typ: [TYP_ACCESS_TOKEN],
    algs: ['ES256', 'RS256'],
    issuer,
    audience: resource,
    now: now(),
    required: ['jti', 'client_id', 'scope', ...(isAction ? ['txn'] : [])],
    maxLifetimeSeconds: isAction ? rules.maxLifetimeSeconds : rules.maxBaseLifetimeSeconds,
  });
  if (!checked.ok) throw refuse(code(checked.error));
  const claims = checked.value;
  const scopes = String(claims['scope']).split(' ');
  if (!bound) return { claims, scopes, isAction, token };
  const jkt = boundKey(claims);
  if (!jkt) throw refuse('ERR_TOKEN_CLAIM');
  const proof = await prove(presented, jkt, isAction, rules);
  return { claims, scopes, isAction, token, jkt, proof };
}

async function prove(presented: Presented, jkt: string, isAction: boolean, rules: CredentialRules): Promise<string> {
  const { refuse, checkProof, nonces, consumed, now } = rules;
  const { proof, token, htm, htu } = presented;
  if (proof === undefined) throw refuse('ERR_PROOF_MISSING');
  const expected = { htm, htu, token, now: now(), ...(nonces && { nonce: nonces.check }) };
  const proved = checkProof(proof, expected);
  if (!proved.ok) throw refuse(code(proved.error));
  if (proved.value.jkt !== jkt) throw refuse('ERR_PROOF_BINDING');
  // `ath` ties a proof to its token and an action token works once: its consumption is the memory of its proof. Were the proof marked
  // here, a resend of the same bytes would meet 401 instead of 409, and clients answer a 401 with a new token.
  if (isAction) return proof;
  const { jti, iat } = proved.value;
  const until = iat + PROOF_WINDOW_SECONDS + SKEW_SECONDS;
  if (!(await spend(consumed, `proof:${sha256(`${jkt} ${jti}`)}`, until, refuse))) throw refuse('ERR_PROOF_REPLAYED');
  return proof;
}

/** A store that cannot know is a no (wire.md §5). */
export async function spend(consumed: Consumed, id: string, until: number, refuse: Refuse): Promise<boolean> {
  let first: boolean;
  try {
    first = await consumed.consume(id, until);
  } catch {
    throw refuse('ERR_STORE_UNAVAILABLE');
  }
  return first === true;
}

/** A base token: `tool:list` and nothing of one action. */
export const isBase = (held: Held): boolean => !held.isAction && held.scopes.includes(SCOPE_LIST);
const boundKey = (claims: JsonObject): string | undefined => {
  const cnf = claims['cnf'];
  const jkt = isObject(cnf) ? cnf['jkt'] : undefined;
  return typeof jkt === 'string' && jkt !== '' ? jkt : undefined;
};
export const code = <F extends string>(flaw: F): `ERR_${Uppercase<F>}` & VerifyCode => `ERR_${flaw.toUpperCase()}` as never;
