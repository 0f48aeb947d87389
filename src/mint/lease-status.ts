/** What people are told of leases that are open: no handle, no argument. */
import type { EpochSeconds } from '../model.ts';
import type { Kept } from './lease.ts';

export interface LeaseCount {
  readonly open: number;
  readonly overdue: number;
}
export interface LeasesStatus extends LeaseCount {
  readonly now: EpochSeconds;
  readonly leases: readonly LeaseStatus[];
  /** Of a part of the list: where the next one begins. */
  readonly next?: string;
}
export interface LeaseStatus {
  readonly id: string;
  readonly kind: string;
  readonly where: string;
  readonly txn: string;
  readonly state: string;
  readonly tool?: string;
  readonly client?: string;
  readonly since: EpochSeconds;
  readonly exp: EpochSeconds;
  readonly next: EpochSeconds;
  readonly tries: number;
  readonly why?: string;
  readonly overdue: boolean;
}
/** Not done so long after it was due. */
const OVERDUE_SECONDS = 5;
/** It was somebody's turn, and it is not done. */
const isOverdue = ({ record: { next, tries } }: Kept, now: EpochSeconds): boolean => tries > 0 || next < now - OVERDUE_SECONDS;
export function statusOf(kept: Kept, now: EpochSeconds): LeaseStatus {
  const { kind, where, txn, state, since, exp, next, tries, why, story } = kept.record;
  const { tool, client } = story;
  return {
    id: kept.id,
    kind,
    where,
    txn,
    state,
    ...(tool !== undefined && { tool }),
    ...(client !== undefined && { client }),
    since,
    exp,
    next,
    tries,
    ...(why !== undefined && { why }),
    overdue: isOverdue(kept, now),
  };
}
export function countsOf(kept: readonly Kept[], now: EpochSeconds): ReadonlyMap<string, LeaseCount> {
  const counts = new Map<string, LeaseCount>();
  for (const one of kept) {
    const { open, overdue } = counts.get(one.record.kind) ?? { open: 0, overdue: 0 };
    counts.set(one.record.kind, { open: open + 1, overdue: overdue + (isOverdue(one, now) ? 1 : 0) });
  }
  return counts;
}
