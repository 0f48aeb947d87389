import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { decodeProtectedHeader, importJWK, jwtVerify } from 'jose';
import { folderQueue, type Receipts, type ReceiptsOptions, receipts } from '../../../src/verify/verify.ts';
import { goodCall, ISSUER, NOW, newKey, shop } from './issuer.ts';

const key = newKey('shop-1');
const said = (txn = 't1') => ({ txn, token_jti: 'j1', outcome: 'done' as const, proof: 'p.r.o' });
const root = mkdtempSync(join(tmpdir(), 'receipts-'));
after(() => rmSync(root, { recursive: true }));
const folder = (): string => mkdtempSync(join(root, 'queue-'));

/** A broker that answers as told, and pauses that end when the test says so. */
function post(answer: (n: number) => number | Error, options: Partial<ReceiptsOptions> = {}) {
  const bodies: string[] = [];
  const pauses: number[] = [];
  let go: () => void = () => {};
  const told: Receipts = receipts({
    issuer: ISSUER,
    clientId: 'shop',
    key: key.private,
    kid: 'shop-1',
    now: () => NOW,
    fetch: async (url, init) => {
      assert.equal(String(url), `${ISSUER}/receipts`);
      assert.equal(new Headers(init?.headers).get('content-type'), 'application/jwt');
      assert.equal(init?.redirect, 'error');
      bodies.push(String(init?.body));
      const status = answer(bodies.length);
      if (status instanceof Error) throw status;
      return new Response(null, { status });
    },
    wait: (ms, signal) =>
      new Promise((resolve) => {
        pauses.push(ms);
        go = () => resolve(undefined);
        signal.addEventListener('abort', go);
      }),
    ...options,
  });
  return { told, bodies, pauses, go: () => go() };
}
async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 10_000 && !done(); i++) await turn();
  assert.ok(done());
}

test('a receipt says what happened, signed by the server for the broker', async () => {
  const { told, bodies } = post(() => 201);
  await told.add({ ...said(), amounts: { amount_minor: 4000 } });
  await until(() => told.counts.sent === 1);
  const body = bodies[0] ?? '';
  assert.deepEqual(decodeProtectedHeader(body), { alg: 'ES256', typ: 'countersign-receipt+jwt', kid: 'shop-1' });
  const options = { issuer: 'shop', audience: ISSUER, currentDate: new Date(NOW * 1000) };
  const { payload } = await jwtVerify(body, await importJWK(key.publicJwk as never), options);
  const { jti, ...rest } = payload;
  assert.match(String(jti), /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    iss: 'shop',
    sub: 'shop',
    aud: ISSUER,
    iat: NOW,
    exp: NOW + 300,
    txn: 't1',
    token_jti: 'j1',
    outcome: 'done',
    amounts: { amount_minor: 4000 },
    proof: 'p.r.o',
  });
  assert.deepEqual(told.counts, { queued: 0, sent: 1, dead: 0, lost: 0 });
  await told.close();
});

const FATES: readonly (readonly [number, 'sent' | 'dead' | 'queued'])[] = [
  [200, 'sent'],
  [201, 'sent'],
  [409, 'sent'],
  [400, 'dead'],
  [401, 'dead'],
  [403, 'dead'],
  [404, 'dead'],
  [429, 'queued'],
  [500, 'queued'],
  [503, 'queued'],
  [302, 'queued'],
];
for (const [status, fate] of FATES) {
  test(`an answer of ${status} leaves it ${fate}`, async () => {
    const path = folder();
    const { told } = post(() => status, { queue: folderQueue(path) });
    await told.add(said());
    assert.equal(await told.flush(), fate === 'queued' ? 1 : 0);
    assert.deepEqual(told.counts, { queued: 0, sent: 0, dead: 0, lost: 0, [fate]: 1 });
    const files = readdirSync(path).filter((name) => name.endsWith('.json'));
    assert.equal(files.length, fate === 'queued' ? 1 : 0);
    assert.equal(readdirSync(join(path, 'dead')).length, fate === 'dead' ? 1 : 0);
    await told.close();
  });
}

