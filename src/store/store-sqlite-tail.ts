import type { DatabaseSync } from 'node:sqlite';
import { canonical } from '../wire/digest.ts';
import { type Head, judgeTail, link, type Row, repairBody, START } from './chain.ts';

/** How many rows are verified when the store opens; verify-ledger verifies all. */
const WINDOW = 4_096;

export interface Repaired {
  readonly firstBad: number;
  readonly lost: number;
  readonly reason: string;
}
export interface Opened {
  readonly head: Head;
  readonly repaired: Repaired | undefined;
  /** The tail does not verify and no crash explains it: nothing was changed. */
  readonly broken: { readonly seq: number; readonly why: string } | undefined;
}

export const rowOf = (row: Record<string, unknown>): Row => ({
  seq: Number(row['seq']),
  hash: String(row['hash']),
  body: String(row['body']),
});

/** Verifies the end of the ledger, and sets a torn tail aside (chain.ts). `at`: epoch seconds. */
export function openTail(db: DatabaseSync, at: number): Opened {
  const newest = db
    .prepare('SELECT seq, hash, body FROM entry ORDER BY seq DESC LIMIT ?')
    .all(WINDOW + 1)
    .map(rowOf)
    .reverse();
  const from: Head = newest.length > WINDOW ? (newest.shift() ?? START) : START;
  const last = newest.at(-1) ?? from;
  const tail = judgeTail(newest, from);
  const head = { seq: last.seq, hash: last.hash };
  if (tail.is === 'whole') return { head, repaired: undefined, broken: undefined };
  if (tail.is === 'broken') return { head, repaired: undefined, broken: { seq: tail.seq, why: tail.why } };
  const { good, rows, why } = tail;
  const first = good.seq + 1;
  const body = canonical(repairBody(at, good, rows));
  const repair: Head = { seq: last.seq + 1, hash: link(good.hash, body) };
  db.exec('BEGIN IMMEDIATE');
  db.prepare('INSERT INTO torn SELECT seq, hash, body FROM entry WHERE seq >= ?').run(first);
  db.prepare('DELETE FROM entry WHERE seq >= ?').run(first);
  db.prepare('INSERT INTO entry VALUES (?, ?, ?, NULL)').run(repair.seq, repair.hash, body);
  db.exec('COMMIT');
  return { head: repair, repaired: { firstBad: first, lost: rows.length, reason: why }, broken: undefined };
}
