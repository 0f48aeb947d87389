/** A Redis that dies, stands still, is slow, full, starting, emptied or behind: no answer is wrong, late or lost. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { verifyChains } from '../../src/store/chains.ts';
import type { RedisStore } from '../../src/store/store-redis.ts';
import { openLedger } from '../../src/store/store-redis-ledger.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { BLACKHOLE, startProxy, type TcpProxy } from './proxy.ts';
import { type Redis, startRedis } from './redis.ts';
import { at, closeAll, commit, get, isFault, openOn, put, seconds, took } from './redis-room.ts';

const skip = await skipUnless('redis');
/** Of one answer. */
const TIMEOUT_MS = 1_000;
const unreachable = isFault('unreachable');

suite('a Redis in trouble', { skip }, () => {
  let redis: Redis;
  let proxy: TcpProxy;
  let store: RedisStore;
  let n = 0;
  const name = (): string => `k${n++}`;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    proxy = await startProxy({ port: redis.port });
  });
  beforeEach(async () => {
    store = await openOn({ ...redis, port: proxy.port }, { timeoutMs: TIMEOUT_MS });
  });
  afterEach(async () => {
    proxy.set();
    await store.close();
  });
  after(async () => {
    await closeAll();
    await proxy.stop();
    await redis.stop();
  });
  /** How soon it is ready again is measured (`npm run bench -- --only return`); here it has to be. */
  async function recovery(of: RedisStore = store): Promise<void> {
    await until(() => commit(of, [put(name(), 0, 1)], { again: true }).then(() => true), 'the store to come back');
  }
  async function verified(): Promise<void> {
    await store.seal();
    const ledger = await openLedger({ place: at(redis), password: redis.password, timeoutMs: 1000 });
    const report = await verifyChains(ledger);
    ledger.close();
    assert.equal(report.bad, undefined);
  }
  /** What is asked again and again while it is away: nobody waits for a time-out. */
  async function asksFail(): Promise<void> {
    for (let i = 0; i < 10; i++) {
      const mark = name();
      const began = performance.now();
      await assert.rejects(commit(store, [put(mark, 0, 1)]), unreachable);
      await assert.rejects(store.look([mark]), unreachable);
      assert.ok(performance.now() - began < TIMEOUT_MS, `${performance.now() - began} ms`);
    }
  }

  test('killed and started again: what it answered for stands, and it is known by itself', async () => {
    const { since } = store;
    const answered: string[] = [];
    let asking = true;
    const load = (async () => {
      while (asking) {
        const mark = name();
        await commit(store, [put(mark, 0, 1)], { mark }).then(
          () => answered.push(mark),
          () => sleep(5),
        );
      }
    })();
    try {
      for (let i = 0; i < 3; i++) {
        await sleep(60);
        await redis.kill();
        await sleep(30);
        await asksFail();
        await redis.restart();
        await recovery();
      }
    } finally {
      asking = false;
      await load;
    }
    assert.ok(answered.length > 20, `${answered.length} answers`);
    const entries = await store.scan({ term: 'entry', limit: 100_000 });
    const told = new Set(entries.map(({ value }) => (value as { mark?: string }).mark));
    for (const mark of answered) {
      assert.deepEqual(await get(store, mark), { version: 1, value: 1 });
      assert.ok(told.has(mark));
    }
    assert.equal(store.since, since, 'it keeps what it answers for, so nothing is void');
    await verified();
  });

  test('stopped: what is under way fails within the timeout, what comes then at once; it goes on by itself', async () => {
    redis.pause();
    const first = name();
    const one = await took(() => assert.rejects(commit(store, [put(first, 0, 1)], { first }), unreachable));
    assert.ok(one > TIMEOUT_MS - 100 && one < 5 * TIMEOUT_MS, `${one} ms`);
    await asksFail();
    redis.resume();
    await recovery();
    // In doubt, and in its buffers all the time: applied once or not at all, and never new again.
    const again = await commit(store, [put(first, 0, 1)]);
    assert.ok(again === undefined || again === `${first}@0`);
    await verified();
  });
  test('stopped past the deadline of what it was sent: that is not done when it goes on', async () => {
    redis.pause();
    const late = name();
    const now = seconds();
    const batch = { at: now, notAfter: now + 1, claims: [put(late, 0, 1)], entries: [] };
    await assert.rejects(store.commit(batch), unreachable);
    await sleep(1_500);
    redis.resume();
    await recovery();
    assert.equal(await get(store, late), undefined);
  });
  test('slow, but within the timeout: answered', async () => {
    proxy.set({ down: { delayMs: 300 } });
    assert.equal(await commit(store, [put(name(), 0, 1)]), undefined);
  });
  test('slower than the timeout: refused, and nobody waits longer', async () => {
    proxy.set({ down: { delayMs: 3_000 } });
    const spent = await took(() => assert.rejects(commit(store, [put(name(), 0, 1)]), unreachable));
    assert.ok(spent < 2_900, `${spent} ms`);
    proxy.set();
    await recovery();
  });
  test('reset in the middle of a command: refused, and it was not done', async () => {
    const mark = name();
    proxy.set({ up: { resetAfterBytes: 300 } });
    await assert.rejects(commit(store, [put(mark, 0, 'x'.repeat(1_000))]), unreachable);
    proxy.set();
    await recovery();
    assert.equal(await get(store, mark), undefined);
  });
  test('cut off after it was done: in doubt, and the identifier is burnt', async () => {
    const mark = name();
    proxy.set({ down: { hold: true } });
    await assert.rejects(commit(store, [put(mark, 0, 1)], { mark }), unreachable);
    proxy.cut();
    proxy.set();
    await recovery();
    assert.equal(await commit(store, [put(mark, 0, 1)]), `${mark}@0`);
    const entries = await store.scan({ term: 'entry', limit: 10, newestFirst: true });
    assert.ok(
      entries.every(({ hash }) => hash !== undefined),
      'what landed unheard is sealed like the rest',
    );
    await verified();
  });
  test('a partition of both ways', async () => {
    proxy.set(BLACKHOLE);
    await took(() => commit(store, [put(name(), 0, 1)]));
    await asksFail();
    await sleep(1_500);
    proxy.set();
    await recovery();
    await verified();
  });
  test('full: refused as such, reads go on, and it goes on when there is room', async () => {
    await redis.cli('CONFIG', 'SET', 'maxmemory', '1mb');
    const mark = name();
    await assert.rejects(commit(store, [put(mark, 0, 'x'.repeat(1000))]), isFault('full'));
    assert.equal(await get(store, mark), undefined);
    await redis.cli('CONFIG', 'SET', 'maxmemory', '0');
    assert.equal(await commit(store, [put(mark, 0, 1)]), undefined);
  });
  test('made a replica: refused until it is a master; and promoted, what was issued before is void', async () => {
    await using other = await startRedis({ appendfsync: 'always', password: redis.password });
    const { since } = store;
    await redis.cli('REPLICAOF', other.host, String(other.port));
    await redis.cli('REPLICAOF', 'NO', 'ONE');
    await redis.cli('REPLICAOF', '127.0.0.1', '1');
    await assert.rejects(commit(store, [put(name(), 0, 1)]), unreachable);
    await asksFail();
    await sleep(1_100);
    await redis.cli('REPLICAOF', 'NO', 'ONE');
    await recovery();
    assert.ok(store.since > since);
    assert.equal(await commit(store, [put('issued', 0, 1, { issued: since })]), 'issued@0');
  });
});

