/** One ledger of many brokers: what verifies, and what does not. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, suite, test } from 'node:test';
import { verifyChains } from '../../src/store/chains.ts';
import { type OpenLedger, openLedger } from '../../src/store/store-redis-ledger.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { at, closeAll, commit, openOn } from './redis-room.ts';

suite('the ledger of many brokers', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let name = '';
  let count = 0;
  const ledgers: OpenLedger[] = [];
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
  });
  after(async () => {
    await closeAll();
    for (const ledger of ledgers) ledger.close();
    await redis.stop();
  });
  beforeEach(() => {
    name = `ledger-${count++}`;
  });
  const open = () => openOn(redis, { name });
  async function ledger(): Promise<OpenLedger> {
    const opened = await openLedger({ place: at(redis), password: redis.password, name, timeoutMs: 1000 });
    ledgers.push(opened);
    return opened;
  }
  const verify = async (options = {}) => verifyChains(await ledger(), options);
  const key = (what: string): string => `{${name}}:${what}`;
  const chains = async (): Promise<readonly string[]> => (await redis.cli('ZRANGE', key('chains'), '0', '-1')) as readonly string[];
  async function two(entries = 20): Promise<void> {
    const [a, b] = [await open(), await open()];
    for (let i = 0; i < entries / 2; i++) await Promise.all([commit(a, [], { i, by: 'a' }), commit(b, [], { i, by: 'b' })]);
    await Promise.all([a.close(), b.close()]);
  }

  test('verifies, with a chain for each broker, in one order of numbers', async () => {
    await two();
    const seen: number[] = [];
    const report = await verify({ each: (_: object, row: { seq: number }) => seen.push(row.seq) });
    assert.deepEqual(
      { ...report, chains: report.chains.map((chain) => chain.count), head: report.head.seq },
      {
        ok: true,
        count: 20,
        head: 20,
        chains: [10, 10],
        repairs: [],
        unsealed: [],
      },
    );
    assert.deepEqual(
      seen,
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    const [chain] = report.chains;
    assert.equal((await verify({ expectHead: chain })).ok, true);
    assert.equal((await verify({ expectHead: { seq: 20, hash: 'f'.repeat(64) } })).bad?.flaw, 'head');
  });

  type Fields = readonly string[];
  async function rows(): Promise<readonly Fields[]> {
    return ((await redis.cli('XRANGE', key('log'), '-', '+')) as [string, string[]][]).map(([, fields]) => fields);
  }
  /** The same ledger with other entries, numbered anew. */
  async function rewrite(change: (fields: Fields, i: number) => Fields | undefined): Promise<void> {
    const changed = (await rows()).flatMap((fields, i) => change(fields, i) ?? []) as readonly (string | readonly string[])[];
    await redis.cli('DEL', key('log'));
    for (let i = 0; i < changed.length; i += 6)
      await redis.cli('XADD', key('log'), `${i / 6 + 1}-0`, ...(changed.slice(i, i + 6) as string[]));
  }
  const flaw = async () => {
    const { bad } = await verify();
    return bad && { seq: bad.seq, flaw: bad.flaw };
  };

  test('tells an entry that was changed', async () => {
    await two();
    await rewrite((fields, i) => (i === 6 ? fields.with(3, '{"i":99}') : fields));
    assert.deepEqual(await flaw(), { seq: 7, flaw: 'hash' });
  });
  test('tells an entry that is missing', async () => {
    await two();
    await redis.cli('XDEL', key('log'), '9-0');
    assert.deepEqual(await flaw(), { seq: 9, flaw: 'gap' });
  });
  test('tells entries that changed places', async () => {
    await two();
    const all = await rows();
    const own = all.flatMap((fields, i) => (fields[1] === all[0]?.[1] ? [i] : []));
    await rewrite((fields, i) => (i === own[3] ? all[own[4] ?? 0] : i === own[4] ? all[own[3] ?? 0] : fields));
    assert.deepEqual(await flaw(), { seq: (own[3] ?? 0) + 1, flaw: 'hash' });
  });
  test('tells a seal that was taken away', async () => {
    await two();
    const [chain] = await chains();
    const [[id] = ['']] = (await redis.cli('XRANGE', key(`h:${chain}`), '-', '+', 'COUNT', '1')) as [string][];
    await redis.cli('XDEL', key(`h:${chain}`), id);
    assert.deepEqual(await flaw(), { seq: Number.parseInt(id, 10), flaw: 'hash' });
  });

  /** Whoever can cut the log off can change the record of its chains too. */
  async function cutOff(chain: string, most: number): Promise<void> {
    const all = await rows();
    const own = all.flatMap((fields, i) => (fields[1] === chain ? [i] : []));
    const gone = new Set(own.slice(most));
    const seals = (await redis.cli('XRANGE', key(`h:${chain}`), '-', '+')) as [string, string[]][];
    for (const [id] of seals.slice(most)) await redis.cli('XDEL', key(`h:${chain}`), id);
    // Those that stay get the numbers of their places, in the log and beside it.
    const others = (await chains()).filter((one) => one !== chain);
    const moved = new Map<number, number>();
    for (const i of all.keys()) if (!gone.has(i)) moved.set(i + 1, moved.size + 1);
    for (const other of others) {
      const kept = (await redis.cli('XRANGE', key(`h:${other}`), '-', '+')) as [string, string[]][];
      await redis.cli('DEL', key(`h:${other}`));
      for (const [id, fields] of kept) {
        const seq = moved.get(Number.parseInt(id, 10));
        await redis.cli('XADD', key(`h:${other}`), `${seq}-0`, ...fields);
        await redis.cli('HSET', key(`chain:${other}`), 'seq', String(seq));
      }
    }
    const last = seals[most - 1];
    await redis.cli(
      'HSET',
      key(`chain:${chain}`),
      'seq',
      String(moved.get(Number.parseInt(last?.[0] ?? '', 10))),
      'hash',
      last?.[1][1] ?? '',
    );
    await rewrite((fields, i) => (gone.has(i) ? undefined : fields));
  }

  test('tells a cut tail by the chain’s own record', async () => {
    await two();
    for (const seq of [19, 20]) await redis.cli('XDEL', key('log'), `${seq}-0`);
    assert.equal((await flaw())?.flaw, 'tail');
  });
  test('tells a cut tail, however well it was hidden, by what another chain has noted', async () => {
    const [a, b] = [await open(), await openOn(redis, { name, noteSeconds: 0.3 })];
    for (let i = 0; i < 9; i++) await commit(a, [], { i });
    const [chain = ''] = await chains();
    await until(async () => (await redis.cli('HGET', key(`chain:${chain}`), 'noted')) === '9', 'the head to be noted');
    await Promise.all([a.close(), b.close()]);
    const good = await verify();
    assert.deepEqual([good.ok, good.count], [true, 10]);
    await cutOff(chain, 7);
    assert.deepEqual(await flaw(), { seq: 8, flaw: 'noted' });
  });
  test('is noted by two brokers once, not for ever', async () => {
    const both = await Promise.all([openOn(redis, { name, noteSeconds: 0.2 }), openOn(redis, { name, noteSeconds: 0.2 })]);
    for (const store of both) await commit(store, [], { work: 1 });
    await until(async () => (await rows()).length >= 4, 'the notes');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.ok((await rows()).length <= 6, `${(await rows()).length} entries: notes of notes`);
    assert.equal((await verify()).ok, true);
    await Promise.all(both.map((store) => store.close()));
  });

  test('names what a killed broker left unsealed; another broker seals it', async () => {
    await two(4);
    const [chain] = await chains();
    await redis.cli('XADD', key('log'), '5-0', 'c', String(chain), 'b', '{"left":1}', 't', '');
    await redis.cli('RPUSH', key(`tail:${chain}`), `5 ${Math.floor(Date.now() / 1000) - 60}`);
    await redis.cli('HSET', key('meta'), 'seq', '5');
    assert.deepEqual((await verify()).unsealed, [{ chain, first: 5, count: 1 }]);
    const next = await open();
    await until(async () => (await verify()).unsealed.length === 0, 'the orphan to be sealed');
    assert.deepEqual((await verify()).ok, true);
    await next.close();
  });

  test('is trimmed after its export alone, and says so', async () => {
    await two();
    const store = await open();
    const rows = await store.scan({ term: 'entry', limit: 100 });
    const tenth = rows[9];
    const digest = 'sha-256:of-the-export';
    await assert.rejects(store.trim({ through: { seq: 10, hash: 'f'.repeat(64) }, digest }), RangeError);
    assert.equal((await verify()).count, 20);
    assert.equal(await store.trim({ through: { seq: 10, hash: String(tenth?.hash) }, digest }), 10);
    await store.seal();
    const left = await store.scan({ term: 'entry', limit: 100 });
    assert.deepEqual([left.length, left[0]?.key], [11, 'entry/0000000000000011']);
    const report = await verify();
    assert.deepEqual([report.ok, report.count], [true, 11]);
    await redis.cli('XDEL', key('log'), '11-0');
    assert.equal((await verify()).bad?.flaw, 'gap');
    await store.close();
  });

  test('has no beginning that nobody told of', async () => {
    await two();
    const [chain] = await chains();
    const found = (await redis.cli('XRANGE', key(`h:${chain}`), '-', '+', 'COUNT', '1')) as [string, string[]][];
    const first = Number.parseInt(String(found[0]?.[0]), 10);
    if (first !== 1) return;
    await redis.cli('XDEL', key('log'), '1-0');
    await redis.cli('HSET', key('floor'), 'seq', '1', `c:${chain}`, `1 ${found[0]?.[1][1]}`);
    assert.equal((await verify()).bad?.flaw, 'trim');
  });
});
