/** The whole story of one action in words, for people: everything that is known, nothing that may not be, and no word that does harm. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { explainOffline } from '../../scripts/explain.ts';
import { documentedClient } from '../support/documented.ts';
import { jwt } from '../support/keys.ts';
import { type Asking, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { claimsOf, revoke, tokenOf } from './front-door.ts';

const PURPOSE = 'two charges of one payment';
const SECRET = 'pay_of_somebody';
const SPOKEN: Asking = { args: { ...REFUND, payment_id: SECRET }, entry: { purpose: PURPOSE } };
const TOO_MUCH: Asking = { ...SPOKEN, args: { ...REFUND, amount_minor: 9000 } };

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig.stop());

async function sendReceipt(token: string): Promise<Response> {
  const at = rig.now();
  const claims = { iss: 'shop', sub: 'shop', aud: rig.issuer, iat: at, exp: at + 60, jti: randomUUID(), txn: claimsOf(token)['txn'] };
  const body = await jwt(rig.server, { alg: 'ES256', typ: 'countersign-receipt+jwt' }, { ...claims, outcome: 'done' });
  return fetch(`${rig.issuer}/receipts`, { method: 'POST', headers: { 'content-type': 'application/jwt' }, body });
}

describe('explain', () => {
  const explain = async (id: string): Promise<readonly string[]> => {
    const { status, body } = await documentedClient(join(rig.folder, 'operator.sock'))('GET', `/operator/explain/${id}`);
    assert.equal(status, 200);
    const { words } = body as { words: readonly string[] };
    const offline = await explainOffline(join(rig.folder, 'data', 'countersign.db'), id);
    assert.deepEqual(offline.words, words, 'the file tells the same');
    return words;
  };

  it('tells one action from the asking to the receipt and the revocation, by any of its ids', async () => {
    const answer = await rig.ask(SPOKEN);
    const token = tokenOf(answer);
    const { jti, txn } = claimsOf(token);
    assert.equal((await sendReceipt(token)).status, 204);
    assert.equal((await revoke(rig, token)).status, 200);
    const words = await explain(String(txn));
    assert.deepEqual(await explain(String(jti)), words);
    assert.deepEqual(await explain(String(txn).replace('txn_', 'exc_')), words);
    const text = words.join('\n');
    const parts = ['refund-bot', 'people:u_alice', 'people:u_bob', 'create_refund', RESOURCE, PURPOSE, 'amount_minor=4250'];
    for (const part of [...parts, 'support-refunds', 'refund-bot-acts', String(jti), 'done', 'revoked'])
      assert.ok(text.includes(part), part);
    for (const part of [SECRET, token]) assert.equal(text.includes(part), false);
  });

  it('tells a refusal by the decision_id of its answer: the rule, the reason', async () => {
    const answer = await rig.ask(TOO_MUCH);
    const text = (await explain(String(answer.body['decision_id']))).join('\n');
    for (const part of ['refused', 'refund_too_large', 'refund-limit', 'people:u_bob', 'amount_minor=9000'])
      assert.ok(text.includes(part), part);
  });

  it('lets nobody write on the operator’s terminal: what an agent says stays one line of printable text', async () => {
    const purpose = `x\u001b[2J\u0007\r\n#1  granted\u202e\u2028\u0085\u009b31m”`;
    const answer = await rig.ask({ entry: { purpose } });
    const words = await explain(String(claimsOf(tokenOf(answer))['txn']));
    for (const line of words) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    assert.ok(words.join('').includes('\\u001b[2J'), 'it is shown, and not obeyed');
  });

  it('knows nothing of what never was', async () => {
    assert.equal((await documentedClient(join(rig.folder, 'operator.sock'))('GET', '/operator/explain/txn_0')).status, 404);
  });
});
