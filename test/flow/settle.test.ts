/** How a grant ends (wire.md §7): what tool servers may learn of it, who may revoke it, and the one receipt. Each with its entry. */
import assert from 'node:assert/strict';
import { createPrivateKey, randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeManifest } from '../../scripts/policies.ts';
import { createAgent } from '../../src/agent/agent.ts';
import { createVerifier, memoryConsumed } from '../../src/verify/verify.ts';
import { openDemo } from '../support/demo.ts';
import { jwt, newKey, type TestKey } from '../support/keys.ts';
import { type Answer, type Asking, answerOf, proofFor, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import {
  type AheadWorld,
  ASSERTION_TYPE,
  addSecondServer,
  aheadWorld,
  asItself,
  claimsOf,
  clientForm,
  editBundle,
  introspect,
  LIST,
  post,
  revoke,
  tokenOf,
  told,
} from './front-door.ts';

let rig: Rig;
let world: AheadWorld;
let billing: TestKey;
before(async () => {
  world = aheadWorld();
  rig = await startRig({
    world,
    bundle: async (folder) => {
      billing = await addSecondServer(folder);
    },
  });
});
after(() => rig.stop());

const ORDERS: Asking = { entry: { identifier: 'list_orders' }, args: {} };
/** The rig's own nonce, until the clock has left it behind. */
const nonce: Pick<Asking, 'nonce'> = {};
const granted = async (asking: Asking = {}): Promise<string> => tokenOf(await rig.ask({ ...nonce, ...asking }));
const said = (answer: Answer): readonly unknown[] => [answer.status, answer.body['error']];
const INACTIVE = { active: false };

describe('/introspect', () => {
  it('tells the token’s server its claims, and nobody else anything', async () => {
    const token = await granted();
    const seq = await rig.count();
    const answer = await introspect(rig, token);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, { active: true, token_type: 'DPoP', ...claimsOf(token) });
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.deepEqual((await introspect(rig, token, 'billing', billing)).body, INACTIVE);
    assert.deepEqual((await introspect(rig, token, 'refund-bot', rig.agent)).body, INACTIVE);
    assert.equal(await rig.count(), seq, 'a look changes nothing, and is no entry');
  });

  it('knows base tokens too, bound and unbound', async () => {
    const bound = await granted(LIST);
    const plain = await granted(asItself(rig, 'nightly-report', { details: null, proof: null }));
    assert.deepEqual((await introspect(rig, bound)).body, { active: true, token_type: 'DPoP', ...claimsOf(bound) });
    assert.deepEqual((await introspect(rig, plain)).body, { active: true, token_type: 'Bearer', ...claimsOf(plain) });
  });

  it('refuses who does not prove itself, once for each assertion, and records it', async () => {
    const token = await granted();
    const seq = await rig.count();
    const once = await clientForm(rig, 'shop', rig.server);
    assert.equal((await post(rig, '/introspect', { ...once, token })).status, 200);
    assert.deepEqual(said(await post(rig, '/introspect', { ...once, token })), [401, 'invalid_client']);
    assert.deepEqual(said(await introspect(rig, token, 'shop', newKey())), [401, 'invalid_client']);
    assert.deepEqual(said(await introspect(rig, token, 'nobody', newKey())), [401, 'invalid_client']);
    assert.deepEqual(said(await post(rig, '/introspect', { token })), [401, 'invalid_client']);
    assert.deepEqual(said(await post(rig, '/introspect', await clientForm(rig, 'shop', rig.server))), [400, 'invalid_request']);
    assert.deepEqual(await told(rig, seq, 'kind', 'request', 'reason'), [
      ['refused', 'introspect', 'assertion_replayed'],
      ['refused', 'introspect', 'client_unauthenticated'],
      ['refused', 'introspect', 'client_unknown'],
      ['refused', 'introspect', 'client_unauthenticated'],
      ['refused', 'introspect', 'request_malformed'],
    ]);
  });

  it('has no word for what is not a living token of ours', async () => {
    const token = await granted();
    const claims = claimsOf(token);
    const [head = '', body = '', signature = ''] = token.split('.');
    const kid = (JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string }).kid;
    const forged = await jwt(newKey(), { alg: 'ES256', typ: 'at+jwt', kid }, claims);
    const theirs = await jwt(rig.idp.key, { alg: 'ES256', typ: 'at+jwt', kid: rig.idp.key.kid }, { ...claims, iss: rig.idp.issuer });
    const garbage = [
      'x',
      'a.b.c',
      `${head}.${body}.`,
      `${token}A`,
      ` ${token}`,
      `${token}=`,
      `${body}.${head}.${signature}`,
      forged,
      theirs,
    ];
    for (const text of [...garbage, 'null', '{}', 'ey'.repeat(20_000)]) {
      const answer = await introspect(rig, text);
      assert.deepEqual([answer.status, answer.body], [200, INACTIVE]);
    }
  });

  it('says no once the token has ended, in the very second', async () => {
    const token = await granted({ subject: { claims: { exp: rig.now() + 600 } } });
    const left = Number(claimsOf(token)['exp']) - rig.now();
    world.ahead(left - 2);
    assert.equal((await introspect(rig, token)).body['active'], true);
    world.ahead(2);
    assert.deepEqual((await introspect(rig, token)).body, INACTIVE);
  });
});

