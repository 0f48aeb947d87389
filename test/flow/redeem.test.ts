/** Redemption (wire.md §6) through the front door, on a program that has one more kind of credential. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { documentedClient } from '../support/documented.ts';
import { REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { type ToyProgram, toyProgram } from '../support/toy.ts';
import { type AheadWorld, aheadWorld, claimsOf, freshNonce, get } from './front-door.ts';
import { actionToken, credentialOf, NOTE, redeem, redeemForm, send, TOY, toyRig } from './redeeming.ts';

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
const accounts = () => program.backEnd.made;
const kindsOf = async (seq: number): Promise<readonly unknown[]> =>
  (await rig.entries(seq)).map(({ kind, request }) => `${request} ${kind}`);

describe('a tool server redeems an action token', () => {
  for (const by of ['meta', 'header'] as const) {
    it(`with the agent’s proof as it came: ${by}`, async () => {
      const token = await actionToken(rig);
      const seq = await rig.count();
      const answer = await redeem(rig, { token, by });
      assert.equal(answer.status, 200, answer.text);
      const { access_token: made, expires_in: left, ...rest } = answer.body;
      assert.ok(Number(left) <= 30 && Number(left) >= 27, 'as the registration says');
      assert.deepEqual(rest, {
        issued_token_type: TOY,
        token_type: 'N_A',
        scope: 'tool:create_refund',
        authorization_details: claimsOf(token)['authorization_details'],
      });
      assert.equal(answer.headers.get('cache-control'), 'no-store');
      const { user, password, payment_id } = credentialOf(answer);
      assert.equal(payment_id, REFUND['payment_id'], 'made for the arguments that were granted');
      assert.match(String(user), /^refunds-/);
      assert.deepEqual(await kindsOf(seq), ['redeem intent', 'redeem minted']);
      const told = JSON.stringify([await rig.entries(seq), rig.log]);
      for (const secret of [String(password), String(made), token]) assert.equal(told.includes(secret), false);
    });
  }
  it('over plain HTTP too, where each tool has a path beneath the resource', async () => {
    const claims = { htm: 'PUT', htu: `${RESOURCE}/refunds` };
    assert.equal((await redeem(rig, { by: 'header', actionProof: { claims } })).status, 200);
  });
  it('and it is one story: who redeemed what, for whom, in whose name', async () => {
    const token = await actionToken(rig);
    const { txn, jti, sub } = claimsOf(token);
    const seq = await rig.count();
    assert.equal((await redeem(rig, { token })).status, 200);
    for (const entry of await rig.entries(seq)) {
      const { client, subject, actors, tool, resource, credential, policies } = entry;
      assert.deepEqual(
        { client, subject, actors, tool, resource, credential, policies, txn: entry.txn },
        {
          client: 'shop',
          subject: sub,
          actors: ['refund-bot'],
          tool: 'create_refund',
          resource: RESOURCE,
          credential: 'toy',
          policies: undefined,
          txn,
        },
      );
      assert.notEqual(entry.jti, jti, 'an issuance of its own');
    }
    const ask = documentedClient(join(rig.folder, 'operator.sock'));
    const { words } = (await ask('GET', `/operator/explain/${txn}`)).body as { words: readonly string[] };
    const text = words.join('\n');
    for (const part of ['granted', 'redeemed by shop for a toy credential', 'acting', 'refund-bot', 'people:u_bob', String(txn)])
      assert.ok(text.includes(part), `${part} in\n${text}`);
    assert.equal(claimsOf(accounts().at(-1)?.login ?? '')['txn'], txn, 'and the back end knows it by the same name');
  });
  it('that says who acts, outermost the one who redeems', async () => {
    const seen = accounts().at(-1)?.job;
    assert.deepEqual([seen?.server.id, seen?.subject, seen?.actors], ['shop', 'people:u_bob', ['refund-bot']]);
  });
  it('whose arguments nobody but its tool knows: none are asked for', async () => {
    const answer = await redeem(rig, { asking: NOTE, args: null });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(Object.keys(credentialOf(answer)), ['user', 'password']);
    assert.equal(accounts().at(-1)?.job.call?.arguments, undefined);
  });
  it('with what only it can bring', async () => {
    const answer = await redeem(rig, { form: { credential_request: '{"public_key":"ssh-ed25519 AAAA"}' } });
    assert.equal(credentialOf(answer)['public_key'], 'ssh-ed25519 AAAA');
  });
  it('for no longer than the token: one that ends first ends this', async () => {
    const exp = rig.now() + 12;
    const token = await actionToken(rig, { subject: { claims: { exp } } });
    const answer = await redeem(rig, { token });
    assert.ok(Number(answer.body['expires_in']) <= 12);
    assert.equal(accounts().at(-1)?.exp, exp);
  });
  it('minutes after the call, for as long as the token lives', async () => {
    const form = await redeemForm(rig, { token: await actionToken(rig) });
    world.ahead(55);
    const { body } = await redeemForm(rig, { token: new URLSearchParams(form.body).get('subject_token') ?? '' });
    const late = new URLSearchParams(body);
    late.set('action_proof', new URLSearchParams(form.body).get('action_proof') ?? '');
    const answer = await send(rig, { body: late.toString(), headers: form.headers });
    assert.equal(answer.status, 200, answer.text);
    assert.ok(Number(answer.body['expires_in']) <= 5);
  });
});

describe('once', () => {
  it('for an action and a kind, whatever proof comes with it', async () => {
    const asking = { nonce: await freshNonce(rig) };
    const token = await actionToken(rig, asking);
    assert.equal((await redeem(rig, { token })).status, 200);
    const made = accounts().length;
    const again = await redeem(rig, { token });
    assert.deepEqual([again.status, again.body['error']], [400, 'invalid_request']);
    assert.equal((await rig.entries()).at(-1)?.reason, 'token_redeemed');
    assert.equal(accounts().length, made);
  });
  it('and by one of fifty', async () => {
    const token = await actionToken(rig, { nonce: await freshNonce(rig) });
    const [made, seq] = [accounts().length, await rig.count()];
    const answers = await Promise.all(Array.from({ length: 50 }, () => redeem(rig, { token })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array.from({ length: 49 }, () => 400)]);
    assert.equal(accounts().length, made + 1);
    const reasons = (await rig.entries(seq)).flatMap(({ reason }) => reason ?? []);
    assert.deepEqual(
      reasons,
      Array.from({ length: 49 }, () => 'token_redeemed'),
    );
  });
  it('but a no spends nothing that a good request for the same action needs', async () => {
    const token = await actionToken(rig, { nonce: await freshNonce(rig) });
    const bad = new URLSearchParams((await redeemForm(rig, { token })).body);
    const good = await redeemForm(rig, { token });
    const same = new URLSearchParams(good.body);
    same.set('action_proof', bad.get('action_proof') ?? '');
    bad.set('requested_token_type', 'urn:countersign:credential:vault');
    assert.equal((await send(rig, { ...good, body: bad.toString() })).status, 403);
    assert.equal((await send(rig, { ...good, body: same.toString() })).status, 200, 'the proof comes again, for the same action');
  });
});

describe('where the back end', () => {
  const moods = [
    ['refuses', 403, 'refused', 'mint_refused'],
    ['dead', 503, 'faulted', 'unavailable'],
  ] as const;
  for (const [mood, status, kind, reason] of moods) {
    it(`${mood === 'dead' ? 'is dead' : mood}, nothing is handed out`, async () => {
      const token = await actionToken(rig, { nonce: await freshNonce(rig) });
      program.backEnd.mood = mood;
      const made = accounts().length;
      const answer = await redeem(rig, { token });
      assert.deepEqual([answer.status, 'access_token' in answer.body], [status, false]);
      const entry = (await rig.entries()).filter(({ request }) => request === 'redeem').at(-1);
      assert.deepEqual([entry?.kind, entry?.reason], [kind, reason]);
      assert.equal(accounts().length, made);
    });
  }
});

describe('what a client can find', () => {
  it('stands in the metadata and in /openapi.json', async () => {
    const { body } = await get(rig, '/.well-known/oauth-authorization-server');
    assert.deepEqual(body['countersign_credential_types_supported'], [TOY]);
    const paths = (await get(rig, '/openapi.json')).body['paths'] as JsonObject;
    const text = JSON.stringify(paths['/token']);
    for (const name of ['action_proof', 'credential_request']) assert.ok(text.includes(name));
  });
});
