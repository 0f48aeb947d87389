import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../../src/errors.ts';
import { StoreRefused } from '../../src/store/store.ts';
import { createWorld } from '../../src/world.ts';
import { newKey } from '../support/keys.ts';
import { nothingLost, nothingTwice } from './checks.ts';
import { eventually, type House, type Launch, look, notReady, openHouse } from './harness.ts';
import { createLoad, type Load, said, UNAVAILABLE } from './load.ts';

const failingDisk = new URL('./failing-disk.ts', import.meta.url).href;
const STORE_DOWN = { status: 503, failing: ['store down'] };
const DRAINED = { code: 0, signal: null };
const READY = { status: 200, failing: [] };

/** The stated answer of a broker that cannot record. */
async function refusesAll(house: House, load: Load): Promise<void> {
  assert.deepEqual(said(await load.ask()), UNAVAILABLE);
  assert.ok(await eventually(async () => (await notReady(house.issuer)).status === 503));
  assert.deepEqual(await notReady(house.issuer), STORE_DOWN);
  assert.equal((await look(`${house.issuer}/healthz`)).status, 200);
  assert.equal((await look(`${house.issuer}/jwks`)).status, 200);
  const before = load.grants.length;
  for (let i = 0; i < 5; i++) await load.ask();
  assert.equal(load.grants.length, before);
}
/** Load until the fault has struck and for a moment longer. A machine that is busy answers 503 too: the broker says itself that it is the store. */
async function loadUntil(house: House, load: Load, struck: () => boolean): Promise<void> {
  load.begin();
  const isDown = async (): Promise<boolean> => struck() && (await notReady(house.issuer)).failing.includes('store down');
  const did = await eventually(isDown, 60_000);
  await sleep(50);
  await load.end();
  assert.ok(did, 'the fault struck under load');
}
const unavailable = (load: Load): number => load.counts.get('503 temporarily_unavailable') ?? 0;
/** Neither a 500 nor a dropped connection. */
function noneDropped(load: Load): void {
  const kinds = new Set(
    [...load.counts.keys()].filter((kind) => !/^(200|503 temporarily|400 use_dpop_nonce|400 invalid_dpop|401)/.test(kind)),
  );
  assert.deepEqual([...kinds], []);
}
/** Begun again, for the time of `work`: what was answered is there, what was used up is refused, and it goes on. */
async function whole(house: House, load: Load, work: () => Promise<void> = async () => {}): Promise<void> {
  const app = await house.app(createWorld());
  await nothingTwice(load, 4);
  assert.deepEqual(said(await load.ask()), [200]);
  assert.deepEqual(await notReady(house.issuer), READY);
  await work();
  await app.close();
  await nothingLost(house, load);
}
async function refusedStart(house: House, text: RegExp): Promise<void> {
  await assert.rejects(
    house.app(createWorld()),
    (fault) => (fault instanceof StoreRefused || fault instanceof ConfigError) && text.test(fault.message),
  );
}

it('a disk that fails beneath a running broker: full, then an fsync that fails, then read-only', async () => {
  await using house = await openHouse();
  const trigger = join(house.folder, 'failing');
  const launch: Launch = { node: ['--import', failingDisk], env: { FAILING_DISK: trigger } };
  let broker = await house.start(launch);
  const table = [
    ['SQLITE_FULL', 13, 'recovers'],
    ['SQLITE_IOERR_FSYNC', 1034, 'stays'],
    ['SQLITE_READONLY', 8, 'stays'],
  ] as const;
  const loads: Load[] = [];
  for (const [what, code, then] of table) {
    const load = createLoad(house, { inFlight: 8 });
    loads.push(load);
    const striking = sleep(150).then(() => writeFileSync(trigger, String(code)));
    await loadUntil(house, load, () => unavailable(load) > 20);
    await striking;
    noneDropped(load);
    await refusesAll(house, load);
    rmSync(trigger);
    if (then === 'recovers') {
      assert.ok(await eventually(async () => (await notReady(house.issuer)).status === 200), what);
      assert.deepEqual(said(await load.ask()), [200]);
      await nothingTwice(load, 4);
    } else {
      // After a failed fsync nobody knows what is on the disk: only a start, which reads it, makes that good.
      await sleep(1_100);
      await refusesAll(house, load);
      assert.deepEqual(await broker.stop(), DRAINED, what);
      await whole(house, load);
      broker = await house.start(launch);
    }
  }
  await broker.kill();
  await nothingLost(house, ...loads);
});

