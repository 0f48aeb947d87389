/** What time does to what was good: a nonce, an assertion, a subject token, a replay long after. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { type AheadWorld, aheadWorld } from '../flow/front-door.ts';
import { type Answer, type Asking, answerOf, type Rig } from '../support/rig.ts';
import { exchangesAfter, type Ground, openGround, settled } from './oracle.ts';

let world: AheadWorld;
let ground: Ground;
let rig: Rig;
before(async () => {
  world = aheadWorld();
  ground = await openGround({ world });
  rig = ground.rig;
});
after(() => ground.stop());

async function told(asking: Asking): Promise<{ readonly said: string; readonly answer: Answer }> {
  const from = await rig.count();
  const answer = await rig.ask(asking);
  const [entry] = await exchangesAfter(rig, from);
  return { answer, said: [answer.status, answer.body['error'], entry?.reason, entry?.detail].filter((x) => x !== undefined).join(' ') };
}
const nonceNow = async (): Promise<string> =>
  (
    await answerOf(
      await fetch(`${rig.issuer}/token`, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: '' }),
    )
  ).headers.get('dpop-nonce') ?? '';

describe('as time passes', () => {
  test('1 a nonce lives one window and the next, and its refusal brings a good one', async () => {
    const old = await nonceNow();
    assert.equal((await told({ nonce: old })).said, '200');
    world.ahead(60);
    assert.equal((await told({ nonce: old })).said, '200', 'of this window or the one before');
    world.ahead(181);
    const { said, answer } = await told({ nonce: old });
    assert.equal(said, '400 use_dpop_nonce nonce_needed');
    assert.equal((await told({ nonce: answer.headers.get('dpop-nonce') })).said, '200');
  });
  test('2 another broker’s nonce, made the same way at the same time', async () => {
    const other = await openGround();
    const foreign = await other.rig.nonce();
    await other.stop();
    assert.equal((await told({ nonce: foreign })).said, '400 use_dpop_nonce nonce_needed');
  });
  test('3 an assertion, a proof and an actor token that were good, once their time is over', async () => {
    const nonce = await nonceNow();
    const at = rig.now();
    const { body, headers } = await rig.form({ nonce, assertion: { claims: { exp: at + 20 } } });
    world.ahead(21);
    const late = await answerOf(await fetch(`${rig.issuer}/token`, { method: 'POST', headers, body }));
    assert.deepEqual([late.status, late.body['error']], [401, 'invalid_client']);
    assert.equal((await told({ nonce, proof: { claims: { iat: at - 40 } } })).said, '400 invalid_dpop_proof proof_bad proof_iat');
    assert.equal(
      (await told({ nonce, subject: { claims: { iat: at - 700, exp: at } } })).said,
      '400 invalid_request subject_bad token_expired',
    );
  });
  test('4 what was used once is not forgotten before its token ends, and no clock makes it new', async () => {
    const claims = { jti: randomUUID(), iat: rig.now(), exp: rig.now() + 300 };
    const nonce = await nonceNow();
    assert.equal((await told({ nonce, assertion: { claims } })).said, '200');
    for (const seconds of [1, 60, 120, 100]) {
      world.ahead(seconds);
      assert.equal((await told({ nonce: await nonceNow(), assertion: { claims } })).said, '401 invalid_client assertion_replayed');
    }
    world.ahead(30);
    assert.equal(
      (await told({ nonce: await nonceNow(), assertion: { claims } })).said,
      '401 invalid_client client_unauthenticated token_expired',
    );
  });
  test('5 seconds in fractions are seconds, and what is granted ends in whole ones', async () => {
    const nonce = await nonceNow();
    const at = rig.now();
    const { said, answer } = await told({
      nonce,
      assertion: { claims: { iat: at - 0.5, exp: at + 60.25 } },
      subject: { claims: { exp: at + 30.75 } },
    });
    assert.equal(said, '200');
    assert.equal(Number.isInteger(answer.body['expires_in']), true, `expires_in ${answer.body['expires_in']}`);
    const again = { assertion: { claims: { jti: randomUUID(), exp: at + 60.25 } } };
    assert.equal((await told({ nonce, ...again })).said, '200');
    assert.equal((await told({ nonce, ...again })).said, '401 invalid_client assertion_replayed');
    // Less than a second is left: no token that has ended when it is made.
    const short = { subject: { claims: { exp: rig.now() + 0.75 } } };
    assert.equal((await told({ nonce, ...short })).said, '400 invalid_request subject_bad token_expired');
  });
  test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));
});
