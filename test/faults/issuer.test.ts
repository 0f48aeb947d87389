import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../src/config.ts';
import { createWorld } from '../../src/world.ts';
import { type TestIdp, testIdp } from '../support/idp.ts';
import { newKey, type TestKey } from '../support/keys.ts';
import { freePort } from '../support/rig.ts';
import { readLedger } from './checks.ts';
import { type House, openHouse } from './harness.ts';
import { createLoad, said, signed, UNAVAILABLE } from './load.ts';

const DISCOVERY = '/.well-known/openid-configuration';
const DEADLINE_MS = 4_500;
/** A failed issuer is left alone so long, and an unknown `kid` asks no more often than this (jwks-remote.ts). Seconds. */
const [DEAD, COOLDOWN] = [11, 6];

/** A broker in this process that trusts these issuers, and a clock that can be moved on. */
async function openStage(issuers: Readonly<Record<string, string>>) {
  let skipped = 0;
  const now = (): number => Math.floor(Date.now() / 1000) + skipped;
  const config: ConfigInput['issuers'] = Object.entries(issuers).map(([id, issuer]) => ({
    use: 'oidc',
    id,
    issuer,
    vouches: ['person'],
    clients: { 'refund-bot': 'refund-bot-app' },
    attributes: { groups: 'groups' },
  }));
  const house = await openHouse({ config: { issuers: config, deadlineMs: DEADLINE_MS } });
  const monotonic = (): number => performance.now() + skipped * 1000;
  await house.app(createWorld({ wall: () => Date.now() + skipped * 1000, monotonic }));
  const load = createLoad(house, { now });
  await load.ask(load.wish({ client: 'nightly-report' })); // brings the nonce
  return {
    house,
    /** One exchange for a person of that issuer. */
    async ask(issuer: string, key: Pick<TestKey, 'kid' | 'private'>): Promise<readonly unknown[]> {
      const at = now();
      const claims = { iss: issuer, sub: 'u_bob', aud: 'refund-bot-app', iat: at, exp: at + 600, groups: ['support'], jti: randomUUID() };
      const subject = signed(key, { alg: 'ES256', typ: 'JWT', kid: key.kid }, claims);
      return said(await load.send(load.make(load.wish({ client: 'refund-bot' }), { subject })));
    },
    /** One exchange of an agent for itself. */
    forItself: async (): Promise<readonly unknown[]> => said(await load.ask(load.wish({ client: 'nightly-report' }))),
    async pass(seconds: number): Promise<void> {
      skipped += seconds;
      await load.ask(load.wish({ client: 'nightly-report' })); // the old nonce may have ended
    },
  };
}
const asMany = <T>(count: number, ask: () => Promise<T>): Promise<T[]> => Promise.all(Array.from({ length: count }, ask));
const reasons = (house: House): readonly (string | null)[] => readLedger(house.store).map(({ reason }) => reason);
/** Put a key of node:crypto into an issuer's set. */
const publish = (idp: TestIdp, ...keys: readonly TestKey[]): void => {
  idp.answers['/jwks'] = { body: JSON.stringify({ keys: keys.map((key) => key.publicJwk) }) };
};

it('an issuer that hangs: 503 within the deadline, one question for all, and nobody else waits', async () => {
  await using hanging = await testIdp();
  await using good = await testIdp();
  const key = newKey();
  publish(good, key);
  publish(hanging, key);
  hanging.answers[DISCOVERY] = 'hang';
  const stage = await openStage({ hanging: hanging.issuer, good: good.issuer });
  await using _house = stage.house;
  const began = performance.now();
  let answered = false;
  const waiting = asMany(20, () => stage.ask(hanging.issuer, key)).finally(() => {
    answered = true;
  });
  for (let i = 0; i < 10; i++) {
    assert.deepEqual(await stage.forItself(), [200]);
    assert.deepEqual(await stage.ask(good.issuer, key), [200]);
  }
  assert.equal(answered, false, 'others are answered while these wait');
  for (const one of await waiting) assert.deepEqual(one, UNAVAILABLE);
  assert.ok(performance.now() - began < DEADLINE_MS);
  assert.deepEqual(hanging.hits, [DISCOVERY]);

  // For a while nobody asks it again, and nobody waits for it.
  for (const one of await asMany(10, () => stage.ask(hanging.issuer, key))) assert.deepEqual(one, UNAVAILABLE);
  assert.deepEqual(hanging.hits, [DISCOVERY]);
  delete hanging.answers[DISCOVERY];
  assert.deepEqual(await stage.ask(hanging.issuer, key), UNAVAILABLE);
  await stage.pass(DEAD);
  assert.deepEqual(await stage.ask(hanging.issuer, key), [200]);
  assert.equal(reasons(stage.house).filter((reason) => reason === 'issuer_unavailable').length, 31);
});

