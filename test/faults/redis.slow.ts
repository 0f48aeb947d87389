/**
 * Two brokers' stores on one Redis, under load, while the server and the way to it fail at random moments. What the clients were told is
 * compared with what stands there, both ways: nothing that was answered for is lost, nothing stands there that nobody asked for, no identifier
 * wins twice, no budget is overspent, the chains verify. And ten thousand rounds of fifty contenders.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { verifyChains } from '../../src/store/chains.ts';
import type { RedisStore } from '../../src/store/store-redis.ts';
import { openLedger } from '../../src/store/store-redis-ledger.ts';
import { until } from '../services/program.ts';
import { skipUnless } from '../services/provision.ts';
import { BLACKHOLE, startProxy, type TcpProxy } from '../services/proxy.ts';
import { type Redis, startRedis } from '../services/redis.ts';
import { at, closeAll, commit, openAt, openOn, put, seconds } from '../services/redis-room.ts';

const TIMINGS = 20;
const ROUNDS = 10_000;
const LIMIT = 5_000;

interface Tried {
  /** Commits that were answered with yes, of all that went for this mark. */
  won: number;
  doubtful: number;
}

suite('Redis that fails at random moments', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let proxies: readonly TcpProxy[];
  let stores: readonly RedisStore[];
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    proxies = await Promise.all([0, 1].map(() => startProxy({ port: redis.port })));
    stores = await Promise.all(proxies.map(({ port }) => openOn({ ...redis, port })));
  });
  after(async () => {
    await closeAll();
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await redis.stop();
  });

  const one = (): TcpProxy => proxies[Math.random() < 0.5 ? 0 : 1] as TcpProxy;
  const faults: Readonly<Record<string, () => Promise<void>>> = {
    async killed() {
      await redis.kill();
      await sleep(Math.random() * 300);
      await redis.restart();
    },
    async stopped() {
      redis.pause();
      await sleep(200 + Math.random() * 1_500);
      redis.resume();
    },
    async 'cut off'() {
      one().cut();
    },
    async 'partitioned both ways'() {
      const proxy = one();
      proxy.set(BLACKHOLE);
      await sleep(Math.random() * 1_500);
      proxy.set();
    },
    async 'deaf: what is asked is done, no answer comes'() {
      const proxy = one();
      proxy.set({ down: { hold: true } });
      await sleep(Math.random() * 1_500);
      proxy.cut();
      proxy.set();
    },
    async 'reset in the middle of a command'() {
      const proxy = one();
      proxy.set({ up: { resetAfterBytes: Math.ceil(Math.random() * 20_000) } });
      await sleep(300);
      proxy.set();
    },
    async 'full for a while'() {
      await redis.cli('CONFIG', 'SET', 'maxmemory', '1mb');
      await sleep(Math.random() * 300);
      await redis.cli('CONFIG', 'SET', 'maxmemory', '0');
    },
  };

  for (const [name, befall] of Object.entries(faults)) {
    test(`${name}, at ${TIMINGS} moments`, async () => {
      const tried = new Map<string, Tried>();
      let asking = true;
      let slowest = 0;
      const budget = `budget/${name}`;
      async function ask(mark: string, store: RedisStore): Promise<void> {
        const of = tried.get(mark) ?? { won: 0, doubtful: 0 };
        tried.set(mark, of);
        const began = performance.now();
        const spend = { sum: budget, id: mark, amount: 1, limit: LIMIT, windowSeconds: 86_400, else: 'full' };
        try {
          if ((await commit(store, [put(`once/${mark}`, 0, mark), spend], { mark })) === undefined) of.won++;
        } catch {
          of.doubtful++;
          await sleep(20);
        }
        slowest = Math.max(slowest, performance.now() - began);
      }
      async function client(who: number): Promise<void> {
        for (let i = 0; asking; i++) await Promise.all(stores.map((store) => ask(`${name}/${who}/${i}`, store)));
      }
      const clients = Promise.all(Array.from({ length: 8 }, (_, who) => client(who)));
      try {
        for (let i = 0; i < TIMINGS; i++) {
          await sleep(50 + Math.random() * 250);
          await befall();
          const began = performance.now();
          for (const store of stores) await until(() => commit(store, []).then(() => true), 'the store to come back');
          assert.ok(performance.now() - began < 2_000, `back after ${performance.now() - began} ms`);
        }
      } finally {
        asking = false;
        await clients;
      }
      assert.ok(slowest < 1_000 + 500, `one answer took ${slowest} ms`);

      const [store] = stores as readonly [RedisStore];
      const told = new Map<string, number>();
      for (let last: string | undefined; ; ) {
        const page = await store.scan({ term: 'entry', limit: 5_000, ...(last !== undefined && { after: last }) });
        for (const { value } of page) {
          const { mark } = value as { mark?: string };
          if (mark?.startsWith(`${name}/`)) told.set(mark, (told.get(mark) ?? 0) + 1);
        }
        last = page.at(-1)?.key ?? last;
        if (page.length < 5_000) break;
      }
      let [won, doubtful] = [0, 0];
      for (const [mark, of] of tried) {
        assert.ok(of.won <= 1, `${mark} was won ${of.won} times`);
        assert.ok((told.get(mark) ?? 0) >= of.won, `${mark} was answered for and has no entry`);
        assert.ok((told.get(mark) ?? 0) <= 1, `${mark} has ${told.get(mark)} entries`);
        if (of.won === 0 && told.has(mark)) assert.ok(of.doubtful > 0, `${mark} has an entry that nobody was told of`);
        won += of.won;
        doubtful += of.doubtful;
      }
      for (const mark of told.keys()) assert.ok(tried.has(mark));
      const { sums } = await store.look([], [{ sum: budget, windowSeconds: 86_400 }]);
      assert.equal(sums[0], told.size, 'each entry has spent one, and nothing else has');
      assert.ok(told.size <= LIMIT);
      assert.ok(won > 0);
      for (const each of stores) await each.seal();
      const ledger = await openLedger({ place: at(redis), password: redis.password, timeoutMs: 5_000 });
      const report = await verifyChains(ledger);
      ledger.close();
      assert.equal(report.bad, undefined);
      process.stdout.write(
        `  ${tried.size} marks, ${won} won, ${doubtful} in doubt, ${told.size} entries; slowest answer ${Math.round(slowest)} ms\n`,
      );
    });
  }

  test(`${ROUNDS} rounds of fifty contenders on two brokers have one winner each`, async () => {
    const both = await Promise.all([0, 1].map(() => openAt({ place: at(redis), password: redis.password, name: 'rounds' })));
    for (let round = 0; round < ROUNDS; round++) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, who) =>
          commit(both[who % 2] as RedisStore, [put(`once/${round}`, 0, who, { until: seconds() + 60 })]),
        ),
      );
      assert.equal(answers.filter((answer) => answer === undefined).length, 1);
    }
  });
});
