/** Budgets through the front door: what is taken, what is refused and taught, what a receipt gives back, and who wins the last of it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { jwt } from '../support/keys.ts';
import { type Answer, type Asking, answerOf, type Rig, startRig } from '../support/rig.ts';
import { addToBundle, claimsOf, tokenOf } from './front-door.ts';

const BUDGETS = `budgets:
  - id: euros_a_day
    title: Refunds in EUR of one agent, minor units a day
    on: { server: shop, tool: create_refund }
    per: [agent]
    sum: amount_minor
    where: { currency: EUR }
    limit: 10000
    window: 24h
  - id: pounds_for_one
    title: Refunds in GBP for one person
    on: { server: shop, tool: create_refund }
    per: [subject, tool]
    sum: amount_minor
    where: { currency: GBP }
    limit: 1000
    window: 1h
  - id: dollars_ever
    title: Refunds in USD of the shop
    on: { server: shop, tool: create_refund }
    per: [server]
    sum: amount_minor
    where: { currency: USD }
    limit: 1000
    window: 30d
  - id: looks
    title: Looks at orders of one agent
    on: { server: shop, tool: list_orders }
    per: [agent, owner]
    limit: 3
    window: 1m
`;
const NEAR = `@id("near-the-limit")
@owner("team:payments")
@reason("nearly_spent")
forbid (principal, action == shop::Action::"create_refund", resource == Server::"shop")
when { context.budgets has dollars_ever && context.budgets.dollars_ever.left < 300 };
`;

let rig: Rig;
before(async () => {
  rig = await startRig({
    bundle: async (folder) => {
      await addToBundle(folder, 'budgets.yaml', BUDGETS);
      await addToBundle(folder, 'near.cedar', NEAR);
    },
  });
});
after(() => rig.stop());

let payments = 0;
const refund = (amount_minor: number, currency = 'EUR', more: Asking = {}): Promise<Answer> =>
  rig.ask({ args: { payment_id: `pay_${payments++}`, amount_minor, currency }, ...more });
const look = (): Promise<Answer> => rig.ask({ entry: { identifier: 'list_orders' }, args: {} });
async function receipt(answer: Answer, claims: object): Promise<number> {
  const at = rig.now();
  const { txn, jti } = claimsOf(tokenOf(answer));
  const all = { iss: 'shop', sub: 'shop', aud: rig.issuer, iat: at, exp: at + 300, jti: randomUUID(), txn, token_jti: jti, ...claims };
  const body = await jwt(rig.server, { alg: 'ES256', typ: 'countersign-receipt+jwt' }, all);
  return answerOf(await fetch(`${rig.issuer}/receipts`, { method: 'POST', headers: { 'content-type': 'application/jwt' }, body })).then(
    ({ status }) => status,
  );
}
const hintOf = (answer: Answer): JsonObject =>
  ((answer.body['remedy'] as { readonly hints?: readonly JsonObject[] } | undefined)?.hints?.[0] ?? {}) as JsonObject;

describe('a sum of an argument', () => {
  it('is taken on the grant, and the refusal says what would fit', async () => {
    const first = await refund(5000);
    assert.equal(first.status, 200, first.text);
    assert.equal((await refund(4000)).status, 200);
    const seq = await rig.count();
    const over = await refund(1001);
    assert.deepEqual([over.status, over.body['error'], over.body['reason']], [403, 'access_denied', 'budget_exhausted']);
    assert.deepEqual(hintOf(over), {
      budget: 'euros_a_day',
      limit: 10000,
      spent: 9000,
      left: 1000,
      window_seconds: 86400,
      argument: 'amount_minor',
      maximum: 1000,
    });
    assert.equal(
      (over.body['remedy'] as { text: string }).text,
      'Refunds in EUR of one agent, minor units a day: 9,000 of 10,000 spent, 1,001 asked. Lower amount_minor to 1000 or less, or wait: what was spent is free again 1 day after it was.',
    );
    const [entry] = await rig.entries(seq);
    assert.deepEqual([entry?.kind, entry?.reason, entry?.detail, entry?.txn], ['refused', 'budget_exhausted', 'euros_a_day', undefined]);
  });

  it('is given back by a receipt that says less, and by none that says more; the first one counts', async () => {
    const granted = await refund(1000);
    assert.equal(granted.status, 200, granted.text);
    assert.equal((await refund(1)).status, 403);
    assert.equal(await receipt(granted, { outcome: 'done', amounts: { amount_minor: 400 } }), 204);
    assert.equal(await receipt(granted, { outcome: 'not_run' }), 409);
    assert.equal((await refund(601)).status, 403);
    const rest = await refund(600);
    assert.equal(rest.status, 200, rest.text);
    for (const amount_minor of [6000, -5, 0.5, '1', null]) {
      assert.equal(await receipt(rest, { outcome: 'done', amounts: { amount_minor } }), amount_minor === 6000 ? 204 : 409);
      assert.equal((await refund(1)).status, 403, `${amount_minor}`);
    }
  });

  it('is given back whole when the tool did not run', async () => {
    const granted = await refund(800, 'GBP');
    assert.equal(granted.status, 200, granted.text);
    assert.equal((await refund(201, 'GBP')).status, 403);
    assert.equal(await receipt(granted, { outcome: 'not_run', amounts: { amount_minor: 800 } }), 204);
    assert.equal((await refund(1000, 'GBP')).status, 200);
  });

  it('stands in the entry of the grant, by name and amount', async () => {
    const seq = await rig.count();
    assert.equal((await refund(200, 'USD')).status, 200);
    const [entry] = await rig.entries(seq);
    const [[id, share] = []] = Object.entries(entry?.reserved ?? {});
    assert.equal(id, 'dollars_ever');
    assert.equal((share as JsonObject)['amount'], 200);
    assert.match(String((share as JsonObject)['sum']), /^budget\/dollars_ever\/2592000\/[\w-]{43}$/);
  });

  it('is not taken twice under one Idempotency-Key', async () => {
    const args = { payment_id: 'pay_same', amount_minor: 200, currency: 'USD' };
    const asking = { args, headers: { 'idempotency-key': '"once"' } };
    const [first, second] = [await rig.ask(asking), await rig.ask(asking)];
    assert.deepEqual([first.status, second.status], [200, 200]);
    const { left } = hintOf(await refund(601, 'USD'));
    assert.equal(left, 600);
  });

  it('has one winner of fifty for the last of it', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => refund(300, 'USD')));
    const granted = answers.filter(({ status }) => status === 200);
    assert.ok(granted.length <= 2, `${granted.length}`);
    for (const { status, body } of answers)
      if (status !== 200) assert.deepEqual([status, ['budget_exhausted', 'nearly_spent'].includes(String(body['reason']))], [403, true]);
    const entries = await rig.entries();
    const taken = entries
      .filter(({ kind, again }) => kind === 'minted' && !again)
      .map(({ reserved }) => reserved?.['dollars_ever'] as JsonObject);
    assert.ok(taken.reduce((sum, share) => sum + Number(share?.['amount'] ?? 0), 0) <= 1000);
  });
});

describe('what is left', () => {
  it('is in the policy’s context: a rule can say no near the limit', async () => {
    const answer = await refund(1, 'USD');
    assert.deepEqual([answer.status, answer.body['reason']], [403, 'nearly_spent']);
  });
  it('is of calls where no argument is summed', async () => {
    for (let i = 0; i < 3; i++) assert.equal((await look()).status, 200);
    const over = await look();
    assert.deepEqual([over.status, hintOf(over)['left'], hintOf(over)['argument']], [403, 0, undefined]);
    assert.match(
      (over.body['remedy'] as { text: string }).text,
      /: 3 of 3 spent, 1 asked\. What was spent is free again 1 minute after it was\.$/,
    );
  });
});
