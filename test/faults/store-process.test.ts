import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import { StoreFault, StoreRefused } from '../../src/store/store.ts';
import { sqliteStore } from '../../src/store/store-sqlite.ts';

const CHILD = fileURLToPath(new URL('../unit/store/child.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function start(command: string, args: readonly string[]): { child: ChildProcess; lines: AsyncIterable<string> } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return { child, lines: createInterface({ input: child.stdout as NodeJS.ReadableStream }) };
}
/** What the child had said when it had said so many lines; then it is killed, and the lines in the pipe are read too. */
async function runAndKill(what: string, path: string, count: number): Promise<readonly string[]> {
  const { child, lines } = start(process.execPath, [CHILD, what, path]);
  const said: string[] = [];
  for await (const line of lines) {
    said.push(line);
    if (said.length === count) child.kill('SIGKILL');
  }
  return said;
}

async function everyAnswerIsThere(path: string, answered: readonly number[]): Promise<void> {
  const store = await sqliteStore({ path });
  assert.equal(store.repaired, undefined);
  assert.equal(store.broken, undefined);
  const { found, sums } = await store.look(
    answered.flatMap((i) => [`once/${i}`, `retry/${i}`]),
    [{ sum: 'all', windowSeconds: 86_400 }],
  );
  for (const [at, i] of answered.entries()) {
    assert.deepEqual(found[2 * at], { version: 1, value: i });
    assert.deepEqual(found[2 * at + 1], { version: 1, value: { i } });
    assert.equal((await store.scan({ term: `id/${i}`, limit: 2 })).length, 1);
  }
  assert.equal(sums[0], store.head().seq, 'a commit is there whole or not at all');
  assert.ok(store.head().seq >= answered.length);
  await store.close();
  const report = await verifyLedger(path);
  assert.equal(report.ok, true);
  assert.equal(report.count, sums[0]);
  assert.deepEqual(report.repairs, []);
}

describe('a store whose process dies', () => {
  it('loses nothing that it answered for, however often it is killed under load', async () => {
    // The last: while names of keys move from memory into the file.
    for (const count of [2, 300, 4_000, 29_500]) {
      const path = join(folder, `kill${count}.db`);
      const said = await runAndKill('load', path, count);
      await everyAnswerIsThere(path, said.slice(1).map(Number));
    }
  });

  it('keeps others out while it lives, and no longer', async () => {
    const path = join(folder, 'locked.db');
    const { child, lines } = start(process.execPath, [CHILD, 'open', path]);
    for await (const line of lines) {
      assert.equal(line, 'open');
      break;
    }
    const locked = (fault: unknown): boolean =>
      fault instanceof StoreRefused && fault.code === 'locked' && /another broker/.test(fault.message);
    await assert.rejects(sqliteStore({ path }), locked);
    assert.equal((await verifyLedger(path)).ok, true, 'a reader is not kept out');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const store = await sqliteStore({ path });
    await assert.rejects(sqliteStore({ path }), locked, 'nor does one process open it twice');
    await store.close();
    await (await sqliteStore({ path })).close();
  });

  it('grants nothing more once a write has failed, and keeps what it answered for', { skip: process.platform === 'win32' }, async () => {
    const path = join(folder, 'limit.db');
    // The system refuses the log's growth in the midst of a commit, as a failing disk does.
    const { lines } = start('/bin/sh', ['-c', 'ulimit -f 4000; exec "$0" "$1" fill "$2"', process.execPath, CHILD, path]);
    const said: string[] = [];
    for await (const line of lines) said.push(line);
    const answered = said.filter((line) => /^\d+$/.test(line)).map(Number);
    const faults = said.filter((line) => !/^\d+$/.test(line));
    assert.ok(answered.length > 64);
    const met = faults.filter((line) => line === 'disk').length;
    assert.ok(met > 0);
    assert.equal(met + faults.filter((line) => line === 'poisoned').length, 64);
    assert.equal(faults.filter((line) => line === 'poisoned true').length, 64);
    assert.equal(faults.at(-1), 'closed');
    await everyAnswerIsThere(path, answered);
  });

  it('answers with a fault when its writer thread dies, and opens again', async () => {
    const path = join(folder, 'thread.db');
    const writers: Worker[] = [];
    const meet = (worker: Worker): number => writers.push(worker);
    process.once('worker', meet);
    const store = await sqliteStore({ path, now: () => 1_000 });
    const commit = (key: string) =>
      store.commit({
        at: 1_000,
        notAfter: 1_000,
        claims: [{ key, version: 0, value: 1, else: 'taken' }],
        entries: [{ body: {}, terms: [] }],
      });
    assert.equal(await commit('before'), undefined);
    const dying = Promise.allSettled(Array.from({ length: 2_000 }, (_, i) => commit(`${i}`)));
    await writers[0]?.terminate();
    const isPoisoned = (fault: unknown): boolean => fault instanceof StoreFault && fault.what === 'poisoned';
    const answered = (await dying).flatMap((outcome, i) => {
      if (outcome.status === 'rejected') assert.ok(isPoisoned(outcome.reason), String(outcome.reason));
      return outcome.status === 'fulfilled' ? [`${i}`] : [];
    });
    assert.ok(answered.length < 2_000);
    assert.equal(store.poisoned, true);
    await assert.rejects(commit('after'), isPoisoned);
    await assert.rejects(sqliteStore({ path }), (fault) => fault instanceof StoreRefused && fault.code === 'locked');
    await store.close();
    const again = await sqliteStore({ path });
    const { found } = await again.look([...answered, 'before', 'after']);
    assert.equal(found.at(-1), undefined);
    assert.ok(found.slice(0, -1).every((held) => held?.version === 1));
    await again.close();
  });
});
