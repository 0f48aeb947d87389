/** Brokers of one Redis count together how often somebody has asked, behind the requests. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createRates, type Rates } from '../../src/http/rates.ts';
import { StoreFault } from '../../src/store/store.ts';
import { type RedisTally, redisTally } from '../../src/store/store-redis-rates.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';

suite('rates of several brokers', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  const open: { close(): void }[] = [];
  before(async () => {
    redis = await startRedis();
  });
  after(async () => {
    for (const one of open) one.close();
    await redis.stop();
  });
  function tally(name = 'countersign'): RedisTally {
    const place = { url: `redis://127.0.0.1:${redis.port}` };
    const made = redisTally({ name, place, password: redis.password, timeoutMs: 500 });
    open.push(made);
    return made;
  }
  function broker(limit = { requests: 100, seconds: 60 }): Rates {
    const to = tally();
    // All begin in the middle of one and the same window.
    const from = performance.now();
    const made = createRates({
      ...limit,
      now: 1_795_176_030,
      elapsed: () => performance.now() - from,
      tally: { add: (...args) => to.add('agent', ...args) },
    });
    open.push(made);
    return made;
  }
  const through = (rates: Rates, count: number, name: string): number =>
    Array.from({ length: count }, () => rates.take(name)).filter((wait) => wait === undefined).length;

  test('what one has let through counts at the other within half a second, by itself', async () => {
    const [one, two] = [broker(), broker()];
    assert.equal(through(one, 90, 'refund-bot'), 90);
    assert.equal(through(two, 1, 'refund-bot'), 1);
    const began = performance.now();
    await until(() => through(two, 1, 'refund-bot') === 0, 'the other to hear', { seconds: 5 });
    assert.ok(performance.now() - began < 5_000);
    const [all] = [through(one, 50, 'refund-bot')];
    assert.ok(all <= 10, `${all} more at the first`);
  });
  test('keys name nobody, and go by themselves', async () => {
    const one = broker();
    through(one, 3, '203.0.113.7');
    await one.exchange();
    const keys = (await redis.cli('KEYS', '{countersign}:rate:*')) as readonly string[];
    assert.ok(keys.length > 0);
    for (const key of keys) {
      assert.doesNotMatch(key, /203|refund/);
      const left = Number(await redis.cli('TTL', key));
      assert.ok(left > 0 && left <= 120, `${key}: ${left}`);
    }
  });
  test('stores of two names count apart', async () => {
    const window = { index: 1, seconds: 60 };
    const [one, two] = [tally('one'), tally('two')];
    assert.deepEqual([...(await one.add('agent', window, new Map([['a', 5]])))], [['a', 5]]);
    assert.deepEqual(
      [
        ...(await one.add(
          'agent',
          window,
          new Map([
            ['a', 2],
            ['b', 1],
          ]),
        )),
      ],
      [
        ['a', 7],
        ['b', 1],
      ],
    );
    assert.deepEqual([...(await one.add('address', window, new Map([['a', 1]])))], [['a', 1]]);
    assert.deepEqual([...(await two.add('agent', window, new Map([['a', 1]])))], [['a', 1]]);
  });
  test('while Redis is away each limits for itself, nobody waits, and then they count together again', async () => {
    const [one, two] = [broker(), broker()];
    await redis.kill();
    const away = tally();
    await assert.rejects(away.add('agent', { index: 1, seconds: 60 }, new Map([['a', 1]])), StoreFault);
    const began = performance.now();
    assert.equal(through(one, 150, 'triage-bot'), 100);
    await one.exchange();
    assert.ok(performance.now() - began < 5_000);
    await redis.restart();
    await one.exchange();
    assert.equal(through(two, 1, 'triage-bot'), 1);
    await two.exchange();
    assert.equal(through(two, 5, 'triage-bot'), 0);
  });
  test('a Redis that says nothing keeps nobody waiting either', async () => {
    const one = broker();
    through(one, 1, 'nightly-report');
    await one.exchange();
    redis.pause();
    try {
      through(one, 1, 'nightly-report');
      const began = performance.now();
      await one.exchange();
      assert.ok(performance.now() - began < 5_000);
      assert.equal(through(one, 10, 'nightly-report'), 10);
    } finally {
      redis.resume();
    }
  });
});
