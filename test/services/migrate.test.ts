/** A store moves from its file into Redis: everything, provably. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, suite, test } from 'node:test';
import { pino } from 'pino';
import { joined, writeExport } from '../../scripts/ledger-export.ts';
import { headFrom } from '../../scripts/verify-ledger.ts';
import { createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { verifyChains } from '../../src/store/chains.ts';
import type { Claim } from '../../src/store/store.ts';
import { openLedger } from '../../src/store/store-redis-ledger.ts';
import { sqliteStore } from '../../src/store/store-sqlite.ts';
import { createWorld } from '../../src/world.ts';
import { answerOf, startRig } from '../support/rig.ts';
import { UNLIMITED } from '../support/unlimited.ts';
import { type MovingRoom, movingRoom, SUMS } from './moving.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { at, closeAll, openOn, seconds } from './redis-room.ts';

suite('a store that moves', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let room: MovingRoom;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    room = await movingRoom(redis);
  });
  after(async () => {
    await redis.stop();
    room.remove();
  });
  afterEach(async () => {
    await closeAll();
    await redis.cli('FLUSHALL');
  });

  test('is there, to the last key, amount and entry; its head is the head that it was', { timeout: 120_000 }, async () => {
    const data = room.copy();
    const asked = room.copy();
    const { code, moved, said } = await room.migrate(data);
    assert.equal(code, 0, said.join('\n'));
    assert.equal(moved?.state, 'moved');
    assert.deepEqual(moved?.proof?.differs, []);
    assert.deepEqual([moved?.proof?.entries['minted'], moved?.proof?.entries['repair'], moved?.proof?.torn], [74, 1, 2]);
    assert.ok((moved?.proof?.keys['(unnamed)'] ?? 0) > 250, 'keys of which nobody knows the text');
    const store = await openOn(redis);
    assert.equal(store.since, 0, 'nothing that was issued before is void');
    await room.same(asked, store);
    const file = await sqliteStore({ path: asked });
    assert.equal(moved?.proof?.head, `${file.head().seq}:${file.head().hash}`);
    await file.close();
    assert.equal(existsSync(data), false);
    await assert.rejects(sqliteStore({ path: data }), { code: 'missing' });

    // And it goes on: what was used up is used up, what was free is free, amounts count.
    const now = seconds();
    const commit = (claim: Claim<string>) => store.commit({ at: now, notAfter: now + 30, claims: [claim], entries: [] });
    const mark = (key: string): Claim<string> => ({ key, version: 0, value: 1, until: now + 300, else: 'used' });
    assert.equal(await commit(mark('once/assertion/77')), 'used');
    assert.equal(await commit(mark('once/assertion/new')), undefined);
    assert.equal(await commit({ key: 'retry/5', version: 1, value: 2, until: now + 60, else: 'no' }), undefined);
    assert.equal(await commit({ key: 'lease/3', version: 2, value: 3, terms: ['again'], else: 'no' }), undefined);
    assert.deepEqual(
      [(await store.scan({ term: 'ended', limit: 9 })).length, (await store.scan({ term: 'again', limit: 9 })).length],
      [0, 1],
    );
    const { sums } = await store.look([], SUMS);
    const spend = (amount: number): Claim<string> => ({
      sum: 'budget/b',
      id: 'txn_new',
      amount,
      limit: (sums[2] ?? 0) + 10,
      windowSeconds: 600,
      else: 'spent',
    });
    assert.deepEqual([await commit(spend(11)), await commit(spend(10))], ['spent', undefined]);
    assert.equal(await commit({ sum: 'budget/b', id: 'txn_8', amount: 0, limit: 0, windowSeconds: 600, else: 'no' }), undefined);
    const { sums: left } = await store.look([], SUMS);
    assert.ok(Math.abs((left[2] ?? 0) - ((sums[2] ?? 0) + 10 - 8)) < 1e-6, 'an amount of before is released by its id');

    // One ledger: the chain that was, and what follows. Rows that a repair set aside are looked at too.
    const entries = [{ body: { kind: 'key', at: now }, terms: ['after'] }];
    assert.equal(await store.commit({ at: now, notAfter: now + 30, claims: [], entries }), undefined);
    await store.seal();
    const ledger = await openLedger({ place: at(redis), password: redis.password, timeoutMs: 1_000 });
    try {
      const expectHead = headFrom(moved?.proof?.head ?? '');
      assert.ok(expectHead);
      const report = await verifyChains(ledger, { expectHead });
      assert.deepEqual(
        [report.ok, report.count, report.head.seq, report.chains.map((chain) => chain.count), report.repairs.map((r) => r.count)],
        [true, 151, 153, [150, 1], [2]],
      );
      // An export takes with it what a repair within it had set aside.
      const file = join(room.home, 'export.jsonl');
      await writeExport(file, ledger, expectHead, () => undefined);
      const exported = await verifyChains(await joined([file]));
      assert.deepEqual([exported.bad, exported.count, exported.repairs.length], [undefined, 150, 1]);
      writeFileSync(file, readFileSync(file, 'utf8').replace('{"torn":{"seq":149', '{"torn":{"seq":148'));
      assert.equal((await verifyChains(await joined([file]))).bad?.flaw, 'torn');
      await redis.cli('XDEL', '{countersign}:torn', '149-0');
      assert.equal((await verifyChains(ledger)).bad?.flaw, 'torn');
      await redis.cli('XDEL', '{countersign}:log', '3-0');
      assert.equal((await verifyChains(ledger)).bad?.flaw, 'gap');
    } finally {
      ledger.close();
    }
  });

  test('says so when it is asked for again, and is not moved twice', { timeout: 60_000 }, async () => {
    const data = room.copy();
    const again = room.copy();
    assert.equal((await room.migrate(data)).moved?.state, 'moved');
    assert.equal((await room.migrate(data)).moved?.state, 'moved before');
    const before = await redis.cli('DBSIZE');
    assert.equal((await room.migrate(again)).moved?.state, 'moved before', 'killed before its file was put away');
    assert.deepEqual([await redis.cli('DBSIZE'), existsSync(again), existsSync(`${again}.moved`)], [before, false, true]);
  });

  test('is looked at without being moved', { timeout: 60_000 }, async () => {
    const data = room.copy();
    const { code, moved } = await room.migrate(data, ['--dry-run']);
    assert.deepEqual(
      [code, moved?.state, moved?.counts?.entries, await redis.cli('DBSIZE'), existsSync(data)],
      [0, 'would move', 150, 0, true],
    );
  });

  test('of a whole broker: tokens, retries, revocations and keys are what they were', { timeout: 120_000 }, async () => {
    const rig = await startRig();
    const data = join(rig.folder, 'data', 'countersign.db');
    const used = await rig.form({ headers: { 'idempotency-key': `"${randomUUID()}"` } });
    const send = async (form: { body: string; headers: Record<string, string> }) =>
      answerOf(await fetch(`${rig.issuer}/token`, { method: 'POST', ...form }));
    const key = used.headers['idempotency-key'] ?? '';
    const first = await send(used);
    assert.equal(first.status, 200);
    const jtiOf = (token: unknown): unknown =>
      (JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString()) as { jti?: string }).jti;
    const jwks = await (await fetch(`${rig.issuer}/jwks`)).text();
    await rig.app.close();
    assert.equal((await room.migrate(data)).moved?.state, 'moved');

    const environment = { REDIS: redis.password };
    const again = await createApp(
      parseConfig({
        issuer: rig.issuer,
        listen: { port: Number(new URL(rig.issuer).port) },
        policies: join(rig.folder, 'policies'),
        store: { use: 'redis', url: `redis://${redis.host}:${redis.port}`, password: { env: 'REDIS' } },
        keys: { use: 'local', secret: { file: join(rig.folder, 'key') } },
        operator: { socket: join(rig.folder, 'operator.sock') },
        limits: UNLIMITED,
        issuers: [
          {
            use: 'oidc',
            id: 'people',
            issuer: rig.idp.issuer,
            vouches: ['person', 'service'],
            clients: { 'refund-bot': 'refund-bot-app' },
            attributes: { groups: 'groups' },
          },
        ],
      }),
      { world: createWorld(), log: pino({ level: 'silent' }), environment },
    );
    await again.listen();
    try {
      assert.equal(await (await fetch(`${rig.issuer}/jwks`)).text(), jwks, 'the same keys');
      assert.equal((await send(used)).status, 401, 'an assertion that was used before is used');
      const retried = await rig.form({ headers: { 'idempotency-key': key } });
      const second = await send(retried);
      assert.deepEqual(
        [second.status, jtiOf(second.body['access_token'])],
        [200, jtiOf(first.body['access_token'])],
        'the same grant again',
      );
      assert.equal((await rig.ask()).status, 200);
    } finally {
      await again.close();
      await rig.stop();
    }
  });
});
