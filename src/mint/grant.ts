import { type Result, refuse } from '../errors.ts';
import { type Asked, type Claim, type Decision, type EpochSeconds, type Grant, nameOf } from '../model.ts';
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

/** What a grant has beside what was asked. `root` names the story: one intended action, one issuance of it. */
interface Made {
  readonly root: string;
  readonly iat: EpochSeconds;
  readonly exp: EpochSeconds;
  readonly policies: readonly string[];
}

/** exp = min(policy, subject, actors, approval) (wire.md §3.2). */
export function toGrant(
  asked: Asked,
  decision: Decision,
  made: { readonly issuer: string; readonly now: EpochSeconds; readonly root: string },
): Grant {
  const { issuer, now: iat, root } = made;
  // Whole seconds, downwards: an issuer may write fractions (RFC 7519 §2), `expires_in` may not (RFC 6749 appendix A.14).
  const exp = Math.floor(Math.min(iat + decision.ttlSeconds, asked.until, asked.agreed?.until ?? Number.POSITIVE_INFINITY));
  return grantOf(asked, { root, iat, exp, policies: decision.policies }, issuer);
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
export function remember(asked: Asked, grant: Grant): readonly Claim[] {
  if (!asked.retry) return [];
  const made: Made = { root: rootOf(grant.txn), iat: grant.iat, exp: grant.exp, policies: grant.policies };
  const value: Json = { fingerprint: asked.retry.fingerprint, ...made };
  return [{ key: asked.retry.key, version: 0, value, until: grant.iat + REMEMBER_SECONDS, else: 'retry_in_flight' }];
}
/** The grant of an earlier asking, if this is the same one and the grant still lives (wire.md §3, Idempotency-Key). */
export function again(
  asked: Asked,
  found: Found | undefined,
  made: { readonly issuer: string; readonly now: EpochSeconds },
): Result<Grant | undefined> {
  if (!found || !asked.retry) return ok(undefined);
  const earlier = found.value as unknown as Made & { readonly fingerprint: string };
  if (earlier.fingerprint !== asked.retry.fingerprint) return refuse('retry_mismatch');
  if (earlier.exp <= made.now) return refuse('retry_lapsed');
  return ok(grantOf(asked, earlier, made.issuer));
}
/** Holds while the grant is not revoked. */
export const unrevoked = (grant: Grant): Claim => ({ key: revokedKey(grant.jti), version: 0, else: 'retry_lapsed' });
