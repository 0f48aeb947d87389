/** What the feed's follower takes for an answer, what it makes of it, and what it says while it has none. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { createVerifier, followRevocations, memoryConsumed, type Revocations } from '../../../src/verify/verify.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import type { Claims } from '../../../src/wire/jws.ts';
import { subjectMark } from '../../../src/wire/revocations.ts';
import { jwt } from '../../support/keys.ts';
import { broker, ISSUER, keySource, NOW, RESOURCE, thief } from './issuer.ts';

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const NOTHING: JsonObject = { all: false, agents: [], subjects: [], tools: [], tokens: [] };
type Reply = (asked: URLSearchParams, count: number) => Promise<Response> | Response;

interface Answering {
  readonly claims?: object;
  readonly header?: object;
  readonly key?: typeof broker;
}
/** A right answer but for what is asked otherwise. */
const signed =
  ({ claims = {}, header = {}, key = broker }: Answering = {}): Reply =>
  async (asked) => {
    const from = Number(asked.get('after') ?? 0);
    const said = { iss: ISSUER, sub: 'shop', aud: RESOURCE, iat: NOW, exp: NOW + 60, seq: Math.max(7, from), from };
    const body = { ...said, nonce: asked.get('nonce'), stands: NOTHING, ...claims };
    return new Response(await jwt(key, { alg: key.alg, typ: 'countersign-revocations+jwt', kid: key.kid, ...header }, body));
  };
/** The first question is answered so, the others never. */
function follower(reply: Reply, options: { readonly clock?: { now: number }; readonly readOnly?: string[] } = {}): Revocations {
  let count = 0;
  const ask = ((_url: string, init: RequestInit): Promise<Response> => {
    count++;
    if (count === 1) return Promise.resolve(reply(new URLSearchParams(String(init.body)), count));
    return new Promise((_, reject) => {
      const over = (): void => reject(new Error('over'));
      if (init.signal?.aborted) over();
      init.signal?.addEventListener('abort', over, { once: true });
    });
  }) as typeof fetch;
  const { clock = { now: NOW }, readOnly = [] } = options;
  return followRevocations({
    issuer: ISSUER,
    resource: RESOURCE,
    clientId: 'shop',
    key: privateKey,
    keys: keySource(),
    fetch: ask,
    now: () => clock.now,
    readOnly,
  });
}
const token: Claims = {
  iss: ISSUER,
  sub: 'people:u_5b2f61',
  iat: NOW,
  exp: NOW + 120,
  jti: 'tok_1',
  txn: 'txn_1',
  client_id: 'refund-bot',
  act: { sub: 'triage-bot', iss: ISSUER, act: { sub: 'refund-bot', iss: ISSUER } },
};

describe('what stands there is refused, and nothing else', () => {
  const later = NOW + 600;
  const cases: readonly (readonly [string, JsonObject, 'stands' | 'revoked', Partial<Claims>?])[] = [
    ['nothing', {}, 'stands'],
    ['all', { all: true }, 'revoked'],
    ['its client', { agents: ['refund-bot'] }, 'revoked'],
    ['an actor', { agents: ['triage-bot'] }, 'revoked'],
    ['another agent', { agents: ['nightly-report'] }, 'stands'],
    ['its subject', { subjects: [subjectMark(RESOURCE, 'people:u_5b2f61')] }, 'revoked'],
    ['its subject, for another audience', { subjects: [subjectMark('https://other.example/mcp', 'people:u_5b2f61')] }, 'stands'],
    ['its tool', { tools: ['create_refund'] }, 'revoked'],
    ['another tool', { tools: ['list_orders'] }, 'stands'],
    ['its jti', { tokens: [['tok_1', 'txn_9', later]] }, 'revoked'],
    ['its txn', { tokens: [['tok_9', 'txn_1', later]] }, 'revoked'],
    ['another token', { tokens: [['tok_9', 'txn_9', later]] }, 'stands'],
    ['a base token of its client', { agents: ['refund-bot'] }, 'revoked', { txn: 'txn_2', act: {} }],
    ['another issuer’s token', { all: true }, 'stands', { iss: 'https://elsewhere.example' }],
  ];
  for (const [name, stands, said, claims] of cases)
    test(name, async () => {
      const revocations = follower(signed({ claims: { stands: { ...NOTHING, ...stands } } }));
      assert.equal(await revocations.check({ ...token, ...claims } as Claims, 'create_refund'), said);
      await revocations.close();
    });
});

