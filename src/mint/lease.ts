/** A lease, from before the call that makes it to its certain end. Pure: each step is a claim on the record as it stands. */
import type { Reason } from '../errors.ts';
import type { Claim, EpochSeconds, Facts, Id, Lease } from '../model.ts';
import type { Stored } from '../store/store.ts';
import type { JsonObject } from '../wire/json.ts';

/** Why it ends. */
export type Why = 'receipt' | 'revoked' | 'asked_again' | 'lapsed' | 'unanswered' | 'undelivered' | 'operator';
/**
 * `opening`: its intent is durable, and the call may be under way. `outstanding`: made and delivered. `ending`: nobody is to have it any
 * more, though the back end has not yet said so. `gone`: the end is certain.
 */
export interface LeaseRecord {
  readonly state: 'opening' | 'outstanding' | 'ending' | 'gone';
  readonly kind: string;
  readonly where: string;
  readonly txn: string;
  readonly name?: string;
  /** The handle, sealed under the lease's own key. */
  readonly sealed?: string;
  readonly exp: EpochSeconds;
  readonly since: EpochSeconds;
  /** When it is somebody's turn to end it: past its deadline, at its end, or after a try that failed. */
  readonly next: EpochSeconds;
  readonly tries: number;
  readonly why?: Why;
  /** Gone: its back end has nothing left of it. */
  readonly isFree?: boolean;
  /** Of its action, for the entry of its end. */
  readonly story: Facts;
}
/** A record and the version it stands at. */
export interface Kept {
  readonly id: Lease['id'];
  readonly version: number;
  readonly record: LeaseRecord;
}

/** What finds every lease that is not gone, and those of one action. */
export const OPEN_LEASES = 'lease/open';
export const leasesOf = (txn: string): string => `lease/txn/${txn.slice(txn.indexOf('_') + 1)}`;
export const leaseKey = (id: Lease['id']): string => `lease/${id}`;
/** One lease an exchange, and a name no other exchange makes. */
export const leaseId = (exchange: Id<'exc'>): Lease['id'] => `lea_${exchange.slice(exchange.indexOf('_') + 1)}`;

/** Longer than any grant, so that a lease counts until it ends and no longer. */
const CAP_WINDOW_SECONDS = 24 * 3600;
/** What is gone is remembered so long, for whoever still comes with it. */
const GONE_SECONDS = 600;
/** The first is longer than a try takes, so that two brokers do not try at once. */
const BACKOFF_SECONDS = { first: 6, most: 300 } as const;

export const readLease = ({ key, version, value }: Stored): Kept => ({
  id: key.slice('lease/'.length) as Lease['id'],
  version,
  record: value as unknown as LeaseRecord,
});
/** As a minter knows it. `open`: unseals a handle. */
export function leaseOf({ id, record }: Kept, open: (key: string, sealed: string) => string): Lease {
  const { kind, where, txn, exp, name, sealed } = record;
  return {
    id,
    kind,
    where,
    txn,
    exp,
    ...(name !== undefined && { name }),
    ...(sealed !== undefined && { handle: open(leaseKey(id), sealed) }),
  };
}

/** Its record, and its place under the cap. `answerBy`: from then on the call's outcome cannot become durable any more. */
export function opening(
  lease: Lease & { readonly cap: number },
  { now, answerBy, story }: { readonly now: EpochSeconds; readonly answerBy: EpochSeconds; readonly story: Facts },
): { readonly claims: readonly Claim[]; readonly kept: Kept } {
  const { id, kind, where, txn, exp, cap } = lease;
  const record: LeaseRecord = { state: 'opening', kind, where, txn, exp, since: now, next: answerBy, tries: 0, story };
  const claims = [keep({ id, version: 0, record }, 'unavailable'), { ...place({ id, record }), amount: 1, limit: cap, until: exp }];
  return { claims, kept: { id, version: 1, record } };
}
/** What was opened has been made. Fails where somebody has ended it meanwhile. */
export const outstanding = (kept: Kept, lease: Lease, sealed: string | undefined): Claim =>
  keep({ ...kept, record: { ...withHandle(kept.record, lease, sealed), state: 'outstanding', next: lease.exp } }, 'unavailable');
/** Nobody is to have it any more. Its end is due at once. */
export const ending = (kept: Kept, why: Why, now: EpochSeconds, otherwise: Reason = 'state_conflict'): Claim =>
  keep({ ...kept, record: { ...kept.record, state: 'ending', next: now, why } }, otherwise);
/** The same, of one that nobody was given, with what it takes to end it. */
export const undelivered = (kept: Kept, lease: Lease, sealed: string | undefined, why: Why, now: EpochSeconds): Claim =>
  ending({ ...kept, record: withHandle(kept.record, lease, sealed) }, why, now);

/** Somebody ends it now: whoever else looks waits, longer after each try, so that one who dies while trying is followed by another. */
export function trying(kept: Kept, now: EpochSeconds): { readonly claim: Claim; readonly taken: Kept } {
  const { state, why, tries, ...rest } = kept.record;
  const record: LeaseRecord = {
    ...rest,
    state: 'ending',
    why: why ?? (state === 'opening' ? 'unanswered' : 'lapsed'),
    tries: tries + 1,
    next: now + Math.min(BACKOFF_SECONDS.most, BACKOFF_SECONDS.first * 2 ** tries),
  };
  return { claim: keep({ ...kept, record }, 'state_conflict'), taken: { ...kept, version: kept.version + 1, record } };
}

/** Its end is certain. `isFree`: nothing of it is left, so its place under the cap is free; else it keeps that until its end. */
export function gone(kept: Kept, now: EpochSeconds, { isFree, otherwise = 'state_conflict' }: GoneOptions): readonly Claim[] {
  const { sealed: _, ...rest } = kept.record;
  const record: LeaseRecord = { ...rest, state: 'gone', isFree };
  const claim = { key: leaseKey(kept.id), version: kept.version, value: asJson(record), until: now + GONE_SECONDS, else: otherwise };
  return [claim, ...(isFree ? [{ ...place(kept), amount: 0, limit: 0 }] : [])];
}
interface GoneOptions {
  readonly isFree: boolean;
  /** Where somebody else has changed the record meanwhile. */
  readonly otherwise?: Reason;
}

const place = ({ id, record }: Pick<Kept, 'id' | 'record'>) =>
  ({ sum: `leases/${record.where}`, id, windowSeconds: CAP_WINDOW_SECONDS, else: 'mint_backpressure' }) as const;
function keep({ id, version, record }: Kept, otherwise: Reason): Claim {
  return { key: leaseKey(id), version, value: asJson(record), terms: [OPEN_LEASES, leasesOf(record.txn)], else: otherwise };
}
const withHandle = (record: LeaseRecord, { name, exp }: Lease, sealed: string | undefined): LeaseRecord => ({
  ...record,
  exp,
  ...(name !== undefined && { name }),
  ...(sealed !== undefined && { sealed }),
});
const asJson = (record: LeaseRecord): JsonObject => record as unknown as JsonObject;
