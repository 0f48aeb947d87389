/** The same memory in a file: survives restarts, shared by the replicas of one host. */
import { chmodSync } from 'node:fs';
import type { Consumed } from './consumed.ts';
import { KEEP_SECONDS } from './consumed.ts';

const VERSION = 1;

/**
 * A mark is on disk before `consume` resolves. `since` is when the file was made: one that was lost and made again lets nothing older in.
 * Throws at once where the file cannot be used. Needs Node 22.13 or newer; SQLite is loaded here and not on import.
 */
export function sqliteConsumed(options: { readonly path: string; readonly now?: () => number }): Consumed & { close(): void } {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const db = new DatabaseSync(options.path, { timeout: 2_000 });
  try {
    if (options.path !== ':memory:') chmodSync(options.path, 0o600);
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    db.exec('BEGIN IMMEDIATE');
    const version = db.prepare('PRAGMA user_version').get()?.['user_version'];
    if (version === 0) {
      db.exec('CREATE TABLE consumed (id TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID');
      db.exec('CREATE INDEX consumed_until ON consumed (until)');
      db.exec('CREATE TABLE made (at INTEGER NOT NULL)');
      db.prepare('INSERT INTO made (at) VALUES (?)').run(now());
      db.exec(`PRAGMA user_version = ${VERSION}`);
    } else if (version !== VERSION) throw new Error('the file of consumed actions was written by another version');
    db.exec('COMMIT');
  } catch (fault) {
    db.close();
    throw fault;
  }
  const since = Number(db.prepare('SELECT min(at) AS at FROM made').get()?.['at']);
  const insert = db.prepare('INSERT INTO consumed (id, until) VALUES (?, ?) ON CONFLICT DO NOTHING');
  // A bounded piece at a time: no call pays for a long backlog.
  const prune = db.prepare('DELETE FROM consumed WHERE id IN (SELECT id FROM consumed WHERE until < ? ORDER BY until LIMIT 1000)');
  let nextPrune = 0;
  return {
    since,
    async consume(id, until) {
      const first = insert.run(id, Math.ceil(until)).changes === 1;
      const at = now();
      if (at >= nextPrune) {
        nextPrune = at + 30;
        try {
          prune.run(at - KEEP_SECONDS);
        } catch {
          // The mark stands; what is too old goes another time.
        }
      }
      return first;
    },
    close: () => db.close(),
  };
}
