/** What is made of a redeemed action (wire.md §6): under the action's own `txn`, never longer than its token, once for each kind. */
import type { Claim, EpochSeconds, Grant, Job, Registration } from '../model.ts';
import { formatDetails } from '../wire/details.ts';
import type { Json } from '../wire/json.ts';
import { scopeOf } from '../wire/oauth.ts';
import { type Made, REVOKED_GRACE_SECONDS } from './grant.ts';

/** A proved action, as far as it shapes what is made of it. */
interface Redeemed {
  readonly job: Job;
  readonly registration: Pick<Registration, 'ttlSeconds'>;
  readonly txn: string;
  readonly act: Json | undefined;
  readonly issued: EpochSeconds; // of the action's token
  readonly until: EpochSeconds;
}

/** exp = min(token, now + the registration's own). */
export function toRedemption(
  action: Redeemed,
  { issuer, now, root }: { readonly issuer: string; readonly now: EpochSeconds; readonly root: string },
): Grant {
  const ttlSeconds = action.registration.ttlSeconds ?? Number.POSITIVE_INFINITY;
  return redemptionOf(action, { root, iat: now, exp: Math.min(action.until, now + ttlSeconds), policies: [] }, issuer);
}
/** Policy spoke when the token was made; nothing is decided again. Outermost actor: who redeems (wire.md §2). */
export function redemptionOf({ job, txn, act }: Redeemed, { root, iat, exp, policies }: Made, issuer: string): Grant {
  const { server, call, subject } = job;
  const jti = `tok_${root}`;
  const scope = call ? scopeOf(call.tool) : '';
  const claims = {
    iss: issuer,
    sub: subject,
    aud: server.resource,
    client_id: server.id,
    iat,
    exp,
    jti,
    txn,
    scope,
    act: { sub: server.id, iss: issuer, ...(act !== undefined && { act }) },
    ...(call && { authorization_details: formatDetails(call) }),
  };
  return { jti, txn, iat, exp, scope, claims, policies };
}

/** Holds for the first redemption of this action for this kind, and for no other while its token lives. */
export const onlyOnce = ({ job, txn, issued, until }: Redeemed): Claim => ({
  key: `redeemed/${txn}/${job.kind}`,
  version: 0,
  value: 1,
  issued,
  until: until + REVOKED_GRACE_SECONDS,
  else: 'token_redeemed',
});
