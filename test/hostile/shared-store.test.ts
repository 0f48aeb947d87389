/** Two tool servers behind one address share one memory of what was used: whoever is asked, however often, the tool runs once. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ARGS, actionToken, broker, proof } from '../unit/verify/issuer.ts';
import type { Replica } from './shop-child.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-replicas-'));
const effects = join(folder, 'effects');
writeFileSync(effects, '');
interface Running {
  readonly child: ChildProcess;
  readonly url: string;
}
async function start(kind: Replica['kind']): Promise<Running> {
  const replica: Replica = { kind, store: join(folder, 'consumed.db'), effects, jwks: { keys: [broker.publicJwk] } };
  const child = spawn(process.execPath, [new URL('./shop-child.ts', import.meta.url).pathname, JSON.stringify(replica)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = await once(child.stdout, 'data');
  return { child, url: `http://127.0.0.1:${Number(port)}/mcp` };
}
async function kill({ child }: Running): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'close');
}
const ran = (txn: string): number =>
  readFileSync(effects, 'utf8')
    .split('\n')
    .filter((line) => line === txn).length;
async function call(url: string, token: string, proved?: string): Promise<string> {
  const headers = { 'content-type': 'application/json', authorization: `DPoP ${token}`, dpop: proved ?? (await proof(token, 'header')) };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(ARGS) });
  const { code } = (await answer.json()) as { code?: string };
  return [answer.status, code].filter((part) => part !== undefined).join(' ');
}
const USED = '409 ERR_ACTION_CONSUMED';

let replicas: [Running, Running];
before(async () => {
  replicas = await Promise.all([start('express'), start('fastify')]);
});
after(async () => {
  await Promise.all(replicas.map(kill));
  rmSync(folder, { recursive: true, force: true });
});

describe('two replicas, one store', () => {
  for (const [index, kind] of ['the same bytes', 'a fresh proof each', 'another issuance of the same action each'].entries()) {
    test(`${index + 1} fifty contenders with ${kind}: one run of the tool`, async () => {
      for (let round = 0; round < 5; round++) {
        const txn = `txn-${index}-${round}`;
        const token = await actionToken({ claims: { txn } });
        const once = await proof(token, 'header');
        const calls = await Promise.all(
          Array.from({ length: 50 }, async (_, i) => {
            const mine = index === 2 ? await actionToken({ claims: { txn } }) : token;
            return [replicas[i % 2]?.url ?? '', mine, index === 0 ? once : await proof(mine, 'header')] as const;
          }),
        );
        const answers = await Promise.all(calls.map((args) => call(...args)));
        assert.deepEqual(answers.sort(), ['200', ...Array.from({ length: 49 }, () => USED)]);
        assert.equal(ran(txn), 1);
      }
    });
  }
  test('4 a replica that was killed and started again remembers, and so does the other', async () => {
    const token = await actionToken({ claims: { txn: 'txn-killed' } });
    assert.equal(await call(replicas[0].url, token), '200');
    await kill(replicas[0]);
    replicas[0] = await start('express');
    for (const { url } of replicas) assert.equal(await call(url, token), USED);
    assert.equal(ran('txn-killed'), 1);
  });
  test('5 killed while fifty contend: at most one run, and afterwards every answer is 409', async () => {
    const token = await actionToken({ claims: { txn: 'txn-race' } });
    const contenders = Array.from({ length: 50 }, (_, i) => call(replicas[i % 2]?.url ?? '', token).catch(() => 'cut'));
    const dying = new Promise((resolve) => setTimeout(resolve, 5)).then(() => kill(replicas[0]));
    const answers = await Promise.all(contenders);
    await dying;
    assert.ok(answers.filter((answer) => answer === '200').length <= 1);
    assert.ok(answers.every((answer) => ['200', 'cut', USED].includes(answer)));
    replicas[0] = await start('express');
    for (const { url } of replicas) assert.equal(await call(url, token), USED);
    assert.ok(ran('txn-race') <= 1);
  });
});