it('an issuer that is huge, redirects, is cut off, or names keys elsewhere: 503 each, asked once, and believed again when it is well', async () => {
  const key = newKey();
  await using elsewhere = await testIdp();
  publish(elsewhere, key);
  const table: Readonly<Record<string, (idp: TestIdp) => void>> = {
    huge: (idp) => {
      idp.answers['/jwks'] = { body: JSON.stringify({ keys: [key.publicJwk], filler: 'x'.repeat(10 * 1024 * 1024) }) };
    },
    endless: (idp) => {
      idp.answers['/jwks'] = 'trickle';
    },
    redirecting: (idp) => {
      idp.answers['/jwks'] = { status: 302, headers: { location: elsewhere.jwksUri } };
    },
    cut: (idp) => {
      idp.answers['/jwks'] = 'cut';
    },
    failing: (idp) => {
      idp.answers['/jwks'] = { status: 500, body: '{}' };
    },
    'no-json': (idp) => {
      idp.answers['/jwks'] = { body: '<html>' };
    },
    private: (idp) => {
      idp.answers['/jwks'] = { body: JSON.stringify({ keys: [{ ...key.publicJwk, d: key.publicJwk['x'] }] }) };
    },
    misnamed: (idp) => {
      idp.answers[DISCOVERY] = { body: JSON.stringify({ issuer: elsewhere.issuer, jwks_uri: elsewhere.jwksUri }) };
    },
    inward: (idp) => {
      idp.answers[DISCOVERY] = { body: JSON.stringify({ issuer: idp.issuer, jwks_uri: 'http://10.0.0.1/jwks' }) };
    },
  };
  const idps = new Map(await Promise.all(Object.keys(table).map(async (id) => [id, await testIdp()] as const)));
  try {
    const stage = await openStage(Object.fromEntries([...idps].map(([id, idp]) => [id, idp.issuer])));
    await using _house = stage.house;
    for (const [id, idp] of idps) {
      table[id]?.(idp);
      for (const one of await asMany(8, () => stage.ask(idp.issuer, key))) assert.deepEqual(one, UNAVAILABLE, id);
      for (const one of await asMany(8, () => stage.ask(idp.issuer, key))) assert.deepEqual(one, UNAVAILABLE, id);
      assert.equal(idp.hits.filter((hit) => hit === DISCOVERY).length, 1, id);
      assert.ok(idp.hits.filter((hit) => hit === '/jwks').length <= 1, id);
      assert.deepEqual(await stage.forItself(), [200]);
      idp.answers = {};
      publish(idp, key);
    }
    assert.deepEqual(elsewhere.hits, [], 'nobody was sent anywhere');
    await stage.pass(DEAD);
    for (const [id, idp] of idps) assert.deepEqual(await stage.ask(idp.issuer, key), [200], id);
  } finally {
    for (const idp of idps.values()) await idp[Symbol.asyncDispose]();
  }
});

it('an issuer that is dead, and comes back', async () => {
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const key = newKey();
  const stage = await openStage({ people: issuer });
  await using _house = stage.house;
  for (const one of await asMany(8, () => stage.ask(issuer, key))) assert.deepEqual(one, UNAVAILABLE);
  const server = createServer((request, response) => {
    const body = request.url === '/jwks' ? { keys: [key.publicJwk] } : { issuer, jwks_uri: `${issuer}/jwks` };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  }).listen(port, '127.0.0.1');
  try {
    await stage.pass(DEAD);
    assert.deepEqual(await stage.ask(issuer, key), [200]);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  // Dead again: what is known of its keys serves on, stale, and then no more.
  await stage.pass(400);
  for (let i = 0; i < 3; i++) assert.deepEqual(await stage.ask(issuer, key), [200]);
  await sleep(50);
  assert.deepEqual(await stage.ask(issuer, key), [200]);
  await stage.pass(600);
  assert.deepEqual(await stage.ask(issuer, key), UNAVAILABLE);
});

it('an issuer that changes its keys', async () => {
  await using idp = await testIdp();
  const [first, second, third] = [newKey('one'), newKey('two'), newKey('three')];
  publish(idp, first);
  const stage = await openStage({ people: idp.issuer });
  await using _house = stage.house;
  assert.deepEqual(await stage.ask(idp.issuer, first), [200]);
  idp.hits.length = 0;

  // A new key is asked after as soon as it is met, by one question; the old one, gone from the set, opens nothing any more.
  publish(idp, second);
  for (const one of await asMany(8, () => stage.ask(idp.issuer, second))) assert.deepEqual(one, [200]);
  assert.equal(idp.hits.filter((hit) => hit === '/jwks').length, 1);
  assert.deepEqual(await stage.ask(idp.issuer, first), [400, 'invalid_request']);

  // Unknown keys are no way to make us ask without end; a right one is believed after the pause.
  publish(idp, second, third);
  for (const one of await asMany(8, () => stage.ask(idp.issuer, third))) assert.deepEqual(one, [400, 'invalid_request']);
  assert.equal(idp.hits.filter((hit) => hit === '/jwks').length, 1);
  await stage.pass(COOLDOWN);
  assert.deepEqual(await stage.ask(idp.issuer, third), [200]);
  assert.deepEqual(await stage.ask(idp.issuer, second), [200]);
  assert.equal(idp.hits.filter((hit) => hit === '/jwks').length, 2);

  // The same name, another key.
  publish(idp, newKey('three'));
  assert.deepEqual(await stage.ask(idp.issuer, newKey('three')), [400, 'invalid_request']);
});
