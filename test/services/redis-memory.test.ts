/** A broker on a Redis whose memory has just begun: what it cannot know it says so, and waits. */
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { createAgent } from '../../src/agent/agent.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { claimsOf, clientForm, freshNonce, introspect, post, tokenOf } from '../flow/front-door.ts';
import { jwt } from '../support/keys.ts';
import { REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';

suite('a memory that has just begun', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let rig: Rig;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    rig = await startRig({
      config: {
        store: { use: 'redis', url: `redis://${redis.host}:${redis.port}`, password: { env: 'REDIS' } },
        keys: { use: 'local', secret: { env: 'KEY' } },
      },
      environment: { KEY: randomBytes(32).toString('base64url'), REDIS: redis.password },
    });
  });
  after(async () => {
    await rig.stop();
    await redis.stop();
  });
  const since = (at: number): Promise<unknown> => redis.cli('HSET', '{countersign}:meta', 'since', String(at));
  const last = async () => (await rig.entries()).at(-1);

  test('is a wait, not a replay; what was brought meanwhile is spent', async () => {
    const form = await rig.form();
    const send = () => fetch(`${rig.issuer}/token`, { method: 'POST', ...form });
    const early = await send();
    const body = (await early.json()) as Record<string, unknown>;
    assert.deepEqual([early.status, early.headers.get('retry-after'), body['error']], [503, '11', 'temporarily_unavailable']);
    const told = await last();
    assert.deepEqual([told?.kind, told?.reason, told?.detail, told?.client], ['refused', 'unavailable', 'memory', 'refund-bot']);
    const again = await send();
    assert.equal(again.status, 401, 'the same once more is a replay');
    assert.equal((await last())?.reason, 'assertion_replayed');
    // The same at every door that takes an assertion.
    for (const path of ['/introspect', '/revoke', '/revocations']) {
      const answer = await post(rig, path, { ...(await clientForm(rig, 'shop', rig.server)), token: 'x' });
      assert.deepEqual([path, answer.status, answer.headers.get('retry-after')], [path, 503, '11']);
    }
  });

  let later = 0;
  /** The memory reaches back to then, by default a moment from now and never the same, and the broker has heard of it: nonces begin anew with it. */
  async function begins(at = Math.max(later + 1, rig.now() + 2)): Promise<void> {
    later = at;
    const before = await freshNonce(rig);
    await since(at);
    await until(async () => (await freshNonce(rig)) !== before, 'the broker to be told');
  }

  test('is no wait for agents: their assertions name the nonce that they are given', async () => {
    const waits: number[] = [];
    const subject = new URLSearchParams((await rig.form()).body).get('subject_token') ?? '';
    const agent = createAgent({
      issuer: rig.issuer,
      clientId: 'refund-bot',
      key: JSON.parse(JSON.stringify({ ...rig.agent.private.export({ format: 'jwk' }), kid: rig.agent.kid })) as JsonObject,
      subject: { token: subject, type: 'id_token' },
      wait: async (ms) => void waits.push(ms),
    });
    const authorize = () => agent.authorize({ resource: RESOURCE, tool: 'create_refund', arguments: REFUND });
    assert.ok((await authorize()).token);
    await begins();
    assert.ok((await authorize()).token);
    assert.deepEqual(waits, []);
  });

  test('is a wait for an assertion that names a nonce from before it', async () => {
    const old = await freshNonce(rig);
    await begins();
    const of = async (nonce: string) => rig.form({ assertion: { claims: { nonce } }, nonce: await freshNonce(rig) });
    const send = async (form: RequestInit) => (await fetch(`${rig.issuer}/token`, { method: 'POST', ...form })).status;
    assert.equal(await send(await of(old)), 503);
    assert.equal(await send(await of(await freshNonce(rig))), 200);
    const shown = await of(await freshNonce(rig));
    assert.deepEqual([await send(shown), await send(shown)], [200, 401], 'once');
  });

  test('answers inactive of a token from before it', async () => {
    await begins(0);
    const token = tokenOf(await rig.ask({ nonce: await freshNonce(rig) }));
    assert.equal((await introspect(rig, token)).body['active'], true);
    const now = Number(claimsOf(token)['iat']);
    await begins(now + 1);
    // Made as late as a broker believes: the memory reaches back to that.
    await until(() => rig.now() >= now + 3, 'a moment to pass');
    const claims = { iss: 'shop', sub: 'shop', aud: rig.issuer, iat: rig.now() + 9, exp: rig.now() + 60, jti: randomUUID() };
    const assertion = await jwt(rig.server, { typ: 'client-authentication+jwt', alg: rig.server.alg }, claims);
    const { client_assertion_type = '' } = await clientForm(rig, 'shop', rig.server);
    const answer = await post(rig, '/introspect', { client_assertion_type, client_assertion: assertion, token });
    assert.deepEqual([answer.status, answer.body], [200, { active: false }]);
  });
});
