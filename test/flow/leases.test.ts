/** How what a back end made for an action ends (wire.md §6): with its receipt, its revocation, its time; and what people are told of it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { LeasesStatus } from '../../src/mint/lease-status.ts';
import { eventually } from '../faults/harness.ts';
import { documentedClient } from '../support/documented.ts';
import { jwt } from '../support/keys.ts';
import { type Answer, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { type ToyProgram, toyProgram } from '../support/toy.ts';
import { type AheadWorld, aheadWorld, asItself, claimsOf, get, revoke } from './front-door.ts';
import { actionToken, credentialOf, redeem, TOY, toyRig } from './redeeming.ts';

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

const ended = (answer: Answer): boolean => program.backEnd.ended.includes(String(credentialOf(answer)['user']));
const operator = async <T>(path: string): Promise<T> => {
  const { status, body } = await documentedClient(join(rig.folder, 'operator.sock'))('GET', path);
  assert.equal(status, 200);
  return body as T;
};
const leases = (): Promise<LeasesStatus> => operator<LeasesStatus>('/operator/leases');
async function redeemed(): Promise<{ readonly token: string; readonly txn: string; readonly answer: Answer }> {
  const token = await actionToken(rig);
  const answer = await redeem(rig, { token });
  assert.equal(answer.status, 200, answer.text);
  return { token, txn: String(claimsOf(token)['txn']), answer };
}
async function receipt(txn: string): Promise<Response> {
  const at = rig.now();
  const claims = { iss: 'shop', sub: 'shop', aud: rig.issuer, iat: at, exp: at + 60, jti: randomUUID(), txn, outcome: 'done' };
  const body = await jwt(rig.server, { alg: 'ES256', typ: 'countersign-receipt+jwt' }, claims);
  return fetch(`${rig.issuer}/receipts`, { method: 'POST', headers: { 'content-type': 'application/jwt' }, body });
}
/** Its entry comes after its end. */
const lastEnd = async (txn: string): Promise<readonly unknown[]> => {
  const entries = async () => (await rig.entries()).filter((entry) => entry.kind === 'ended' && entry.txn === txn);
  await eventually(async () => (await entries()).length > 0);
  return (await entries()).map(({ outcome, detail, credential, client }) => [outcome, detail, credential, client]);
};

describe('what was redeemed', () => {
  it('ends with the receipt, within moments, and that is part of its story', async () => {
    const { txn, answer } = await redeemed();
    const other = await redeemed();
    const before = await leases();
    assert.equal((await receipt(txn)).status, 204);
    assert.ok(await eventually(() => ended(answer)));
    assert.equal(ended(other.answer), false);
    assert.ok(await eventually(async () => (await leases()).open === before.open - 1));
    assert.deepEqual(await lastEnd(txn), [['revoked', 'receipt', 'toy', 'shop']]);
    const { words } = await operator<{ words: readonly string[] }>(`/operator/explain/${txn}`);
    const text = words.join('\n');
    assert.match(text, /the toy credential has been ended by its back end/);
    assert.match(text, /because +the tool server is done with it/);
  });

  it('ends when its action is revoked', async () => {
    const { token, txn, answer } = await redeemed();
    assert.equal((await revoke(rig, token)).status, 200);
    assert.ok(await eventually(() => ended(answer)));
    assert.deepEqual(await lastEnd(txn), [['revoked', 'revoked', 'toy', 'shop']]);
    assert.equal((await receipt(txn)).status, 204, 'what it did before may still be told');
    assert.equal((await lastEnd(txn)).length, 1);
  });

  it('ends when its time has come, if nobody says anything', async () => {
    const { txn, answer } = await redeemed();
    world.ahead(20);
    assert.equal(await eventually(() => ended(answer), 1_500), false);
    world.ahead(11);
    assert.ok(await eventually(() => ended(answer)));
    assert.deepEqual(await lastEnd(txn), [['revoked', 'lapsed', 'toy', 'shop']]);
  });

  it('is listed until then, with no secret, and counted', async () => {
    const { txn, answer } = await redeemed();
    const [lease] = (await leases()).leases.filter((one) => one.txn === txn);
    assert.ok(lease);
    const { id, since, exp, next, ...rest } = lease;
    assert.match(id, /^lea_[0-9a-f]{32}$/);
    assert.ok(exp - since > 27 && exp - since <= 30 && next === exp);
    const client = { client: 'shop', tool: 'create_refund' };
    assert.deepEqual(rest, { kind: 'toy', where: 'toy/refunds', txn, state: 'outstanding', ...client, tries: 0, overdue: false });
    const { user, password } = credentialOf(answer);
    const told = JSON.stringify(await leases());
    for (const secret of [user, password]) assert.equal(told.includes(String(secret)), false);
    assert.ok(
      await eventually(async () => /^countersign_leases\{kind="toy",state="open"\} [1-9]/m.test((await get(rig, '/metrics')).text)),
    );
    assert.match((await get(rig, '/metrics')).text, /^countersign_leases\{kind="toy",state="overdue"\} 0$/m);
  });
});

describe('what an agent was given itself', () => {
  const LOOK = { entry: { identifier: 'list_orders' }, args: {}, form: { requested_token_type: TOY } };

  it('is made anew when it is asked for again, and the first is ended', async () => {
    const headers = { 'idempotency-key': `"${randomUUID()}"` };
    const ask = (): Promise<Answer> => rig.ask(asItself(rig, 'nightly-report', { ...LOOK, headers }));
    const first = await ask();
    assert.equal(first.status, 200, first.text);
    const second = await ask();
    assert.equal(second.status, 200, second.text);
    assert.notEqual(credentialOf(second)['user'], credentialOf(first)['user']);
    assert.ok(await eventually(() => ended(first)));
    assert.equal(ended(second), false);
    const [one, two] = (await rig.entries()).filter(({ kind, request }) => kind === 'minted' && request === 'client_credentials').slice(-2);
    assert.deepEqual([one?.txn, one?.jti, two?.again], [two?.txn, two?.jti, true]);
    assert.equal(one?.resource, RESOURCE);
  });
});
