/** A plan and what may be spent: what its steps cannot afford together nobody is asked about. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { type Answer, REFUND, type Rig, startRig } from '../support/rig.ts';
import { inbox } from './approving.ts';
import { addToBundle } from './front-door.ts';
import { entry, erase, look, planned, refund, submit, take } from './planning.ts';

const BUDGETS = `budgets:
  - { id: euros, title: Refunds in EUR a day, on: { server: shop, tool: create_refund }, per: [agent], sum: amount_minor, where: { currency: EUR }, limit: 10000, window: 24h }
  - { id: dollars, title: Refunds in USD a day, on: { server: shop, tool: create_refund }, per: [agent], sum: amount_minor, where: { currency: USD }, limit: 10000, window: 24h }
  - { id: erasures, title: Customers deleted a day, on: { server: shop, tool: delete_customer }, per: [server], limit: 2, window: 24h }
  - { id: looks, title: Looks a minute, on: { server: shop, tool: list_orders }, per: [agent], limit: 2, window: 1m }
`;
let rig: Rig;
before(async () => {
  rig = await startRig({ bundle: (folder) => addToBundle(folder, 'budgets.yaml', BUDGETS) });
});
after(() => rig.stop());
const dollars = (payment: string, amount: number): JsonObject =>
  entry('create_refund', { ...REFUND, payment_id: payment, amount_minor: amount, currency: 'USD' });
const remedyOf = ({ body }: Answer): { readonly text: string; readonly hints: readonly JsonObject[] } =>
  body['remedy'] as unknown as { readonly text: string; readonly hints: readonly JsonObject[] };

describe('a plan that cannot be afforded as a whole', () => {
  it('is refused at once, with what would fit in all', async () => {
    const answer = await submit(rig, [refund('a', 4000), erase('cus_1'), refund('b', 4000), refund('c', 4000)]);
    assert.deepEqual(
      [answer.status, answer.body['error'], answer.body['reason'], answer.body['step']],
      [403, 'access_denied', 'budget_exhausted', undefined],
    );
    const { text, hints } = remedyOf(answer);
    assert.deepEqual(hints, [{ budget: 'euros', limit: 10000, spent: 0, left: 10000, window_seconds: 86400, together: 12000 }]);
    assert.equal(
      text,
      'Refunds in EUR a day: 0 of 10,000 spent, 12,000 asked by the steps together. Ask for 10,000 or less in all, or wait: what was spent is free again 1 day after it was.',
    );
    assert.deepEqual(await inbox(rig), []);
    const told = (await rig.entries()).at(-1);
    assert.deepEqual([told?.kind, told?.request, told?.reason, told?.detail], ['refused', 'plan', 'budget_exhausted', 'euros']);
  });
  it('of calls that are counted, too', async () => {
    const answer = await submit(
      rig,
      ['cus_1', 'cus_2', 'cus_3'].map((one) => erase(one)),
    );
    assert.equal(answer.body['reason'], 'budget_exhausted');
    assert.match(remedyOf(answer).text, /: 0 of 2 spent, 3 asked by the steps together\. Ask for 2 or less in all/);
  });
});
describe('a plan is asked about', () => {
  it('that takes all there is, each budget for itself', async () => {
    const answer = await submit(rig, [
      refund('d', 5000),
      refund('e', 5000),
      dollars('f', 5000),
      dollars('g', 5000),
      erase('cus_4'),
      erase('cus_5'),
    ]);
    assert.equal(answer.status, 200, answer.text);
  });
  it('whose budget has room again while it lasts', async () => {
    const answer = await submit(
      rig,
      ['cus_1', 'cus_2', 'cus_3'].map((one) => look(one)),
    );
    assert.equal(answer.status, 200, answer.text);
  });
  it('that was asked before, whatever has been taken of it', async () => {
    const steps = [refund('h', 3000), refund('i', 3000)];
    const { code } = await planned(rig, steps);
    const [first = {}] = steps;
    assert.equal((await take(rig, code, first)).status, 200);
    assert.equal((await rig.ask({ args: { ...REFUND, payment_id: 'k', amount_minor: 2000 } })).status, 200);
    assert.equal((await planned(rig, steps)).code, code);
    const other = await submit(rig, [refund('l', 3000), refund('m', 3000)]);
    assert.deepEqual([other.status, remedyOf(other).hints[0]?.['left']], [403, 5000]);
  });
});
