import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { type Head, link } from './chain.ts';
import { Keys } from './store-sqlite-keys.ts';
import { SQLITE, sqliteCode, watchPlace } from './store-sqlite-open.ts';
import { ENTRY, type Flight, HOLDS, LATE, type Landed, type Outcome, type Packed } from './store-sqlite-pack.ts';
import { RecentKeys } from './store-sqlite-recent.ts';
import { Sums } from './store-sqlite-sums.ts';

/** What has ended stays this long, so that a clock that steps back finds it. Seconds. */
const GRACE = 60;
/** The write-ahead log is moved into the file when it has grown to so many bytes. */
const LOG_BYTES = 16 * 1024 * 1024;

export interface Writer {
  /** One transaction: each batch is decided on what the ones before it left, and has an outcome of its own. Never throws. */
  write(flight: Flight): Landed;
  /** What can wait until the answer is out. False: the file can no longer be trusted. */
  tidy(): boolean;
  close(): void;
}

export const refOf = (seq: number): string => ENTRY + String(seq).padStart(16, '0');
export const allRecent = (db: DatabaseSync): RecentKeys => {
  const recent = new RecentKeys();
  for (const row of db.prepare('SELECT keys FROM recent ORDER BY n').iterate()) recent.apply(String(row['keys']));
  return recent;
};

export function createWriter(options: { readonly db: DatabaseSync; readonly path: string; readonly head: Head }): Writer {
  const { db, path } = options;
  const lost = path === ':memory:' ? () => undefined : watchPlace(path);
  const recent = allRecent(db);
  const keys = new Keys(db, recent);
  const sums = new Sums(db);
  const append = db.prepare('INSERT INTO entry VALUES (?, ?, ?)');
  const index = db.prepare('INSERT OR IGNORE INTO term VALUES (?, ?)');
  const remember = db.prepare('INSERT INTO recent VALUES (?, ?, ?)');
  const oldest = db.prepare('SELECT n, until FROM recent ORDER BY n LIMIT 4');
  const forget = db.prepare('DELETE FROM recent WHERE n = ?');
  let head = options.head;
  let row = Number(db.prepare('SELECT max(n) AS n FROM recent').get()?.['n'] ?? 0);
  let poisoned = false;
  let at = 0;
  let added = 0;

  function decide(batch: Packed, now: () => number): Outcome {
    if (now() > batch.notAfter) return LATE;
    keys.beginExchange();
    sums.beginExchange();
    for (const [i, claim] of batch.claims.entries()) {
      const holds = 'sum' in claim ? sums.holds(claim, batch.at) : keys.holds(claim, batch.at);
      if (!holds) return i;
    }
    keys.write(batch.at);
    sums.write();
    for (const entry of batch.entries) {
      head = { seq: head.seq + 1, hash: link(head.hash, entry.body) };
      append.run(head.seq, head.hash, entry.body);
      for (const term of entry.terms) index.run(term, refOf(head.seq));
    }
    added += batch.claims.length;
    at = Math.min(batch.at, now());
    return HOLDS;
  }

  /** Strictly from the oldest on: a later row may take back what an earlier one says, so it must not go before it. */
  function forgetOldest(before: number): void {
    for (const old of oldest.all()) {
      if (Number(old['until']) >= before) return;
      forget.run(Number(old['n']));
    }
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
      let text: string | undefined;
      keys.beginTransaction();
      added = 0;
      try {
        db.exec('BEGIN IMMEDIATE');
        outcomes = flight.batches.map((batch) => decide(batch, now));
        if (keys.changes.length > 0) {
          text = JSON.stringify(keys.changes);
          const until = Math.max(...keys.changes.map((change) => change[2] ?? 0));
          remember.run(++row, until, text);
        }
        if (outcomes.includes(HOLDS)) {
          forgetOldest(at - GRACE);
          keys.prune(at - GRACE, added + 4);
          sums.prune(at - GRACE, added + 4);
        }
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
      const gone = lost();
      if (gone === undefined) return { ok: true, outcomes, recent: text, changed: keys.changed, head };
      poisoned = true;
      if (gone === 'log') rescue();
      return { ok: false, what: 'disk', poisoned, cause: undefined };
    },

    tidy() {
      recent.sweep(2 * added + 8, at - GRACE);
      if (poisoned || path === ':memory:') return !poisoned;
      if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) < LOG_BYTES) return true;
      try {
        db.exec('PRAGMA wal_checkpoint(PASSIVE)');
      } catch (fault) {
        if (sqliteCode(fault) !== SQLITE.BUSY && sqliteCode(fault) !== SQLITE.FULL) poisoned = true;
      }
      return !poisoned;
    },

    close() {
      db.close();
    },
  };
}
