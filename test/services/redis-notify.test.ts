/** Several brokers on one Redis: each notice is told by one of them, each vote counts once, and one person's limit is one. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { paced } from '../../src/operate/approvals-pace.ts';
import type { RedisStore } from '../../src/store/store-redis.ts';
import { createWorld } from '../../src/world.ts';
import { ask, type Broker, brokerOn, decide, desk, keeper, teller } from '../unit/operate/telling.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { closeAll, openOn, seconds } from './redis-room.ts';

suite('what is told, on one Redis', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let count = 0;
  let stores: readonly [RedisStore, RedisStore];
  let brokers: readonly [Broker, Broker];
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
  });
  after(() => redis.stop());
  beforeEach(async () => {
    const options = { name: `notify-${count++}`, timeoutMs: 20_000 };
    stores = [await openOn(redis, options), await openOn(redis, options)];
    brokers = [brokerOn(stores[0], createWorld()), brokerOn(stores[1], createWorld())];
  });
  afterEach(closeAll);

  test('of two brokers one tells, in the middle of which the other goes', async () => {
    const [a, b] = brokers;
    const desks = [desk(), desk()] as const;
    const first = await teller(a, desks[0]);
    const second = await teller(b, desks[1]);
    for (let i = 0; i < 30; i++) {
      const by = i % 2 ? a : b;
      const approval = await ask(by);
      if (i % 3 === 0) await decide(by, approval);
      if (i === 20) await second.notify.close();
    }
    const ids = (): readonly string[] => desks.flatMap(({ got }) => got.map(({ id }) => id));
    // What B had claimed and not told when it went is told by A after a quarter of a minute.
    await until(() => new Set(ids()).size === 40, 'every notice', { seconds: 40 });
    await first.notify.close();
    assert.deepEqual([ids().length, new Set(ids()).size], [40, 40]);
    assert.ok(desks.every(({ got }) => got.length > 0));
    assert.deepEqual([...a.faults, ...b.faults], []);
  });

  test('of fifty votes at once at two brokers as many hold as one person may have', async () => {
    const votes = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        stores[i % 2 ? 0 : 1].commit({
          at: seconds(),
          notAfter: seconds() + 30,
          claims: paced({ max: 7, windowSeconds: 600 }, keeper, i % 4 ? 'people:u_lea' : 'other:u_lea', `apr_${i}`),
          entries: [],
        }),
      ),
    );
    assert.equal(votes.filter((no) => no === undefined).length, 7);
    assert.deepEqual(new Set(votes), new Set([undefined, 'vote_refused']));
  });
});
