/** A store that moves into Redis is killed at twenty random moments, and moved again: it is whole in the end. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type MovingRoom, movingRoom } from '../services/moving.ts';
import { skipUnless } from '../services/provision.ts';
import { startRedis } from '../services/redis.ts';

const KILLS = 20;

suite('a store that is killed on its way', { skip: await skipUnless('redis') }, () => {
  test('is whole in the end', { timeout: 300_000 }, async () => {
    await using redis = await startRedis({ appendfsync: 'always' });
    const room: MovingRoom = await movingRoom(redis);
    try {
      const { tookMs } = await room.migrate(room.copy());
      await redis.cli('FLUSHALL');
      let killed = 0;
      for (let i = 0; i < KILLS; i++) if (await room.survives(tookMs)) killed++;
      assert.ok(killed > KILLS / 2, `${killed} of ${KILLS} came in time`);
    } finally {
      room.remove();
    }
  });
});
