import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { verifyLedger } from '../../../scripts/verify-ledger.ts';
import { sqliteStore } from '../../../src/store/store-sqlite.ts';
import { filled, folder, overwrite, sql, T, write } from './files.ts';

describe('verify-ledger', () => {
  const script = fileURLToPath(new URL('../../../scripts/verify-ledger.ts', import.meta.url));
  const run = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });

  it('prints what it verified, and its head is one to expect later', async () => {
    const path = await filled(5);
    const { status, stdout } = run('--data', path);
    assert.equal(status, 0);
    assert.match(stdout, /^5 entries verified\nhead {5}5:[0-9a-f]{64}\nfrom {5}2026-11-20T\S+Z\n(.*\n)+ {2}minted {5}5\n$/);
    const report = JSON.parse(run('--data', path, '--json').stdout);
    assert.deepEqual([report.ok, report.count, report.from, report.kinds], [true, 5, T, { minted: 5 }]);
    const store = await sqliteStore({ path, now: () => T });
    await write(store, 6);
    assert.equal(run('--data', path, '--expect-head', report.head).status, 0, 'while a broker runs, and goes on');
    assert.equal(JSON.parse(run('--data', path, '--json').stdout).count, 6, 'what is in the log counts');
    await store.close();
    sql(path, 'DELETE FROM entry WHERE seq > 4');
    assert.equal(run('--data', path).status, 0, 'a cut end verifies by itself');
    const cut = run('--data', path, '--expect-head', report.head);
    assert.equal(cut.status, 1);
    assert.match(cut.stdout, /BAD {6}entry 5: the expected head is not in this ledger\n/);
  });
  it('names the first bad entry, what is wrong and what to do', async () => {
    const path = await filled(5);
    sql(path, `UPDATE entry SET body = replace(body, '"n":3', '"n":4') WHERE seq = 3`);
    const { status, stdout } = run('--data', path);
    assert.equal(status, 1);
    assert.match(stdout, /2 entries verified\n(.*\n)*BAD {6}entry 3: its hash does not follow .*\n {9}Keep this file .*\n$/);
  });
  it('says so when there is nothing to verify', async () => {
    const path = await filled(1);
    const text = join(path, '..', 'text');
    writeFileSync(text, 'no ledger');
    for (const args of [
      ['--data', `${path}.none`],
      ['--data', folder],
      ['--data', text],
      ['--data', path, '--expect-head', 'x'],
      ['--what'],
    ]) {
      const { status, stderr, stdout } = run(...args);
      assert.equal(status, 2, args.join(' '));
      assert.equal(stdout, '');
      assert.match(stderr, /\w+ \w+/);
    }
    assert.equal(existsSync(`${path}.none`), false);
  });
  it('reads a copy, and stops at a damaged page', async () => {
    const path = await filled(400);
    const copy = join(path, '..', 'copy.db');
    copyFileSync(path, copy);
    assert.equal((await verifyLedger(copy)).count, 400);
    overwrite(copy, '"n":200}');
    const { ok, bad, count } = await verifyLedger(copy);
    assert.equal(ok, false);
    assert.deepEqual([bad?.seq, bad?.why], [count + 1, 'the file is damaged from here on']);
  });
});
