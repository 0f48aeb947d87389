/** Redis that fails over behind Sentinels, and a Cluster whose slot moves: what was answered for is there, what may be forgotten is void. */
import assert from 'node:assert/strict';
import { afterEach, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { verifyChains } from '../../src/store/chains.ts';
import type { RedisStore } from '../../src/store/store-redis.ts';
import { openLedger } from '../../src/store/store-redis-ledger.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { startCluster } from './redis-cluster.ts';
import { at, closeAll, commit, get, isFault, openAt, put, seconds } from './redis-room.ts';
import { startSentinel } from './redis-sentinel.ts';

const skip = await skipUnless('redis');

/** Grants all the while, until it is stopped; answers with what it was told of. */
function load(stores: readonly RedisStore[]): () => Promise<readonly string[]> {
  const answered: string[] = [];
  let asking = true;
  let n = 0;
  const one = async (store: RedisStore): Promise<void> => {
    while (asking) {
      const mark = `once/${n++}`;
      await commit(store, [put(mark, 0, 1, { until: seconds() + 3_600, issued: store.since })], { mark }).then(
        (failed) => failed === undefined && answered.push(mark),
        () => sleep(10),
      );
    }
  };
  const all = Promise.all(stores.map(one));
  return async () => {
    asking = false;
    await all;
    return answered;
  };
}
async function nothingLost(store: RedisStore, answered: readonly string[]): Promise<void> {
  const entries = await store.scan({ term: 'entry', limit: 1_000_000 });
  const told = new Map<unknown, number>();
  for (const { value } of entries) {
    const { mark } = value as { mark?: string };
    told.set(mark, (told.get(mark) ?? 0) + 1);
  }
  for (const mark of answered) {
    assert.deepEqual(await get(store, mark), { version: 1, value: 1 }, `${mark} was forgotten`);
    assert.equal(told.get(mark), 1, `${mark} has no entry`);
  }
}

suite('Sentinels', { skip }, () => {
  afterEach(closeAll);
  test('a master that is killed under load: another takes over, nothing that was answered for is lost, the memory begins anew', async () => {
    await using sentinel = await startSentinel({ appendfsync: 'always', downAfterMs: 500 });
    const open = () => openAt({ place: { sentinels: sentinel.sentinels, master: sentinel.name }, password: sentinel.password });
    const stores = [await open(), await open()] as const;
    const since = stores[0].since;
    const stop = load(stores);
    await sleep(500);
    const master = await sentinel.master();
    await master.kill();
    const next = await sentinel.failedOver(master);
    const began = performance.now();
    await until(() => commit(stores[0], []).then(() => true), 'the store to come back');
    const back = performance.now() - began;
    await sleep(500);
    const answered = await stop();
    console.log(`# back after ${Math.round(back)} ms`);
    assert.ok(answered.length > 50, `${answered.length} answers`);
    await nothingLost(stores[0], answered);
    assert.ok(stores[0].since > since);
    assert.equal(await commit(stores[1], [put('old', 0, 1, { issued: since })]), 'old@0');
    for (const store of stores) await store.seal();
    const ledger = await openLedger({ place: at(next), password: sentinel.password, timeoutMs: 1_000 });
    await until(async () => (await verifyChains(ledger)).unsealed.length === 0, 'all to be sealed');
    assert.equal((await verifyChains(ledger)).bad, undefined);
    ledger.close();
    await Promise.all(stores.map((store) => store.close()));
  });
  test('a master that no replica follows answers nothing', async () => {
    await using sentinel = await startSentinel({ replicas: 1, appendfsync: 'always', downAfterMs: 60_000 });
    const store = await openAt({ place: { sentinels: sentinel.sentinels, master: sentinel.name }, password: sentinel.password });
    assert.equal(await commit(store, [put('a', 0, 1)]), undefined);
    const replica = sentinel.nodes[1];
    replica?.pause();
    await assert.rejects(commit(store, [put('b', 0, 1)]), isFault('unreachable'));
    replica?.resume();
    await until(() => commit(store, [put('c', 0, 1)]).then(() => true), 'the replica to follow');
    assert.equal(await commit(store, [put('b', 0, 1)]), 'b@0', 'it stands on the master: burnt');
    await store.close();
  });
});

suite('a Cluster', { skip }, () => {
  afterEach(closeAll);
  test('has it all in one slot; while that moves nothing is wrong, and then it goes on', async () => {
    await using cluster = await startCluster({ config: ['appendfsync always'] });
    const place = { nodes: cluster.nodes.map(({ host, port }) => ({ host, port })) };
    const open = () => openAt({ place, password: cluster.password, replicas: 0 });
    const stores = [await open(), await open()] as const;
    const stop = load(stores);
    await sleep(300);
    const slot = await cluster.slotOf('{countersign}');
    const from = await cluster.ownerOf(slot);
    const to = cluster.nodes.find((node) => node !== from);
    assert.ok(to);
    const moving = await cluster.move(slot, to);
    await sleep(300);
    await moving.finish();
    const began = performance.now();
    await until(() => commit(stores[0], []).then(() => true), 'the store to come back');
    const back = performance.now() - began;
    await sleep(300);
    const answered = await stop();
    console.log(`# back after ${Math.round(back)} ms`);
    assert.ok(answered.length > 20, `${answered.length} answers`);
    await nothingLost(stores[1], answered);
    for (const store of stores) await store.seal();
    const ledger = await openLedger({ place, password: cluster.password, timeoutMs: 1_000 });
    const report = await verifyChains(ledger);
    assert.equal(report.bad, undefined);
    ledger.close();
    await Promise.all(stores.map((store) => store.close()));
  });
});
