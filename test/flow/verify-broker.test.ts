/** The tool server's library against a real broker: its keys, its introspection, its receipts. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  type Action,
  createVerifier,
  folderQueue,
  memoryConsumed,
  type Receipts,
  receipts,
  sqliteConsumed,
  type Verifier,
  VerifyError,
} from '../../src/verify/verify.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { newKey } from '../support/keys.ts';
import { proofFor, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { actionToken, call as callOf, proof as proofOf, RESOURCE as SHOP } from '../unit/verify/issuer.ts';

const refusedAs = (code: string) => (fault: unknown) => fault instanceof VerifyError && fault.code === code;

describe('with a real broker', () => {
  let rig: Rig;
  let told: Receipts;
  let verifier: Verifier;
  before(async () => {
    rig = await startRig();
    const server = { clientId: 'shop', key: rig.server.private };
    told = receipts({ issuer: rig.issuer, ...server, queue: folderQueue(join(rig.folder, 'receipts')) });
    const consumed = sqliteConsumed({ path: join(rig.folder, 'consumed.db') });
    verifier = createVerifier({ issuer: rig.issuer, resource: RESOURCE, consumed, receipts: told, introspect: server });
  });
  after(async () => {
    await told.close();
    await rig.stop();
  });
  async function granted(): Promise<string> {
    const answer = await rig.ask();
    assert.equal(answer.status, 200, answer.text);
    return String(answer.body['access_token']);
  }
  async function present(token: string, args: JsonObject = REFUND): Promise<Action> {
    const dpop = await proofFor(rig.proofKey, { htm: 'POST', htu: RESOURCE, token }, rig.now());
    return verifier.verify({ tool: 'create_refund', arguments: args, http: { method: 'POST', authorization: `DPoP ${token}`, dpop } });
  }
  test('a granted action is used once and its end is in the ledger', async () => {
    const token = await granted();
    await assert.rejects(present(token, { ...REFUND, amount_minor: 1 }), refusedAs('ERR_ARGUMENTS_DIGEST'));
    const action = await present(token);
    assert.deepEqual([action.subject, action.clientId, action.actors[0]?.sub], ['people:u_bob', 'refund-bot', 'refund-bot']);
    await assert.rejects(present(token), refusedAs('ERR_ACTION_CONSUMED'));
    await action.receipt('done', { amount_minor: 4250 });
    assert.equal(await told.flush(), 0);
    assert.deepEqual(told.counts, { queued: 0, sent: 1, dead: 0, lost: 0 });
    const entry = (await rig.entries()).find((one) => one.kind === 'receipt' && one.txn === action.txn);
    assert.equal(entry?.outcome, 'done');
  });
  test('a revoked action does not run', async () => {
    const token = await granted();
    const { body, headers } = await rig.form({
      subject: null,
      details: null,
      form: { grant_type: null, resource: null, token },
      proof: null,
    });
    const answer = await fetch(`${rig.issuer}/revoke`, { method: 'POST', headers, body });
    assert.equal(answer.status, 200, await answer.text());
    await assert.rejects(present(token), refusedAs('ERR_TOKEN_REVOKED'));
  });
  test('the broker knows no receipt of another server', async () => {
    const stranger = receipts({ issuer: rig.issuer, clientId: 'shop', key: newKey().private });
    await stranger.add({ txn: 'x', token_jti: 'y', outcome: 'done', proof: 'z' });
    assert.equal(await stranger.flush(), 0);
    assert.equal(stranger.counts.dead, 1);
    await stranger.close();
  });
});

test('keys follow a rotation; while they cannot be had, nothing runs', async () => {
  let keys = [newKey('old')];
  let alive = true;
  let issuer = '';
  const server = createServer((req, res) => {
    res.setHeader('content-type', 'application/json');
    if (!alive) res.writeHead(500).end();
    else if (req.url === '/keys') res.end(JSON.stringify({ keys: keys.map((key) => key.publicJwk) }));
    else if (req.url === '/.well-known/oauth-authorization-server') res.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }));
    else res.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let at = 1_795_176_000;
  const now = (): number => at;
  const open = (): Verifier => createVerifier({ issuer, resource: SHOP, consumed: memoryConsumed({ now }), now });
  const use = async (verifier: Verifier, key: (typeof keys)[number] | undefined): Promise<Action> => {
    const token = await actionToken({ claims: { iss: issuer }, now: at, ...(key && { key }) });
    return verifier.verify(callOf('meta', token, await proofOf(token, 'meta', { now: at })));
  };
  const verifier = open();
  await use(verifier, keys[0]);
  const next = newKey('new');
  await assert.rejects(use(verifier, next), refusedAs('ERR_TOKEN_KID'));
  keys = [next];
  at += 60;
  await use(verifier, next);
  alive = false;
  await use(verifier, next);
  await assert.rejects(use(open(), next), refusedAs('ERR_KEYS_UNAVAILABLE'));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
