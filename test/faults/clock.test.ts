import assert from 'node:assert/strict';
import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../../src/errors.ts';
import { createWorld } from '../../src/world.ts';
import { nothingLost, nothingTwice, readLedger } from './checks.ts';
import { eventually, type House, type Launch, look, notReady, openHouse } from './harness.ts';
import { createLoad, type Load, said, UNAVAILABLE } from './load.ts';

const HOUR = 3_600;
const trueNow = (): number => Math.floor(Date.now() / 1000);

/** Agents whose clocks are right are told to come back; others are perhaps not even believed. */
async function inDoubt(house: House, right: Load, ...others: readonly Load[]): Promise<void> {
  assert.deepEqual(await notReady(house.issuer), { status: 503, failing: ['clock down'] });
  assert.equal((await look(`${house.issuer}/healthz`)).status, 200);
  for (const client of ['refund-bot', 'nightly-report'] as const)
    assert.deepEqual(said(await right.ask(right.wish({ client }))), UNAVAILABLE);
  for (const load of [right, ...others]) {
    const before = load.grants.length;
    await load.ask();
    // What was used up is refused now too.
    for (const sent of load.used.slice(-2)) assert.notEqual(said(await load.send(load.make(sent.wish, sent)))[0], 200);
    assert.equal(load.grants.length, before);
  }
}

it('a wall clock that parts from the monotonic one: nothing is granted, nothing comes back to life, and all is well when it returns', async () => {
  await using house = await openHouse();
  let step = 0;
  const shifted = (): number => trueNow() + step;
  const world = createWorld({ wall: () => Date.now() + step * 1000, monotonic: () => performance.now() });
  let app = await house.app(world);
  // Agents whose clocks are right, and agents who live by the broker's.
  const [right, shifty] = [createLoad(house), createLoad(house, { now: shifted })];
  const loads = [right, shifty];
  for (const load of loads) for (let i = 0; i < 6; i++) assert.deepEqual(said(await load.ask()), [200]);
  for (const seconds of [HOUR, -HOUR, 7, -7]) {
    step = seconds;
    await inDoubt(house, right, shifty);
    step = 0;
    assert.deepEqual(await notReady(house.issuer), { status: 200, failing: [] });
    for (const load of loads) {
      assert.deepEqual(said(await load.ask()), [200]);
      await nothingTwice(load, 2);
    }
  }
  step = 3; // as a clock is set right by NTP
  assert.deepEqual(said((await loads[0]?.ask()) ?? assert.fail()), [200]);
  step = 0;
  await app.close();
  const faulted = readLedger(house.store).filter(({ kind }) => kind === 'faulted');
  assert.ok(faulted.length > 0 && faulted.every(({ at }) => Math.abs(at - trueNow()) < 60), 'recorded, at the time that it really was');
  await nothingLost(house, ...loads);

  // Begun an hour early, it would have forgotten nothing yet; begun an hour after the ledger's end, what was used up might work again.
  const behind = createWorld({ wall: () => Date.now() - HOUR * 1000, monotonic: () => performance.now() });
  await assert.rejects(house.app(behind), (fault) => fault instanceof ConfigError && /^clock: /.test(fault.problems[0] ?? ''));
  app = await house.app(createWorld());
  for (const load of loads) await nothingTwice(load, 4);
  await app.close();
});

const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1');
const how = 'needs libfaketime: apt-get install faketime';

it('a process whose system clock is set', { skip: library === undefined && how }, async () => {
  await using house = await openHouse();
  const clock = join(house.folder, 'clock');
  const set = (seconds: number): void => writeFileSync(clock, seconds < 0 ? `${seconds}` : `+${seconds}`);
  const env = {
    LD_PRELOAD: library ?? '',
    FAKETIME_TIMESTAMP_FILE: clock,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
  const launch: Launch = { env };
  set(0);
  let broker = await house.start(launch);
  const load = createLoad(house, { inFlight: 4 });
  for (const seconds of [HOUR, -HOUR]) {
    load.begin();
    await sleep(150);
    set(seconds);
    assert.ok(await eventually(() => (load.counts.get('503 temporarily_unavailable') ?? 0) > 20));
    await load.end();
    await inDoubt(house, load);
    set(0);
    assert.ok(await eventually(async () => (await notReady(house.issuer)).status === 200));
    assert.deepEqual(said(await load.ask()), [200]);
    await nothingTwice(load, 4);
    load.counts.clear();
  }
  await broker.kill();

  // Killed, and begun by a clock that is an hour late.
  set(-HOUR);
  assert.match(await house.refused(launch), /clock: this machine's clock is behind the ledger's last entry/);
  // Begun by one that is an hour ahead it cannot know better; nor would it remember, once that is set right, what it forgot meanwhile.
  set(HOUR);
  broker = await house.start(launch);
  const ahead = createLoad(house, { now: () => trueNow() + HOUR });
  ahead.begin();
  await sleep(200);
  await ahead.end();
  assert.ok(ahead.grants.length > 0);
  assert.deepEqual(said(await load.ask()), [401, 'invalid_client'], 'an assertion of the right time has ended there');
  await broker.kill();
  set(0);
  assert.match(await house.refused(launch), /clock: /);
  set(HOUR);
  broker = await house.start(launch);
  await nothingTwice(ahead, 4);
  assert.deepEqual(await broker.stop(), { code: 0, signal: null });
  await nothingLost(house, load, ahead);
});
