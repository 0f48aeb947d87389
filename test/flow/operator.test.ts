/** The operator's socket of a real broker: who may open it, what can be done there, and a whole rotation as a tool server sees it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { lstatSync } from 'node:fs';
import { request } from 'node:http';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { KeysStatus, StepOutcome } from '../../src/operate/keys.ts';
import { createVerifier, memoryConsumed, type Verifier } from '../../src/verify/verify.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { documentedClient } from '../support/documented.ts';
import { proofFor, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { type AheadWorld, aheadWorld, claimsOf, editBundle, freshNonce, get, tokenOf } from './front-door.ts';

const ME = `local:${userInfo().username}`;
let rig: Rig;
let world: AheadWorld;
let socket: string;
before(async () => {
  world = aheadWorld();
  const keys = { use: 'local', secret: { env: 'COUNTERSIGN_KEY' }, maxAgeSeconds: 30 } as const;
  rig = await startRig({ world, config: { keys }, environment: { COUNTERSIGN_KEY: Buffer.alloc(32, 5).toString('base64url') } });
  socket = join(rig.folder, 'operator.sock');
});
after(() => rig.stop());

const call = (method: 'GET' | 'POST', path: string, body?: object) => documentedClient(socket)(method, path, body);
const status = async (): Promise<KeysStatus> => (await call('GET', '/operator/keys')).body as KeysStatus;
const states = async (): Promise<string> =>
  (await status()).keys
    .filter((key) => key.alg === 'ES256')
    .map((key) => key.state)
    .join(' ');
async function step(what: string, body: object = {}): Promise<StepOutcome> {
  const answer = await call('POST', `/operator/keys/${what}`, body);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body as StepOutcome;
}
const kids = async (): Promise<readonly unknown[]> =>
  ((await get(rig, '/jwks')).body['keys'] as readonly JsonObject[]).map((key) => key['kid']);
const kidOf = (token: string): unknown => (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as JsonObject)['kid'];

describe('the socket', () => {
  it('is its owner’s alone', () => {
    const there = lstatSync(socket);
    assert.deepEqual([there.isSocket(), there.mode & 0o777, there.uid], [true, 0o600, userInfo().uid]);
  });

  it('tells how the broker is, and answers nothing that was not asked of it', async () => {
    const { status: code, body } = await call('GET', '/operator/status');
    const { issuer, bundle, report, checks } = body as {
      issuer: string;
      bundle: string;
      report: JsonObject;
      checks: readonly JsonObject[];
    };
    assert.deepEqual([code, issuer, report['ok'], bundle.length], [200, rig.issuer, true, 64]);
    assert.ok(checks.every((check) => check['state'] === 'ok'));
    for (const path of [
      '/operator',
      '/operator/secrets',
      '/token',
      '/jwks',
      '/operator/explain/',
      '/operator/explain/exc_0',
      '/operator/explain/..%2fkeys',
    ])
      assert.equal((await call('GET', path)).status, 404, path);
    assert.equal((await call('POST', '/operator/status', {})).status, 405);
    assert.equal((await call('POST', '/operator/keys/explode', {})).status, 404);
  });

  it('reads one strict JSON object', async () => {
    const send = (body: string, type = 'application/json'): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': type };
        const sent = request({ socketPath: socket, method: 'POST', path: '/operator/keys/publish', headers }, (answer) =>
          resolve(answer.resume().statusCode),
        );
        sent.on('error', reject).end(body);
      });
    const seq = await rig.count();
    for (const body of [
      '',
      'null',
      '[]',
      '"publish"',
      '{"dry_run":true,"dry_run":false}',
      '{',
      '{"version":1e400}',
      '{"version":"1"}',
      '{"dry_run":"true"}',
      '{"dryRun":true}',
    ])
      assert.equal(await send(body), 400, body);
    assert.equal(await send('{}', 'text/plain'), 415);
    assert.equal(await send('dry_run=true', 'application/x-www-form-urlencoded'), 415);
    assert.equal(await rig.count(), seq, 'nothing was begun');
    assert.equal(await states(), 'current');
  });

  it('is known to the scripts: rotate-keys speaks to it', async () => {
    const script = new URL('../../scripts/rotate-keys.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, [script, 'status', '--json', '--socket', socket]);
    assert.equal((JSON.parse(stdout) as KeysStatus).keys.length, 2);
  });
});

describe('what people do is an entry with their name', () => {
  it('a reload', async () => {
    const seq = await rig.count();
    await editBundle(join(rig.folder, 'policies'), 'refunds.cedar', '> 5000', '> 5001');
    const { status: code, body } = await call('POST', '/operator/bundle/reload', {});
    const report = body as { ok: boolean; hash: string };
    assert.deepEqual([code, report.ok], [200, true]);
    const [entry] = await rig.entries(seq);
    assert.deepEqual([entry?.kind, entry?.by, entry?.bundle], ['bundle', ME, report.hash]);
  });

  it('a step, a step too early, a step that somebody else was faster with; a rehearsal is none', async () => {
    const seq = await rig.count();
    const before = await status();
    const rehearsed = await step('publish', { dry_run: true });
    assert.deepEqual([rehearsed.dry_run, rehearsed.changed.map((change) => change.to)], [true, ['next', 'next']]);
    assert.deepEqual([await rig.count(), await states()], [seq, 'current']);

    const stale = await call('POST', '/operator/keys/publish', { version: before.version - 1 });
    const conflict = (detail: string) => ({
      error: 'state_conflict',
      error_description: 'Somebody else changed this; look again.',
      detail,
    });
    const told = (answer: { readonly body: unknown }): object => ({ ...(answer.body as object), decision_id: undefined });
    assert.deepEqual([stale.status, told(stale)], [409, { ...conflict('version'), decision_id: undefined }]);
    await step('publish', { version: before.version });
    const early = await call('POST', '/operator/keys/activate', {});
    assert.deepEqual([early.status, told(early)], [409, { ...conflict('too_early'), decision_id: undefined }]);
    const twice = await call('POST', '/operator/keys/publish', {});
    assert.deepEqual([twice.status, told(twice)], [409, { ...conflict('already_published'), decision_id: undefined }]);
    const entries = (await rig.entries(seq)).map((entry) => [
      entry.kind,
      entry.request,
      entry.by,
      entry.reason,
      entry.kind === 'key' ? undefined : entry.detail,
    ]);
    assert.deepEqual(entries, [
      ['refused', 'operator', ME, 'state_conflict', 'version'],
      ['key', 'operator', ME, undefined, undefined],
      ['refused', 'operator', ME, 'state_conflict', 'too_early'],
      ['refused', 'operator', ME, 'state_conflict', 'already_published'],
    ]);
    const explained = await call('GET', `/operator/explain/${(early.body as { decision_id: string }).decision_id}`);
    assert.match((explained.body as { words: readonly string[] }).words.join('\n'), new RegExp(`${ME}[\\s\\S]*too_early`));
  });

  it('nothing that is shown there is a private key', async () => {
    const text = JSON.stringify([
      await call('GET', '/operator/keys'),
      await call('POST', '/operator/keys/publish', {}),
      await call('GET', '/operator/status'),
    ]);
    for (const member of ['"d"', 'sealed', 'private', '"p"', '"q"']) assert.equal(text.includes(member), false, member);
  });
});

describe('a rotation, as a tool server sees it', () => {
  let verifier: Verifier;
  before(() => {
    // Its own copy of the keys, fetched from the broker and kept as long as the broker says.
    verifier = createVerifier({ issuer: rig.issuer, resource: RESOURCE, consumed: memoryConsumed({ now: () => 0 }), now: world.now });
  });
  const granted = async (): Promise<string> => tokenOf(await rig.ask({ nonce: await freshNonce(rig) }));
  async function verify(token: string): Promise<unknown> {
    const dpop = await proofFor(rig.proofKey, { htm: 'POST', htu: RESOURCE, token }, rig.now());
    const http = { method: 'POST', authorization: `DPoP ${token}`, dpop };
    return (await verifier.verify({ tool: 'create_refund', arguments: REFUND, http })).txn;
  }

  it('no token fails: published, activated, retired', async () => {
    assert.equal(await states(), 'current next');
    const [first, second] = [await granted(), await granted()];
    assert.equal(await verify(first), claimsOf(first)['txn']);
    const etag = (await get(rig, '/jwks')).headers.get('etag');
    assert.ok((await kids()).length === 4 && (await kids()).includes(kidOf(first)));

    world.ahead(41);
    const last = await granted();
    assert.equal(kidOf(last), kidOf(first), 'published is not signing');
    await step('activate');
    assert.equal(await states(), 'retiring current');
    const fresh = await granted();
    assert.notEqual(kidOf(fresh), kidOf(first));
    for (const token of [fresh, second, last]) assert.equal(await verify(token), claimsOf(token)['txn']);

    const early = await call('POST', '/operator/keys/retire', {});
    assert.equal(early.status, 409);
    world.ahead(311);
    await step('retire');
    assert.equal(await states(), 'gone current');
    assert.deepEqual([(await kids()).length, (await kids()).includes(kidOf(first))], [2, false]);
    assert.notEqual((await get(rig, '/jwks')).headers.get('etag'), etag);
    const after = await granted();
    assert.equal(kidOf(after), kidOf(fresh));
    assert.equal(await verify(after), claimsOf(after)['txn']);
  });

  it('an emergency ends what the old key signed as soon as a token of the new one is seen', async () => {
    const [before, stolen] = [await granted(), await granted()];
    assert.equal(await verify(before), claimsOf(before)['txn']);
    world.ahead(6); // an unknown kid makes the verifier ask again, though not all the time
    await step('emergency');
    assert.equal(await states(), 'gone distrusted current');
    const after = await granted();
    assert.equal(await verify(after), claimsOf(after)['txn']);
    await assert.rejects(verify(stolen), { code: 'ERR_TOKEN_KID', status: 401 });
    assert.equal((await kids()).includes(kidOf(stolen)), false);
  });
});
