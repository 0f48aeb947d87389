/** Two whole brokers of one issuer on one Redis, through their front doors. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { verifyChains } from '../../src/store/chains.ts';
import { openLedger } from '../../src/store/store-redis-ledger.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { DELETE } from '../flow/approving.ts';
import { agreedPlan, erase, ORDERED } from '../flow/planning.ts';
import type { Asking, Rig } from '../support/rig.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { at } from './redis-room.ts';
import { nonceOf, startTwo, type TwoBrokers } from './two-brokers.ts';

suite('two brokers on one Redis', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let rig: Rig;
  let two: TwoBrokers;
  let doors: TwoBrokers['doors'];
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    two = await startTwo(redis);
    ({ rig, doors } = two);
  });
  after(async () => {
    await two?.stop();
    await redis?.stop();
  });
  const formed = async (asking: Asking = {}) => rig.form({ nonce: await nonceOf(doors[0]), ...asking });
  interface Answer {
    readonly status: number;
    readonly body: Readonly<Record<string, unknown>>;
    readonly nonce: string | undefined;
    readonly ms: number;
  }
  async function send(door: string, { body, headers }: Awaited<ReturnType<Rig['form']>>): Promise<Answer> {
    const began = performance.now();
    const response = await fetch(`${door}/token`, { method: 'POST', body, headers });
    const answer = (await response.json()) as Record<string, unknown>;
    const nonce = response.headers.get('dpop-nonce') ?? undefined;
    return { status: response.status, body: answer, nonce, ms: performance.now() - began };
  }
  const get = async (door: string, path: string): Promise<number> => (await fetch(`${door}${path}`)).status;

  test('sign with the same keys', async () => {
    const [one, two] = await Promise.all(doors.map(async (door) => (await fetch(`${door}/jwks`)).text()));
    assert.equal(one, two);
  });
  test('take one request once, whichever is asked first', async () => {
    for (let round = 0; round < 20; round++) {
      const form = await formed();
      const answers = await Promise.all([...doors, ...doors].map((door) => send(door, form)));
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 401, 401, 401]);
    }
  });
  test('give a retry at the other the first one’s grant', async () => {
    const retry = { headers: { 'idempotency-key': '"retry-1"' } };
    const [first, second] = [await send(doors[0], await formed(retry)), await send(doors[1], await formed(retry))];
    const jti = ({ body }: Answer): unknown =>
      (JSON.parse(Buffer.from(String(body['access_token']).split('.')[1] ?? '', 'base64url').toString()) as { jti: string }).jti;
    assert.deepEqual([first.status, second.status], [200, 200]);
    assert.equal(jti(first), jti(second));
  });
  test('of 50 who take one step of a plan at either, one is granted anew; what comes after it is granted then alone', async () => {
    const steps = [erase('two-doors-1'), erase('two-doors-2')];
    const { code } = await agreedPlan(rig, steps, ORDERED);
    const asking = (step: JsonObject | undefined, name: string): Asking => ({
      subject: { claims: { ...DELETE.subject?.claims, exp: rig.now() + 900 } },
      details: [step ?? {}],
      form: { plan: code },
      headers: { 'idempotency-key': `"${name}"` },
    });
    const seq = await rig.count();
    const at = async (i: number, step: number): Promise<Answer> =>
      send(doors[i % 2] ?? '', await formed(asking(steps[step], `${step}-${i}`)));
    const early = await at(1, 1);
    assert.deepEqual([early.status, early.body['reason']], [403, 'step_early']);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => at(i, 0)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    for (const { status, body } of answers) assert.ok([200, 400, 409].includes(status), JSON.stringify(body));
    assert.equal((await at(1, 1)).status, 200);
    const minted = (await rig.entries(seq)).filter(({ kind, again }) => kind === 'minted' && again !== true);
    assert.equal(minted.length, 2);
  });
  test('grant nothing while the Redis is away, say so at once, and are ready again when it is back', async () => {
    await redis.kill();
    await Promise.all(doors.map(async (door) => send(door, await rig.form())));
    for (const door of doors) {
      const { status, body, ms } = await send(door, await rig.form());
      assert.deepEqual([status, body['error']], [503, 'temporarily_unavailable']);
      assert.ok(ms < 900, `${ms} ms`);
      assert.deepEqual([await get(door, '/readyz'), await get(door, '/healthz')], [503, 200]);
    }
    await redis.restart();
    const began = performance.now();
    // Nonces are short-lived: each try brings the one that the last answer gave.
    let nonce: string | undefined;
    for (const door of doors) {
      await until(async () => {
        const answer = await send(door, await rig.form(nonce === undefined ? {} : { nonce }));
        nonce = answer.nonce;
        return answer.status === 200;
      }, 'a grant');
    }
    const back = performance.now() - began;
    console.log(`# both grant ${Math.round(back)} ms after it is back`);
    for (const door of doors) await until(async () => (await get(door, '/readyz')) === 200, 'it to say that it is ready');
  });
  test('write one ledger that verifies', async () => {
    const ledger = await openLedger({ place: at(redis), password: redis.password, timeoutMs: 1_000 });
    const kinds = new Map<unknown, number>();
    const each = (body: Readonly<Record<string, unknown>>): void => void kinds.set(body['kind'], (kinds.get(body['kind']) ?? 0) + 1);
    await until(async () => (await verifyChains(ledger)).unsealed.length === 0, 'all to be sealed');
    const report = await verifyChains(ledger, { each });
    assert.equal(report.bad, undefined);
    assert.equal(report.chains.length, 2);
    assert.ok(Number(kinds.get('minted')) >= 22, `${kinds.get('minted')} grants`);
    ledger.close();
  });
  test('is verified by the operator’s command, with the broker’s own configuration', async () => {
    const file = join(rig.folder, 'countersign.yaml');
    const { host, port } = redis;
    writeFileSync(
      file,
      JSON.stringify({
        issuer: rig.issuer,
        policies: 'policies',
        store: { use: 'redis', url: `redis://${host}:${port}`, password: { env: 'REDIS' } },
        keys: { use: 'local', secret: { env: 'KEY' } },
        operator: { socket: 'operator.sock' },
      }),
    );
    const run = (...args: string[]) =>
      spawnSync(process.execPath, ['scripts/verify-ledger.ts', '--config', file, ...args], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], REDIS: redis.password },
      });
    const { status, stdout, stderr } = run();
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /^\d+ entries verified\nhead {5}\d+:[0-9a-f]{64}\n(chain {4}\S{16} \d+ entries, up to \d+:[0-9a-f]{64}\n){2}/);
    const report = JSON.parse(run('--json').stdout);
    assert.deepEqual([report.ok, report.chains.length], [true, 2]);
    assert.equal(run('--expect-head', `3:${'f'.repeat(64)}`).status, 1);
    await redis.cli('XDEL', '{countersign}:log', '7-0');
    const bad = run();
    assert.deepEqual([bad.status, /^BAD {6}entry 7: entries are missing/m.test(bad.stdout)], [1, true]);
  });
});
