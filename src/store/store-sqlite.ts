/**
 * The store in one SQLite file, for one broker. A worker thread owns the write connection: while one transaction is on its way to the disk
 * the next batches gather, and all of them land as one (group commit, WAL, synchronous=FULL). This thread reads, and answers nothing before
 * it is durable. Knows no more of what it keeps than the port says.
 */

import { createFollowers } from './follow.ts';
import { type Batch, type Claim, type Store, StoreFault } from './store.ts';
import { type Line, memoryLine, threadLine } from './store-sqlite-line.ts';
import { LogView, Passing } from './store-sqlite-log.ts';
import { checkPlace, lock, openForReading, refusalOf } from './store-sqlite-open.ts';
import { HOLDS, LATE, type Landed, type Packed, pack } from './store-sqlite-pack.ts';
import { createReader } from './store-sqlite-reader.ts';
import type { Repaired } from './store-sqlite-tail.ts';
import { loadNewTerms } from './store-sqlite-terms.ts';
import { GRACE } from './store-sqlite-writer.ts';

/** One transaction takes at most so many batches, and fewer entries than a torn tail may have. */
const MOST_TOGETHER = 512;
const MOST_ENTRIES = 1_000;
/** More are waiting than a disk can be behind with: say so at once, rather than late. */
const MOST_WAITING = 20_000;

export interface SqliteStore extends Store {
  /** The last rows did not verify when the store opened; they were set aside, and an entry says so. */
  readonly repaired: Repaired | undefined;
  /** The last rows do not verify and no crash explains it: tampering, or a bad disk. Nothing was changed; verify-ledger tells more. */
  readonly broken: { readonly seq: number; readonly why: string } | undefined;
  /** The last entry that was answered for. */
  head(): { readonly seq: number; readonly hash: string };
  /** The file can no longer be trusted to take what it is given: every commit is refused until the process starts again. */
  readonly poisoned: boolean;
}

/** Two transactions begin no closer together. */
const PACE_MS = 2;

interface Waiting {
  readonly packed: Packed;
  readonly claims: readonly Claim[];
  readonly resolve: (failed: string | undefined) => void;
  readonly reject: (fault: unknown) => void;
}

/**
 * Opens or makes the store at `path` (`:memory:`: nothing lasts). `now`: the store's own clock, epoch seconds; SQLite's without it.
 * Throws StoreRefused, and then nothing was changed.
 */
export async function sqliteStore(options: { readonly path: string; readonly now?: () => number }): Promise<SqliteStore> {
  const { path } = options;
  const kept = path !== ':memory:';
  if (kept) checkPlace(path);
  const held = kept ? lock(path) : undefined;
  try {
    const at = options.now && Math.floor(options.now());
    const line = kept ? await threadLine({ path, at }) : memoryLine({ path, at });
    try {
      held?.made();
      return open(line, { ...options, unlock: () => held?.release() });
    } catch (fault) {
      await line.close();
      throw fault;
    }
  } catch (fault) {
    held?.release();
    throw refusalOf(fault);
  }
}

