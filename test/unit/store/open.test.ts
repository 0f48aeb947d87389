import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { verifyLedger } from '../../../scripts/verify-ledger.ts';
import { GENESIS, link } from '../../../src/store/chain.ts';
import { StoreRefused } from '../../../src/store/store.ts';
import { sqliteStore } from '../../../src/store/store-sqlite.ts';
import { filled, folder, overwrite, place, sql, T, write } from './files.ts';

const code = (expected: string) => (fault: unknown) => {
  assert.ok(fault instanceof StoreRefused, String(fault));
  assert.equal(fault.code, expected);
  assert.match(fault.remedy, /\w+ .*\.$/);
  assert.doesNotMatch(fault.message + fault.remedy, /countersign-/, 'no path in a constant text');
  return true;
};

describe('opening', () => {
  it('makes files that only their owner may read, in a folder of its own if need be', async () => {
    const path = join(folder, 'made', 'a.db');
    const store = await sqliteStore({ path });
    await write(store, 1);
    const modes = readdirSync(join(folder, 'made')).map(
      (file) => `${file} ${(statSync(join(folder, 'made', file)).mode & 0o777).toString(8)}`,
    );
    assert.deepEqual(modes.sort(), ['a.db 600', 'a.db-shm 600', 'a.db-wal 600', 'a.db.lock 600']);
    assert.equal(statSync(join(folder, 'made')).mode & 0o777, 0o700);
    await store.close();
    chmodSync(path, 0o644);
    await (await sqliteStore({ path })).close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('keeps its log short', async () => {
    const path = place();
    const store = await sqliteStore({ path, now: () => T });
    for (let i = 0; i < 60; i++) {
      const filler = 'x'.repeat(50_000);
      const entries = Array.from({ length: 10 }, (_, j) => ({ body: { i, j, filler }, terms: [] }));
      await store.commit({ at: T, notAfter: T, claims: [], entries });
    }
    assert.ok(statSync(`${path}-wal`).size < 20e6);
    await store.close();
    assert.ok(statSync(path).size > 30e6);
  });

  const bad: readonly (readonly [string, string, (path: string) => void])[] = [
    ['a newer schema', 'newer', (path) => sql(path, 'PRAGMA user_version = 2')],
    ['no database', 'corrupt', (path) => writeFileSync(path, 'what is this? '.repeat(1_000))],
    ["another program's database", 'corrupt', (path) => sql(path, 'PRAGMA application_id = 7')],
    [
      'a database of nobody',
      'corrupt',
      (path) => {
        rmSync(path);
        sql(path, 'CREATE TABLE t (a)');
      },
    ],
    ['half of a file', 'corrupt', (path) => truncateSync(path, Math.floor(statSync(path).size / 2 / 4096) * 4096)],
    [
      'pages overwritten',
      'corrupt',
      (path) => {
        const bytes = readFileSync(path);
        bytes.fill(0xff, 4096, bytes.length - 4096);
        writeFileSync(path, bytes);
      },
    ],
    ['a page of keys overwritten', 'corrupt', (path) => overwrite(path, '"kept 20"')],
    [
      'a folder',
      'unreadable',
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
    ],
  ];
  for (const [what, expected, spoil] of bad) {
    it(`refuses ${what} as ${expected}, and changes nothing`, async () => {
      const path = await filled(50);
      spoil(path);
      const beside = (): string[] =>
        readdirSync(join(path, '..'))
          .filter((file) => !file.endsWith('.lock'))
          .sort();
      const state = () => (statSync(path).isFile() ? readFileSync(path).toString('base64') : 'folder');
      const [files, bytes] = [beside(), state()];
      await assert.rejects(sqliteStore({ path }), code(expected));
      assert.deepEqual(beside(), files);
      assert.equal(state(), bytes);
      await assert.rejects(sqliteStore({ path }), code(expected), 'the lock was let go');
    });
  }
  it('refuses a place that is none', async () => {
    const file = await filled(1);
    await assert.rejects(sqliteStore({ path: join(folder, 'no', 'such', 'a.db') }), code('unreadable'));
    await assert.rejects(sqliteStore({ path: join(file, 'a.db') }), code('unreadable'));
  });
  it('refuses what this user may not write', { skip: process.platform === 'win32' }, async () => {
    const path = await filled(1);
    const child = fileURLToPath(new URL('./child.ts', import.meta.url));
    const said = (): string => {
      // Whoever may write everything becomes someone who may not.
      const nobody = process.getuid?.() === 0 ? ['65534'] : [];
      return spawnSync(process.execPath, [child, 'open', path, ...nobody], { encoding: 'utf8' }).stdout.trim();
    };
    if (process.getuid?.() === 0) {
      chmodSync(folder, 0o755);
      chownSync(join(path, '..'), 65534, 65534);
    }
    chmodSync(path, 0o444);
    assert.equal(said(), 'refused unreadable');
    chmodSync(join(path, '..'), 0o555);
    assert.equal(said(), 'refused unreadable');
    chmodSync(join(path, '..'), 0o755);
  });
});

describe('a torn tail', () => {
  it('is set aside as it was, told in an entry, and the ledger goes on', async () => {
    const path = await filled(20);
    sql(path, `UPDATE entry SET body = substr(body, 1, 9) WHERE seq = 19; UPDATE entry SET hash = '00' WHERE seq = 20`);
    const store = await sqliteStore({ path, now: () => T + 5 });
    assert.equal(store.repaired?.firstBad, 19);
    assert.equal(store.repaired?.lost, 2);
    assert.equal(store.broken, undefined);
    assert.equal(store.head().seq, 21);
    assert.deepEqual(await store.scan({ term: 'id/19', limit: 5 }), [], 'a term of a row set aside finds nothing');
    assert.equal(await write(store, 19), 'taken', 'what it spent stays spent');
    assert.equal(await write(store, 100), undefined);
    const [newest, repair] = await store.scan({ term: 'entry', limit: 2, newestFirst: true });
    assert.equal(newest?.key, 'entry/0000000000000022');
    assert.deepEqual(
      { ...(repair?.value as object), exchange: 0, digest: 0, detail: 0 },
      { kind: 'repair', at: T + 5, first: 19, count: 2, exchange: 0, digest: 0, detail: 0 },
    );
    await store.close();

    const again = await sqliteStore({ path });
    assert.equal(again.repaired, undefined);
    assert.equal(again.head().seq, 22);
    await again.close();
    const report = await verifyLedger(path);
    assert.deepEqual([report.ok, report.count, report.kinds], [true, 20, { minted: 19, repair: 1 }]);
    assert.deepEqual([report.repairs[0]?.first, report.repairs[0]?.count], [19, 2]);

    sql(path, `UPDATE torn SET body = '{}' WHERE seq = 20`);
    const spoilt = await verifyLedger(path);
    assert.deepEqual([spoilt.ok, spoilt.bad?.seq], [false, 19]);
  });

  const history: readonly (readonly [string, string, number])[] = [
    ['an entry changed in the middle', `UPDATE entry SET body = replace(body, '10', '11') WHERE seq = 10`, 10],
    ['an entry changed before the last', `UPDATE entry SET body = '{}' WHERE seq = 19`, 19],
    ['an entry removed', 'DELETE FROM entry WHERE seq = 19', 19],
    ['a first entry removed', 'DELETE FROM entry WHERE seq = 1', 1],
  ];
  for (const [what, change, seq] of history) {
    it(`is not ${what}: that history stays, and verification names it`, async () => {
      const path = await filled(20);
      sql(path, change);
      const store = await sqliteStore({ path, now: () => T });
      assert.equal(store.repaired, undefined);
      assert.equal(store.broken?.seq, seq);
      assert.equal(await write(store, 100), undefined);
      assert.equal(store.head().seq, 21);
      await store.close();
      const report = await verifyLedger(path);
      assert.deepEqual([report.ok, report.bad?.seq, report.count], [false, seq, seq - 1]);
    });
  }
  it('is found at the end of a long ledger', async () => {
    const path = await filled(1);
    const db = new DatabaseSync(path);
    let hash = String(db.prepare('SELECT hash FROM entry').get()?.['hash'] ?? GENESIS);
    const insert = db.prepare('INSERT INTO entry VALUES (?, ?, ?, NULL)');
    db.exec('BEGIN');
    for (let seq = 2; seq <= 25_000; seq++) {
      hash = link(hash, '{}');
      insert.run(seq, hash, '{}');
    }
    insert.run(25_001, hash, '{}');
    db.exec('COMMIT');
    db.close();
    const store = await sqliteStore({ path });
    assert.deepEqual([store.repaired?.firstBad, store.head().seq], [25_001, 25_002]);
    await store.close();
    assert.equal((await verifyLedger(path)).ok, true);
  });
});
