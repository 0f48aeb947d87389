/** The contract of every store, kept by Redis. */
import { after, before, suite, test } from 'node:test';
import fc from 'fast-check';
import { redisStore } from '../../src/store/store-redis.ts';
import { storeContract } from '../contract/store.ts';
import { agrees, steps } from '../contract/store-model.ts';
import { T } from '../contract/store-room.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';

suite('redis', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let stores = 0;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
  });
  after(() => redis.stop());

  storeContract('Redis', async () => {
    const clock = { at: T };
    const place = { url: `redis://${redis.host}:${redis.port}` };
    return { store: await redisStore({ place, password: redis.password, name: `store-${stores++}`, now: () => clock.at }), clock };
  });
  test('agrees with the model, opened again and again', async () => {
    const place = { url: `redis://${redis.host}:${redis.port}` };
    await fc.assert(
      fc.asyncProperty(steps(1), (plan) => {
        const name = `model-${stores++}`;
        return agrees((now) => redisStore({ place, password: redis.password, name, now }), plan);
      }),
      { numRuns: 150 },
    );
  });
});
