/** Entries go out of the ledger when they stand in a file, and only then; the file and the rest are one ledger. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, suite, test } from 'node:test';
import type { RedisStore } from '../../src/store/store-redis.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { closeAll, openOn, seconds } from './redis-room.ts';

const DAY = 86_400;
const script = (name: string): string => new URL(`../../scripts/${name}.ts`, import.meta.url).pathname;

suite('a ledger that is trimmed', { skip: await skipUnless('redis') }, () => {
  const home = mkdtempSync(join(tmpdir(), 'countersign-trim-'));
  const config = join(home, 'broker.yaml');
  let redis: Redis;
  let exports = 0;
  const named = (): string => join(home, `export-${exports++}.jsonl`);
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    writeFileSync(join(home, 'password'), redis.password, { mode: 0o600 });
    const store = { use: 'redis', url: `redis://${redis.host}:${redis.port}`, password: { file: join(home, 'password') } };
    writeFileSync(config, JSON.stringify(configOf(store)));
  });
  after(async () => {
    await redis.stop();
    rmSync(home, { recursive: true, force: true });
  });
  afterEach(async () => {
    await closeAll();
    await redis.cli('FLUSHALL');
  });
  const configOf = (store: object) => ({
    issuer: 'http://127.0.0.1:1',
    policies: './policies',
    store,
    keys: { use: 'local', secret: { file: join(home, 'key') } },
    operator: { socket: join(home, 'operator.sock') },
  });
  const day = (ago: number): string => new Date((seconds() - ago * DAY) * 1000).toISOString();
  /** Two brokers' entries, one a day and broker, from so many days ago until today. */
  async function fill(days: number): Promise<readonly RedisStore[]> {
    const stores = [await openOn(redis), await openOn(redis)];
    for (let ago = days; ago >= 0; ago--)
      for (const [i, store] of stores.entries()) {
        const at = seconds() - ago * DAY;
        const entries = [{ body: { kind: 'minted', at, n: i, text: 'ü\u{1f600}\u2028\u2029\r' }, terms: [`id/${ago}-${i}`] }];
        await store.commit({ at: seconds(), notAfter: seconds() + 30, claims: [], entries });
        await store.seal();
      }
    return stores;
  }
  async function run(name: string, ...args: readonly string[]) {
    const child = spawn(process.execPath, [script(name), '--json', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const [[code], out, err] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
    return { code: code as number | null, said: JSON.parse(out || '{}') as Record<string, unknown>, err };
  }
  const trim = (ago: number, to: string, ...more: readonly string[]) =>
    run('trim-ledger', '--config', config, '--before', day(ago), '--to', to, ...more);
  const verify = (...files: readonly string[]) => run('verify-ledger', '--config', config, ...files.flatMap((file) => ['--export', file]));

  test('stands in files and in Redis, and verifies as one; each cut is an entry', async () => {
    const [a] = await fill(50);
    assert.deepEqual([(await trim(45, named(), '--dry-run')).said['state'], exports], ['would trim', 1]);
    const [first, second] = [named(), named()];
    const one = await trim(40, first);
    assert.deepEqual([one.code, one.said['state'], one.said['gone']], [0, 'trimmed', one.said['count']], one.err);
    assert.ok(Number(one.said['gone']) >= 20);
    const two = await trim(32, second);
    assert.deepEqual([two.code, two.said['state']], [0, 'trimmed'], two.err);
    assert.deepEqual(await a?.scan({ term: 'id/41-0', limit: 9 }), []);
    assert.equal((await a?.scan({ term: 'id/31-0', limit: 9 }))?.length, 1);

    const rest = await verify();
    const behind = await verify(second);
    const whole = await verify(second, first);
    for (const { code, said } of [rest, behind, whole]) assert.deepEqual([code, said['bad']], [0, undefined]);
    const counts = [rest, behind, whole].map(({ said }) => Number(said['count']));
    assert.deepEqual(counts[1], (counts[0] ?? 0) + Number(two.said['count']));
    assert.deepEqual(counts[2], (counts[1] ?? 0) + Number(one.said['count']));
    assert.equal((await verify(first)).code, 1, 'what lies between is missing');

    // An export that is not what the ledger tells of: another byte, another order, a line less, no end.
    const good = readFileSync(second, 'utf8');
    const lines = good.trimEnd().split('\n');
    const broken: readonly (readonly [string, string, number])[] = [
      ['a name', good.replace('"kind":"minted"', '"kind":"denied"'), 1],
      [
        'two lines in other places',
        lines
          .with(3, lines[4] ?? '')
          .with(4, lines[3] ?? '')
          .join('\n'),
        1,
      ],
      ['a line less', `${lines.toSpliced(5, 1).join('\n')}\n`, 2],
      ['no end', `${lines.slice(0, -1).join('\n')}\n`, 2],
      ['a word beside', good.replace('"form":1', '"form":1,"x":1'), 1],
      ['something else', '{}\n', 2],
    ];
    for (const [what, changed, code] of broken) {
      const file = named();
      writeFileSync(file, changed);
      assert.deepEqual([what, (await verify(first, file)).code], [what, code]);
    }
  });

  test('goes on after a kill, and does nothing twice', async () => {
    await fill(50);
    const to = named();
    assert.equal((await trim(40, to)).code, 0);
    const again = await trim(40, to);
    assert.deepEqual([again.code, again.said['state'], again.said['gone']], [0, 'trimmed before', 0]);
    await closeAll();
    await redis.cli('FLUSHALL');

    // Exported, and killed before the cut: the same file is taken, whatever the date says now.
    await fill(50);
    const [early, late] = [named(), named()];
    const killed = await trim(40, early, '--dry-run');
    assert.equal(existsSync(early), false);
    assert.equal((await trim(45, late)).code, 0);
    const went = await trim(40, early);
    assert.ok(Number(went.said['gone']) < Number((killed.said['through'] as { seq: number }).seq));
    assert.equal((await verify(late, early)).code, 0);
  });

  test('is refused where the reason is said', async () => {
    await fill(2);
    const young = await trim(3, named());
    assert.deepEqual([young.code, /less than 30 days/.test(young.err)], [2, true]);
    const none = await trim(40, named());
    assert.deepEqual([none.code, /no entry is that old/.test(none.err)], [2, true]);
    const folder = await trim(40, join(home, 'no', 'such'));
    assert.equal(folder.code, 2);
    assert.equal((await run('trim-ledger', '--config', config, '--before', 'soon', '--to', named())).code, 3);
    const file = join(home, 'sqlite.yaml');
    writeFileSync(file, JSON.stringify(configOf({ use: 'sqlite', path: join(home, 'a.db') })));
    const kept = await run('trim-ledger', '--config', file, '--before', day(40), '--to', named());
    assert.deepEqual([kept.code, /kept whole/.test(kept.err), /migrate-store/.test(kept.err)], [2, true, true]);
    await closeAll();
    await redis.cli('FLUSHALL');

    // A ledger that does not verify keeps what it has; so does one whose export on the disk is another.
    await fill(50);
    const wrong = named();
    writeFileSync(
      wrong,
      '{"export":"countersign-ledger","form":1,"floor":{"seq":0,"heads":[]},"through":{"seq":2,"hash":""}}\n{"end":0}\n',
    );
    assert.deepEqual([(await trim(40, wrong)).code, await redis.cli('EXISTS', '{countersign}:floor')], [1, 0]);
    await redis.cli('XDEL', '{countersign}:log', '90-0');
    const bad = await trim(40, named());
    assert.deepEqual([bad.code, /entry 90/.test(bad.err), await redis.cli('EXISTS', '{countersign}:floor')], [1, true, 0]);
  });
});