describe('what is no answer changes nothing, and effects are refused', () => {
  const answers: readonly (readonly [string, Reply])[] = [
    ['another key', signed({ key: { ...thief, kid: broker.kid } })],
    ['an access token', signed({ header: { typ: 'at+jwt' } })],
    ['no typ', signed({ header: { typ: undefined } })],
    ['an unknown key', signed({ header: { kid: 'k9' } })],
    ['another issuer', signed({ claims: { iss: 'https://evil.example' } })],
    ['another audience', signed({ claims: { aud: 'https://other.example/mcp' } })],
    ['two audiences', signed({ claims: { aud: [RESOURCE, 'https://other.example/mcp'] } })],
    ['of yesterday', signed({ claims: { iat: NOW - 86_400, exp: NOW - 86_340 } })],
    ['of tomorrow', signed({ claims: { iat: NOW + 86_400, exp: NOW + 86_460 } })],
    ['for an hour', signed({ claims: { exp: NOW + 3_600 } })],
    ['the answer to another question', signed({ claims: { nonce: 'n-1' } })],
    ['no nonce', signed({ claims: { nonce: undefined } })],
    ['another beginning', signed({ claims: { from: 3 } })],
    ['no seq', signed({ claims: { seq: undefined } })],
    ['seq below zero', signed({ claims: { seq: -1 } })],
    ['seq in words', signed({ claims: { seq: '7' } })],
    ['nothing new, though nothing is known', signed({ claims: { stands: undefined } })],
    ['a member that is not understood', signed({ claims: { stands: { ...NOTHING, owners: ['people:u_alice'] } } })],
    ['a member that is missing', signed({ claims: { stands: { all: false, agents: [], subjects: [], tools: [] } } })],
    ['a token without its end', signed({ claims: { stands: { ...NOTHING, tokens: [['tok_1', 'txn_1']] } } })],
    ['agents that are no names', signed({ claims: { stands: { ...NOTHING, agents: [{}] } } })],
    ['more than is held', signed({ claims: { stands: { ...NOTHING, agents: Array.from({ length: 4_001 }, (_, i) => `a${i}`) } } })],
    ['more than is read', () => new Response('x'.repeat(1024 * 1024 + 1))],
    ['no token', () => new Response('{"stands":{}}')],
    ['another status', async (asked, n) => new Response(await (await signed()(asked, n)).text(), { status: 203 })],
    ['a refusal', () => new Response('{}', { status: 401 })],
    ['no connection', () => Promise.reject(new Error('ECONNREFUSED'))],
  ];
  for (const [name, reply] of answers)
    test(name, async () => {
      const revocations = follower(reply, { readOnly: ['list_orders'] });
      assert.equal(await revocations.check(token, 'create_refund'), 'stale');
      assert.equal(await revocations.check(token, 'list_orders'), 'stands');
      assert.equal(await revocations.check(token), 'stands');
      const { seq, isStale, failures } = revocations.status;
      assert.deepEqual([seq, isStale, failures], [0, true, 1]);
      await revocations.close();
    });
});

describe('staleness', () => {
  test('is as told, and what is known to be revoked is refused in it too', async () => {
    const clock = { now: NOW };
    const revocations = follower(signed({ claims: { stands: { ...NOTHING, tools: ['old_tool'] } } }), {
      clock,
      readOnly: ['old_tool', 'look'],
    });
    assert.equal(await revocations.check(token, 'create_refund'), 'stands');
    clock.now = NOW + 30;
    assert.equal(await revocations.check(token, 'create_refund'), 'stands');
    clock.now = NOW + 31;
    assert.equal(await revocations.check(token, 'create_refund'), 'stale');
    assert.equal(await revocations.check(token, 'look'), 'stands');
    assert.equal(await revocations.check(token, 'old_tool'), 'revoked');
    clock.now = NOW - 60;
    assert.equal(await revocations.check(token, 'create_refund'), 'stale', 'a clock that went back');
    await revocations.close();
  });
  test('begins when the answer was made, not when it came', async () => {
    const revocations = follower(signed({ claims: { iat: NOW - 50, exp: NOW + 10 } }));
    assert.equal(await revocations.check(token, 'create_refund'), 'stale');
    await revocations.close();
  });
});

test('options are checked', () => {
  const options = { issuer: ISSUER, resource: RESOURCE, clientId: 'shop', key: privateKey, keys: keySource() };
  assert.throws(() => followRevocations({ ...options, maxStaleSeconds: 0 }), TypeError);
  assert.throws(() => followRevocations({ ...options, maxStaleSeconds: Number.NaN }), TypeError);
  assert.throws(() => followRevocations({ ...options, issuer: 'http://broker.example' }), TypeError);
  const revocations = { issuer: ISSUER, resource: 'https://other.example/mcp' } as Revocations;
  assert.throws(() => createVerifier({ issuer: ISSUER, resource: RESOURCE, consumed: memoryConsumed(), revocations }), TypeError);
});
