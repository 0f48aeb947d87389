/** A store in a file in which something of everything stands, on its way into a Redis of the tests. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Moved } from '../../scripts/migrate-store.ts';
import type { Claim } from '../../src/store/store.ts';
import type { RedisStore } from '../../src/store/store-redis.ts';
import { sqliteStore } from '../../src/store/store-sqlite.ts';
import type { Json } from '../../src/wire/json.ts';
import type { Redis } from './redis.ts';
import { closeAll, openOn, seconds } from './redis-room.ts';

const SCRIPT = new URL('../../scripts/migrate-store.ts', import.meta.url).pathname;

export interface Ended {
  readonly code: number | null;
  readonly moved: Moved | undefined;
  readonly said: readonly string[];
  readonly tookMs: number;
}
export interface MovingRoom {
  readonly home: string;
  /** A copy of what was filled, so that each test moves its own. */
  copy(): string;
  /** `killedAfterMs`: since the first word of progress. `tookMs`: since then too. */
  migrate(data: string, args?: readonly string[], killedAfterMs?: number): Promise<Ended>;
  /** What has arrived looks as it does before it is compared. */
  unfinish(): Promise<void>;
  /** Moved, killed at a random moment and moved again: all is there, and no broker began meanwhile. Answers whether the kill came in time. */
  survives(withinMs: number): Promise<boolean>;
  /** Asks the file and Redis for all that stands there, as a broker would ask. */
  same(data: string, moved: RedisStore): Promise<void>;
  remove(): void;
}

