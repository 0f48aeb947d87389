/** What tests of approval do through the front door: ask, poll, vote. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { Answer as Told } from '../../scripts/operator-client.ts';
import type { ShownApproval } from '../../src/operate/approvals.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { documentedClient } from '../support/documented.ts';
import type { Answer, Asking, Rig } from '../support/rig.ts';
import { freshNonce } from './front-door.ts';

export const GRANT_DEFERRED = 'urn:ietf:params:oauth:grant-type:deferred';
export const CUSTOMER: JsonObject = { customer_id: 'cus_canary_1' };
/** A support lead has her agent delete a customer: one of the privacy team must agree. */
export const DELETE: Asking = {
  entry: { identifier: 'delete_customer', purpose: 'right to erasure, ticket 12' },
  args: CUSTOMER,
  subject: { claims: { sub: 'u_carol', groups: ['support', 'support-leads'] } },
  form: { completion_mode: 'deferred' },
};
export const deletion = (id: string, more: Asking = {}): Asking => ({ ...DELETE, args: { customer_id: id }, ...more });

export async function asking(rig: Rig, what: Asking = DELETE): Promise<Answer> {
  // A person's proof outlives the time to decide, unless the test says how long it lives.
  const subject = what.subject && { ...what.subject, claims: { exp: rig.now() + 1_500, ...what.subject.claims } };
  return rig.ask({ nonce: await freshNonce(rig), ...what, ...(subject && { subject }) });
}
export async function pending(rig: Rig, what: Asking = DELETE): Promise<{ readonly code: string; readonly id: string }> {
  const answer = await asking(rig, what);
  assert.deepEqual([answer.status, answer.body['error']], [400, 'authorization_pending'], answer.text);
  const code = String(answer.body['deferral_code']);
  return { code, id: `apr_${code.split('.')[0]}` };
}
export const polling = (code: string, more: Asking = {}): Asking => ({
  ...more,
  subject: null,
  details: null,
  form: { grant_type: GRANT_DEFERRED, deferral_code: code, resource: null, ...more.form },
});
export const poll = (rig: Rig, code: string, more: Asking = {}): Promise<Answer> => asking(rig, polling(code, more));

export const operator = (rig: Rig, method: 'GET' | 'POST', path: string, body?: object): Promise<Told> =>
  documentedClient(join(rig.folder, 'operator.sock'))(method, path, body);
export const vote = (rig: Rig, id: string, how: 'approve' | 'deny' = 'approve', as = 'people:u_alice'): Promise<Told> =>
  operator(rig, 'POST', `/operator/approvals/${id}`, { vote: how, as, reason: 'looked at the ticket' });
export async function inbox(rig: Rig): Promise<readonly ShownApproval[]> {
  return ((await operator(rig, 'GET', '/operator/approvals')).body as { readonly approvals: readonly ShownApproval[] }).approvals;
}
export const said = (answer: Answer): readonly unknown[] => [answer.status, answer.body['error']];