describe('/revoke', () => {
  it('ends a token of the caller for good, with an entry of the same story; again is no fault', async () => {
    const token = await granted();
    const { jti, txn } = claimsOf(token);
    const seq = await rig.count();
    const [first, second] = [await revoke(rig, token), await revoke(rig, token)];
    assert.deepEqual([first.status, first.text, second.status, second.text], [200, '', 200, '']);
    assert.deepEqual((await introspect(rig, token)).body, INACTIVE);
    const entry = ['revoked', 'revoke', 'refund-bot', 'people:u_alice', 'people:u_bob', RESOURCE, jti, txn];
    assert.deepEqual(await told(rig, seq, 'kind', 'request', 'client', 'owner', 'subject', 'resource', 'jti', 'txn'), [entry, entry]);
  });

  it('answers 200 for what is unknown, ended, garbage or not ours: there is nothing left to end (RFC 7009 §2.2)', async () => {
    const seq = await rig.count();
    const old = await granted({ subject: { claims: { exp: rig.now() + 5 } } });
    world.ahead(10);
    const forged = await jwt(newKey(), { alg: 'ES256', typ: 'at+jwt' }, claimsOf(old));
    for (const token of [old, forged, 'x', 'a.b.c', rig.idp.issuer]) assert.equal((await revoke(rig, token)).status, 200);
    assert.deepEqual((await told(rig, seq, 'kind')).flat(), ['minted'], 'and nothing is said to have been revoked');
  });

  it('is for the client and for every agent that acts; others learn nothing and end nothing', async () => {
    const own = await granted({ ...ORDERS, actor: {} });
    const lead = await granted({ ...ORDERS, actor: {} });
    assert.equal((await revoke(rig, own, 'triage-bot')).status, 200, 'the sub-agent');
    assert.equal((await revoke(rig, lead, 'refund-bot')).status, 200, 'the client above it');
    for (const token of [own, lead]) assert.deepEqual((await introspect(rig, token)).body, INACTIVE);

    const token = await granted();
    const seq = await rig.count();
    assert.deepEqual(said(await revoke(rig, token, 'triage-bot')), [400, 'unauthorized_client']);
    assert.deepEqual(said(await revoke(rig, token, 'nightly-report')), [400, 'unauthorized_client']);
    assert.deepEqual(said(await revoke(rig, token, 'shop', rig.server)), [400, 'unauthorized_client']);
    assert.deepEqual(said(await revoke(rig, token, 'refund-bot', newKey())), [401, 'invalid_client']);
    assert.equal((await introspect(rig, token)).body['active'], true);
    assert.deepEqual(await told(rig, seq, 'kind', 'client', 'reason'), [
      ['refused', 'triage-bot', 'grant_refused'],
      ['refused', 'nightly-report', 'grant_refused'],
      ['refused', 'shop', 'grant_refused'],
      ['refused', undefined, 'client_unauthenticated'],
    ]);
  });

  it('is seen by a tool server that introspects, before anything is used up', async () => {
    const login = { clientId: 'shop', key: rig.server.private, kid: rig.server.kid };
    const consumed = memoryConsumed({ now: () => 0 });
    const verifier = createVerifier({ issuer: rig.issuer, resource: RESOURCE, consumed, introspect: login, now: world.now });
    const call = async (token: string) => {
      const dpop = await proofFor(rig.proofKey, { htm: 'POST', htu: RESOURCE, token }, rig.now());
      return verifier.verify({ tool: 'create_refund', arguments: REFUND, http: { method: 'POST', authorization: `DPoP ${token}`, dpop } });
    };
    const [good, gone] = [await granted(), await granted()];
    assert.equal((await revoke(rig, gone)).status, 200);
    assert.equal((await call(good)).txn, claimsOf(good)['txn']);
    await assert.rejects(call(gone), { code: 'ERR_TOKEN_REVOKED', status: 401 });
  });
});

