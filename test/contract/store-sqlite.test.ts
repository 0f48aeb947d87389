import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { sqliteStore } from '../../src/store/store-sqlite.ts';
import { storeContract } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

async function make(path: string) {
  const clock = { at: 0 };
  return { store: await sqliteStore({ path, now: () => clock.at }), clock };
}
storeContract('SQLite in a file', () => make(join(folder, `${files++}.db`)));
storeContract('SQLite in memory', () => make(':memory:'));
