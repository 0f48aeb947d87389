/** Several brokers on one Redis: one winner, one memory, and nothing to be learnt from what stands there. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, suite, test } from 'node:test';
import { StoreRefused } from '../../src/store/store.ts';
import { type RedisOptions, type RedisStore, redisStore } from '../../src/store/store-redis.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { closeAll, commit, entry, get, isFault, openOn, put, seconds } from './redis-room.ts';

suite('brokers on one Redis', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let name = '';
  let count = 0;
  let began = 0;
  let brokers: readonly [RedisStore, RedisStore];
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
  });
  after(async () => {
    await closeAll();
    await redis.stop();
  });
  beforeEach(async () => {
    name = `brokers-${count++}`;
    began = seconds();
    // A busy machine is no fault.
    const options = { name, timeoutMs: 20_000 };
    brokers = [await openOn(redis, options), await openOn(redis, options)];
  });
  afterEach(closeAll);
  const key = (what: string): string => `{${name}}:${what}`;

  test('one of fifty contenders wins, round after round', async () => {
    const [a, b] = brokers;
    for (let round = 0; round < 200; round++) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, who) => commit(who % 2 ? a : b, [put(`once/${round}`, 0, who, { until: seconds() + 60 })])),
      );
      const winners = answers.flatMap((answer, who) => (answer === undefined ? [who] : []));
      assert.equal(winners.length, 1);
      assert.deepEqual(await get(winners[0] === 0 ? a : b, `once/${round}`), { version: 1, value: winners[0] });
    }
  });
  test('a budget is one, and what one settles the other may spend', async () => {
    const [a, b] = brokers;
    const spend = (store: RedisStore, id: string, amount: number) =>
      commit(store, [{ sum: 'budget', id, amount, limit: 100, windowSeconds: 3600, else: 'full' }]);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => spend(i % 2 ? a : b, `${i}`, 9)));
    assert.equal(answers.filter((answer) => answer === undefined).length, 11);
    const spent = answers.findIndex((answer) => answer === undefined);
    assert.equal(await spend(a, `${spent}`, 1), undefined);
    assert.equal(await spend(b, 'more', 9), undefined);
    assert.deepEqual((await a.look([], [{ sum: 'budget', windowSeconds: 3600 }])).sums, [100]);
  });
  test('what one commits the other sees at once, and its followers by themselves', async () => {
    const [a, b] = brokers;
    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const changed of b.follow('suspended/', stop.signal)) seen.push(changed);
    })();
    await b.look(['suspended/x']);
    await commit(a, [put('suspended/x', 0, true), put('other/x', 0, true)]);
    assert.deepEqual(await get(b, 'suspended/x'), { version: 1, value: true });
    await until(async () => seen.length > 0, 'the news');
    assert.deepEqual(seen, ['suspended/x']);
    stop.abort();
    await following;
  });
  test('a follower that missed more than is kept is told that anything may have changed', async () => {
    const [a, b] = brokers;
    const stop = new AbortController();
    const stream = b.follow('suspended/', stop.signal)[Symbol.asyncIterator]();
    await b.look([]);
    await commit(a, [put('suspended/x', 0, 1)]);
    assert.equal((await stream.next()).value, 'suspended/x');
    await commit(a, [put('suspended/y', 0, 1), put('suspended/x', 1, 1)]);
    await redis.cli('XTRIM', key('changes'), 'MAXLEN', '0');
    // The next change names a change before it that is no longer there.
    await commit(a, [put('suspended/z', 0, 1)]);
    const names = new Set<unknown>([(await stream.next()).value]);
    while (!names.has('suspended/')) names.add((await stream.next()).value);
    stop.abort();
  });
  test('names and values of a secret kind stand nowhere in clear', async () => {
    const canary = 'canary-7f3a';
    await brokers[0].commit({
      at: seconds(),
      notAfter: seconds() + 30,
      claims: [
        put(`once/${canary}`, 0, 1, { until: seconds() + 60 }),
        { sum: `sum/${canary}`, id: canary, amount: 1, limit: 2, windowSeconds: 60, else: 'x' },
      ],
      entries: [entry({ digest: 'sha-256:…' }, `id/${canary}`)],
    });
    await brokers[0].seal();
    for (const one of (await redis.cli('KEYS', '*')) as readonly string[]) {
      assert.ok(!one.includes(canary), 'a key is named so');
      const dumped = String(await redis.cli('DUMP', one));
      assert.ok(!dumped.includes(canary), `it stands in ${one.replace(/:[^:]{32}$/, '')}`);
    }
    const folder = join(redis.folder, 'appendonlydir');
    for (const file of readdirSync(folder)) assert.ok(!readFileSync(join(folder, file)).includes(canary), 'it stands on the disk');
  });
  test('a clock ahead of the server’s is told so, and one behind it is late', async () => {
    const [a] = brokers;
    const batch = (now: number) => ({ at: now, notAfter: now + 6, claims: [put('k', 0, 1)], entries: [] });
    await assert.rejects(a.commit(batch(seconds() + 60)), isFault('clock'));
    await assert.rejects(a.commit(batch(seconds() - 60)), isFault('deadline'));
    assert.equal(await get(a, 'k'), undefined);
  });
  test('nothing grows with what was spent before', async () => {
    const [a] = brokers;
    const spend = (i: number) => commit(a, [{ sum: 'many', id: `${i}`, amount: 1, limit: 1e9, windowSeconds: 86_400, else: 'full' }]);
    const calls = async (): Promise<number> => {
      const info = String(await redis.cli('INFO', 'commandstats'));
      return [...info.matchAll(/cmdstat_(?:h|z|g|s)[a-z]+:calls=(\d+)/g)].reduce((total, [, n]) => total + Number(n), 0);
    };
    const cost = async (from: number): Promise<number> => {
      const before = await calls();
      for (let i = from; i < from + 20; i++) await spend(i);
      return (await calls()) - before;
    };
    const early = await cost(0);
    await Promise.all(Array.from({ length: 5_000 }, (_, i) => spend(100 + i)));
    // What goes on beside it is counted too: not every time.
    let late = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5; i++) late = Math.min(late, await cost(10_000 + 100 * i));
    assert.ok(late <= early + 20, `${late}, and ${early} at first`);
  });

  suite('what was issued before the memory begins', () => {
    const issued = (when: number, word = 'k') => put(word, 0, 1, { until: seconds() + 300, issued: when });
    test('is refused by a new store, and what comes later is not', async () => {
      const [a] = brokers;
      assert.ok(a.since >= began && a.since <= seconds() + 1);
      assert.equal(await commit(a, [issued(a.since - 1)]), 'k@0');
      assert.equal(await commit(a, [issued(a.since)]), undefined);
      assert.equal(await commit(a, [issued(a.since - 1, 'l')]), 'l@0');
      // That nobody knows is a no of its own; of what is known to be used up it is not.
      const asked = (word: string) => ({ ...issued(a.since - 1, word), unknown: 'unknown' });
      assert.equal(await commit(a, [asked('l')]), 'unknown');
      assert.equal(await commit(a, [asked('k')]), 'k@0');
      assert.equal(await commit(a, [{ key: 'l', version: 0, issued: a.since - 1, unknown: 'unknown', else: 'l' }]), 'unknown');
      assert.equal(await commit(a, [asked('m'), asked('k')]), 'unknown', 'the first no is the answer');
    });
  });
});

suite('a Redis that may not be trusted is refused at the start', { skip: await skipUnless('redis') }, () => {
  async function refusal(options: Parameters<typeof startRedis>[0], more: Partial<RedisOptions> = {}): Promise<StoreRefused> {
    await using redis = await startRedis(options);
    return openOn(redis, more).then(
      async (store) => {
        await store.close();
        throw new Error('it was opened');
      },
      (fault: unknown) => {
        assert.ok(fault instanceof StoreRefused, String(fault));
        return fault;
      },
    );
  }
  const cases: readonly [string, Parameters<typeof startRedis>[0], Partial<RedisOptions>, RegExp][] = [
    ['that evicts', { appendfsync: 'always', maxmemory: '64mb', maxmemoryPolicy: 'allkeys-lru' }, {}, /evict/],
    ['that keeps nothing', { appendonly: false }, {}, /does not keep/],
    ['that keeps nothing, though a second’s loss was accepted', { appendonly: false }, { persistence: 'everysec' }, /does not keep/],
    ['that may lose a second', { appendfsync: 'everysec' }, {}, /does not keep/],
    ['that is a replica', { appendfsync: 'always', config: ['replicaof 127.0.0.1 1', 'replica-serve-stale-data yes'] }, {}, /replica/],
    ['that is part of a Cluster, and of one without slots', { appendfsync: 'always', config: ['cluster-enabled yes'] }, {}, /Cluster/],
    ['that wants another password', { appendfsync: 'always' }, { password: 'canary-secret' }, /does not let/],
  ];
  for (const [what, options, more, text] of cases) {
    test(`one ${what}`, async () => {
      const refused = await refusal(options, more);
      assert.match(refused.message, text);
      assert.ok(refused.remedy.length > 10);
      assert.ok(!`${refused.message}${refused.remedy}${refused.cause}`.includes('canary'));
    });
  }
  test('one that is not there', async () => {
    const where = { url: 'redis://127.0.0.1:1' };
    await assert.rejects(redisStore({ place: where }), (fault) => fault instanceof StoreRefused && fault.code === 'unreadable');
  });
  test('a Cluster without slots', async () => {
    await using redis = await startRedis({ appendfsync: 'always', config: ['cluster-enabled yes'] });
    const place = { nodes: [{ host: redis.host, port: redis.port }] };
    await assert.rejects(
      redisStore({ place, password: redis.password }),
      (fault) => fault instanceof StoreRefused && /Cluster is not whole/.test(fault.message),
    );
  });
  test('and what is accepted by name is taken', async () => {
    await using redis = await startRedis({ appendonly: false });
    const store = await openOn(redis, { persistence: 'none' });
    assert.equal(await commit(store, [put('k', 0, 1)]), undefined);
    await store.close();
  });
});
