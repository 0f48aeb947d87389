/** The index's file: made again from the ledger whatever becomes of it, and nobody else's file is touched. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, it } from 'node:test';
import type { SourceRow } from '../../../src/operate/search.ts';
import { keepIndex } from '../../../src/operate/search-sqlite-keep.ts';
import { ENTRIES } from '../../../src/operate/search-sqlite-segment.ts';
import { clear, keep, many, named, newFolder, open, sourceOf, whole } from './search-room.ts';

afterEach(clear);

describe('the file', () => {
  it('is its owner’s alone, and goes on where it was', async () => {
    const path = join(newFolder(), 'index');
    const ledger = [...many(ENTRIES + 300)];
    await whole(keep(path, ledger));
    // Also of what a killed process leaves it must be known whose it is.
    assert.equal(readFileSync(path).readUInt32BE(68).toString(16), '43534958');
    await open.pop()?.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    let read = Number.POSITIVE_INFINITY;
    const source = async (after: number): Promise<readonly SourceRow[]> => {
      if (after !== ENTRIES - 1) read = Math.min(read, after);
      return sourceOf(ledger)(after);
    };
    const again = keepIndex({ path, source, rest: () => new Promise((resolve) => setTimeout(resolve, 5).unref()) });
    open.push(again);
    assert.equal(await whole(again), ENTRIES + 300);
    assert.equal(read, ENTRIES, 'only what no segment has is read again');
    assert.equal((await again.find(named('people:u_7'))).seqs.length, 9);
  });

  it('is made again where it is missing, another ledger’s, damaged, or no index at all', async () => {
    const ledger = many(ENTRIES + 300);
    const expected = ledger.filter(({ body: b }) => (b as { readonly subject?: string }).subject === 'people:u_7').map(({ seq }) => seq);
    const spoil: Readonly<Record<string, (path: string) => void>> = {
      missing: (path) => rmSync(path),
      empty: (path) => writeFileSync(path, ''),
      truncated: (path) => writeFileSync(path, readFileSync(path).subarray(0, 8_192)),
      'an edited segment': (path) => {
        const db = new DatabaseSync(path);
        db.exec('UPDATE segment SET names = zeroblob(length(names))');
        db.close();
      },
      'of another form': (path) => {
        const db = new DatabaseSync(path);
        db.exec('PRAGMA user_version = 99');
        db.close();
      },
    };
    for (const [how, harm] of Object.entries(spoil)) {
      const path = join(newFolder(), 'index');
      const made = keep(path, ledger);
      await whole(made);
      await made.close();
      harm(path);
      const search = keep(path, ledger);
      await whole(search);
      // The first question may be the one that finds the damage.
      await search.find(named('people:u_7')).catch(() => undefined);
      assert.equal(await whole(search), ledger.length, how);
      assert.deepEqual((await search.find(named('people:u_7'))).seqs, expected.toReversed(), how);
    }
  });

  it('is made again where it is of another ledger, as long as this one', async () => {
    const path = join(newFolder(), 'index');
    const other = many(ENTRIES + 300).map(({ seq, body: b }) => ({
      seq,
      body: { ...b, exchange: `exc_other_${seq}`, subject: 'people:u_other' },
    }));
    const made = keep(path, other);
    await whole(made);
    await made.close();
    let remade = 0;
    const search = keep(path, many(ENTRIES + 300), () => void remade++);
    await whole(search);
    assert.deepEqual(
      [(await search.find(named('people:u_other'))).seqs, (await search.find(named('people:u_7'))).seqs.length, remade],
      [[], 9, 1],
    );
  });

  it('touches nothing that is no index: another program’s file stays as it is', async () => {
    const folder = newFolder();
    const ledger = join(folder, 'ledger.db');
    const db = new DatabaseSync(ledger);
    db.exec('PRAGMA application_id = 0x4353474e; CREATE TABLE entry (seq INTEGER) STRICT');
    db.close();
    writeFileSync(join(folder, 'notes'), 'not a database');
    for (const path of [ledger, join(folder, 'notes')]) {
      const before = readFileSync(path);
      const search = keep(path, many(100));
      await whole(search);
      assert.equal((await search.find(named('people:u_7'))).seqs.length, 1, 'it is in memory');
      assert.deepEqual(readFileSync(path), before);
    }
    assert.deepEqual(readdirSync(folder).sort(), ['ledger.db', 'notes']);
  });
});
