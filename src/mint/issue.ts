import { type Result, refuse } from '../errors.ts';
import type { Claim, Credential, Draft, EpochSeconds, Grant, Issued, Job, Lease } from '../model.ts';
import { ok } from '../wire/result.ts';
import type { Minter } from './minter.ts';

/** What record does for us: commits the draft with what it says now; conflicts come back as refusals. */
export type Commit = (draft: Draft, kind: 'intent' | 'minted', claims: readonly Claim[]) => Promise<Result<void>>;
export interface Lent {
  readonly commit: Commit;
  /** The time of the answer: a request may have waited long, and what is left of the credential's life is counted from here. */
  readonly now: () => EpochSeconds;
}

/**
 * The one place that knows a call may leave the process. Signed here: one durable write, and the signature is made beside it; the answer
 * waits for both. Made elsewhere: intent with its lease, call, outcome; a lease still `opening` after its deadline belongs to the sweep
 * (settle.ts), so a crash anywhere below loses nothing.
 */
export async function issue(
  minter: Minter,
  job: Job,
  grant: Grant,
  claims: readonly Claim[],
  draft: Draft,
  { commit, now }: Lent,
): Promise<Result<Issued>> {
  const order = minter.prepare(job, grant);
  if (!order.ok) return order;
  const { lease, run } = order.value;
  draft.note({ txn: grant.txn, jti: grant.jti, exp: grant.exp });
  if (draft.late) return refuse('deadline');
  if (!lease) {
    const [minted, made] = await Promise.all([commit(draft, 'minted', claims), run(draft)]);
    if (!minted.ok) return minted;
    return made.ok ? answer(job, grant, made.value, draft, now()) : made;
  }

  const intent = await commit(draft, 'intent', [...claims, ...opening(lease)]);
  if (!intent.ok) return intent;
  const made = await run(draft);
  if (!made.ok) return made;
  const credential = made.value;
  const held = credential.lease ?? lease;
  try {
    const minted = await commit(draft, 'minted', [outstanding(held)]);
    if (minted.ok) return answer(job, grant, credential, draft, now());
    await minter.revoke(held, draft);
    return minted;
  } catch (fault) {
    await minter.revoke(held, draft);
    throw fault;
  }
}

/** Past its deadline nothing is answered, though it is recorded: the client asks again under its Idempotency-Key. */
const answer = (job: Job, grant: Grant, credential: Credential, draft: Draft, now: EpochSeconds): Result<Issued> =>
  draft.signal.aborted ? refuse('deadline') : ok({ job, grant, credential, expiresIn: Math.max(0, credential.effectiveExpiry - now) });

const opening = (lease: Lease & { readonly cap: number }): readonly Claim[] => [
  {
    key: `lease/${lease.id}`,
    version: 0,
    value: { state: 'opening', where: lease.where, exp: lease.exp },
    terms: ['lease/open'],
    else: 'unavailable',
  },
  {
    sum: `leases/${lease.where}`,
    id: lease.id,
    amount: 1,
    limit: lease.cap,
    windowSeconds: 24 * 3600,
    until: lease.exp,
    else: 'mint_backpressure',
  },
];
const outstanding = (lease: Lease): Claim => ({
  key: `lease/${lease.id}`,
  version: 1,
  value: { state: 'outstanding', where: lease.where, handle: lease.handle ?? null, exp: lease.exp },
  else: 'unavailable',
});