it('a log that may not grow (RLIMIT_FSIZE)', { skip: process.platform === 'win32' }, async () => {
  await using house = await openHouse();
  const broker = await house.start({ wrapper: ['/bin/sh', '-c', 'ulimit -f 1500; exec "$0" "$@"'] });
  const load = createLoad(house);
  await loadUntil(house, load, () => unavailable(load) > 20);
  noneDropped(load);
  await refusesAll(house, load);
  await broker.kill();
  await whole(house, load);
});

it('a file system without room, and room again', async (t) => {
  const data = mounted(t);
  if (data === undefined) return;
  await using house = await openHouse({ data });
  const ballast = join(data, 'ballast');
  writeFileSync(ballast, Buffer.alloc(1024 * 1024));
  const broker = await house.start();
  const load = createLoad(house);
  await loadUntil(house, load, () => unavailable(load) > 20);
  // To the brim: else a checkpoint makes room by itself.
  assert.throws(() => {
    for (;;) appendFileSync(ballast, Buffer.alloc(1024));
  }, /ENOSPC/);
  noneDropped(load);
  await refusesAll(house, load);
  rmSync(ballast);
  assert.ok(await eventually(async () => (await notReady(house.issuer)).status === 200));
  assert.deepEqual(said(await load.ask()), [200]);
  await broker.kill();
  await whole(house, load);
});
/** A folder of three megabytes; undefined, and the test skipped, where this user may mount nothing. */
function mounted(t: TestContext): string | undefined {
  const folder = join(tmpdir(), `countersign-full-${process.pid}`);
  try {
    mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true, force: true });
    t.skip('needs root, to mount a small tmpfs; RLIMIT_FSIZE and the failing disk above stand for it');
    return undefined;
  }
  t.after(() => {
    execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true });
  });
  return folder;
}

it('files that go away under a running broker: its log, its key file, its database', async () => {
  await using house = await openHouse();
  const load = createLoad(house, { inFlight: 8 });
  const strike = async (fault: () => void): Promise<void> => {
    const before = unavailable(load);
    const striking = sleep(150).then(fault);
    await loadUntil(house, load, () => unavailable(load) > before + 20);
    await striking;
    await refusesAll(house, load);
  };
  const isGone = /the store that was here is gone/;

  // The log: what was answered is saved into the file before anything else is refused.
  let broker = await house.start();
  await strike(() => rmSync(`${house.store}-wal`));
  await broker.kill();

  // The key file: the secret is in memory, so grants go on, and it is said that the next start will fail. It does, and so with another secret.
  const keyAway = `${house.keyFile}.away`;
  await whole(house, load, async () => {
    renameSync(house.keyFile, keyAway);
    assert.deepEqual(await notReady(house.issuer), { status: 200, failing: ['key_file degraded'] });
    assert.deepEqual(said(await load.ask()), [200]);
  });
  assert.match(await house.refused(), /keys\.secret: the key file is missing/);
  assert.ok(!existsSync(house.keyFile), 'none is made');
  writeFileSync(house.keyFile, `${newKey().jkt}\n`, { mode: 0o600 }); // 32 bytes, and not these
  await refusedStart(house, /keys\.secret: it does not open the signing keys/);
  renameSync(keyAway, house.keyFile);

  // The database: nothing more is granted, and no new one takes its place.
  broker = await house.start();
  const away = `${house.store}.away`;
  await strike(() => renameSync(house.store, away));
  await broker.kill();
  await refusedStart(house, isGone);
  renameSync(`${house.store}-wal`, `${away}-wal`);
  assert.match(await house.refused(), /the store that was here is gone[\s\S]*Put its file back from a copy/);
  assert.ok(!existsSync(house.store), 'none is made');
  writeFileSync(house.store, '');
  await refusedStart(house, isGone);
  writeFileSync(house.store, 'not ours');
  await refusedStart(house, /damaged, or not a store of this program/);
  renameSync(away, house.store);
  renameSync(`${away}-wal`, `${house.store}-wal`);
  await whole(house, load);

  // Another in its place.
  broker = await house.start();
  await strike(() => {
    renameSync(house.store, away);
    writeFileSync(house.store, 'not ours');
  });
  await broker.kill();
  renameSync(away, house.store);
  await whole(house, load);
});
