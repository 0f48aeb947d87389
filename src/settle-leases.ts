/**
 * How leases end: on receipt, on revocation, at their end, or because their mint never answered. The queue is the records themselves, so it
 * lasts as they do; of several brokers the one whose claim holds has the turn, and ending what has ended is no harm.
 */
import { refuse, Unavailable } from './errors.ts';
import type { Secret } from './keys/secret.ts';
import { beforeAbort } from './mint/deadline.ts';
import type { Leases } from './mint/issue.ts';
import {
  ending,
  gone,
  type Kept,
  leaseKey,
  leaseOf,
  leasesOf,
  OPEN_LEASES,
  readLease,
  trying,
  undelivered,
  type Why,
} from './mint/lease.ts';
import { countsOf, type LeaseCount, type LeasesStatus, statusOf } from './mint/lease-status.ts';
import type { Ending, Minter, Minters } from './mint/minter.ts';
import type { Claim, EpochSeconds, Lease, World } from './model.ts';
import type { Recorder } from './record/record.ts';
import { type Store, type Stored, StoreFault } from './store/store.ts';
import { ok } from './wire/result.ts';

export interface LeaseDesk extends Leases {
  /** Claims that end whatever was made under an action; they fail with `state_conflict` where one of them has moved meanwhile. */
  readonly endOf: (txn: string, why: Why) => Promise<readonly Claim[]>;
  /** Something may be due. */
  readonly wake: () => void;
  /** All that is open, the overdue first. */
  readonly list: () => Promise<LeasesStatus>;
  /** As the last look found them, by kind. */
  readonly counts: () => ReadonlyMap<string, LeaseCount>;
  /** The first look is at once: what a dead broker left is due. */
  readonly begin: () => void;
  /** Calls under way are broken off; what they were to end stays due. */
  readonly close: () => Promise<void>;
}
export interface LeaseRooms {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly minters: Minters;
  readonly secret: Pick<Secret, 'seal' | 'open'>;
  readonly deadlineMs: number;
  readonly onFault: (fault: unknown) => void;
}

/** A look costs one read where nothing is open. */
const LOOK_MS = 1_000;
/** One call to end one lease. */
const CALL_MS = 5_000;
/** One list, and an end for each that is found on it. */
const SWEEP_MS = 30_000;
/** Of one kind at a time: a back end that was away must not be met by all of them at once. */
const AT_ONCE = 8;
const PAGE = 500;
/** Beyond its deadline, an exchange's entry may still be on its way for so long (record.ts). */
const COMMIT_SECONDS = 2;
/** How far a back end's clock may be behind ours. */
const SKEW_SECONDS = 2;
const STRAYS_SECONDS = { asked: 3, routine: 300 } as const;
/** Past its end nothing of it works, and its back end has been away so long: nobody will ever say more. */
const GIVE_UP_SECONDS = 24 * 3600;

