/**
 * All that stands in a file of a broker that is stopped, for a move. Reads alone; whoever calls holds the lock. Keys that soon end stand in the
 * file as names without a text (store-sqlite-held.ts), so names are what moves, and with them the salt that they are made with.
 */
import { hash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { type Head, type Row, START } from './chain.ts';
import type { MovedEntry, MovedKey, MovedMember, Moving } from './moving.ts';
import { saltOf } from './store-sqlite-log.ts';
import { openForReading } from './store-sqlite-open.ts';
import { TOTAL } from './store-sqlite-sums.ts';
import { rowOf } from './store-sqlite-tail.ts';

/** What has ended stays so long (store-sqlite-writer.ts). Seconds. */
const GRACE = 60;
/** A name in a row of a log, and its end behind it. */
const NAME_BYTES = 16;
const ROW_BYTES = 20;

/** `now`: epoch seconds; what ended a while before is not moved. Throws what SQLite throws. */
export function exportSqlite(path: string, now: number): Moving {
  const db = openForReading(path);
  try {
    return exported(db, fold(db, now));
  } catch (fault) {
    db.close();
    throw fault;
  }
}

function exported(db: DatabaseSync, keys: DatabaseSync): Moving {
  const salt = saltOf(db);
  const one = (sql: string): Record<string, unknown> => db.prepare(sql).get() ?? {};
  const last = one('SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1');
  const head: Head = last['seq'] === undefined ? START : { seq: Number(last['seq']), hash: String(last['hash']) };
  const sql = {
    entries: db.prepare('SELECT seq, hash, body, terms FROM entry WHERE seq > ? ORDER BY seq LIMIT ?'),
    torn: db.prepare('SELECT seq, hash, body FROM torn WHERE seq > ? ORDER BY seq LIMIT ?'),
    members: db.prepare('SELECT sum, id, amount, at, until, ends FROM member WHERE (sum, id) > (?, ?) ORDER BY sum, id LIMIT ?'),
    keys: keys.prepare('SELECT * FROM fold WHERE name > ? ORDER BY name LIMIT ?'),
    key: keys.prepare('SELECT 1 FROM fold WHERE name = ?'),
  };
  const total = db.prepare(TOTAL);
  const state = ['soon', 'later'].map((log) => one(`SELECT max(n) AS n FROM ${log}`)['n'] ?? 0);
  const rows = ['key', 'member', 'torn'].map((table) => one(`SELECT count(*) AS n FROM ${table}`)['n']);
  return {
    salt,
    head,
    source: hash('sha256', JSON.stringify([salt, head, state, rows]), 'base64url').slice(0, 32),
    counts: {
      entries: Number(one('SELECT count(*) AS n FROM entry')['n']),
      torn: Number(rows[2]),
      keys: Number(keys.prepare('SELECT count(*) AS n FROM fold').get()?.['n']),
      members: Number(rows[1]),
    },
    entries: (after, limit) => sql.entries.all(after, limit).map(entryOf),
    torn: (after, limit): readonly Row[] => sql.torn.all(after, limit).map(rowOf),
    keys: (after, limit) => sql.keys.all(after, limit).map(keyOf),
    hasKey: (name) => sql.key.get(name) !== undefined,
    members: ([sum, id], limit) => sql.members.all(sum, id, limit).map(memberOf),
    windows: (at) =>
      db
        .prepare('SELECT sum, span FROM span ORDER BY sum, span')
        .all()
        .map((row) => {
          const [sum, span] = [String(row['sum']), Number(row['span'])];
          return { sum, span, total: Number(total.get(sum, span, at)?.['total']) };
        }),
    close() {
      db.close();
      keys.close();
    },
  };
}

/** Every key once, by name, where a reader would find it (store-sqlite-reader.ts), in a database that goes with this process. */
function fold(db: DatabaseSync, now: number): DatabaseSync {
  const salt = saltOf(db);
  const made = new DatabaseSync('');
  made.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
    CREATE TABLE fold (name TEXT PRIMARY KEY, key TEXT, version INTEGER, value TEXT, until INTEGER, terms TEXT) WITHOUT ROWID;
    CREATE TABLE log (name TEXT PRIMARY KEY, version INTEGER, value TEXT, until INTEGER) WITHOUT ROWID; BEGIN`);
  // What lives hides what has ended, whichever place it stands in.
  const put = made.prepare(
    `INSERT INTO fold VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET key = ?2, version = ?3, value = ?4, until = ?5, terms = ?6
     WHERE ?5 IS NULL OR ?5 >= ${Math.floor(now)} OR until < ?5`,
  );
  for (const row of db.prepare('SELECT * FROM key WHERE until IS NULL OR until >= ?').iterate(now - GRACE)) {
    const key = String(row['key']);
    const name = hash('sha256', salt + key, 'hex').slice(0, 2 * NAME_BYTES);
    put.run(name, key, Number(row['version']), String(row['value']), row['until'] ?? null, row['terms'] ?? null);
  }
  // As they are looked up: what soon ends first, so it is put last.
  for (const log of ['later', 'soon']) {
    // In order: a later row may take back what an earlier one says.
    const set = made.prepare('INSERT OR REPLACE INTO log VALUES (?, ?, ?, ?)');
    for (const row of db.prepare(`SELECT names, vals FROM ${log} ORDER BY n`).iterate()) {
      const names = Buffer.from(row['names'] as Uint8Array);
      const vals = row['vals'] === null ? [] : String(row['vals']).split('\n');
      for (let i = 0; i * ROW_BYTES < names.length; i++) {
        const at = i * ROW_BYTES;
        const said = vals[i] ?? '';
        const space = said.indexOf(' ');
        const [version, value] = space < 0 ? [1, '1'] : [Number(said.slice(0, space)), said.slice(space + 1)];
        set.run(names.toString('hex', at, at + NAME_BYTES), version, value, names.readUInt32LE(at + NAME_BYTES));
      }
    }
    const living = made.prepare('SELECT name, version, value, until FROM log WHERE until >= ?').iterate(now - GRACE);
    for (const row of living) put.run(String(row['name']), null, Number(row['version']), String(row['value']), Number(row['until']), null);
    made.exec('DELETE FROM log');
  }
  made.exec('COMMIT');
  return made;
}

const termsOf = (text: unknown): readonly string[] => (typeof text === 'string' ? (JSON.parse(text) as readonly string[]) : []);
const untilOf = (value: unknown): { readonly until?: number } => (value === null ? {} : { until: Number(value) });
const entryOf = (row: Record<string, unknown>): MovedEntry => ({ ...rowOf(row), terms: [...new Set(termsOf(row['terms']))] });
const keyOf = (row: Record<string, unknown>): MovedKey => ({
  name: String(row['name']),
  ...(row['key'] !== null && { key: String(row['key']) }),
  version: Number(row['version']),
  value: String(row['value']),
  ...untilOf(row['until']),
  terms: [...new Set(termsOf(row['terms']))],
});
const memberOf = (row: Record<string, unknown>): MovedMember => ({
  sum: String(row['sum']),
  id: String(row['id']),
  amount: Number(row['amount']),
  at: Number(row['at']),
  ...untilOf(row['until']),
  ends: Number(row['ends']),
});
