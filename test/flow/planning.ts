/** What tests of plans do through the front door: submit one, look, take a step, withdraw. */
import assert from 'node:assert/strict';
import type { JsonObject } from '../../src/wire/json.ts';
import { type Answer, type Asking, answerOf, DETAILS, REFUND, RESOURCE, type Rig } from '../support/rig.ts';
import { asking, DELETE, operator } from './approving.ts';
import { clientForm, freshNonce, post } from './front-door.ts';

export const entry = (tool: string, args: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: DETAILS,
  locations: [RESOURCE],
  actions: ['tools/call'],
  identifier: tool,
  arguments: args,
  ...more,
});
export const erase = (customer: string, more: JsonObject = {}): JsonObject => entry('delete_customer', { customer_id: customer }, more);
export const look = (customer: string): JsonObject => entry('list_orders', { customer_id: customer });
export const refund = (payment: string, amount = 4250): JsonObject =>
  entry('create_refund', { ...REFUND, payment_id: payment, amount_minor: amount });

/** The request as it is, at another endpoint than /token. */
export async function at(rig: Rig, path: string, what: Asking): Promise<Answer> {
  const subject = what.subject === undefined ? DELETE.subject : what.subject;
  const lasting = subject && { ...subject, claims: { exp: rig.now() + 1_500, ...subject.claims } };
  const proof = what.proof === null ? null : { ...what.proof, claims: { htu: `${rig.issuer}${path}`, ...what.proof?.claims } };
  const { body, headers } = await rig.form({
    nonce: await freshNonce(rig),
    ...what,
    ...(subject !== undefined && { subject: lasting ?? null }),
    proof,
  });
  return answerOf(await fetch(`${rig.issuer}${path}`, { method: 'POST', headers, body }));
}
/** A support lead's agent submits several actions. */
export const submit = (rig: Rig, entries: readonly JsonObject[], more: Asking = {}): Promise<Answer> =>
  at(rig, '/plans', { details: entries, ...more, form: { resource: null, ...more.form } });
export interface Open {
  readonly code: string;
  readonly id: string;
}
export async function planned(rig: Rig, entries: readonly JsonObject[], more: Asking = {}): Promise<Open> {
  const answer = await submit(rig, entries, more);
  assert.equal(answer.status, 200, answer.text);
  const code = String(answer.body['deferral_code']);
  return { code, id: `apr_${code.split('.')[0]}` };
}
export const ORDERED: Asking = { form: { ordered: 'true' } };
export const status = (rig: Rig, code: string, more: Asking = {}): Promise<Answer> =>
  at(rig, '/plans/status', {
    ...more,
    subject: null,
    details: null,
    form: { grant_type: null, resource: null, deferral_code: code, ...more.form },
  });
/** How each step stands. */
export async function states(rig: Rig, code: string): Promise<readonly unknown[]> {
  const { body } = await status(rig, code);
  return [body['state'], ...((body['steps'] ?? []) as readonly JsonObject[]).map((step) => step['state'])];
}
/** One step as an ordinary exchange. */
export const take = (rig: Rig, code: string, step: JsonObject, more: Asking = {}): Promise<Answer> =>
  asking(rig, { subject: DELETE.subject ?? null, ...more, details: [step], form: { plan: code, ...more.form } });
export const voteOn = (rig: Rig, id: string, steps?: readonly number[], how: 'approve' | 'deny' = 'approve', as = 'people:u_alice') =>
  operator(rig, 'POST', `/operator/approvals/${id}`, { vote: how, as, reason: 'looked at the plan', ...(steps && { steps }) });
/** A plan that somebody agreed to, wholly or to some steps of it. */
export async function agreedPlan(rig: Rig, entries: readonly JsonObject[], more: Asking = {}, steps?: readonly number[]): Promise<Open> {
  const open = await planned(rig, entries, more);
  const decided = await voteOn(rig, open.id, steps);
  assert.equal(decided.status, 200, JSON.stringify(decided.body));
  return open;
}
export const withdraw = async (rig: Rig, code: string, client = 'refund-bot'): Promise<Answer> =>
  post(rig, '/revoke', { ...(await clientForm(rig, client)), token: code });
