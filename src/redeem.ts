/** The flow of redemption (wire.md §6): who redeems → which action → mint → record → answer. Policy has spoken: nothing is decided again. */
import type { Authenticator } from './authenticate/authenticate.ts';
import type { Bundles } from './bundle/bundle.ts';
import { unhalted } from './decide/halts.ts';
import { type Result, refuse } from './errors.ts';
import { oneAtATime, recall, remember, unrevoked } from './mint/grant.ts';
import { issue, issueAgain, type Lent } from './mint/issue.ts';
import type { Minters } from './mint/minter.ts';
import { onlyOnce, redemptionOf, toRedemption } from './mint/redemption.ts';
import type { Draft, Issued, World } from './model.ts';
import { rootOf } from './record/entry.ts';
import type { Recorder } from './record/record.ts';
import type { RedeemRequest, TokenRequest } from './request.ts';
import type { Store } from './store/store.ts';
import { no } from './wire/result.ts';

export interface RedeemRooms {
  readonly issuer: string;
  readonly world: World;
  readonly store: Store;
  readonly bundles: Bundles;
  readonly authenticate: Authenticator;
  readonly minters: Minters;
  readonly record: Recorder;
  readonly lent: Lent;
}
export type Redeem = (request: RedeemRequest, from?: () => string) => Promise<Result<Issued>>;
export const isRedeem = (
  request: Result<TokenRequest> | Result<RedeemRequest>,
): request is Extract<Result<RedeemRequest>, { readonly ok: true }> => request.ok && request.value.grant === 'redeem';

/** A tool server brings an action token and gets what its tool needs. One entry at least, and before the answer. */
export function createRedeem(rooms: RedeemRooms): Redeem {
  const { record } = rooms;
  return async (request, from) => {
    const draft = record.open(request.grant, from);
    try {
      const outcome = await attempt(rooms, request, draft);
      return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
    } catch (fault) {
      return no(await record.fault(draft, fault));
    }
  };
}

async function attempt(rooms: RedeemRooms, request: RedeemRequest, draft: Draft): Promise<Result<Issued>> {
  const { issuer, world, store, authenticate, minters, lent } = rooms;
  const bundle = rooms.bundles.current();
  draft.note({ bundle: bundle.hash });

  // Who redeems, and what was granted to whom?
  const redeemer = await authenticate.client(request, bundle, draft);
  if (!redeemer.ok) return redeemer;
  if (redeemer.value.kind !== 'tool-server') return refuse('grant_refused', { detail: 'client_is_agent' });
  const brought = await authenticate.action(request, redeemer.value, bundle, draft);
  if (!brought.ok) return brought;
  const action = brought.value;
  const { job, agents, retry } = action;
  const minter = minters.get(job.kind);
  if (!minter) return refuse('mint_refused');

  // Asked before, under the same key: the same grant once more, in place of what was made then.
  const { found } = retry ? await store.look([retry.key]) : { found: [] };
  const earlier = recall(retry, found[0], world.now());
  if (!earlier.ok) return earlier;
  const standing = unhalted({ agents, subject: job.subject, server: job.server.id, tool: job.call?.tool });
  if (earlier.value) {
    draft.note({ again: true });
    const claims = [unrevoked(action), ...standing, ...oneAtATime(retry, found[0])];
    return issueAgain(minter, job, redemptionOf(action, earlier.value, issuer), claims, draft, lent);
  }

  // The first time and, for this action and kind, the last.
  const grant = toRedemption(action, { issuer, now: world.now(), root: rootOf(draft.id) });
  const claims = [unrevoked(action, 'subject_bad'), ...standing, ...remember(action, grant), onlyOnce(action)];
  return issue(minter, job, grant, claims, draft, lent);
}