suite('a Redis that has forgotten', { skip }, () => {
  afterEach(closeAll);
  const issued = (mark: string, when: number) => put(mark, 0, 1, { until: seconds() + 300, issued: when });

  test('emptied under a broker: nothing more until that is started again, and then nothing from before', async () => {
    await using redis = await startRedis({ appendfsync: 'always' });
    const [a, b] = [await openOn(redis), await openOn(redis)];
    await commit(a, [issued('m', seconds() + 5)], { m: 1 });
    await sleep(2_000);
    await redis.cli('FLUSHALL');
    for (const store of [a, b]) {
      await assert.rejects(store.look(['m']), isFault('poisoned'));
      await assert.rejects(commit(store, [put('x', 0, 1)]), isFault('poisoned'));
      assert.equal(store.poisoned?.code, 'missing');
    }
    const next = await openOn(redis);
    assert.equal(await commit(next, [issued('m', seconds() - 1)]), 'm@0', 'it may have been used');
    assert.equal(await commit(next, [issued('m', next.since)]), undefined);
    // One that has not noticed yet meets another store where its own was.
    await assert.rejects(commit(b, [put('x', 0, 1)]), isFault('poisoned'));
    await Promise.all([a, b, next].map((store) => store.close()));
  });
  test('started empty under a broker: the same', async () => {
    await using redis = await startRedis({ appendfsync: 'always' });
    const store = await openOn(redis);
    await redis.restartEmpty();
    await until(() => commit(store, []).then(() => false, isFault('poisoned')), 'the broker to know');
    await store.close();
  });
  test('started again where a second may be lost: the memory begins anew, keys and ledger stand', async () => {
    await using redis = await startRedis({ appendfsync: 'everysec' });
    const store = await openOn(redis, { persistence: 'everysec' });
    const before = store.since;
    await commit(store, [issued('m', seconds() + 5)], { m: 1 });
    await sleep(2_100);
    await redis.kill();
    await redis.restart();
    await until(() => commit(store, []).then(() => true), 'the store to come back');
    assert.ok(store.since > before);
    assert.equal(await commit(store, [issued('new', before)]), 'new@0');
    assert.equal((await get(store, 'm'))?.version, 1);
    await store.close();
  });
  test('gone back to an older copy: what was answered for is put back into the ledger, the rest is void', async () => {
    await using redis = await startRedis({ appendonly: false });
    const store = await openOn(redis, { persistence: 'none' });
    for (let i = 0; i < 5; i++) await commit(store, [], { i });
    await store.seal();
    await redis.cli('SAVE');
    for (let i = 5; i < 12; i++) await commit(store, [], { i });
    const before = store.since;
    await sleep(1_100);
    await redis.kill();
    await redis.restart();
    await until(() => commit(store, [], { after: 1 }).then(() => true), 'the store to come back');
    assert.ok(store.since > before);
    const told = async () => (await store.scan({ term: 'entry', limit: 100 })).map(({ value }) => (value as { i?: number }).i);
    await until(async () => (await told()).includes(11), 'the entries to be put back');
    assert.deepEqual(
      [...(await told())].filter((i) => i !== undefined).sort((x, y) => x - y),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    );
    await store.seal();
    const ledger = await openLedger({ place: at(redis), password: redis.password, timeoutMs: 1000 });
    await until(async () => (await verifyChains(ledger)).unsealed.length === 0, 'all to be sealed');
    assert.equal((await verifyChains(ledger)).bad, undefined);
    ledger.close();
    await store.close();
  });
  test('a server whose clock has been an hour ahead: its memory begins anew', async () => {
    await using redis = await startRedis({ appendfsync: 'always' });
    const [store, other] = [await openOn(redis), await openOn(redis)];
    const before = store.since;
    await sleep(1_100);
    await redis.cli('HSET', '{countersign}:meta', 'seen', String(seconds() + 3_600));
    await until(() => commit(store, []).then(() => store.since > before), 'the store to notice');
    await until(() => other.since === store.since, 'the other to be told');
    assert.equal(await commit(store, [issued('m', before)]), 'm@0');
  });
  test('still loading: waited for at the start, and no answer before', async () => {
    await using redis = await startRedis({ appendfsync: 'always', config: ['key-load-delay 2000'] });
    const store = await openOn(redis);
    await Promise.all(Array.from({ length: 500 }, (_, i) => commit(store, [put(`many/${i}`, 0, 1)])));
    await redis.cli('BGREWRITEAOF');
    await until(async () => /aof_rewrite_in_progress:0/.test(String(await redis.cli('INFO', 'persistence'))), 'the file to be written');
    await redis.kill();
    const restarting = redis.restart();
    await sleep(200);
    await assert.rejects(commit(store, [put('x', 0, 1)]), unreachable);
    await restarting;
    await until(() => commit(store, [put('x', 0, 1)]).then(() => true), 'the store to come back');
    await store.close();
  });
});