describe('a real MCP server that introspects', () => {
  it('runs a granted action and refuses a revoked one, which it would have run', async () => {
    const demo = await openDemo({ shop: { introspect: true } });
    try {
      const key = demo.agents['refund-bot'].privateJwk;
      const subject = { token: (await demo.idp.signIn('bob')).idToken, type: 'id_token' } as const;
      const agent = createAgent({ issuer: demo.issuer, clientId: 'refund-bot', key, subject });
      const { resource } = demo.shop;
      const end = async (token: string): Promise<void> => {
        const at = Math.floor(Date.now() / 1000);
        const claims = { iss: 'refund-bot', sub: 'refund-bot', aud: demo.issuer, iat: at, exp: at + 60, jti: randomUUID() };
        const assertion = await jwt({ private: createPrivateKey({ key: { ...key }, format: 'jwk' }) }, { alg: 'ES256' }, claims);
        const client = { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion };
        const body = new URLSearchParams({ ...client, token });
        assert.equal((await fetch(`${demo.issuer}/revoke`, { method: 'POST', body })).status, 200);
      };
      const call = async (first: (token: string) => Promise<void>): Promise<Answer> => {
        const action = await agent.authorize({ resource, tool: 'list_orders', arguments: { limit: 1 } });
        await first(action.token);
        const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...action.headers };
        const params = { name: 'list_orders', arguments: { limit: 1 } };
        const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
        return answerOf(await fetch(resource, { method: 'POST', headers, body }));
      };
      assert.equal((await call(async () => undefined)).status, 200);
      const refused = await call(end);
      assert.deepEqual([refused.status, demo.shop.runs()], [401, 1]);
      assert.match(refused.headers.get('www-authenticate') ?? '', /error="invalid_token"/);
    } finally {
      await demo.close();
    }
  });
});

describe('whoever a token speaks of must still stand', () => {
  const cases: readonly (readonly [string, () => Asking, string | RegExp, string])[] = [
    [
      'an agent that is suspended',
      () => asItself(rig, 'nightly-report'),
      'id: nightly-report\n',
      'id: nightly-report\n    suspended: true\n',
    ],
    ['a sub-agent that is suspended', () => ({ ...ORDERS, actor: {} }), 'id: triage-bot\n', 'id: triage-bot\n    suspended: true\n'],
    ['an owner who has left', () => ({}), /\n {2}- \{ id: people:u_alice.*/, ''],
  ];
  for (const [name, asking, from, to] of cases) {
    it(name, async () => {
      const folder = join(rig.folder, 'policies');
      const file = join(folder, 'agents.yaml');
      const before = await readFile(file, 'utf8');
      const token = await granted(asking());
      assert.equal((await introspect(rig, token)).body['active'], true);
      await editBundle(folder, 'agents.yaml', from, to);
      assert.equal((await rig.app.reload()).ok, true);
      assert.deepEqual((await introspect(rig, token)).body, INACTIVE);
      await writeFile(file, before);
      await writeManifest(folder);
      assert.equal((await rig.app.reload()).ok, true);
      assert.equal((await introspect(rig, token)).body['active'], true, 'and back again');
    });
  }
  it('a server that has left the bundle proves itself no more', async () => {
    assert.deepEqual((await introspect(rig, 'x', 'billing', billing)).body, INACTIVE);
    await editBundle(`${rig.folder}/policies`, 'servers/billing.yaml', /identity: .*\n/, '');
    assert.equal((await rig.app.reload()).ok, true);
    assert.deepEqual(said(await introspect(rig, 'x', 'billing', billing)), [401, 'invalid_client']);
  });
});
