import assert from 'node:assert/strict';
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Action, type AgentCode, AgentError, type AgentErrorFacts, type AgentOptions, createAgent } from '../../../src/agent/agent.ts';
import { digest, sha256 } from '../../../src/wire/digest.ts';
import { proofChecker } from '../../../src/wire/dpop.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { GRANT_CLIENT, GRANT_EXCHANGE, META_PROOF, META_TOKEN, TYPE_ID_TOKEN } from '../../../src/wire/oauth.ts';
import { clientKeys, type FakeBroker, fakeBroker, type Trick } from './broker.ts';

const clientId = 'refund-bot';
const resource = 'https://mcp.shop.example/mcp';
const refund: Action = { resource, tool: 'create_refund', arguments: { payment_id: 'pay_8Qx2', amount_minor: 4250, currency: 'EUR' } };
const keys = clientKeys();

let broker: FakeBroker;
let waits: number[];
beforeEach(async () => {
  broker = await fakeBroker({ clientId, jwks: keys.jwks });
  waits = [];
});
afterEach(() => broker.close());
const make = (options: Partial<AgentOptions> = {}) =>
  createAgent({
    issuer: broker.issuer,
    clientId,
    key: keys.jwk,
    wait: async (ms) => {
      waits.push(ms);
    },
    ...options,
  });
const fails =
  (code: AgentCode, facts: AgentErrorFacts & { readonly detail?: string } = {}) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof AgentError, String(error));
    assert.equal(error.code, code);
    for (const [name, value] of Object.entries(facts)) assert.deepEqual(error[name as keyof AgentError], value, name);
    return true;
  };