function open(line: Line, options: { readonly path: string; readonly now?: () => number; readonly unlock: () => void }): SqliteStore {
  const db = line.db ?? openForReading(options.path);
  const { known } = line;
  const soon = new LogView(db, 'soon', known.soon);
  const later = new LogView(db, 'later', known.later);
  const kinds = new Set(known.kinds);
  const terms = loadNewTerms(db);
  const reader = createReader(db, { passing: new Passing(known.salt, soon, later), kinds, terms });
  const followers = createFollowers();
  const { now: clock = () => Date.now() / 1000 } = options;
  const now = (): number => Math.floor(clock());
  let head = line.opened.head;
  let waiting: Waiting[] = [];
  let flying: readonly Waiting[] | undefined;
  let scheduled = false;
  let poisoned = false;
  let dead: unknown;
  let closing: Promise<void> | undefined;
  let idle: (() => void) | undefined;
  let looks: (() => void)[] = [];
  let departedAt = Number.NEGATIVE_INFINITY;

  function schedule(): void {
    if (scheduled || flying) return;
    scheduled = true;
    const go = (): void => {
      scheduled = false;
      depart();
    };
    // At once when idle, yet together with what the rest of this turn of the loop brings. When busy a transaction is shared by more:
    // its fsync, its frames and the messages about it cost as much for one exchange as for twenty.
    const rest = PACE_MS - (performance.now() - departedAt);
    if (rest > 0) setTimeout(go, rest);
    else setImmediate(go);
  }
  function depart(): void {
    if (flying) return;
    if (waiting.length === 0) {
      idle?.();
      return;
    }
    let take = 0;
    for (let entries = 0; take < waiting.length && take < MOST_TOGETHER; take++) {
      entries += waiting[take]?.packed.entries.length ?? 0;
      if (entries > MOST_ENTRIES && take > 0) break;
    }
    departedAt = performance.now();
    flying = waiting.slice(0, take);
    waiting = waiting.slice(take);
    const [watched, heard] = [followers.prefixes(), later.names.heard];
    line.send({ batches: flying.map((w) => w.packed), now: now(), read: process.hrtime.bigint(), watched, heard }, arrive);
  }
  function arrive(landed: Landed): void {
    const arrived = flying ?? [];
    flying = undefined;
    if (!landed.ok) {
      poisoned ||= landed.poisoned;
      schedule();
      for (const w of arrived) w.reject(new StoreFault(landed.what, landed.cause));
      return;
    }
    let { seq } = head;
    for (const [i, { packed }] of arrived.entries()) {
      if (landed.outcomes[i] === HOLDS) for (const entry of packed.entries) terms.add(++seq, entry.terms);
    }
    head = landed.head;
    if (landed.keys.soon) soon.add(landed.keys.soon, now() - GRACE);
    if (landed.keys.later) later.add(landed.keys.later, 0);
    for (const kind of landed.keys.kinds) kinds.add(kind);
    schedule();
    for (const [i, w] of arrived.entries()) {
      const outcome = landed.outcomes[i];
      if (outcome === HOLDS) w.resolve(undefined);
      else if (outcome === LATE || outcome === undefined) w.reject(new StoreFault('deadline'));
      else w.resolve(w.claims[outcome]?.else);
    }
    followers.tell(landed.changed);
  }
  line.onNews((news) => later.names.hear(news));
  line.onIndexed((upTo) => terms.drop(upTo));
  line.onPoisoned(() => {
    poisoned = true;
  });
  line.onDeath((fault) => {
    poisoned = true;
    dead = fault;
    const lost = [...(flying ?? []), ...waiting];
    flying = undefined;
    waiting = [];
    for (const w of lost) w.reject(new StoreFault('poisoned', fault));
    idle?.();
  });

  /** Reads answer from what is durable, or with a fault. */
  function reading<T>(read: () => T): T {
    if (closing) throw new StoreFault('closed');
    try {
      return read();
    } catch (fault) {
      if (fault instanceof RangeError || fault instanceof TypeError) throw fault;
      throw new StoreFault('disk', fault);
    }
  }

  /** What is looked up in one turn of the loop shares one read transaction: its locks cost more than its rows. */
  function together<T>(read: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      looks.push(() => {
        try {
          resolve(reading(read));
        } catch (fault) {
          reject(fault);
        }
      });
      if (looks.length === 1) setImmediate(lookAll);
    });
  }
  /** Everybody has their answer by then: a fault of the end shows in the next look. */
  function end(transaction: boolean): void {
    for (const word of ['COMMIT', 'ROLLBACK']) {
      try {
        if (transaction && db.isTransaction) db.exec(word);
      } catch {}
    }
  }
  function lookAll(): void {
    const all = looks;
    looks = [];
    const several = all.length > 1 && !closing && !line.db;
    try {
      if (several) db.exec('BEGIN');
    } catch {
      // Then each reads for itself, and says what is wrong.
    }
    for (const one of all) one();
    end(several);
  }

  return {
    repaired: line.opened.repaired,
    broken: line.opened.broken,
    head: () => head,
    get poisoned() {
      return poisoned;
    },

    commit<R extends string>(batch: Batch<R>): Promise<R | undefined> {
      return new Promise((resolve, reject) => {
        if (closing) throw new StoreFault('closed');
        if (poisoned) throw new StoreFault('poisoned', dead);
        if (waiting.length >= MOST_WAITING) throw new StoreFault('busy');
        waiting.push({ packed: pack(batch), claims: batch.claims, resolve: (failed) => resolve(failed as R | undefined), reject });
        schedule();
      });
    },
    look(keys, sums = []) {
      return together(() => {
        const at = now();
        return { found: keys.map((key) => reader.key(key, at)), sums: sums.map((query) => reader.sum(query, at)) };
      });
    },
    async scan(page) {
      return reading(() => reader.scan(page, now()));
    },
    follow(prefix, signal) {
      if (closing) throw new StoreFault('closed');
      return followers.follow(prefix, signal);
    },
    close() {
      closing ??= (async () => {
        if (flying || waiting.length > 0) {
          await new Promise<void>((resolve) => {
            idle = resolve;
          });
        }
        followers.end();
        db.close();
        await line.close();
        options.unlock();
      })();
      return closing;
    },
  };
}