export async function movingRoom(redis: Redis): Promise<MovingRoom> {
  const home = mkdtempSync(join(tmpdir(), 'countersign-migrate-'));
  const original = join(home, 'original');
  const config = join(home, 'broker.yaml');
  mkdirSync(original);
  writeFileSync(join(home, 'password'), redis.password, { mode: 0o600 });
  const document = {
    issuer: 'http://127.0.0.1:1',
    policies: './policies',
    store: { use: 'redis', url: `redis://${redis.host}:${redis.port}`, password: { file: join(home, 'password') } },
    keys: { use: 'local', secret: { file: join(home, 'key') } },
    operator: { socket: join(home, 'operator.sock') },
  };
  writeFileSync(config, JSON.stringify(document));
  const keys = await fill(join(original, 'countersign.db'));
  function copy(): string {
    const folder = mkdtempSync(join(home, 'copy-'));
    cpSync(original, folder, { recursive: true });
    return join(folder, 'countersign.db');
  }
  async function migrate(data: string, args: readonly string[] = [], killedAfterMs?: number): Promise<Ended> {
    const child = spawn(process.execPath, [SCRIPT, '--data', data, '--to', config, '--json', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let timer: NodeJS.Timeout | undefined;
    let [out, err, began] = ['', '', 0];
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      out += part;
    });
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      err += part;
      began ||= performance.now();
      if (killedAfterMs !== undefined) timer ??= setTimeout(() => child.kill('SIGKILL'), killedAfterMs);
    });
    const [code] = (await once(child, 'close')) as [number | null];
    clearTimeout(timer);
    const said = err.split('\n').filter((line) => line !== '');
    return { code, moved: out === '' ? undefined : (JSON.parse(out) as Moved), said, tookMs: performance.now() - began };
  }
  return {
    home,
    copy,
    migrate,
    async unfinish() {
      await redis.cli('HSET', '{countersign}:meta', 'form', 'moving');
    },
    async survives(withinMs) {
      const [data, asked] = [copy(), copy()];
      const killed = await migrate(data, [], Math.random() * withinMs);
      if ((await redis.cli('HGET', '{countersign}:meta', 'form')) === 'moving') await assert.rejects(openOn(redis), { code: 'locked' });
      const { code, moved, said } = await migrate(data);
      assert.deepEqual([code, ['moved', 'moved before'].includes(moved?.state ?? '')], [0, true], said.join('\n'));
      await same(keys, asked, await openOn(redis));
      await closeAll();
      await redis.cli('FLUSHALL');
      return killed.code === null;
    },
    same: (data, moved) => same(keys, data, moved),
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

export const SUMS = [
  { sum: 'budget/a', windowSeconds: 3600 },
  { sum: 'budget/a', windowSeconds: 86_400 },
  { sum: 'budget/b', windowSeconds: 600 },
  { sum: 'cap/vault', windowSeconds: 1_000_000 },
];
/** Of everything something: marks of minutes, of hours and of weeks, with terms and without, large ones, amounts, entries, and a torn end. */
async function fill(path: string): Promise<readonly string[]> {
  const keys = new Set<string>();
  let store = await sqliteStore({ path });
  const now = seconds();
  const put = (key: string, value: Json, rest: object = {}): Claim<string> => {
    keys.add(key);
    return { key, version: 0, value, else: 'no', ...rest };
  };
  for (let i = 0; i < 150; i++) {
    const claims: Claim<string>[] = [
      put(`once/assertion/${i}`, 1, { until: now + 300 + i }),
      put(`retry/${i}`, { jti: `tok_${i}`, at: now }, { until: now + 86_400 }),
      put(`receipt/${i}`, 1, { until: now + 14 * 86_400 }),
      put(`lease/${i}`, { sealed: 's1.x' }, { until: now + 900, terms: ['open', `exp/${i % 7}`] }),
      put(`halt/agent/${i}`, { by: 'Zoë', why: '"\\\n' }),
      ...SUMS.map(({ sum, windowSeconds }) => ({
        sum,
        id: `txn_${i}`,
        amount: i % 3 ? i : 0.25,
        limit: 1e9,
        windowSeconds,
        until: now + 86_400 * 30,
        else: 'no',
      })),
    ];
    const entries = [{ body: { kind: i % 2 ? 'minted' : 'refused', at: now, n: i, text: 'ü\u0000\u{1f600}' }, terms: [`id/${i}`, 'kind'] }];
    assert.equal(await store.commit({ at: now, notAfter: now + 60, claims, entries }), undefined);
  }
  // Moved on: another version, another end, another place.
  const change = (key: string, version: number, rest: object): Claim<string> => ({
    key,
    version,
    value: { changed: true },
    else: 'no',
    ...rest,
  });
  const claims = [
    change('once/assertion/1', 1, { until: now + 40_000 }),
    change('retry/1', 1, { until: now + 100 }),
    change('retry/2', 1, { until: now + 30 * 86_400 }),
    change('lease/3', 1, { until: now + 5_000, terms: ['ended'] }),
    change('halt/agent/4', 1, { until: now + 700 }),
  ];
  assert.equal(await store.commit({ at: now, notAfter: now + 60, claims, entries: [] }), undefined);
  await store.close();
  // A crash tears the end: the broker that starts next sets it aside.
  const db = new DatabaseSync(path);
  db.exec("UPDATE entry SET body = substr(body, 1, 10) WHERE seq > 148; UPDATE entry SET hash = 'x' WHERE seq > 148");
  db.close();
  store = await sqliteStore({ path });
  assert.equal(store.repaired?.lost, 2);
  assert.equal(
    await store.commit({ at: now, notAfter: now + 60, claims: [], entries: [{ body: { kind: 'key', at: now }, terms: ['later'] }] }),
    undefined,
  );
  await store.close();
  return [...keys];
}

/** Asked of the file and of Redis, as a broker would ask. */
async function same(keys: readonly string[], data: string, moved: RedisStore): Promise<void> {
  const store = await sqliteStore({ path: data });
  try {
    const names = [...keys, 'nothing/there'];
    const [ours, theirs] = [await store.look(names, SUMS), await moved.look(names, SUMS)];
    assert.deepEqual(theirs.found, ours.found);
    for (const [i, sum] of ours.sums.entries()) assert.ok(Math.abs(sum - (theirs.sums[i] ?? 0)) < 1e-6, `${SUMS[i]?.sum}`);
    for (const term of ['entry', 'open', 'ended', 'exp/3', 'id/7', 'kind', 'later', 'nothing']) {
      const page = { term, limit: 10_000 };
      assert.deepEqual(await moved.scan(page), await store.scan(page), term);
      assert.deepEqual(
        await moved.scan({ ...page, limit: 3, newestFirst: true }),
        await store.scan({ ...page, limit: 3, newestFirst: true }),
      );
    }
  } finally {
    await store.close();
  }
}
