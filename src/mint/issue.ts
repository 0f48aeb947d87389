import { type Result, refuse, Unavailable } from '../errors.ts';
import type { Claim, Credential, Draft, EpochSeconds, Facts, Grant, Issued, Job, Lease } from '../model.ts';
import { no, ok } from '../wire/result.ts';
import { beforeAbort } from './deadline.ts';
import { gone, leaseId, leaseKey, opening, outstanding } from './lease.ts';
import type { Minter, Order } from './minter.ts';

/** What record does for us: commits the draft with what it says now; conflicts come back as refusals. */
export type Commit = (draft: Draft, kind: 'intent' | 'minted', claims: readonly Claim[]) => Promise<Result<void>>;
export interface Lent {
  readonly commit: Commit;
  /** The time of the answer: a request may have waited long, and what is left of the credential's life is counted from here. */
  readonly now: () => EpochSeconds;
  readonly leases: Leases;
}
/** What becomes of leases once they are recorded (settle-leases.ts). */
export interface Leases {
  /** An intent's outcome cannot become durable later than this after it. Seconds. */
  readonly answerSeconds: number;
  /** A handle is a secret: it is kept sealed under the lease's own key. */
  readonly seal: (key: string, handle: string) => string;
  /** Claims that end what was made under a grant before, so that asking again leaves one. Errors: `retry_in_flight`. */
  readonly earlier: (grant: Grant) => Promise<Result<readonly Claim[]>>;
  /** Nobody will be given what was made under it, if anything was: it is ended from now on. Returns at once, and never throws. */
  readonly abandon: (lease: Lease) => void;
}

/**
 * The one place that knows a call may leave the process. Signed here: one durable write, and the signature is made beside it; the answer
 * waits for both. Made elsewhere: intent with its lease, call, outcome with what it takes to end it (wire.md §3, order of work). A lease still
 * `opening` past its deadline belongs to the sweep (settle-leases.ts), so a crash anywhere below loses nothing.
 */
export async function issue(
  minter: Minter,
  job: Job,
  grant: Grant,
  claims: readonly Claim[],
  draft: Draft,
  lent: Lent,
): Promise<Result<Issued>> {
  const order = minter.prepare(job, grant);
  if (!order.ok) return order;
  const { lease, run } = order.value;
  draft.note({ txn: grant.txn, jti: grant.jti, exp: grant.exp });
  if (draft.late) return refuse('deadline');
  // One lease an exchange: whatever the minter calls it, its name is of this one.
  if (lease) return elsewhere({ job, grant, order: order.value }, { ...lease, id: leaseId(draft.id), txn: grant.txn }, claims, draft, lent);
  const [minted, made] = await Promise.all([lent.commit(draft, 'minted', claims), run(draft)]);
  if (!minted.ok) return minted;
  return made.ok ? answer(job, grant, made.value, draft, lent.now()) : made;
}

/** The same grant once more: what is signed here is signed again, what is leased is made anew, and its forerunner ends (wire.md §3, Idempotency-Key). */
export async function issueAgain(
  minter: Minter,
  job: Job,
  grant: Grant,
  claims: readonly Claim[],
  draft: Draft,
  lent: Lent,
): Promise<Result<Issued>> {
  const earlier = job.registration ? await lent.leases.earlier(grant) : ok([]);
  return earlier.ok ? issue(minter, job, grant, [...claims, ...earlier.value], draft, lent) : earlier;
}

interface Ordered {
  readonly job: Job;
  readonly grant: Grant;
  readonly order: Order;
}
async function elsewhere(
  { job, grant, order }: Ordered,
  lease: Lease & { readonly cap: number },
  claims: readonly Claim[],
  draft: Draft,
  { commit, now, leases }: Lent,
): Promise<Result<Issued>> {
  draft.note({ credential: job.kind });
  const since = now();
  const opened = opening(lease, { now: since, answerBy: since + leases.answerSeconds, story: storyOf(draft.facts) });
  const intent = await commit(draft, 'intent', [...claims, ...opened.claims]);
  if (!intent.ok) return intent;

  // From here on every way out delivers what was made, or ends it.
  let held: Lease = lease;
  const ended = <T>(no: T): T => {
    leases.abandon(held);
    return no;
  };
  try {
    const running = order.run(draft);
    const made = await beforeAbort(running, draft.signal);
    if (!made) {
      // Whatever still comes is nobody's any more.
      void running.then(
        (late) => late.ok && leases.abandon(heldBy(lease, late.value)),
        () => undefined,
      );
      return ended(refuse('deadline'));
    }
    if (!made.ok) {
      // Nothing was made, says the back end: its place is free with the entry of the no.
      const free = gone(opened.kept, now(), { isFree: true, otherwise: made.error.reason });
      return no({ ...made.error, claims: [...(made.error.claims ?? []), ...free] });
    }
    const credential = made.value;
    held = heldBy(lease, credential);
    if (draft.late) return ended(refuse('deadline'));
    // Longer than was granted is nobody's to have.
    if (credential.effectiveExpiry > grant.exp) throw new Unavailable(job.kind);
    draft.note({ exp: credential.effectiveExpiry });
    const sealed = held.handle === undefined ? undefined : leases.seal(leaseKey(held.id), held.handle);
    const minted = await commit(draft, 'minted', [...stillHolding(claims), outstanding(opened.kept, held, sealed)]);
    if (!minted.ok) return ended(minted);
    const answered = answer(job, grant, credential, draft, now());
    return answered.ok ? answered : ended(answered);
  } catch (fault) {
    leases.abandon(held);
    throw fault;
  }
}

const heldBy = ({ id, txn, kind, where, exp }: Lease, { lease }: Credential): Lease => ({ exp, ...lease, id, txn, kind, where });

/** Past its deadline nothing is answered, though it is recorded: the client asks again under its Idempotency-Key. */
const answer = (job: Job, grant: Grant, credential: Credential, draft: Draft, now: EpochSeconds): Result<Issued> =>
  draft.late ? refuse('deadline') : ok({ job, grant, credential, expiresIn: Math.max(0, credential.effectiveExpiry - now) });

/** What had to be absent when the call was made (a halt, a revocation) must be absent still when its outcome is recorded. */
const stillHolding = (claims: readonly Claim[]): readonly Claim[] => claims.filter((claim) => 'key' in claim && claim.value === undefined);

/** Of the action, for the entry of the lease's end: names, no argument. */
function storyOf({ by, client, owner, subject, actors, resource, tool, jti }: Facts): Facts {
  const all = { by, client, owner, subject, actors, resource, tool, jti };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
