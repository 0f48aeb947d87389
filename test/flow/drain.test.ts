/** A broker that is asked to stop: what is under way is answered and recorded, nothing new is begun, and who cannot wait says so twice. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { writeDemoBundle } from '../../scripts/demo/bundle.ts';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import { jwt, newKey } from '../support/keys.ts';
import { type Answer, answerOf, freePort, GRANT, ID_TOKEN, RESOURCE } from '../support/rig.ts';
import { newFolder, type Process, ready, startMain, writeConfig } from './broker-process.ts';
import { ASSERTION_TYPE } from './front-door.ts';

const agent = newKey();
const people = newKey();
/** An issuer that keeps its keys to itself until it is told. */
const held: ServerResponse[] = [];
let asked: () => void = () => undefined;
let idp: Server;
let issuer: string;
const folders: string[] = [];
const running: Process[] = [];
before(async () => {
  idp = createServer((_, response) => {
    held.push(response);
    asked();
  });
  await new Promise<void>((resolve) => idp.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(idp.address() as AddressInfo).port}`;
});
after(() => {
  for (const { child } of running) child.kill('SIGKILL');
  idp.close();
  idp.closeAllConnections();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

interface Broker extends Process {
  readonly folder: string;
  readonly url: string;
  /** Begun, and waiting for the issuer's keys. */
  waiting(): Promise<{ readonly answer: Promise<Answer> }>;
}
async function start(): Promise<Broker> {
  const folder = newFolder();
  folders.push(folder);
  const shared = { resource: RESOURCE, agentKeys: { 'refund-bot': agent.publicJwk }, serverKeys: {} };
  await writeDemoBundle({ from: 'policies', to: join(folder, 'policies'), ...shared });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const registered = {
    use: 'oidc',
    id: 'people',
    issuer,
    jwksUri: `${issuer}/jwks`,
    vouches: ['person'],
    clients: { 'refund-bot': 'app' },
  };
  const file = writeConfig(folder, port, { issuers: [{ ...registered, attributes: { groups: 'groups' } }] });
  const broker = startMain(['-c', file]);
  running.push(broker);
  await ready(folder);
  return {
    ...broker,
    folder,
    url,
    async waiting() {
      const at = Math.floor(Date.now() / 1000);
      const life = { iat: at, exp: at + 60 };
      const assertion = { iss: 'refund-bot', sub: 'refund-bot', aud: url, jti: randomUUID(), ...life };
      const person = { iss: issuer, sub: 'u_bob', aud: 'app', groups: ['support'], ...life };
      const body = new URLSearchParams({
        grant_type: GRANT,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: await jwt(agent, { alg: 'ES256' }, assertion),
        subject_token_type: ID_TOKEN,
        subject_token: await jwt(people, { alg: 'ES256', kid: people.kid }, person),
        resource: RESOURCE,
        scope: 'tool:list',
      });
      const there = new Promise<void>((resolve) => {
        asked = resolve;
      });
      const answer = fetch(`${url}/token`, { method: 'POST', body }).then(answerOf);
      answer.catch(() => undefined);
      await there;
      return { answer };
    },
  };
}
const release = (): void => {
  for (const response of held.splice(0))
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [people.publicJwk] }));
};

/** Until nobody answers there. Whoever still gets in hears that this broker stops, and is not kept. */
async function closed(url: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    const answer = await fetch(`${url}/readyz`).then(answerOf, () => undefined);
    if (!answer) return;
    assert.deepEqual([answer.status, answer.body['status'], answer.headers.get('connection')], [503, 'down', 'close']);
    await pause(25);
  }
  assert.fail('it still takes what is new');
}

describe('SIGTERM', { concurrency: 1 }, () => {
  // The bound is shorter than a connection is kept alive: it must not be what the process waits for.
  it('answers what is under way, takes nothing new, and ends with 0', { timeout: 20_000 }, async () => {
    const broker = await start();
    const { answer } = await broker.waiting();
    broker.child.kill('SIGTERM');
    await broker.says('draining');
    await closed(broker.url);
    assert.equal(broker.child.exitCode, null, 'it waits');
    release();
    const granted = await answer;
    assert.deepEqual([granted.status, granted.body['scope']], [200, 'tool:list']);
    const { code, err } = await broker.ended;
    assert.deepEqual([code, err], [0, '']);
    const report = await verifyLedger(join(broker.folder, 'data', 'countersign.db'));
    assert.deepEqual([report.ok, report.kinds['minted']], [true, 1], 'and it is in the ledger');
    assert.equal(existsSync(join(broker.folder, 'operator.sock')), false);
  });

  it('ends at once where nothing is under way, however many connections idle', async () => {
    const broker = await start();
    for (let i = 0; i < 5; i++) assert.equal((await fetch(`${broker.url}/healthz`)).status, 200);
    broker.child.kill('SIGTERM');
    assert.deepEqual((await broker.ended).code, 0);
  });

  it('twice ends it at once: what was under way is not answered, and was not granted', async () => {
    const broker = await start();
    const { answer } = await broker.waiting();
    broker.child.kill('SIGTERM');
    await broker.says('draining');
    broker.child.kill('SIGTERM');
    assert.equal((await broker.ended).code, 1);
    await assert.rejects(answer);
    release();
    const report = await verifyLedger(join(broker.folder, 'data', 'countersign.db'));
    assert.deepEqual([report.ok, report.kinds['minted']], [true, undefined]);
  });

  it('as SIGINT, which people send', async () => {
    const broker = await start();
    broker.child.kill('SIGINT');
    assert.equal((await broker.ended).code, 0);
  });
});

describe('SIGHUP', () => {
  it('reads the bundle again, and goes on', async () => {
    const broker = await start();
    broker.child.kill('SIGHUP');
    rmSync(join(broker.folder, 'policies', 'refunds.cedar'));
    broker.child.kill('SIGHUP');
    await broker.says('refunds.cedar');
    assert.equal(((await (await fetch(`${broker.url}/readyz`)).json()) as { status: string }).status, 'degraded');
    broker.child.kill('SIGTERM');
    assert.equal((await broker.ended).code, 0);
  });
});
