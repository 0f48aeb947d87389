/** Asking again is the same asking (wire.md §3, Idempotency-Key): one grant however often, and never a new one in its place. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { newKey } from '../support/keys.ts';
import { ACCESS_TOKEN, type Answer, type Asking, REFUND, type Rig, startRig } from '../support/rig.ts';
import { type AheadWorld, aheadWorld, asAgent, asItself, claimsOf, freshNonce, introspect, LIST, revoke, tokenOf } from './front-door.ts';

let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world });
});
after(() => rig.stop());

const under = (key: string, asking: Asking = {}): Asking => ({ ...asking, headers: { ...asking.headers, 'idempotency-key': `"${key}"` } });
const of = (answer: Answer): JsonObject => claimsOf(tokenOf(answer));
const same = ['jti', 'txn', 'iat', 'exp', 'sub', 'aud', 'client_id', 'scope', 'act', 'cnf', 'authorization_details'];
const pick = (claims: JsonObject): JsonObject => Object.fromEntries(same.map((name) => [name, claims[name] ?? null]));
const said = (answer: Answer): readonly unknown[] => [answer.status, answer.body['error']];
/** Since `before`, without what the store of this rig says of itself. */
const entriesSince = (seq: number) => rig.entries(seq);

describe('the same request under the same key', () => {
  it('is the same grant, signed again: fresh assertion, proof and tokens, same claims, less time left', async () => {
    const key = randomUUID();
    const seq = await rig.count();
    const first = await rig.ask(under(key));
    world.ahead(7);
    const second = await rig.ask(under(key));
    assert.deepEqual([first.status, second.status], [200, 200]);
    assert.notEqual(tokenOf(first), tokenOf(second));
    assert.deepEqual(of(second), of(first));
    const [before, then] = [Number(first.body['expires_in']), Number(second.body['expires_in'])];
    assert.ok(then <= before - 7 && then > 0, `${before} s, then ${then} s`);
    assert.deepEqual({ ...second.body, access_token: 0, expires_in: 0 }, { ...first.body, access_token: 0, expires_in: 0 });

    const [one, two] = await entriesSince(seq);
    assert.deepEqual([one?.kind, one?.again, two?.kind, two?.again], ['minted', undefined, 'minted', true]);
    assert.deepEqual([two?.jti, two?.txn, two?.exp, two?.policies], [one?.jti, one?.txn, one?.exp, one?.policies]);
    assert.notEqual(one?.exchange, two?.exchange);
  });

  it('whatever form the key is written in, and whoever’s token is newer', async () => {
    const key = randomUUID();
    const first = await rig.ask({ headers: { 'idempotency-key': key } });
    const later = await rig.ask(under(key, { subject: { claims: { exp: rig.now() + 900, nonce: 'another sign-in' } } }));
    assert.deepEqual(of(later), of(first));
  });

  const kinds: readonly (readonly [string, () => Asking])[] = [
    ['a base token', () => LIST],
    ['a Bearer base token', () => asItself(rig, 'nightly-report', { details: null, proof: null })],
    ['an agent for itself', () => asItself(rig, 'nightly-report')],
    ['a sub-agent', () => ({ entry: { identifier: 'list_orders' }, args: {}, actor: {} })],
  ];
  for (const [name, asking] of kinds) {
    it(`for ${name} too`, async () => {
      const key = randomUUID();
      const [first, second] = [await rig.ask(under(key, asking())), await rig.ask(under(key, asking()))];
      assert.deepEqual(pick(of(second)), pick(of(first)));
    });
  }

  it('fifty at once are one grant; who comes while it is made is told to ask again', async () => {
    const key = randomUUID();
    const seq = await rig.count();
    const answers = await Promise.all(Array.from({ length: 50 }, () => rig.ask(under(key))));
    const good = answers.filter((answer) => answer.status === 200);
    assert.ok(good.length >= 1);
    assert.equal(new Set(good.map((answer) => of(answer)['jti'])).size, 1);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      assert.deepEqual([...said(answer), answer.headers.get('retry-after')], [409, 'temporarily_unavailable', '1']);
      assert.equal('access_token' in answer.body, false);
    }
    const entries = await entriesSince(seq);
    assert.equal(entries.length, 50);
    const firsts = entries.filter((entry) => entry.kind === 'minted' && entry.again === undefined);
    const again = entries.filter((entry) => entry.kind === 'minted' && entry.again);
    const told = entries.filter((entry) => entry.kind === 'refused' && entry.reason === 'retry_in_flight');
    assert.deepEqual([firsts.length, again.length + 1, told.length], [1, good.length, 50 - good.length]);
    assert.deepEqual(pick(of(await rig.ask(under(key)))), pick(of(good[0] as Answer)));
  });
});

