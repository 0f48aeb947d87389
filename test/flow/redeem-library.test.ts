/** `countersign/verify` redeems what it has verified: the tool's own code, with a real broker behind it. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import {
  type Action,
  createRedeemer,
  createVerifier,
  currentAction,
  memoryConsumed,
  RedeemError,
  type Redeemer,
  type RedeemerOptions,
  type Verifier,
} from '../../src/verify/verify.ts';
import { proofFor, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { type ToyProgram, toyProgram } from '../support/toy.ts';
import { actionToken, toyRig } from './redeeming.ts';

let rig: Rig;
let program: ToyProgram;
let redeemer: Redeemer;
let verifier: Verifier;
before(async () => {
  program = await toyProgram();
  rig = await startRig(toyRig(program));
  redeemer = createRedeemer(own());
  verifier = createVerifier({ issuer: rig.issuer, resource: RESOURCE, consumed: memoryConsumed() });
});
after(async () => {
  await rig?.stop();
  program?.remove();
});
beforeEach(() => {
  program.backEnd.mood = 'good';
});
const own = (): RedeemerOptions => ({ issuer: rig.issuer, clientId: 'shop', key: rig.server.private, wait: async () => {} });
const accounts = () => program.backEnd.made;

/** One call, verified as its tool server verifies it. */
async function verified(by: 'meta' | 'header' = 'meta'): Promise<Action> {
  const token = await actionToken(rig);
  const proof = await proofFor(rig.proofKey, { htm: by === 'meta' ? 'tools/call' : 'POST', htu: RESOURCE, token }, rig.now());
  const call = { tool: 'create_refund', arguments: REFUND };
  if (by === 'header') return verifier.verify({ ...call, http: { method: 'POST', authorization: `DPoP ${token}`, dpop: proof } });
  return verifier.verify({ ...call, meta: { 'countersign/action-token': token, 'countersign/action-proof': proof } });
}
const failing = async (work: Promise<unknown>): Promise<RedeemError> => {
  const fault = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(fault instanceof RedeemError, String(fault));
  return fault;
};
const withArguments = { withArguments: true };

describe('redeem', () => {
  for (const by of ['meta', 'header'] as const) {
    it(`gives the tool what its action brings, however the call came: ${by}`, async () => {
      const action = await verified(by);
      const redeemed = await redeemer.redeem(action, 'toy', withArguments);
      const { credential, expiresAt, txn, kind } = redeemed;
      assert.deepEqual([txn, kind, credential['payment_id']], [action.txn, 'toy', REFUND['payment_id']]);
      assert.ok(expiresAt <= action.exp && expiresAt > rig.now());
      const shown = [redeemed, action].flatMap((value) => [inspect(value, { depth: 9 }), JSON.stringify(value)]).join('\n');
      for (const secret of [String(credential['password']), action.token, action.proof]) assert.equal(shown.includes(secret), false);
    });
  }
  it('asks once for all who ask within the action, and keeps nothing for the next', async () => {
    const action = await verified();
    const before = accounts().length;
    const all = await Promise.all(Array.from({ length: 9 }, () => redeemer.redeem(action, 'toy', withArguments)));
    const later = await redeemer.redeem(action, 'toy', withArguments);
    assert.equal(new Set([...all, later].map(({ credential }) => credential['password'])).size, 1);
    assert.equal(accounts().length, before + 1);
    const next = await redeemer.redeem(await verified(), 'toy', withArguments);
    assert.notEqual(next.credential['password'], later.credential['password']);
  });
  it('comes again under one key where the answer was lost: what was made then is ended', async () => {
    let calls = 0;
    const lossy: typeof fetch = async (...args) => {
      const answer = await fetch(...args);
      calls++;
      if (calls > 1) return answer;
      await answer.text();
      throw new TypeError('the answer was lost');
    };
    const before = accounts().length;
    const { credential } = await createRedeemer({ ...own(), fetch: lossy }).redeem(await verified(), 'toy', withArguments);
    assert.equal(calls, 2);
    const [lost, given] = accounts().slice(before);
    assert.deepEqual([lost?.txn, given?.password], [given?.txn, credential['password']]);
    await until(() => program.backEnd.ended.includes(lost?.user ?? ''));
    assert.equal(program.backEnd.ended.includes(given?.user ?? ''), false);
  });
  it('keeps no failure: what failed once may be asked for again in the same action', async () => {
    const action = await verified();
    let away = true;
    const now: typeof fetch = (...args) => (away ? Promise.reject(new TypeError('nothing there')) : fetch(...args));
    const once = createRedeemer({ ...own(), fetch: now, attempts: 1 });
    assert.equal((await failing(once.redeem(action, 'toy', withArguments))).code, 'ERR_REDEEM_UNAVAILABLE');
    away = false;
    assert.equal((await once.redeem(action, 'toy', withArguments)).txn, action.txn);
  });
  it('names the nonce that the broker gave last, and told of a newer one asks again at once', async () => {
    const named: unknown[] = [];
    const waits: number[] = [];
    const away = (given: string): Response => new Response('{}', { status: 503, headers: { 'retry-after': '3', 'dpop-nonce': given } });
    const answers = [away('one'), away('one'), away('x'.repeat(513))];
    const told: typeof fetch = async (to, init) => {
      const assertion = new URLSearchParams(String(init?.body)).get('client_assertion') ?? '';
      named.push((JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString()) as { nonce?: string }).nonce);
      return answers.shift() ?? fetch(to, init);
    };
    const asking = createRedeemer({ ...own(), fetch: told, wait: async (ms) => void waits.push(ms) });
    assert.equal((await asking.redeem(await verified(), 'toy', withArguments)).kind, 'toy');
    assert.deepEqual(
      [named, waits],
      [
        [undefined, 'one', 'one', 'one'],
        [0, 3_000, 3_000],
      ],
    );
  });
  it('brings what only this server can', async () => {
    const { credential } = await redeemer.redeem(await verified(), 'toy', {
      ...withArguments,
      request: { public_key: 'ssh-ed25519 AAAA' },
    });
    assert.equal(credential['public_key'], 'ssh-ed25519 AAAA');
  });
});
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(holds());
}

