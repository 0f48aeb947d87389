/**
 * Given to node with --import: a disk that fails when it is told to. While the file named by FAILING_DISK holds one of SQLite's result
 * codes, every COMMIT of the writing thread ends with it, as it does when the system refuses the write or the fsync beneath.
 */
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { isMainThread } from 'node:worker_threads';

const file = process.env['FAILING_DISK'] ?? '';
const exec = DatabaseSync.prototype.exec;

function told(): number | undefined {
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}
DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string): void {
  const errcode = !isMainThread && sql === 'COMMIT' ? told() : undefined;
  if (errcode !== undefined) throw Object.assign(new Error('injected'), { code: 'ERR_SQLITE_ERROR', errcode });
  exec.call(this, sql);
};