export function createLeases(rooms: LeaseRooms): LeaseDesk {
  const { store, world, record, minters, secret, onFault } = rooms;
  const answerSeconds = Math.ceil(rooms.deadlineMs / 1000) + COMMIT_SECONDS;
  const closing = new AbortController();
  const working = new Map<unknown, Promise<void>>();
  const swept = new Map<string, number>();
  /** Handles that stand nowhere but here: neither their end nor their record could be had yet. */
  const owed = new Map<Lease['id'], Lease>();
  let counts: ReadonlyMap<string, LeaseCount> = new Map();
  let asked = false;
  let rouse: () => void = () => undefined;

  const unseal = (key: string, sealed: string): string => String(secret.open(key, sealed));
  const waiting = (ms = CALL_MS) => ({ signal: AbortSignal.any([world.after(ms), closing.signal]) });
  /** Store, clock or back end are away, as /readyz says; the records stay due. Anything else is a bug, and somebody is told. */
  const tell = (fault: unknown): void => {
    if (!(fault instanceof Unavailable || fault instanceof StoreFault)) onFault(fault);
  };
  function track(name: unknown, work: () => Promise<void>): void {
    if (working.has(name)) return;
    const done = work()
      .catch(tell)
      .finally(() => working.delete(name));
    working.set(name, done);
  }
  function wake(): void {
    asked = true;
    rouse();
  }
  async function all(term: string): Promise<readonly Kept[]> {
    const found: Stored[] = [];
    for (;;) {
      const after = found.at(-1)?.key;
      const page = await store.scan({ term, limit: PAGE, ...(after !== undefined && { after }) });
      found.push(...page);
      if (page.length < PAGE) return found.map(readLease);
    }
  }

  /** What the back end says; undefined while nobody says anything. */
  async function call(lease: () => Lease, minter: Minter | undefined): Promise<Ending | undefined> {
    try {
      const on = waiting();
      return minter ? await beforeAbort(minter.revoke(lease(), on), on.signal) : { end: 'unknown' };
    } catch (fault) {
      if (!closing.signal.aborted) tell(fault);
      return undefined;
    }
  }
  /** Writes down an end that is certain. False: it is not, or somebody else has moved the record. */
  async function conclude(kept: Kept, answer: Ending | undefined): Promise<boolean> {
    const now = world.now();
    const { exp, kind, sealed } = kept.record;
    if (answer?.end === 'revoked') return finish(kept, 'revoked', now);
    // What never answered may be found by its back end's own list, long before it dies.
    const canBeFound = sealed === undefined && now <= exp && minters.get(kind)?.strays !== undefined;
    if (answer?.end === 'dies' && !canBeFound) return finish(kept, 'dies', Math.floor(answer.at));
    return now > exp + (answer ? 0 : GIVE_UP_SECONDS) && finish(kept, 'expired', exp);
  }
  async function finish(kept: Kept, outcome: 'revoked' | 'dies' | 'expired', exp: EpochSeconds): Promise<boolean> {
    const { kind, txn, why, tries, story } = kept.record;
    const draft = record.open('lease');
    draft.note({ ...story, txn, credential: kind, exp, outcome, detail: why ?? 'lapsed', context: { lease: kept.id, tries } });
    return (await record.commit(draft, 'ended', gone(kept, draft.now, { isFree: outcome !== 'dies' }))).ok;
  }
  /** True: the back end said how it ends, or it was another's turn. */
  async function end(kept: Kept, minter: Minter | undefined): Promise<boolean> {
    const { claim, taken } = trying(kept, world.now());
    if (!(await record.mark(record.open('lease'), [claim])).ok) return true;
    const answer = await call(() => leaseOf(taken, unseal), minter);
    await conclude(taken, answer);
    return answer !== undefined && answer.end !== 'unknown';
  }
  /** One back end's: slow or away, it keeps nobody else waiting. */
  async function lane(due: readonly Kept[], minter: Minter | undefined): Promise<void> {
    const queue = due.values();
    let silent = 0;
    const work = async (): Promise<void> => {
      // One that answers nobody is left alone for this time: what has not been tried stays due.
      for (const kept of queue) {
        if (silent >= AT_ONCE || closing.signal.aborted) return;
        silent = (await end(kept, minter)) ? 0 : silent + 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (silent === 0) wake();
  }

  /**
   * What no record names, where the operator lets us list. Every call was recorded before it was made: so what the back end made before the
   * oldest call still under way either has its name in a record or will never have.
   */
  async function sweep(minter: Minter, now: EpochSeconds): Promise<void> {
    const kept = (await all(OPEN_LEASES)).filter(({ record: { kind } }) => kind === minter.kind);
    const underWay = kept.filter(({ record: { state, next } }) => state === 'opening' && next > now);
    const olderThan = Math.min(now, ...underWay.map(({ record: { since } }) => since)) - SKEW_SECONDS;
    const names = new Set(kept.flatMap(({ record: { name } }) => (name === undefined ? [] : [name])));
    const on = waiting(SWEEP_MS);
    const found = minter.strays && (await beforeAbort(minter.strays(names, olderThan, on), on.signal));
    if (!found) return;
    if (found.ended > 0) {
      const draft = record.open('lease');
      draft.note({
        by: 'broker',
        credential: minter.kind,
        outcome: 'revoked',
        detail: 'strays',
        context: { ended: found.ended, left: found.left },
      });
      await record.commit(draft, 'ended', []);
    }
    // Nothing unnamed is left of their time: whatever these may have made is gone.
    if (found.left === 0) for (const one of kept) if (isOrphan(one, olderThan)) await conclude(one, { end: 'revoked' });
  }
  const isOrphan = ({ record: { state, sealed, tries, since } }: Kept, olderThan: EpochSeconds): boolean =>
    state === 'ending' && sealed === undefined && tries > 0 && since + answerSeconds <= olderThan;
  function sweepIfDue(minter: Minter, kept: readonly Kept[], now: EpochSeconds): void {
    const last = swept.get(minter.kind);
    const hasOrphans = kept.some((one) => one.record.kind === minter.kind && isOrphan(one, now - SKEW_SECONDS));
    if (last !== undefined && now - last < (hasOrphans ? STRAYS_SECONDS.asked : STRAYS_SECONDS.routine)) return;
    swept.set(minter.kind, now);
    track(minter, () => sweep(minter, now));
  }

  async function look(): Promise<void> {
    for (const lease of owed.values()) track(lease, () => forsake(lease));
    const now = world.now();
    const kept = await all(OPEN_LEASES);
    counts = countsOf(kept, now);
    const due = Map.groupBy(
      kept.filter((one) => one.record.next <= now),
      (one) => one.record.kind,
    );
    for (const [kind, some] of due) track(kind, () => lane(some, minters.get(kind)));
    for (const minter of minters.values()) if (minter.strays) sweepIfDue(minter, kept, now);
  }
  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      asked = false;
      await look().catch(tell);
      if (asked || closing.signal.aborted) continue;
      await new Promise<void>((resolve) => {
        rouse = resolve;
        world.after(LOOK_MS).addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }

  /** Throws where it could not be done, and is done again with the next look; where the process ends before that, the record is due in the end. */
  async function forsake(lease: Lease): Promise<void> {
    // Nobody else has the handle yet, so the call comes before the record.
    const answer = lease.handle === undefined ? undefined : await call(() => lease, minters.get(lease.kind));
    const sealed = lease.handle === undefined ? undefined : secret.seal(leaseKey(lease.id), lease.handle);
    const [found] = (await store.look([leaseKey(lease.id)])).found;
    const kept = found && readLease({ key: leaseKey(lease.id), ...found });
    const why: Why = sealed === undefined ? 'unanswered' : 'undelivered';
    const isOver = !kept || (kept.record.state === 'gone' && (sealed === undefined || kept.record.isFree === true));
    if (isOver || (answer && (await conclude({ ...kept, record: { ...kept.record, why } }, answer)))) owed.delete(lease.id);
    else if ((await record.mark(record.open('lease'), [undelivered(kept, lease, sealed, why, world.now())])).ok) owed.delete(lease.id);
    wake();
  }

  return {
    answerSeconds,
    seal: (key, handle) => secret.seal(key, handle),
    abandon(lease) {
      if (closing.signal.aborted) return; // its record is due all the same
      owed.set(lease.id, lease);
      track(lease, () => forsake(lease));
    },
    async earlier({ txn, jti }) {
      const now = world.now();
      const open = (await all(leasesOf(txn))).filter(({ record: { state, story } }) => story.jti === jti && state !== 'ending');
      if (open.some(({ record: { state, next } }) => state === 'opening' && next > now)) return refuse('retry_in_flight');
      return ok(open.map((kept) => ending(kept, 'asked_again', now, 'retry_in_flight')));
    },
    async endOf(txn, why) {
      const now = world.now();
      const open = (await all(leasesOf(txn))).filter(({ record: { state } }) => state !== 'ending');
      return open.map((kept) => ending(kept, why, now));
    },
    wake,
    async list() {
      const now = world.now();
      const kept = await all(OPEN_LEASES);
      const leases = kept.map((one) => statusOf(one, now)).sort((a, b) => Number(b.overdue) - Number(a.overdue));
      return { now, open: leases.length, overdue: leases.filter(({ overdue }) => overdue).length, leases };
    },
    counts: () => counts,
    begin: () => track('run', run),
    async close() {
      closing.abort();
      rouse();
      while (working.size > 0) await Promise.all(working.values());
    },
  };
}