describe('a redemption that fails says why, in a constant text', () => {
  const answering =
    (status: number, body: string, headers: Record<string, string> = {}): (() => Partial<RedeemerOptions>) =>
    () => ({
      fetch: async () => new Response(body, { status, headers }),
    });
  const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const good = { access_token: encoded({ user: 'u' }), issued_token_type: 'urn:countersign:credential:toy', expires_in: 9 };
  const rows: readonly (readonly [string, string, () => Partial<RedeemerOptions>, string?])[] = [
    ['another server’s key', 'ERR_REDEEM_CLIENT', () => ({ key: rig.agent.private })],
    ['a server that is not registered', 'ERR_REDEEM_CLIENT', () => ({ clientId: 'nobody' })],
    ['a kind that the tool does not register', 'ERR_REDEEM_DENIED', () => ({}), 'vault'],
    ['a kind that there is not', 'ERR_REDEEM_REFUSED', () => ({}), 'gcp'],
    ['no answer', 'ERR_REDEEM_UNAVAILABLE', () => ({ fetch: async () => Promise.reject(new TypeError('nothing there')) })],
    ['503 each time', 'ERR_REDEEM_UNAVAILABLE', answering(503, '{"error":"temporarily_unavailable"}', { 'retry-after': '1' })],
    ['500', 'ERR_REDEEM_UNAVAILABLE', answering(500, '{"error":"server_error"}')],
    ['HTML', 'ERR_REDEEM_PROTOCOL', answering(200, '<html>')],
    ['a redirect', 'ERR_REDEEM_PROTOCOL', answering(302, '')],
    ['an answer without a credential', 'ERR_REDEEM_PROTOCOL', answering(200, '{}')],
    ['a credential of another kind', 'ERR_REDEEM_PROTOCOL', answering(200, JSON.stringify({ ...good, issued_token_type: 'urn:x' }))],
    ['a credential that is no JSON', 'ERR_REDEEM_PROTOCOL', answering(200, JSON.stringify({ ...good, access_token: 'AAAA' }))],
    ['a credential that is a list', 'ERR_REDEEM_PROTOCOL', answering(200, JSON.stringify({ ...good, access_token: encoded([1]) }))],
    ['two answers in one', 'ERR_REDEEM_PROTOCOL', answering(200, `{"access_token":"a",${JSON.stringify(good).slice(1)}`)],
    ['a grant that has ended', 'ERR_REDEEM_ENDED', answering(400, '{"error":"invalid_grant"}')],
    ['a clock past the action', 'ERR_REDEEM_ENDED', () => ({ now: () => 9_999_999_999 })],
  ];
  for (const [name, code, change, kind = 'toy'] of rows) {
    it(name, async () => {
      const action = await verified();
      const fault = await failing(createRedeemer({ ...own(), ...change() }).redeem(action, kind, withArguments));
      assert.equal(fault.code, code);
      const text = inspect(fault);
      for (const secret of [action.token, action.proof, String(REFUND['payment_id'])]) assert.equal(text.includes(secret), false);
    });
  }
  it('the arguments, where the template needs them: asked for again with them it works', async () => {
    const action = await verified();
    const fault = await failing(redeemer.redeem(action, 'toy'));
    assert.deepEqual([fault.code, fault.status, fault.error], ['ERR_REDEEM_REFUSED', 400, 'invalid_authorization_details']);
    assert.match(fault.decisionId ?? '', /^exc_/);
    assert.equal((await redeemer.redeem(action, 'toy', withArguments)).txn, action.txn);
  });
  it('no action at all', async () => {
    assert.equal((await failing(redeemer.redeem(currentAction(), 'toy'))).code, 'ERR_REDEEM_ACTION');
  });
  it('an action of another issuer, to nobody', async () => {
    const action = await verified();
    const elsewhere = createRedeemer({ ...own(), issuer: 'https://other.example', fetch: () => assert.fail('nothing is sent') });
    assert.equal((await failing(elsewhere.redeem(action, 'toy'))).code, 'ERR_REDEEM_ACTION');
  });
  it('a plain http issuer, at once', () => {
    assert.throws(() => createRedeemer({ ...own(), issuer: 'http://broker.example' }), TypeError);
  });
});
