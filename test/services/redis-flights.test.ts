/** What goes to Redis together: each batch of a turn is judged by what those before it wrote, whatever they share on the way. Needs Redis. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Batch, Claim } from '../../src/store/store.ts';
import { type RedisStore, redisStore } from '../../src/store/store-redis.ts';
import { T } from '../contract/store-room.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';

const absent = (key: string): Claim<string> => ({ key, version: 0, else: `${key} stands` });
const set = (key: string): Claim<string> => ({ key, version: 0, value: 1, else: `${key} was set` });
const batch = (...claims: readonly Claim<string>[]): Batch<string> => ({ at: T, notAfter: T + 60, claims, entries: [] });
const keys = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `halt/${from + i}`);

suite('batches of one turn', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let store: RedisStore;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    store = await redisStore({ place: { url: `redis://${redis.host}:${redis.port}` }, password: redis.password, now: () => T });
  });
  after(async () => {
    await store.close();
    await redis.stop();
  });

  test('what all claim to be absent stands for each of them from the batch on that sets it, and for none before', async () => {
    const answers = await Promise.all([
      store.commit(batch(set('once/1'), absent('halt/all'), absent('halt/a'))),
      store.commit(batch(set('halt/all'))),
      store.commit(batch(set('once/2'), absent('halt/a'), absent('halt/all'))),
      store.commit(batch(set('once/3'), absent('halt/b'), absent('halt/a'))),
      store.commit(batch(absent('halt/b'), set('once/3'), absent('halt/all'))),
    ]);
    assert.deepEqual(answers, [undefined, undefined, 'halt/all stands', undefined, 'once/3 was set']);
    const { found } = await store.look(['once/1', 'once/2', 'once/3', 'halt/all', 'halt/a', 'halt/b']);
    assert.deepEqual(
      found.map((one) => one?.value),
      [1, undefined, 1, 1, undefined, undefined],
    );
  });

  test('of more such keys than one call has room for each is looked at: of many batches, and of one', async () => {
    assert.equal(await store.commit(batch(set('halt/1030'), set('halt/2299'))), undefined);
    const few = Array.from({ length: 40 }, (_, i) => store.commit(batch(set(`many/${i}`), ...keys(1000 + 5 * i, 9).map(absent))));
    const refused = (await Promise.all(few)).flatMap((answer, i) => (answer === undefined ? [] : [[i, answer]]));
    assert.deepEqual(refused, [
      [5, 'halt/1030 stands'],
      [6, 'halt/1030 stands'],
    ]);
    assert.equal(await store.commit(batch(...keys(2000, 120).map(absent))), undefined);
    assert.equal(await store.commit(batch(...keys(2000, 299).map(absent))), undefined);
    assert.equal(await store.commit(batch(...keys(2000, 300).map(absent))), 'halt/2299 stands');
  });

  test('a hundred looks of one turn have each its own answer', async () => {
    const looks = Array.from({ length: 100 }, (_, i) => store.look([`many/${i}`, 'halt/1030', `none/${i}`]));
    for (const [i, { found }] of (await Promise.all(looks)).entries()) {
      const stands = i < 40 && i !== 5 && i !== 6;
      assert.deepEqual(
        found.map((one) => one?.version),
        [stands ? 1 : undefined, 1, undefined],
      );
    }
  });
});
