/** THE FLOW: authenticate → decide → (approve) → mint → record → answer. Nobody else knows the order. */
import type { Approve } from './approve/approve.ts';
import type { Authenticator } from './authenticate/authenticate.ts';
import type { Bundles } from './bundle/bundle.ts';
import { reserve, reservedOf, sharesOf } from './decide/budgets.ts';
import { decide } from './decide/decide.ts';
import { haltClaims } from './decide/halts.ts';
import { type Result, refuse } from './errors.ts';
import { again, oneAtATime, remember, toGrant, unrevoked } from './mint/grant.ts';
import { issue, issueAgain, type Lent } from './mint/issue.ts';
import { toJob } from './mint/job.ts';
import type { Minters } from './mint/minter.ts';
import type { Draft, Issued, World } from './model.ts';
import { rootOf } from './record/entry.ts';
import type { Recorder } from './record/record.ts';
import type { TokenRequest } from './request.ts';
import type { Store } from './store/store.ts';
import { no } from './wire/result.ts';

export interface Rooms {
  readonly issuer: string;
  readonly world: World;
  readonly store: Store;
  readonly bundles: Bundles;
  readonly authenticate: Authenticator;
  readonly approve: Approve;
  readonly minters: Minters;
  readonly record: Recorder;
  readonly lent: Lent;
}
export type Exchange = (request: Result<TokenRequest>, from?: () => string) => Promise<Result<Issued>>;

/** Refusals are values and faults are exceptions; either way one entry is written, and before the answer. */
export function createBroker(rooms: Rooms): Exchange {
  const { record } = rooms;
  return async (request, from) => {
    const draft = record.open(request.ok ? request.value.grant : 'unread', from);
    try {
      const outcome = request.ok ? await attempt(rooms, request.value, draft) : request;
      return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
    } catch (fault) {
      return no(await record.fault(draft, fault));
    }
  };
}

async function attempt(rooms: Rooms, request: TokenRequest, draft: Draft): Promise<Result<Issued>> {
  const { issuer, world, store, authenticate, approve, minters, lent } = rooms;
  const bundle = rooms.bundles.current();
  draft.note({ bundle: bundle.hash });

  // Who holds the key, and what do they ask, for whom? A poll resumes what was proved when it was first asked.
  const caller = await authenticate.caller(request, bundle, draft);
  if (!caller.ok) return caller;
  const asked =
    request.grant === 'deferred'
      ? await approve.resume(request.code, caller.value, bundle, draft, await authenticate.anew(request, caller.value, bundle, draft))
      : await approve.step(await authenticate.asked(request, caller.value, bundle, draft), draft);
  if (!asked.ok) return asked;
  const minter = minters.get(asked.value.kind);
  if (!minter) return refuse('mint_refused');
  const job = toJob(asked.value);
  if (!job.ok) return job;

  // Asked before, under the same key: the same grant again, as long as nothing has ended it.
  const { retry } = asked.value;
  const shares = sharesOf(asked.value, bundle);
  const { found, sums } = retry || shares.length > 0 ? await store.look(retry ? [retry.key] : [], shares) : { found: [], sums: [] };
  const earlier = again(asked.value, retry && found[0], { issuer, now: world.now() });
  if (!earlier.ok) return earlier;
  if (earlier.value) {
    draft.note({ again: true, policies: earlier.value.policies });
    const claims = [unrevoked(earlier.value), ...haltClaims(asked.value), ...(job.value.registration ? oneAtATime(retry, found[0]) : [])];
    return issueAgain(minter, job.value, earlier.value, claims, draft, lent);
  }

  // May they, and who must agree?
  const decision = await world.turn('decide', () => decide(asked.value, bundle, draft, shares, sums));
  if (!decision.ok) return decision;
  const agreed = await approve.agree(asked.value, decision.value, draft);
  if (!agreed.ok) return agreed;

  // One grant, whose claims hold at the moment it becomes durable or not at all.
  const grant = toGrant(asked.value, decision.value, { issuer, now: world.now(), root: rootOf(asked.value.agreed?.story ?? draft.id) });
  if (!grant.ok) return grant;
  draft.note(reservedOf(shares));
  const claims = [...decision.value.claims, ...reserve(shares, grant.value.txn), ...agreed.value, ...remember(asked.value, grant.value)];
  return issue(minter, job.value, grant.value, claims, draft, lent);
}
