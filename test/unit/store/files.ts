import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after } from 'node:test';
import { type SqliteStore, sqliteStore } from '../../../src/store/store-sqlite.ts';

export const T = 1_795_176_000;
export const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
export const place = (): string => {
  const own = join(folder, String(files++));
  mkdirSync(own);
  return join(own, 'a.db');
};
export const write = (store: SqliteStore, n: number) =>
  store.commit({
    at: T,
    notAfter: Number.MAX_SAFE_INTEGER,
    claims: [
      { key: `once/${n}`, version: 0, value: n, until: T + 600, else: 'taken' },
      { key: `retry/${n}`, version: 0, value: `kept ${n}`, else: 'taken' },
    ],
    entries: [{ body: { kind: 'minted', at: T, n }, terms: [`id/${n}`] }],
  });
/** A store of so many entries, closed. */
export async function filled(count: number): Promise<string> {
  const path = place();
  const store = await sqliteStore({ path, now: () => T });
  await Promise.all(Array.from({ length: count }, (_, i) => write(store, i + 1)));
  await store.close();
  return path;
}
export const sql = (path: string, text: string): void => {
  const db = new DatabaseSync(path);
  db.exec(text);
  db.close();
};
/** Spoils the page in which a text stands. */
export function overwrite(path: string, text: string): void {
  const bytes = readFileSync(path);
  const found = bytes.indexOf(text);
  assert.notEqual(found, -1);
  const page = found - (found % 4096);
  bytes.fill(0xff, page, page + 4096);
  writeFileSync(path, bytes);
}
