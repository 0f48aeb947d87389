/** Asking again for what a back end makes (wire.md §3, Idempotency-Key): one credential however often, under one `txn`, and never a longer one. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type Answer, type Asking, REFUND, type Rig, startRig } from '../support/rig.ts';
import { type ToyProgram, toyProgram } from '../support/toy.ts';
import { type AheadWorld, aheadWorld, claimsOf, freshNonce, revoke } from './front-door.ts';
import { actionToken, credentialOf, type Redeeming, redeem, redeemForm, send, TOY, toyRig } from './redeeming.ts';

let rig: Rig;
let program: ToyProgram;
let world: AheadWorld;
before(async () => {
  program = await toyProgram();
  world = aheadWorld();
  rig = await startRig({ ...toyRig(program), world });
});
after(async () => {
  await rig?.stop();
  program?.remove();
});
beforeEach(() => {
  program.backEnd.mood = 'good';
});
const madeFor = (txn: unknown) => program.backEnd.made.filter((account) => account.txn === txn);
const isEnded = (user: string | undefined): boolean => program.backEnd.ended.includes(user ?? '');
async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 100 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(holds());
}
const said = (answer: Answer): readonly unknown[] => [answer.status, answer.body['error']];
const fresh = async (asking: Asking = {}): Promise<string> => actionToken(rig, { ...asking, nonce: await freshNonce(rig) });
const under = (key: string, more: Redeeming = {}): Redeeming => ({ ...more, headers: { 'idempotency-key': `"${key}"` } });
const reason = async (): Promise<string | undefined> => (await rig.entries()).findLast(({ request }) => request === 'redeem')?.reason;

describe('the same redemption under the same key', () => {
  it('is made once more, for the same time, and what was made before is ended', async () => {
    const [key, token] = [randomUUID(), await fresh()];
    const seq = await rig.count();
    const first = await redeem(rig, under(key, { token }));
    world.ahead(3);
    const second = await redeem(rig, under(key, { token }));
    assert.deepEqual([first.status, second.status], [200, 200], second.text);
    assert.notEqual(credentialOf(first)['password'], credentialOf(second)['password']);
    const [one, two] = madeFor(claimsOf(token)['txn']);
    assert.equal(two?.exp, one?.exp);
    assert.ok(Number(second.body['expires_in']) <= Number(first.body['expires_in']) - 3);
    await until(() => isEnded(one?.user));
    assert.equal(isEnded(two?.user), false);
    const minted = (await rig.entries(seq)).filter(({ kind }) => kind === 'minted');
    assert.deepEqual(
      minted.map(({ again }) => again),
      [undefined, true],
    );
    const [a, b] = minted;
    assert.deepEqual([b?.txn, b?.jti, b?.exp], [a?.txn, a?.jti, a?.exp]);
  });
  it('with the very proof of the first try, which is all the tool server has', async () => {
    const [key, token] = [randomUUID(), await fresh()];
    const proof = new URLSearchParams((await redeemForm(rig, { token })).body).get('action_proof') ?? '';
    for (const _ of [1, 2, 3]) assert.equal((await redeem(rig, under(key, { token, actionProof: { token: proof } }))).status, 200);
    const made = madeFor(claimsOf(token)['txn']);
    await until(() => made.filter(({ user }) => !isEnded(user)).length === 1);
  });
  it('with a token that the agent had signed again meanwhile', async () => {
    const [key, asked] = [randomUUID(), { headers: { 'idempotency-key': randomUUID() } }];
    const [one, two] = [await fresh(asked), await fresh(asked)];
    assert.notEqual(one, two);
    assert.equal((await redeem(rig, under(key, { token: one }))).status, 200);
    assert.equal((await redeem(rig, under(key, { token: two }))).status, 200);
    assert.deepEqual(said(await redeem(rig, { token: two })), [400, 'invalid_request'], 'without the key it is a second redemption');
    assert.equal(await reason(), 'token_redeemed');
  });
  it('fifty at once leave one', async () => {
    const [key, token] = [randomUUID(), await fresh()];
    const answers = await Promise.all(Array.from({ length: 50 }, () => redeem(rig, under(key, { token }))));
    assert.ok(answers.some(({ status }) => status === 200));
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      assert.deepEqual(said(answer), [409, 'temporarily_unavailable']);
      assert.equal(answer.headers.get('retry-after'), '1');
    }
    const made = madeFor(claimsOf(token)['txn']);
    await until(() => made.filter(({ user }) => !isEnded(user)).length === 1);
  });
  it('fifty at once leave one, where nothing of the first is left to be ended', async () => {
    const [key, token] = [randomUUID(), await fresh()];
    program.backEnd.mood = 'refuses';
    assert.equal((await redeem(rig, under(key, { token }))).status, 403);
    program.backEnd.mood = 'good';
    const forms = await Promise.all(Array.from({ length: 50 }, () => redeemForm(rig, under(key, { token }))));
    const answers = await Promise.all(forms.map((form) => send(rig, form)));
    assert.ok(answers.some(({ status }) => status === 200));
    const made = madeFor(claimsOf(token)['txn']);
    await until(() => made.filter(({ user }) => !isEnded(user)).length === 1);
  });
  it('after the back end was away', async () => {
    const [key, token] = [randomUUID(), await fresh()];
    program.backEnd.mood = 'dead';
    assert.equal((await redeem(rig, under(key, { token }))).status, 503);
    assert.deepEqual(said(await redeem(rig, { token })), [400, 'invalid_request'], 'another request has no part in it');
    program.backEnd.mood = 'good';
    let answer = await redeem(rig, under(key, { token }));
    for (let i = 0; answer.status === 409 && i < 100; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      answer = await redeem(rig, under(key, { token }));
    }
    assert.equal(answer.status, 200, answer.text);
  });
});

describe('another redemption under the same key', () => {
  const others: readonly (readonly [string, (token: string) => Promise<Redeeming>])[] = [
    ['another action', async () => ({ token: await fresh() })],
    ['something else brought', async (token) => ({ token, form: { credential_request: '{"public_key":"other"}' } })],
    ['details written otherwise', async (token) => ({ token, body: (form) => form.replace('%5B%7B', '%5B%20%7B') })],
  ];
  for (const [name, other] of others) {
    it(name, async () => {
      const [key, token] = [randomUUID(), await fresh()];
      assert.equal((await redeem(rig, under(key, { token }))).status, 200);
      assert.deepEqual(said(await redeem(rig, under(key, await other(token)))), [400, 'invalid_request']);
      assert.equal(await reason(), 'retry_mismatch');
      assert.equal((await redeem(rig, under(key, { token }))).status, 200, 'the first one stands');
    });
  }
  it('of another client is under a key of its own', async () => {
    const key = randomUUID();
    assert.equal((await rig.ask({ nonce: await freshNonce(rig), headers: { 'idempotency-key': `"${key}"` } })).status, 200);
    assert.equal((await redeem(rig, under(key, { token: await fresh() }))).status, 200);
  });
});

describe('what has ended is not made again', () => {
  it('after the action token was revoked', async () => {
    const [key, token] = [randomUUID(), await fresh()];
    assert.equal((await redeem(rig, under(key, { token }))).status, 200);
    assert.equal((await revoke(rig, token)).status, 200);
    assert.deepEqual(said(await redeem(rig, under(key, { token }))), [400, 'invalid_grant']);
    assert.equal(await reason(), 'retry_lapsed');
    const [made] = madeFor(claimsOf(token)['txn']);
    await until(() => isEnded(made?.user));
  });
  it('after its own end, though the token lives', async () => {
    const [key, token] = [randomUUID(), await fresh()];
    assert.equal((await redeem(rig, under(key, { token }))).status, 200);
    world.ahead(31);
    assert.deepEqual(said(await redeem(rig, under(key, { token }))), [400, 'invalid_grant']);
    assert.deepEqual(said(await redeem(rig, { token })), [400, 'invalid_request']);
    assert.equal(await reason(), 'token_redeemed');
  });
});

describe('an agent whose registration says so by name', () => {
  const look = async (more: Asking = {}): Promise<Asking> => ({
    entry: { identifier: 'list_orders' },
    args: {},
    form: { requested_token_type: TOY },
    nonce: await freshNonce(rig),
    ...more,
  });
  it('gets the credential itself, for no longer than the registration says', async () => {
    const answer = await rig.ask(await look());
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual([answer.body['token_type'], answer.body['issued_token_type']], ['N_A', TOY]);
    assert.ok(Number(answer.body['expires_in']) <= 20);
    assert.match(String(credentialOf(answer)['user']), /^looks-/);
  });
  it('asking again gets it made anew, and the one before is ended', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const [first, second] = [await rig.ask(await look({ headers })), await rig.ask(await look({ headers }))];
    assert.deepEqual([first.status, second.status], [200, 200], second.text);
    await until(() => isEnded(String(credentialOf(first)['user'])));
    assert.equal(isEnded(String(credentialOf(second)['user'])), false);
  });
  it('and its tool cannot redeem the same: one action, one holder', async () => {
    const token = await actionToken(rig, { entry: { identifier: 'list_orders' }, args: {}, nonce: await freshNonce(rig) });
    const asking = { entry: { identifier: 'list_orders' }, args: {} };
    assert.deepEqual(said(await redeem(rig, { token, asking })), [403, 'access_denied']);
    assert.equal(await reason(), 'mint_refused');
  });
  it('and no other agent does', async () => {
    const answer = await rig.ask({ form: { requested_token_type: TOY }, args: REFUND, nonce: await freshNonce(rig) });
    assert.deepEqual(said(answer), [403, 'access_denied']);
  });
});
