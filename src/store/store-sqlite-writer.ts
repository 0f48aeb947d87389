import type { DatabaseSync } from 'node:sqlite';
import { type Head, link } from './chain.ts';
import { Keys } from './store-sqlite-keys.ts';
import { type AddedKeys, loadLog, Passing, saltOf } from './store-sqlite-log.ts';
import { loadRuns, Moves } from './store-sqlite-moves.ts';
import { SQLITE, sqliteCode, watchPlace } from './store-sqlite-open.ts';
import { type Flight, HOLDS, LATE, type Landed, type Outcome, type Packed } from './store-sqlite-pack.ts';
import type { News } from './store-sqlite-runs.ts';
import { Sums } from './store-sqlite-sums.ts';
import { Indexing } from './store-sqlite-terms.ts';

/** What has ended stays this long, so that a clock that steps back finds it. Seconds. */
export const GRACE = 60;
/** Rows of the logs are forgotten many at a time: a page that becomes empty whole is not written again. */
const FORGET_EVERY = 32;
/** The write-ahead log is moved into the file when it has so many pages: then a page that was written often goes there once. */
const LOG_PAGES = 1_024;

export interface Writer {
  /** One transaction: each batch is decided on what the ones before it left, and has an outcome of its own. Never throws. */
  write(flight: Flight): Landed;
  /** What can wait until the answer is out. `heard`: how many news the readers have heard. */
  tidy(heard: number): Tidied;
  close(): void;
}

export interface Tidied {
  /** False: the file can no longer be trusted. */
  readonly ok: boolean;
  readonly news: News | undefined;
  /** The terms of the entries up to this one are indexed now. */
  readonly indexed: number | undefined;
}

/** The short-lived keys that the file has. Without `at` (epoch seconds) the ended ones too. */
export function passingIn(db: DatabaseSync, at = 0): Passing {
  const before = Math.max(0, at - GRACE);
  return new Passing(saltOf(db), loadLog(db, 'soon', [], before), loadLog(db, 'later', loadRuns(db), 0));
}

export function createWriter(options: {
  readonly db: DatabaseSync;
  readonly path: string;
  readonly head: Head;
  readonly passing: Passing;
}): Writer {
  const { db, path } = options;
  const lost = path === ':memory:' ? () => undefined : watchPlace(path);
  const keys = new Keys(db, options.passing);
  const moves = new Moves(db, keys.later);
  const sums = new Sums(db);
  const indexing = new Indexing(db);
  const append = db.prepare('INSERT INTO entry VALUES (?, ?, ?, ?)');
  const logged = db.prepare('PRAGMA wal_checkpoint(NOOP)');
  let head = options.head;
  let poisoned = false;
  let at = 0;
  let added = 0;
  let appended: (readonly string[])[] = [];
  let transactions = 0;

  function decide(batch: Packed, now: () => number): Outcome {
    if (now() > batch.notAfter) return LATE;
    keys.beginExchange();
    sums.beginExchange();
    for (const [i, claim] of batch.claims.entries()) {
      const holds = 'sum' in claim ? sums.holds(claim, batch.at) : keys.holds(claim, batch.at);
      if (!holds) return i;
    }
    at = Math.min(batch.at, now());
    keys.write(batch.at, at - GRACE);
    sums.write();
    for (const entry of batch.entries) {
      head = { seq: head.seq + 1, hash: link(head.hash, entry.body) };
      append.run(head.seq, head.hash, entry.body, entry.terms.length > 0 ? JSON.stringify(entry.terms) : null);
      appended.push(entry.terms);
    }
    added += batch.claims.length;
    return HOLDS;
  }

  /** At most so many as keep up with what comes: no transaction pays for all of it. */
  function prune(): void {
    keys.prune(at - GRACE, added + 4);
    sums.prune(at - GRACE, added + 4);
    if (++transactions % FORGET_EVERY === 0) keys.forget(at - GRACE);
  }

  /** Everything that this transaction would have changed outside the file goes back. */
  function abandon(fault: unknown, before: Head): Landed {
    head = before;
    keys.abandon();
    sums.abandon();
    try {
      if (db.isTransaction) db.exec('ROLLBACK');
    } catch {
      poisoned = true;
    }
    const code = sqliteCode(fault);
    if (code === SQLITE.CORRUPT) poisoned = true;
    return { ok: false, what: code === SQLITE.BUSY ? 'busy' : 'disk', poisoned, cause: fault };
  }

  /** What was answered and stands in a removed log alone goes into the file while it can still be read. */
  function rescue(): void {
    try {
      db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // Nothing more is granted either way.
    }
  }

  return {
    write(flight) {
      if (poisoned) return { ok: false, what: 'poisoned', poisoned, cause: undefined };
      const before = head;
      const now = (): number => flight.now + Math.floor(Number((process.hrtime.bigint() - flight.read) / 1_000_000_000n));
      let outcomes: readonly Outcome[];
      let addedKeys: AddedKeys;
      keys.beginTransaction(flight.watched);
      added = 0;
      appended = [];
      try {
        db.exec('BEGIN IMMEDIATE');
        outcomes = flight.batches.map((batch) => decide(batch, now));
        addedKeys = keys.append();
        if (outcomes.includes(HOLDS)) prune();
      } catch (fault) {
        return abandon(fault, before);
      }
      try {
        db.exec('COMMIT');
      } catch (fault) {
        // A full disk is met before the commit mark is written: the log's tail does not count. After any other fault nobody knows what is
        // on the disk, and the next fsync may well report success for pages that the kernel has dropped.
        if (sqliteCode(fault) !== SQLITE.FULL) poisoned = true;
        return abandon(fault, before);
      }
      keys.landed(addedKeys, at - GRACE);
      for (const [i, terms] of appended.entries()) indexing.added.add(before.seq + 1 + i, terms);
      const gone = lost();
      if (gone === undefined) return { ok: true, outcomes, keys: addedKeys, changed: keys.changed, head };
      poisoned = true;
      if (gone === 'log') rescue();
      return { ok: false, what: 'disk', poisoned, cause: undefined };
    },

    tidy(heard) {
      let news: News | undefined;
      let indexed: number | undefined;
      if (poisoned) return { ok: false, news, indexed };
      try {
        // Asked of SQLite: the log begins anew within its file, whose size tells nothing more then.
        const { log, checkpointed } = logged.get() ?? {};
        if (Number(log) >= LOG_PAGES && Number(checkpointed) < Number(log)) db.exec('PRAGMA wal_checkpoint(PASSIVE)');
        news = moves.step(heard);
        indexed = indexing.step();
      } catch (fault) {
        if (sqliteCode(fault) !== SQLITE.BUSY && sqliteCode(fault) !== SQLITE.FULL) poisoned = true;
      }
      return { ok: !poisoned, news, indexed };
    },

    close() {
      db.close();
    },
  };
}
