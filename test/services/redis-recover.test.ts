/** A server that has lost the end of what it answered for: brokers put back what they know, and what they cannot is void. */
import assert from 'node:assert/strict';
import { afterEach, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim } from '../../src/store/store.ts';
import type { RedisStore } from '../../src/store/store-redis.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { startProxy } from './proxy.ts';
import { type Redis, startRedis } from './redis.ts';
import { closeAll, commit, get, openOn, put, seconds } from './redis-room.ts';

suite('what a failover has lost', { skip: await skipUnless('redis') }, () => {
  afterEach(closeAll);
  const WINDOW = { sum: 'budget/a', windowSeconds: 3_600 };
  const spend = (id: string, amount: number, limit = 100): Claim<string> => ({ ...WINDOW, id, amount, limit, else: 'full' });
  /** Nothing that was written since the last SAVE is there. */
  async function lose(redis: Redis): Promise<void> {
    // Memories are told apart by the second in which they began.
    await sleep(1_100);
    await redis.kill();
    await redis.restart();
  }
  const recovered = (store: RedisStore, mark: string): Promise<void> =>
    until(
      async () => (await store.scan({ term: 'entry', limit: 100 })).some(({ value }) => (value as { mark?: string }).mark === mark),
      mark,
    );
  const volatile = { appendonly: false } as const;

  test('keys, their terms and budgets stand as they were answered for; what was used up once is void', async () => {
    await using redis = await startRedis(volatile);
    const store = await openOn(redis, { persistence: 'none' });
    const before = [put('lease/1', 0, 'open', { terms: ['open'] }), put('halt/agent/b', 0, 'halted'), spend('t1', 10)];
    assert.equal(await commit(store, before, { mark: 'before' }), undefined);
    await store.seal();
    await redis.cli('SAVE');
    const old = store.since;

    const once = put('once/x', 0, 1, { until: seconds() + 300, issued: seconds() + 1, unknown: 'unknown' });
    const batches: readonly (readonly Claim<string>[])[] = [
      [put('halt/agent/a', 0, { by: 'op' }, { terms: ['halt'] }), once, spend('t2', 50)],
      [put('retry/k', 0, 'grant', { until: seconds() + 3_600 }), put('lease/1', 1, 'ended', { terms: ['ended'] })],
      [put('lease/1', 2, 'gone', { terms: ['ended'] }), put('halt/agent/b', 1, 0, { until: seconds() - 1 }), spend('t1', 4)],
      [put('revoked/tok', 0, 1, { until: seconds() + 600, terms: ['revoked'] })],
    ];
    for (const claims of batches) assert.equal(await commit(store, claims, { i: 1 }), undefined);
    assert.equal(await commit(store, [], { mark: 'last' }), undefined);
    const budget = async (): Promise<readonly number[]> => (await store.look([], [WINDOW])).sums;
    assert.deepEqual(await budget(), [54]);

    await lose(redis);
    await until(() => commit(store, []).then(() => true), 'the store to come back');
    await recovered(store, 'last');
    assert.ok(store.since > old);
    const keys = ['halt/agent/a', 'halt/agent/b', 'retry/k', 'lease/1', 'revoked/tok', 'once/x'];
    const { found } = await store.look(keys);
    assert.deepEqual(
      found.map((one) => one?.value),
      [{ by: 'op' }, undefined, 'grant', 'gone', 1, undefined],
    );
    for (const [term, count] of [
      ['halt', 1],
      ['revoked', 1],
      ['open', 0],
      ['ended', 1],
    ] as const)
      assert.deepEqual([term, (await store.scan({ term, limit: 9 })).length], [term, count]);
    assert.deepEqual(await budget(), [54]);
    assert.equal(await commit(store, [spend('t3', 47)]), 'full');
    assert.equal(await commit(store, [spend('t3', 46)]), undefined);
    assert.equal(await commit(store, [once]), 'unknown', 'nobody knows, and nobody needs to');
    await store.close();
  });

  test('what another broker wrote since stands', async () => {
    await using redis = await startRedis(volatile);
    await using proxy = await startProxy({ port: redis.port });
    const [a, b] = [await openOn({ ...redis, port: proxy.port }, { persistence: 'none' }), await openOn(redis, { persistence: 'none' })];
    await commit(a, [put('key', 0, 'first')], { mark: 'before' });
    await a.seal();
    await redis.cli('SAVE');
    assert.equal(await commit(a, [put('key', 1, 'lost'), put('other', 0, 'lost')], { mark: 'last' }), undefined);

    await proxy.down();
    await lose(redis);
    await until(() => commit(b, []).then(() => true), 'the other to come back');
    assert.deepEqual(await get(b, 'key'), { version: 1, value: 'first' });
    assert.equal(await commit(b, [put('key', 1, 'newer')]), undefined);
    await proxy.up();
    await recovered(b, 'last');
    assert.deepEqual([(await get(b, 'key'))?.value, (await get(b, 'other'))?.value], ['newer', 'lost']);
    await Promise.all([a.close(), b.close()]);
  });
});
