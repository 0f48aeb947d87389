/** A person in the loop, end to end: asked, waited for, agreed, fetched, run; and what the ledger tells of it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createVerifier, memoryConsumed } from '../../src/verify/verify.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { proofFor, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { asking, CUSTOMER, DELETE, deletion, inbox, operator, pending, poll, said, vote } from './approving.ts';
import { type AheadWorld, aheadWorld, claimsOf, tokenOf } from './front-door.ts';

let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world });
});
after(() => rig.stop());

describe('an action that people must agree to', () => {
  it('waits, is shown, agreed to, fetched once and run; one story tells it', async () => {
    const seq = await rig.count();
    const asked = await asking(rig);
    assert.deepEqual(said(asked), [400, 'authorization_pending']);
    assert.deepEqual([asked.body['interval'], asked.body['expires_in']], [5, 900]);
    const { code, id } = await pending(rig);
    assert.equal(asked.body['deferral_code'], code, 'the same request again is the same code');
    assert.deepEqual(said(await poll(rig, code)), [400, 'authorization_pending']);

    const [shown, ...others] = await inbox(rig);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [shown?.id, shown?.state, shown?.subject, shown?.client, shown?.tool, shown?.arguments, shown?.purpose, shown?.demand],
      [
        id,
        'pending',
        'people:u_carol',
        'refund-bot',
        'delete_customer',
        CUSTOMER,
        'right to erasure, ticket 12',
        { who: ['team:privacy'], quorum: 1 },
      ],
    );
    const decided = await vote(rig, id);
    assert.deepEqual([decided.status, (decided.body as JsonObject)['state']], [200, 'approved']);
    assert.deepEqual(said(await asking(rig)), [400, 'authorization_pending'], 'what was agreed to is fetched by its code');

    const granted = await poll(rig, code);
    assert.equal(granted.status, 200, granted.text);
    const token = tokenOf(granted);
    const verifier = createVerifier({ issuer: rig.issuer, resource: RESOURCE, consumed: memoryConsumed({ now: () => 0 }), now: world.now });
    const dpop = await proofFor(rig.proofKey, { htm: 'POST', htu: RESOURCE, token }, rig.now());
    const http = { method: 'POST', authorization: `DPoP ${token}`, dpop };
    const ran = await verifier.verify({ tool: 'delete_customer', arguments: CUSTOMER, http });
    assert.equal(ran.txn, id.replace('apr_', 'txn_'), 'one root names the whole story');

    const again = await poll(rig, code);
    const [first, second] = [claimsOf(token), claimsOf(tokenOf(again))];
    assert.deepEqual([second['jti'], second['exp'], second['txn']], [first['jti'], first['exp'], first['txn']], 'a lost answer');
    assert.notEqual((await pending(rig)).code, code, 'a second deletion is a second approval');

    const story = (await rig.entries(seq)).filter((entry) => entry.approval === id);
    assert.deepEqual(
      story.map(({ kind, by, tool, subject }) => [kind, by, tool, subject]),
      [
        ['pending', undefined, 'delete_customer', 'people:u_carol'],
        ['approved', 'people:u_alice', 'delete_customer', 'people:u_carol'],
        ['minted', undefined, 'delete_customer', 'people:u_carol'],
        ['minted', undefined, 'delete_customer', 'people:u_carol'],
      ],
    );
    assert.match(String(story[1]?.detail), /^approve: local:.+ on behalf of people:u_alice$/);
    const { body } = await operator(rig, 'GET', `/operator/explain/${ran.txn}`);
    const words = (body as { readonly words: readonly string[] }).words.join('\n');
    for (const part of ['people:u_alice', 'looked at the ticket', 'waits for', 'team:privacy', 'approved', 'granted'])
      assert.ok(words.includes(part), part);
    const ledger = JSON.stringify(await rig.entries(seq)) + JSON.stringify(rig.log);
    for (const secret of [code, code.split('.')[1] ?? code, token, 'cus_canary_1']) assert.equal(ledger.includes(secret), false);
  });

  it('is refused with a remedy where nobody would wait', async () => {
    const answer = await asking(rig, { ...DELETE, form: {} });
    assert.deepEqual([...said(answer), answer.body['reason']], [403, 'access_denied', 'approval_needed']);
    assert.match(JSON.stringify(answer.body['remedy']), /completion_mode=deferred/);
  });

  it('is one grant under its Idempotency-Key too, whether it is polled for or asked for again', async () => {
    const keyed = deletion('keyed', { headers: { 'idempotency-key': '"one-deletion"' } });
    const { code, id } = await pending(rig, keyed);
    assert.equal((await pending(rig, keyed)).code, code);
    await vote(rig, id);
    const polled = claimsOf(tokenOf(await poll(rig, code)));
    const asked = claimsOf(tokenOf(await asking(rig, keyed)));
    assert.deepEqual([asked['jti'], asked['txn']], [polled['jti'], polled['txn']]);
  });

  it('a no stands for the life of its code, also for the same request', async () => {
    const { code, id } = await pending(rig, deletion('denied'));
    assert.equal((await vote(rig, id, 'deny')).status, 200);
    assert.deepEqual(said(await poll(rig, code)), [400, 'access_denied']);
    assert.deepEqual(said(await asking(rig, deletion('denied'))), [400, 'access_denied']);
    assert.equal((await vote(rig, id)).status, 409);
  });

  it('of 50 who fetch at once one is granted anew, and every other gets that same one or is told to wait', async () => {
    const { code, id } = await pending(rig, deletion('race'));
    await vote(rig, id);
    const seq = await rig.count();
    const answers = await Promise.all(Array.from({ length: 50 }, () => poll(rig, code)));
    const jtis = new Set(answers.flatMap((answer) => (answer.status === 200 ? [claimsOf(tokenOf(answer))['jti']] : [])));
    assert.equal(jtis.size, 1);
    assert.deepEqual(
      answers.filter(({ status }) => status !== 200 && status !== 409),
      [],
    );
    const minted = (await rig.entries(seq)).filter(({ kind, again }) => kind === 'minted' && again !== true);
    assert.equal(minted.length, 1);
  });

  it('of 50 who vote at once on one action each person counts once', async () => {
    const { id } = await pending(rig, deletion('votes'));
    const votes = await Promise.all(Array.from({ length: 50 }, (_, i) => vote(rig, id, 'approve', `people:u_${i}`)));
    assert.equal(votes.filter(({ status }) => status === 200).length, 1);
  });

  it('polls are answered at most so often, and less often after each that came too fast', async () => {
    const { code } = await pending(rig, deletion('slow'));
    const told = async (): Promise<readonly unknown[]> => {
      const answer = await poll(rig, code);
      return [answer.body['error'], answer.body['interval']];
    };
    assert.deepEqual(await told(), ['authorization_pending', 5]);
    assert.deepEqual(await told(), ['slow_down', 10]);
    world.ahead(6);
    assert.deepEqual(await told(), ['slow_down', 15]);
    world.ahead(15);
    assert.deepEqual(await told(), ['authorization_pending', 15]);
  });
});

describe('the time to decide', () => {
  it('ends with the subject’s own proof, and is told once as expired', async () => {
    const { claims } = DELETE.subject ?? {};
    const soon = deletion('late', { subject: { claims: { ...claims, exp: rig.now() + 60 } } });
    const answer = await asking(rig, soon);
    const left = Number(answer.body['expires_in']);
    assert.ok(left > 55 && left <= 60, String(left));
    const code = String(answer.body['deferral_code']);
    const id = `apr_${code.split('.')[0]}`;
    world.ahead(61);
    const seq = await rig.count();
    assert.equal((await vote(rig, id)).status, 409);
    for (let i = 0; i < 2; i++) assert.deepEqual(said(await poll(rig, code)), [400, 'expired_token']);
    const kinds = (await rig.entries(seq)).flatMap(({ kind, client }) => (client === undefined ? [] : [kind]));
    assert.deepEqual(kinds, ['refused', 'expired', 'refused']);
    assert.equal(
      (await inbox(rig)).some((one) => one.id === id),
      false,
    );
  });
});