describe('authorize', () => {
  it('brings a token for exactly this call, headers for the resource and members for _meta', async () => {
    const agent = make();
    const got = await agent.authorize(refund);
    assert.equal(got.claims['scope'], 'tool:create_refund');
    assert.equal(got.txn, got.claims['txn']);
    assert.deepEqual(
      (got.claims['authorization_details'] as JsonObject[])[0]?.['arguments_digest'],
      digest(refund.arguments as JsonObject),
    );
    assert.equal(got.headers.authorization, `DPoP ${got.token}`);

    const check = proofChecker();
    const now = Math.floor(Date.now() / 1_000);
    const header = check(got.headers.dpop, { htm: 'POST', htu: resource, now, token: got.token });
    assert.ok(header.ok && header.value.jkt === agent.thumbprint);
    assert.equal(got.meta[META_TOKEN], got.token);
    assert.ok(check(got.meta[META_PROOF], { htm: 'tools/call', htu: resource, now, token: got.token }).ok);
    const second = await got.present({ method: 'GET', url: `${resource}?a=1#b` });
    const shown = check(second.dpop, { htm: 'GET', htu: resource, now, token: got.token });
    assert.ok(shown.ok && header.ok && shown.value.jti !== header.value.jti);
  });

  it('answers a nonce challenge once, with a fresh assertion and proof, and remembers the nonce', async () => {
    const agent = make();
    await agent.authorize(refund);
    assert.equal(broker.counts.challenges, 1);
    await agent.authorize(refund);
    assert.equal(broker.counts.challenges, 1);
    broker.turnNonce();
    await agent.authorize(refund);
    assert.deepEqual({ ...broker.counts }, { metadata: 1, minted: 3, challenges: 2, refusals: 0 });
    assert.deepEqual(waits, []);
  });

  it('gives up on a broker that only ever challenges', async () => {
    const challenge: Trick = { answer: 400, body: { error: 'use_dpop_nonce' } };
    broker.tricks.push(challenge, challenge, challenge);
    await assert.rejects(make().authorize(refund), fails('ERR_REQUEST', { error: 'use_dpop_nonce' }));
    assert.equal(broker.tricks.length, 1);
  });

  it('needs no nonce where the broker gives none', async (t) => {
    const plain = await fakeBroker({ clientId, jwks: keys.jwks, nonces: false });
    t.after(() => plain.close());
    await make({ issuer: plain.issuer }).authorize(refund);
    assert.equal(plain.counts.challenges, 0);
  });

  it('sends one Idempotency-Key with every try, so that a lost answer brings the same txn', async () => {
    const agent = make();
    const first = await agent.authorize({ ...refund, idempotencyKey: 'one' });
    broker.tricks.push('lose', 'reset', { answer: 503, headers: { 'retry-after': '7' } });
    const got = await agent.authorize({ ...refund, idempotencyKey: 'two' });
    const again = await agent.authorize({ ...refund, idempotencyKey: 'two' });
    assert.equal(broker.counts.minted, 2);
    assert.equal(got.txn, again.txn);
    assert.notEqual(got.txn, first.txn);
    assert.deepEqual([...new Set(broker.seen.map((s) => s.key))], ['"one"', '"two"']);
    assert.deepEqual(waits, [200, 400, 7_000]);
  });

  it('makes a key of its own for each action', async () => {
    const agent = make();
    const [a, b] = [await agent.authorize(refund), await agent.authorize(refund)];
    assert.notEqual(a.txn, b.txn);
    assert.equal(new Set(broker.seen.map((s) => s.key)).size, 2);
  });

  for (const status of [409, 429, 502, 503, 504]) {
    it(`tries again after ${status}, at most as often as told, and no longer than 30 s a time`, async () => {
      const busy: Trick = { answer: status, body: { error: 'temporarily_unavailable' }, headers: { 'retry-after': '3600' } };
      broker.tricks.push(busy, busy, busy, busy);
      await assert.rejects(make({ attempts: 3 }).authorize(refund), fails('ERR_UNAVAILABLE', { status, retryAfterSeconds: 3600 }));
      assert.equal(broker.tricks.length, 1);
      assert.deepEqual(waits, [30_000, 30_000]);
    });
  }

  it('reads a date in Retry-After by its own clock', async () => {
    broker.tricks.push({ answer: 503, headers: { 'retry-after': 'Sat, 21 Nov 2026 09:00:09 GMT' } });
    const now = Date.UTC(2026, 10, 21, 9, 0, 0) / 1_000;
    broker.clock = () => now;
    await make({ now: () => now }).authorize(refund);
    assert.deepEqual(waits, [9_000]);
  });

  it('says when the broker cannot be reached, and what the network said', async () => {
    broker.tricks.push('reset', 'reset');
    await assert.rejects(
      make({ attempts: 2 }).authorize(refund),
      (error: AgentError) => fails('ERR_UNAVAILABLE')(error) && error.cause !== undefined,
    );
  });

  it('stops at once when the caller gives up', async () => {
    const agent = make({
      wait: async (_ms, signal) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    });
    const given = new AbortController();
    broker.tricks.push('reset', 'reset');
    const asked = agent.authorize({ ...refund, signal: given.signal });
    const reason = new Error('enough');
    setTimeout(() => given.abort(reason), 20);
    await assert.rejects(asked, reason);
  });

  it('asks on behalf of the subject, named anew for each try', async () => {
    let asked = 0;
    const agent = make({ subject: async () => ({ token: `id-${++asked}`, type: 'id_token' }) });
    broker.tricks.push('lose');
    await agent.authorize({ ...refund, purpose: 'ticket 4711', context: { session: 's1' } });
    const [{ form } = assert.fail()] = broker.seen;
    assert.equal(form.get('grant_type'), GRANT_EXCHANGE);
    assert.equal(form.get('subject_token_type'), TYPE_ID_TOKEN);
    assert.match(form.get('subject_token') ?? '', /^id-\d$/);
    const [entry] = JSON.parse(form.get('authorization_details') ?? '') as JsonObject[];
    assert.deepEqual([entry?.['purpose'], entry?.['context']], ['ticket 4711', { session: 's1' }]);
    assert.ok(asked > 1);
  });

  it('asks for itself without a subject, and opts in to approval only when told', async () => {
    const agent = make();
    await agent.authorize(refund);
    await agent.authorize({ ...refund, deferred: true });
    assert.deepEqual(
      broker.seen.map(({ form }) => [form.get('grant_type'), form.get('subject_token'), form.get('completion_mode')]),
      [
        [GRANT_CLIENT, null, null],
        [GRANT_CLIENT, null, 'deferred'],
      ],
    );
  });

  it('takes absent arguments as {}', async () => {
    const got = await make().authorize({ resource, tool: 'list_orders' });
    assert.deepEqual((got.claims['authorization_details'] as JsonObject[])[0]?.['arguments_digest'], digest({}));
  });

  const loop: Record<string, unknown> = {};
  loop['self'] = loop;
  const unspeakable: readonly [string, Partial<Action>][] = [
    ['a number beyond 2^53', { arguments: { n: 2 ** 53 } }],
    ['a lone surrogate', { arguments: { s: '\ud800' } }],
    ['a key that Cedar reads as an entity', { arguments: { a: { __entity: { type: 'Agent', id: 'x' } } } }],
    ['a bigint', { arguments: { n: 1n } }],
    ['a circle', { arguments: loop }],
    ['an array', { arguments: [1] }],
    ['65 levels', { arguments: JSON.parse(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`) as object }],
    ['a tool name with a space', { tool: 'create refund' }],
  ];
  for (const [what, change] of unspeakable) {
    it(`sends nothing for ${what}`, async () => {
      await assert.rejects(make().authorize({ ...refund, ...change }), fails('ERR_ACTION'));
      assert.deepEqual(broker.counts, { metadata: 0, minted: 0, challenges: 0, refusals: 0 });
    });
  }
});

describe('refusals', () => {
  const remedy = { text: 'lower amount_minor to 5000 or less', hints: [{ max: 5000 }] };
  const table: readonly [number, JsonObject | string, AgentCode, AgentErrorFacts][] = [
    [
      403,
      { error: 'access_denied', reason: 'refund_too_large', decision_id: 'exc_1', remedy },
      'ERR_DENIED',
      { reason: 'refund_too_large', decisionId: 'exc_1', remedy },
    ],
    [400, { error: 'access_denied' }, 'ERR_DENIED', { status: 400 }],
    [
      400,
      { error: 'authorization_pending', deferral_code: 'apr_1', interval: 3, expires_in: 600 },
      'ERR_APPROVAL_PENDING',
      { deferral: { code: 'apr_1', intervalSeconds: 3, expiresInSeconds: 600 } },
    ],
    [400, { error: 'authorization_pending' }, 'ERR_PROTOCOL', {}],
    [401, { error: 'invalid_client' }, 'ERR_CLIENT', { error: 'invalid_client' }],
    [400, { error: 'unauthorized_client' }, 'ERR_CLIENT', {}],
    [400, { error: 'unsupported_grant_type' }, 'ERR_CLIENT', {}],
    [400, { error: 'invalid_request' }, 'ERR_REQUEST', { error: 'invalid_request' }],
    [400, { error: 'invalid_target' }, 'ERR_REQUEST', { error: 'invalid_target' }],
    [400, { error: 'invalid_authorization_details' }, 'ERR_REQUEST', {}],
    [400, { error: 'invalid_dpop_proof' }, 'ERR_REQUEST', {}],
    [400, { error: 'invalid_grant' }, 'ERR_LAPSED', {}],
    [500, { error: 'server_error' }, 'ERR_UNAVAILABLE', { status: 500 }],
    [403, '<html>', 'ERR_PROTOCOL', { status: 403 }],
    [302, { location: 'elsewhere' }, 'ERR_PROTOCOL', { status: 302 }],
    [200, '[]', 'ERR_PROTOCOL', {}],
    [200, '{"access_token":"a","access_token":"b"}', 'ERR_PROTOCOL', {}],
    [200, `{"x":"${'y'.repeat(300_000)}"}`, 'ERR_PROTOCOL', {}],
  ];
  for (const [status, body, code, facts] of table) {
    it(`${status} ${typeof body === 'string' ? body.slice(0, 30) : (body['error'] ?? '')} is ${code}, at the first try`, async () => {
      broker.tricks.push({ answer: status, body });
      await assert.rejects(make().authorize(refund), fails(code, facts));
      assert.deepEqual([waits, broker.counts.minted], [[], 0]);
    });
  }

  it('has a constant text, whatever the broker says', async () => {
    broker.tricks.push({ answer: 403, body: { error: 'access_denied', error_description: 'CANARY', reason: 'CANARY' } });
    await assert.rejects(make().authorize(refund), (error: AgentError) => error.message === 'The broker does not allow this action.');
  });
});

describe('an answer that is not what was asked for', () => {
  const other = 'https://mcp.bank.example/mcp';
  const call = { type: 'urn:countersign:tool-call:v1', locations: [resource], actions: ['tools/call'], identifier: 'create_refund' };
  const table: readonly [string, Trick][] = [
    ['a bearer token', { answerWith: { token_type: 'Bearer' } }],
    ['no token', { answerWith: { access_token: null } }],
    ['an opaque token', { answerWith: { access_token: 'opaque' } }],
    ['no expires_in', { answerWith: { expires_in: '120' } }],
    ['another audience', { claims: { aud: other } }],
    ['two audiences', { claims: { aud: [resource, other] } }],
    ['another scope', { claims: { scope: 'tool:delete_customer' } }],
    ['another key', { claims: { cnf: { jkt: sha256('x') } } }],
    ['no key', { claims: { cnf: {} } }],
    ['other arguments', { claims: { authorization_details: [{ ...call, arguments_digest: digest({}) }] } }],
    [
      'another tool',
      { claims: { authorization_details: [{ ...call, identifier: 'x', arguments_digest: digest(refund.arguments as JsonObject) }] } },
    ],
    ['no txn', { claims: { txn: 1 } }],
  ];
  for (const [what, trick] of table) {
    it(`is refused: ${what}`, async () => {
      const agent = make();
      await agent.authorize(refund);
      broker.tricks.push(trick);
      await assert.rejects(agent.authorize(refund), fails('ERR_PROTOCOL'));
    });
  }
});

describe('discovery', () => {
  it('happens once for all who start at the same time', async () => {
    const agent = make();
    await Promise.all(Array.from({ length: 20 }, () => agent.authorize(refund)));
    assert.deepEqual([broker.counts.metadata, broker.counts.minted, broker.counts.refusals], [1, 20, 0]);
  });
  it('is not remembered when it fails, and is repeated after an hour', async () => {
    let now = 1_795_176_000;
    broker.clock = () => now;
    const agent = make({ now: () => now });
    const good = broker.metadata;
    broker.metadata = { issuer: 'https://broker.example', token_endpoint: `${broker.issuer}/token` };
    await assert.rejects(agent.authorize(refund), fails('ERR_PROTOCOL', { detail: 'metadata' }));
    broker.metadata = good;
    await agent.authorize(refund);
    now += 3_599;
    await agent.authorize(refund);
    assert.equal(broker.counts.metadata, 2);
    now += 1;
    await agent.authorize(refund);
    assert.equal(broker.counts.metadata, 3);
  });
  for (const endpoint of ['http://broker.example/token', 'ftp://127.0.0.1/token', 'https://u:p@broker.example/token', 7]) {
    it(`refuses the token endpoint ${endpoint}`, async () => {
      broker.metadata = { issuer: broker.issuer, token_endpoint: endpoint };
      await assert.rejects(make().authorize(refund), fails('ERR_PROTOCOL', { detail: 'token_endpoint' }));
    });
  }
  it('puts the well-known part before the issuer’s path, and follows no redirect', async () => {
    const asked: (readonly [string, string | undefined])[] = [];
    const agent = make({
      issuer: 'https://host.example/tenant/1',
      attempts: 1,
      fetch: async (input, init) => {
        asked.push([String(input), init?.redirect]);
        return new Response('{}');
      },
    });
    await assert.rejects(agent.authorize(refund), fails('ERR_PROTOCOL'));
    assert.deepEqual(asked, [['https://host.example/.well-known/oauth-authorization-server/tenant/1', 'manual']]);
  });
});

describe('base token', () => {
  it('is fetched once for all who wait, and kept per resource until shortly before its end', async () => {
    let now = 1_795_176_000;
    broker.clock = () => now;
    const agent = make({ now: () => now });
    const [first, ...rest] = await Promise.all(Array.from({ length: 10 }, () => agent.baseToken(resource)));
    assert.ok(rest.every((t) => t.token === first?.token));
    assert.equal(broker.counts.minted, 1);
    assert.deepEqual([broker.seen[0]?.form.get('scope'), broker.seen[0]?.form.get('authorization_details')], ['tool:list', null]);
    await agent.baseToken(`${resource}/2`);
    assert.equal(broker.counts.minted, 2);
    now += 104;
    assert.equal((await agent.baseToken(resource)).token, first?.token);
    now += 1;
    const next = await Promise.all([agent.baseToken(resource), agent.baseToken(resource)]);
    assert.ok(next[0].token === next[1].token && next[0].token !== first?.token);
    assert.equal(broker.counts.minted, 3);
  });
  it('is renewed once when several find it refused', async () => {
    const agent = make();
    const { token: stale } = await agent.baseToken(resource);
    const [a, b] = await Promise.all([agent.baseToken(resource, { stale }), agent.baseToken(resource, { stale })]);
    assert.ok(a.token === b.token && a.token !== stale);
    assert.equal(broker.counts.minted, 2);
  });
  it('does not keep a failure, nor fail for all when one gives up', async () => {
    const agent = make();
    broker.tricks.push({ answer: 400, body: { error: 'invalid_target' } });
    await assert.rejects(agent.baseToken(resource), fails('ERR_REQUEST'));
    const given = AbortSignal.abort(new Error('enough'));
    const [left, kept] = await Promise.allSettled([agent.baseToken(resource, { signal: given }), agent.baseToken(resource)]);
    assert.deepEqual([left.status, kept.status], ['rejected', 'fulfilled']);
  });
  it('trusts its own clock when the broker’s runs ahead', async () => {
    broker.clock = () => Math.floor(Date.now() / 1_000) + 8;
    const { expiresAt } = await make().baseToken(resource);
    assert.ok(expiresAt <= Math.floor(Date.now() / 1_000) + 120);
  });
});

describe('keys', () => {
  it('may be a JWK, a KeyObject or a CryptoKey; RSA signs assertions too', async () => {
    const subtle = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
    await make({ key: keys.key, keyId: 'agent-1', proofKey: subtle.privateKey }).authorize(refund);
    assert.equal(broker.counts.minted, 1);
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    // The broker of this test registers no RSA key: it refuses, so the assertion did arrive.
    await assert.rejects(make({ key: rsa.privateKey }).authorize(refund), fails('ERR_CLIENT'));
  });
  it('binds to the proof key given, to a fresh one otherwise', async () => {
    const proofKey = clientKeys().jwk;
    assert.equal(make({ proofKey }).thumbprint, make({ proofKey: createPrivateKey({ key: { ...proofKey }, format: 'jwk' }) }).thumbprint);
    assert.notEqual(make().thumbprint, make().thumbprint);
    const { x, y } = proofKey;
    const rfc7638 = createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url');
    assert.equal(make({ proofKey }).thumbprint, rfc7638);
  });
  const ed = generateKeyPairSync('ed25519').privateKey;
  const open = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  const table: readonly [string, Partial<AgentOptions>][] = [
    ['plain http', { issuer: 'http://broker.example' }],
    ['a query in the issuer', { issuer: 'https://broker.example/?a=1' }],
    ['no client id', { clientId: '' }],
    ['Ed25519', { key: ed }],
    ['a public key', { key: open }],
    ['a public JWK', { key: open.export({ format: 'jwk' }) as JsonObject }],
    ['a weak RSA key', { key: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey }],
    ['an RSA proof key', { proofKey: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey as KeyObject }],
    ['no attempts', { attempts: 0 }],
  ];
  for (const [what, options] of table) it(`refuses ${what}`, () => assert.throws(() => make(options), fails('ERR_OPTIONS')));
});
