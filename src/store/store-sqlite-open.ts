import { accessSync, chmodSync, closeSync, constants, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { StoreRefused } from './store.ts';

/** Marks the file as ours in its header ("CSGN"), so that another program's database is never migrated. */
export const APPLICATION = 0x4353474e;
export const SCHEMA_VERSION = 1;
/** A file no larger than this is checked whole when it opens; a larger one by what is read. */
const CHECKED_BYTES = 64 * 1024 * 1024;

const SCHEMA = `
  CREATE TABLE entry (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, body TEXT NOT NULL, terms TEXT) STRICT;
  CREATE TABLE torn (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, body TEXT NOT NULL) STRICT;
  CREATE TABLE term (term TEXT NOT NULL, ref TEXT NOT NULL, PRIMARY KEY (term, ref)) STRICT, WITHOUT ROWID;
  CREATE TABLE indexed (seq INTEGER NOT NULL) STRICT;
  INSERT INTO indexed VALUES (0);
  CREATE TABLE key (key TEXT PRIMARY KEY, version INTEGER NOT NULL, value TEXT NOT NULL, until INTEGER, terms TEXT) STRICT, WITHOUT ROWID;
  CREATE INDEX key_until ON key (until) WHERE until IS NOT NULL;
  CREATE TABLE salt (salt TEXT NOT NULL) STRICT;
  INSERT INTO salt VALUES (hex(randomblob(16)));
  CREATE TABLE soon (n INTEGER PRIMARY KEY, until INTEGER NOT NULL, names BLOB NOT NULL, vals TEXT) STRICT;
  CREATE TABLE later (n INTEGER PRIMARY KEY, until INTEGER NOT NULL, names BLOB NOT NULL, vals TEXT) STRICT;
  CREATE TABLE kind (log TEXT NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (log, kind)) STRICT, WITHOUT ROWID;
  CREATE TABLE run (run INTEGER PRIMARY KEY, level INTEGER NOT NULL, last INTEGER NOT NULL, state TEXT NOT NULL) STRICT;
  CREATE TABLE leaf (at INTEGER PRIMARY KEY, names BLOB NOT NULL) STRICT;
  CREATE TABLE sieve (at INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;
  CREATE TABLE member (sum TEXT NOT NULL, id TEXT NOT NULL, amount REAL NOT NULL, at INTEGER NOT NULL, until INTEGER, ends INTEGER NOT NULL,
    PRIMARY KEY (sum, id)) STRICT, WITHOUT ROWID;
  CREATE INDEX member_ends ON member (ends);
  CREATE TABLE part (sum TEXT NOT NULL, span INTEGER NOT NULL, ends INTEGER NOT NULL, amount REAL NOT NULL, members INTEGER NOT NULL,
    PRIMARY KEY (sum, span, ends)) STRICT, WITHOUT ROWID;
  CREATE INDEX part_ends ON part (ends);
  CREATE TABLE span (sum TEXT NOT NULL, span INTEGER NOT NULL, PRIMARY KEY (sum, span)) STRICT, WITHOUT ROWID;
  PRAGMA application_id = ${APPLICATION};
  PRAGMA user_version = ${SCHEMA_VERSION};`;

const texts = {
  locked: ['another broker has this store open', 'Stop the other broker, or give this one a store of its own.'],
  newer: ['the store was written by a newer version of this program', 'Run that version, or restore a copy from before it.'],
  corrupt: [
    'the store is damaged, or not a store of this program',
    'Restore a copy; keep this file, verify-ledger reads what is readable.',
  ],
  missing: [
    'the store that was here is gone: without it what was used up would work again',
    'Put its file back from a copy; or remove its .lock and -wal files too, to begin an empty ledger.',
  ],
  unreadable: [
    'the store cannot be read and written here',
    'Check that the path is a file in a folder, and that this user may read and write both.',
  ],
} as const;
export type Refused = keyof typeof texts;
export const refused = (code: Refused, cause?: unknown): StoreRefused => new StoreRefused(code, texts[code][0], texts[code][1], cause);

/** SQLite's primary result code; 0 when the fault is not SQLite's. */
export const sqliteCode = (fault: unknown): number =>
  fault instanceof Error && 'errcode' in fault && typeof fault.errcode === 'number' ? fault.errcode & 0xff : 0;
export const SQLITE = { BUSY: 5, LOCKED: 6, IOERR: 10, CORRUPT: 11, FULL: 13, CANTOPEN: 14, NOTADB: 26 } as const;

/** What a fault while opening means. */
export function refusalOf(fault: unknown): StoreRefused {
  if (fault instanceof StoreRefused) return fault;
  const code = sqliteCode(fault);
  if (code === SQLITE.CORRUPT || code === SQLITE.NOTADB) return refused('corrupt', fault);
  if (code === SQLITE.BUSY || code === SQLITE.LOCKED) return refused('locked', fault);
  return refused('unreadable', fault);
}

/** Before anything is opened: is there a place for the file? Makes the file's own folder, nothing above it. Throws StoreRefused. */
export function checkPlace(path: string): void {
  try {
    const folder = dirname(path);
    if (statSync(folder, { throwIfNoEntry: false }) === undefined) mkdirSync(folder, { mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const file = statSync(path, { throwIfNoEntry: false });
    if (file === undefined) return;
    if (!file.isFile()) throw refused('unreadable');
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (fault) {
    throw refusalOf(fault);
  }
}

/** The right to be the only broker on a store, and the memory that there is one. */
export interface Lock {
  /** From now on a start that does not find the store is refused. */
  made(): void;
  release(): void;
}
/**
 * Holds `<path>.lock` until it is released or the process ends, however it ends: a transaction on a second database, since the operating
 * system frees SQLite's lock with the process. The store's own file stays open to readers. Throws StoreRefused: `locked`, or `missing`
 * where a store was made and its file is not there.
 */
export function lock(path: string): Lock {
  const file = `${path}.lock`;
  let db: DatabaseSync | undefined;
  try {
    createPrivately(file);
    db = new DatabaseSync(file, { timeout: 0 });
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    const held = db;
    const known = Number(held.prepare('PRAGMA user_version').get()?.['user_version']) > 0;
    if (isGone(path, known)) throw refused('missing');
    return {
      // In exclusive mode the lock outlives the transaction.
      made: () => known || held.exec('PRAGMA user_version = 1; COMMIT; BEGIN EXCLUSIVE'),
      release: () => held.close(),
    };
  } catch (fault) {
    db?.close();
    throw refusalOf(fault);
  }
}
function isGone(path: string, known: boolean): boolean {
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) return known || statSync(`${path}-wal`, { throwIfNoEntry: false }) !== undefined;
  return known && size === 0;
}

/**
 * Tells which of the files that a writer has open no longer stands under its name. What is written into a removed file is gone with the
 * process, though every write succeeds. The log is there from the first transaction on: ask after it.
 */
export function watchPlace(path: string): () => 'file' | 'log' | undefined {
  const place = (name: string): string => {
    const stats = statSync(name, { throwIfNoEntry: false });
    return stats ? `${stats.dev}/${stats.ino}` : '';
  };
  const file = place(path);
  let log: string | undefined;
  return () => {
    if (place(path) !== file) return 'file';
    const now = place(`${path}-wal`);
    log ??= now;
    return now === '' || now !== log ? 'log' : undefined;
  };
}

/** Opens the store for writing and brings its schema up to date. Under the lock only. Throws StoreRefused, and then has changed nothing. */
export function openForWriting(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    if (path === ':memory:') db = new DatabaseSync(path);
    else {
      inspect(path);
      createPrivately(path);
      db = new DatabaseSync(path, { timeout: 2_000 });
      const mode = db.prepare('PRAGMA journal_mode = WAL').get();
      if (mode?.['journal_mode'] !== 'wal') throw refused('unreadable');
    }
    // The writer checkpoints by itself, after its answers, because SQLite's own checkpoint keeps a failed fsync to itself.
    db.exec(`PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA wal_autocheckpoint = 0;
      PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096`);
    if (versionOf(db) === 0) db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
    return db;
  } catch (fault) {
    db?.close();
    throw refusalOf(fault);
  }
}
export function openForReading(path: string): DatabaseSync {
  return new DatabaseSync(path, { readOnly: true, timeout: 200 });
}

/** Throws StoreRefused for what this program must not touch. */
function inspect(path: string): void {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return;
  // Without a write-ahead log nobody else is in the file, we hold the lock: read it as it stands, so that not even a side file appears.
  const alone = statSync(`${path}-wal`, { throwIfNoEntry: false }) === undefined;
  const db = alone ? new DatabaseSync(new URL(`${pathToFileURL(path).href}?immutable=1`), { readOnly: true }) : openForReading(path);
  try {
    versionOf(db);
    if (size <= CHECKED_BYTES) {
      const verdict = db.prepare('PRAGMA quick_check(1)').get();
      if (verdict?.['quick_check'] !== 'ok') throw refused('corrupt');
    }
  } finally {
    db.close();
  }
}
/** 0: an empty database. Throws StoreRefused for one that is newer, or not ours. */
export function versionOf(db: DatabaseSync): number {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version']);
  const application = Number(db.prepare('PRAGMA application_id').get()?.['application_id']);
  if (application === 0 && version === 0) {
    if (db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get()) throw refused('corrupt');
    return 0;
  }
  if (application !== APPLICATION) throw refused('corrupt');
  if (version > SCHEMA_VERSION) throw refused('newer');
  return version;
}
/** Only its owner may read it; SQLite gives its side files the same mode. Opens it only to make it: to close a file drops this process's locks on it. */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (fault) {
    if (!(fault instanceof Error && 'code' in fault && fault.code === 'EEXIST')) throw fault;
    chmodSync(path, 0o600);
  }
}