test('what is not taken is tried again, the same receipt, after longer and longer pauses', async () => {
  const { told, bodies, pauses, go } = post((n) => (n === 1 ? new TypeError('fetch failed') : n < 9 ? 503 : 201));
  await told.add(said());
  for (let n = 1; n < 9; n++) {
    await until(() => pauses.length === n);
    go();
  }
  await until(() => told.counts.sent === 1);
  assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  const ids = bodies.map((body) => JSON.parse(Buffer.from(body.split('.')[1] ?? '', 'base64url').toString()).jti);
  assert.equal(new Set(ids).size, 1);
  await told.close();
});
test('one that the broker cannot take holds up no other', async () => {
  const { told } = post(() => 0, {
    fetch: async (_url, init) => {
      const { txn } = JSON.parse(Buffer.from(String(init?.body).split('.')[1] ?? '', 'base64url').toString());
      return new Response(null, { status: txn === 'bad' ? 500 : 201 });
    },
  });
  await told.add(said('bad'));
  for (let i = 0; i < 50; i++) await told.add(said(`t${i}`));
  await told.flush();
  await until(() => told.counts.sent === 50);
  assert.equal(told.counts.queued, 1);
  await told.close();
});
test('what is being posted is not posted beside itself', async () => {
  const posts: (() => void)[] = [];
  const { told } = post(() => 0, {
    fetch: () => new Promise((resolve) => posts.push(() => resolve(new Response(null, { status: 201 })))),
  });
  await told.add(said());
  await until(() => posts.length === 1);
  const flushed = told.flush();
  await turn();
  posts[0]?.();
  assert.equal(await flushed, 0);
  assert.deepEqual([posts.length, told.counts.sent], [1, 1]);
  await told.close();
});
test('a folder survives the process, half-written and foreign files', async () => {
  const path = folder();
  const first = post(() => 503, { queue: folderQueue(path) });
  await first.told.add(said('t1'));
  await first.told.add(said('t2'));
  await first.told.close();
  const [name = ''] = readdirSync(path).filter((file) => file.endsWith('.json'));
  assert.equal(statSync(join(path, name)).mode & 0o777, 0o600);
  assert.equal(JSON.parse(readFileSync(join(path, name), 'utf8')).token_jti, 'j1');
  writeFileSync(join(path, '11111111-1111-1111-1111-111111111111.part'), '{"txn"');
  writeFileSync(join(path, '22222222-2222-2222-2222-222222222222.json'), '{"txn"');
  writeFileSync(join(path, 'notes.txt'), 'mine');
  const second = post(() => 201, { queue: folderQueue(path) });
  await until(() => second.told.counts.sent === 2);
  assert.deepEqual(readdirSync(path).sort(), ['dead', 'notes.txt']);
  assert.deepEqual(readdirSync(join(path, 'dead')), ['22222222-2222-2222-2222-222222222222.json']);
  await second.told.close();
});
test('what cannot be queued is counted, and stops no tool', async () => {
  const broken = { put: () => Promise.reject(new Error('full')), load: async () => [], settle: async () => {} };
  const { told } = post(() => 201, { queue: broken });
  await told.add(said());
  assert.equal(told.counts.lost, 1);
  const small = post(() => 503, { limit: 1 });
  await small.told.add(said('t1'));
  await small.told.add(said('t2'));
  assert.deepEqual(small.told.counts, { queued: 1, sent: 0, dead: 0, lost: 1 });
  await told.close();
  await small.told.close();
});
test('an action tells once; the first word counts', async () => {
  const { told, bodies } = post(() => 201);
  const action = await shop({ receipts: told }).verify(await goodCall('meta', { claims: { txn: 't7', jti: 'j7' } }));
  await Promise.all([action.receipt('done', { amount_minor: 1 }), action.receipt('failed')]);
  await action.receipt('not_run');
  await told.flush();
  assert.equal(told.counts.sent, 1);
  const payload = JSON.parse(Buffer.from((bodies[0] ?? '').split('.')[1] ?? '', 'base64url').toString());
  assert.deepEqual([payload.txn, payload.token_jti, payload.outcome, payload.amounts], ['t7', 'j7', 'done', { amount_minor: 1 }]);
  assert.equal(payload.proof, action.proof);
  assert.equal(bodies.length, 1);
  await told.close();
});
test('an issuer that is neither https nor loopback is refused at once', () => {
  const key = newKey().private;
  for (const issuer of ['http://broker.example', 'ftp://broker.example', 'broker', 'https://user:pw@broker.example']) {
    assert.throws(() => receipts({ issuer, clientId: 'shop', key }), TypeError);
  }
  void receipts({ issuer: 'http://127.0.0.1:8080', clientId: 'shop', key }).close();
  assert.ok(!existsSync('receipts'));
});