describe('another request under the same key', () => {
  const others: readonly (readonly [string, () => Asking])[] = [
    ['another amount', () => ({ args: { ...REFUND, amount_minor: 4251 } })],
    ['another tool', () => ({ entry: { identifier: 'list_orders' }, args: {} })],
    ['another purpose', () => ({ entry: { purpose: 'something else' } })],
    ['the list instead of the action', () => LIST],
    ['another person', () => ({ subject: { claims: { sub: 'u_alice' } } })],
    ['another type of subject token', () => ({ form: { subject_token_type: ACCESS_TOKEN }, subject: accessToken() })],
    ['another key', () => ({ proof: { key: newKey() } })],
    ['a scope beside the details', () => ({ form: { scope: 'tool:list' } })],
    ['a person to be asked', () => ({ form: { completion_mode: 'deferred' } })],
  ];
  const accessToken = (): Asking['subject'] & object => ({
    header: { typ: 'at+jwt' },
    claims: { aud: rig.issuer, client_id: 'refund-bot-app' },
  });
  for (const [name, asking] of others) {
    it(name, async () => {
      const key = randomUUID();
      const first = await rig.ask(under(key));
      assert.equal(first.status, 200);
      const other = await rig.ask(under(key, asking()));
      assert.deepEqual(said(other), [400, 'invalid_request']);
      assert.equal((await rig.entries()).at(-1)?.reason, 'retry_mismatch');
      assert.deepEqual(of(await rig.ask(under(key))), of(first), 'the first one stands');
    });
  }
  it('another sub-agent, or none', async () => {
    const key = randomUUID();
    const orders: Asking = { entry: { identifier: 'list_orders' }, args: {} };
    assert.equal((await rig.ask(under(key, { ...orders, actor: {} }))).status, 200);
    assert.deepEqual(said(await rig.ask(under(key, orders))), [400, 'invalid_request']);
    const otherKey = { claims: { cnf: { jkt: newKey().jkt } } };
    assert.deepEqual(said(await rig.ask(under(key, { ...orders, actor: otherKey }))), [400, 'invalid_request']);
  });

  it('of another client is under another key', async () => {
    const key = randomUUID();
    const orders: Asking = { entry: { identifier: 'list_orders' }, args: {} };
    const one = of(await rig.ask(under(key, orders)));
    const triage = { ...orders, ...asAgent(rig, 'triage-bot'), subject: { claims: { aud: 'triage-bot-app' } } };
    const two = of(await rig.ask(under(key, triage)));
    assert.deepEqual([one['client_id'], two['client_id']], ['refund-bot', 'triage-bot']);
    assert.notEqual(one['jti'], two['jti']);
  });
});

describe('what is not remembered', () => {
  it('a refusal: the same key is free for the request that is in order', async () => {
    const key = randomUUID();
    assert.equal((await rig.ask(under(key, { args: { ...REFUND, amount_minor: 6000 } }))).status, 403);
    assert.equal((await rig.ask(under(key, { entry: { identifier: 'no_such_tool' } }))).status, 400);
    const good = await rig.ask(under(key));
    assert.equal(good.status, 200);
    assert.equal((await rig.entries()).at(-1)?.again, undefined);
  });

  it('a request that did not prove who it is from', async () => {
    const key = randomUUID();
    assert.equal((await rig.ask(under(key, { assertion: { key: newKey() } }))).status, 401);
    assert.equal((await rig.ask(under(key, { subject: { claims: { exp: rig.now() - 1 } } }))).status, 400);
    assert.equal((await rig.ask(under(key))).status, 200);
  });
});

describe('what has ended is not given again', () => {
  it('after its revocation, by whichever of its spellings', async () => {
    const key = randomUUID();
    const first = tokenOf(await rig.ask(under(key)));
    const second = tokenOf(await rig.ask(under(key)));
    assert.equal((await introspect(rig, first)).body['active'], true);
    assert.equal((await revoke(rig, second)).status, 200);
    assert.deepEqual((await introspect(rig, first)).body, { active: false });
    const seq = await rig.count();
    assert.deepEqual(said(await rig.ask(under(key))), [400, 'invalid_grant']);
    assert.equal((await entriesSince(seq)).at(0)?.reason, 'retry_lapsed');
  });

  it('while somebody in it is halted', async () => {
    const key = randomUUID();
    const who: Asking = { subject: { claims: { sub: 'u_carol' } } };
    assert.equal((await rig.ask(under(key, who))).status, 200);
    const at = rig.now();
    const halt = { key: 'halt/subject/people:u_carol', version: 0, value: 1, else: 'taken' };
    assert.equal(await rig.app.store.commit({ at, notAfter: at + 5, claims: [halt], entries: [] }), undefined);
    const answer = await rig.ask(under(key, who));
    assert.deepEqual([...said(answer), answer.body['reason']], [403, 'access_denied', 'suspended']);
    assert.equal((await rig.ask()).status, 200, 'others go on');
  });

  it('after its end, in the very second', async () => {
    const key = randomUUID();
    const asking = (): Asking => ({ subject: { claims: { exp: rig.now() + 600 } } });
    const first = of(await rig.ask(under(key, asking())));
    world.ahead(Number(first['exp']) - rig.now() - 2);
    const last = await rig.ask(under(key, asking()));
    assert.equal(of(last)['jti'], first['jti']);
    assert.ok(Number(last.body['expires_in']) <= 2);
    world.ahead(2);
    const nonce = await freshNonce(rig);
    assert.deepEqual(said(await rig.ask({ ...under(key, asking()), nonce })), [400, 'invalid_grant']);
    world.ahead(3600);
    const late = await freshNonce(rig);
    assert.deepEqual(said(await rig.ask({ ...under(key, asking()), nonce: late })), [400, 'invalid_grant']);
    assert.equal((await rig.ask({ ...under(randomUUID(), asking()), nonce: late })).status, 200);
  });
});
