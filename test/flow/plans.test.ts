/** Several actions, one decision: submitted, shown, agreed to wholly or in part, taken one by one; and what the ledger tells of it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { inbox, operator, poll, said } from './approving.ts';
import { type AheadWorld, aheadWorld, asItself, claimsOf, get, tokenOf } from './front-door.ts';
import { agreedPlan, erase, look, ORDERED, planned, refund, states, submit, take, voteOn, withdraw } from './planning.ts';

let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world });
});
after(() => rig.stop());

describe('a plan', () => {
  it('is one code, shown whole, agreed to once; each step is then single, bound and of its own action', async () => {
    const seq = await rig.count();
    const steps = [look('cus_canary_1'), erase('cus_canary_1', { purpose: 'right to erasure' }), erase('cus_canary_2')];
    const answer = await submit(rig, steps);
    assert.equal(answer.status, 200, answer.text);
    const { deferral_code: _, ...rest } = answer.body;
    const needs = [false, true, true].map((one) => ({ needs_approval: one }));
    assert.deepEqual(rest, { state: 'pending', interval: 5, expires_in: 900, steps: needs });
    const { code, id } = await planned(rig, steps);
    assert.equal(code, answer.body['deferral_code'], 'the same plan again is the same code');
    assert.deepEqual(said(await poll(rig, code)), [400, 'authorization_pending']);
    assert.deepEqual(await states(rig, code), ['pending', 'waiting', 'waiting', 'waiting']);
    assert.deepEqual(said(await take(rig, code, steps[0] ?? {})), [400, 'authorization_pending']);

    const shown = (await inbox(rig)).find((one) => one.id === id);
    assert.deepEqual(
      [shown?.tool, shown?.resource, shown?.ordered, shown?.demand.who],
      ['plan', `${rig.issuer}/plans`, false, ['team:privacy']],
    );
    assert.deepEqual(
      shown?.steps?.map((step) => [step.tool, step.arguments, step.purpose, step.needs_approval, step.state]),
      [
        ['list_orders', { customer_id: 'cus_canary_1' }, undefined, false, 'waiting'],
        ['delete_customer', { customer_id: 'cus_canary_1' }, 'right to erasure', true, 'waiting'],
        ['delete_customer', { customer_id: 'cus_canary_2' }, undefined, true, 'waiting'],
      ],
    );
    assert.equal((await voteOn(rig, id)).status, 200);
    assert.deepEqual(said(await poll(rig, code)), [400, 'plan_decided']);
    assert.deepEqual(await states(rig, code), ['approved', 'agreed', 'agreed', 'agreed']);

    const tokens = [];
    for (const step of steps.toReversed()) tokens.push(claimsOf(tokenOf(await take(rig, code, step))));
    const txns = new Set(tokens.map((claims) => claims['txn']));
    assert.equal(txns.size, 3, 'each its own action');
    assert.equal(
      [...txns].some((txn) => txn === id.replace('apr_', 'txn_')),
      false,
    );
    assert.deepEqual(await states(rig, code), ['redeemed', 'granted', 'granted', 'granted']);
    const again = claimsOf(tokenOf(await take(rig, code, steps[1] ?? {})));
    assert.deepEqual([again['jti'], again['txn']], [tokens[1]?.['jti'], tokens[1]?.['txn']], 'a lost answer');

    const entries = await rig.entries(seq);
    const story = entries.filter((one) => one.approval === id && one.kind !== 'refused');
    assert.deepEqual(
      story.map(({ kind, by, tool }) => [kind, by, tool]),
      [
        ['pending', undefined, 'plan'],
        ['approved', 'people:u_alice', 'plan'],
        ['minted', undefined, 'delete_customer'],
        ['minted', undefined, 'delete_customer'],
        ['minted', undefined, 'list_orders'],
        ['minted', undefined, 'delete_customer'],
      ],
    );
    const ledger = JSON.stringify(entries) + JSON.stringify(rig.log);
    for (const secret of [code, code.split('.')[1] ?? code, 'cus_canary_1']) assert.equal(ledger.includes(secret), false);
    const { body } = await operator(rig, 'GET', `/operator/explain/${id}`);
    const words = (body as { readonly words: readonly string[] }).words.join('\n');
    assert.match(words, /step 1 +delete_customer at \S+, “right to erasure”, as the agent put it/);
    assert.match(words, /waits for +team:privacy; at least 1/);
  });

  it('is agreed to in part: named steps alone are granted', async () => {
    const steps = [erase('part-1'), erase('part-2'), erase('part-3')];
    const { code, id } = await planned(rig, steps);
    const decided = await voteOn(rig, id, [0, 2]);
    assert.deepEqual(
      ((decided.body as JsonObject)['steps'] as readonly JsonObject[]).map(({ state }) => state),
      ['agreed', 'refused', 'agreed'],
    );
    const answers = await Promise.all([0, 1].map((at) => take(rig, code, steps[at] ?? {})));
    assert.deepEqual(
      answers.map((answer) => [answer.status, answer.body['reason'], answer.body['step']]),
      [
        [200, undefined, undefined],
        [403, 'step_not_agreed', 1],
      ],
    );
    assert.equal((await take(rig, code, steps[2] ?? {})).status, 200);
    assert.deepEqual(await states(rig, code), ['redeemed', 'granted', 'refused', 'granted']);
    const vote = (await rig.entries()).findLast(({ kind, approval }) => kind === 'approved' && approval === id);
    assert.match(String(vote?.detail), /^approve of steps 0, 2: local:.+ on behalf of people:u_alice$/);
    assert.deepEqual(vote?.context?.['steps'], [0, 2]);
  });

  it('in order: a step comes after the one before it was granted', async () => {
    const steps = [look('order-1'), erase('order-1'), refund('order-1')];
    const { code } = await agreedPlan(rig, steps, ORDERED);
    const early = await take(rig, code, steps[1] ?? {});
    assert.deepEqual([early.status, early.body['reason'], early.body['step']], [403, 'step_early', 1]);
    for (const step of steps) assert.equal((await take(rig, code, step)).status, 200);
  });

  it('that nobody has to agree to is decided at once', async () => {
    const steps = [look('free-1'), refund('free-1')];
    const answer = await submit(rig, steps);
    assert.deepEqual([answer.status, answer.body['state']], [200, 'approved'], answer.text);
    const code = String(answer.body['deferral_code']);
    assert.deepEqual(said(await poll(rig, code)), [400, 'plan_decided']);
    for (const step of steps) assert.equal((await take(rig, code, step)).status, 200);
  });

  it('is refused whole where policy refuses a step, and says which and why', async () => {
    const seq = await rig.count();
    const answer = await submit(rig, [look('no-1'), refund('no-1', 99_000_000)]);
    assert.deepEqual([answer.status, answer.body['error'], answer.body['step']], [403, 'access_denied', 1], answer.text);
    assert.ok(answer.body['remedy'], answer.text);
    const last = (await rig.entries(seq)).at(-1);
    assert.deepEqual([last?.kind, last?.tool, last?.request], ['refused', 'create_refund', 'plan']);
  });

  it('a no is a no to all of it, for the life of its code', async () => {
    const steps = [erase('denied-1'), erase('denied-2')];
    const { code, id } = await planned(rig, steps);
    await voteOn(rig, id, undefined, 'deny');
    assert.deepEqual(said(await poll(rig, code)), [400, 'access_denied']);
    assert.deepEqual(said(await take(rig, code, steps[0] ?? {})), [400, 'access_denied']);
    assert.deepEqual(said(await submit(rig, steps)), [400, 'access_denied']);
    assert.deepEqual(await states(rig, code), ['denied', 'refused', 'refused']);
  });

  it('is withdrawn by its client, told as that, and what was taken stays', async () => {
    const steps = [erase('withdrawn-1'), erase('withdrawn-2')];
    const { code, id } = await agreedPlan(rig, steps);
    assert.equal((await take(rig, code, steps[0] ?? {})).status, 200);
    const seq = await rig.count();
    for (let i = 0; i < 2; i++) assert.equal((await withdraw(rig, code)).status, 200);
    assert.deepEqual(said(await take(rig, code, steps[1] ?? {})), [400, 'invalid_grant']);
    const told = (await rig.entries(seq)).filter((one) => one.kind === 'cancelled');
    assert.deepEqual(
      told.map(({ approval, client, detail }) => [approval, client, detail]),
      [[id, 'refund-bot', 'withdrawn']],
    );
    assert.equal((await voteOn(rig, id)).status, 409);
  });

  it('of 50 who take one step at once one is granted anew', async () => {
    const steps = [erase('race-1'), erase('race-2')];
    const { code } = await agreedPlan(rig, steps);
    const seq = await rig.count();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => take(rig, code, steps[0] ?? {}, { headers: i % 2 ? { 'idempotency-key': `"k${i}"` } : {} })),
    );
    const jtis = new Set(answers.flatMap((answer) => (answer.status === 200 ? [claimsOf(tokenOf(answer))['jti']] : [])));
    assert.equal(jtis.size, 1);
    for (const { status, text } of answers) assert.ok([200, 400, 409].includes(status), text);
    const minted = (await rig.entries(seq)).filter(({ kind, again }) => kind === 'minted' && again !== true);
    assert.equal(minted.length, 1);
    assert.equal((await take(rig, code, steps[1] ?? {})).status, 200);
  });

  it('of a sub-agent is bound to it, and to nobody else', async () => {
    const steps = [look('sub-1'), look('sub-2')];
    const { code } = await planned(rig, steps, { actor: {} });
    const token = claimsOf(tokenOf(await take(rig, code, steps[0] ?? {}, { actor: {} })));
    assert.deepEqual((token['act'] as JsonObject)['sub'], 'triage-bot');
    assert.deepEqual(said(await take(rig, code, steps[1] ?? {})), [400, 'invalid_grant']);
  });

  it('of an agent for itself', async () => {
    const self = asItself(rig, 'nightly-report');
    const { code } = await planned(rig, [look('self-1')], { ...self, form: { ...self.form, resource: null } });
    const answer = await take(rig, code, look('self-1'), { ...self, form: { ...self.form, plan: code } });
    assert.equal(claimsOf(tokenOf(answer))['sub'], 'nightly-report');
  });

  it('stands in the metadata and the API document', async () => {
    const metadata = await get(rig, '/.well-known/oauth-authorization-server');
    assert.equal(metadata.body['countersign_plans_endpoint'], `${rig.issuer}/plans`);
    const { paths } = (await get(rig, '/openapi.json')).body as { readonly paths: JsonObject };
    for (const path of ['/plans', '/plans/status']) assert.ok(paths[path], path);
  });
});
