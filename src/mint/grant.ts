import { type Reason, type Result, refuse } from '../errors.ts';
import { type Asked, type Claim, type Decision, type EpochSeconds, type Grant, nameOf, type Retry } from '../model.ts';
import type { Found } from '../store/store.ts';
import { formatDetails } from '../wire/details.ts';
import type { Json, JsonObject } from '../wire/json.ts';
import { SCOPE_LIST, scopeOf } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';

/** A grant is remembered under its Idempotency-Key this long (wire.md §3). */
const REMEMBER_SECONDS = 24 * 3600;
/** A revocation mark outlives the token by this. */
export const REVOKED_GRACE_SECONDS = 60;

/** `txn_R`, `tok_R`: both names end in the story's root. */
const rootOf = (txn: string): string => txn.slice(txn.indexOf('_') + 1);
export const revokedKey = (jti: string): string => `revoked/${jti}`;
/** Under which all that is revoked is found again, and told to tool servers. */
export const REVOKED_TERM = 'revoked';
/** What stands under `revokedKey`. */
export interface Revoked {
  readonly txn: string;
  readonly aud: string;
  readonly until: EpochSeconds;
}
/** The token is inactive from now on. Whoever says it, and however often, it is the same claim. */
export function revokedClaim({ jti, txn, aud, exp }: { jti: string; txn: string; aud: string; exp: EpochSeconds }): Claim {
  const until = exp + REVOKED_GRACE_SECONDS;
  const value = { txn, aud, until } satisfies Revoked;
  return { key: revokedKey(jti), version: 0, value, until, terms: [REVOKED_TERM], orSame: true, else: 'state_conflict' };
}

/** What a grant has beside what was asked. `root` names one issuance, and for a token the story of its action too. */
export interface Made {
  readonly root: string;
  readonly iat: EpochSeconds;
  readonly exp: EpochSeconds;
  readonly policies: readonly string[];
}

/**
 * exp = min(policy, subject, actors, approval) (wire.md §3.2). Refuses where nothing is left of that: a proof or an approval ends within this
 * very second, and a token that has ended when it is made would spend budgets for nothing.
 */
export function toGrant(
  asked: Asked,
  decision: Decision,
  made: { readonly issuer: string; readonly now: EpochSeconds; readonly root: string },
): Result<Grant> {
  const { issuer, now: iat, root } = made;
  // Whole seconds, downwards: an issuer may write fractions (RFC 7519 §2), `expires_in` may not (RFC 6749 appendix A.14).
  const ends = [iat + decision.ttlSeconds, asked.until, asked.agreed?.until, registeredEnd(asked, iat)];
  const exp = Math.floor(Math.min(...ends.filter((end) => end !== undefined)));
  if (exp > iat) return ok(grantOf(asked, { root, iat, exp, policies: decision.policies }, issuer));
  return Math.floor(asked.until) > iat ? refuse('approval_expired') : refuse('subject_bad', { detail: 'token_expired' });
}

/** What a back end makes for an agent lives no longer than its registration says. */
function registeredEnd({ action, kind }: Asked, iat: EpochSeconds): EpochSeconds | undefined {
  const ttlSeconds = action.kind === 'call' ? action.tool.credentials.get(kind)?.ttlSeconds : undefined;
  return ttlSeconds === undefined ? undefined : iat + ttlSeconds;
}

function grantOf(asked: Asked, made: Made, issuer: string): Grant {
  const { caller, subject, actors, server, action, jkt } = asked;
  const { iat, exp, policies } = made;
  const scope = action.kind === 'call' ? scopeOf(action.call.tool) : SCOPE_LIST;
  const txn = `txn_${made.root}`;
  const jti = `tok_${made.root}`;
  const act = actors.reduceRight<JsonObject | undefined>(
    (inner, agent) => ({ sub: agent.id, iss: issuer, ...(inner && { act: inner }) }),
    undefined,
  );
  const claims: JsonObject = {
    iss: issuer,
    sub: nameOf(subject),
    aud: server.resource,
    client_id: caller.client.id,
    iat,
    exp,
    jti,
    txn,
    scope,
    ...(act && { act }),
    ...(jkt !== undefined && { cnf: { jkt } }),
    ...(action.kind === 'call' && { authorization_details: formatDetails(action.call) }),
  };
  return { jti, txn, iat, exp, scope, claims, policies };
}

/**
 * Asking again is the same asking: what was made of it is remembered under its key, and neither token nor argument. Whatever else stands in
 * the claims follows from the request, which the fingerprint holds to be the same.
 */
export function remember(asked: { readonly retry?: Retry }, grant: Grant): readonly Claim[] {
  if (!asked.retry) return [];
  const made: Made = { root: rootOf(grant.jti), iat: grant.iat, exp: grant.exp, policies: grant.policies };
  const value: Json = { fingerprint: asked.retry.fingerprint, ...made };
  return [{ key: asked.retry.key, version: 0, value, until: grant.iat + REMEMBER_SECONDS, else: 'retry_in_flight' }];
}
/** What was made of an earlier asking, if this is the same one and its grant still lives (wire.md §3, Idempotency-Key). */
export function recall(retry: Retry | undefined, found: Found | undefined, now: EpochSeconds): Result<Made | undefined> {
  if (!found || !retry) return ok(undefined);
  const earlier = found.value as unknown as Made & { readonly fingerprint: string };
  if (earlier.fingerprint !== retry.fingerprint) return refuse('retry_mismatch');
  return earlier.exp <= now ? refuse('retry_lapsed') : ok(earlier);
}
/** The grant of an earlier asking. */
export function again(
  asked: Asked,
  found: Found | undefined,
  { issuer, now }: { readonly issuer: string; readonly now: EpochSeconds },
): Result<Grant | undefined> {
  const earlier = recall(asked.retry, found, now);
  return earlier.ok && earlier.value ? ok(grantOf(asked, earlier.value, issuer)) : (earlier as Result<undefined>);
}
/** Of those who ask again at once one is served: where each asking makes anew, it ends what the one before it was given. */
export function oneAtATime(retry: Retry | undefined, found: Found | undefined): readonly Claim[] {
  if (!retry || !found) return [];
  const { iat } = found.value as unknown as Made;
  return [{ key: retry.key, version: found.version, value: found.value, until: iat + REMEMBER_SECONDS, else: 'retry_in_flight' }];
}
/** Holds while the token is not revoked. */
export const unrevoked = ({ jti }: { readonly jti: string }, otherwise: Reason = 'retry_lapsed'): Claim => ({
  key: revokedKey(jti),
  version: 0,
  else: otherwise,
});
