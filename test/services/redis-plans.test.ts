/** Two brokers on one Redis take the steps of one plan: one memory of what was taken. */
import { after, before, suite } from 'node:test';
import { planTurns } from '../contract/plan-turns.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { closeAll, openOn, seconds } from './redis-room.ts';

suite('a plan on Redis', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
  });
  after(async () => {
    await closeAll();
    await redis.stop();
  });
  planTurns(
    'Redis',
    async () => ({ stores: [await openOn(redis, { name: 'plans' }), await openOn(redis, { name: 'plans' })], now: seconds }),
    100,
  );
});
