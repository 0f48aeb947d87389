/** What a plan must not be: each case brings about its own, does one thing wrong, and knows the exact answer. */
import type { JsonObject } from '../../src/wire/json.ts';
import { asking, DELETE } from '../flow/approving.ts';
import { asAgent, asItself, BILLING } from '../flow/front-door.ts';
import { agreedPlan, entry, erase, look, refund, status, submit, take, withdraw } from '../flow/planning.ts';
import { newKey } from '../support/keys.ts';
import { type Answer, type Asking, RESOURCE } from '../support/rig.ts';
import type { Scene } from './cases-approval.ts';

export interface PlanCase {
  readonly name: string;
  readonly run: (scene: Scene) => Promise<Answer | { readonly status: number; readonly body: unknown }>;
  readonly status: number;
  readonly error?: string;
  readonly reason?: string;
  readonly detail?: string;
  /** As the answer says. */
  readonly step?: number;
}
export const unknown = { status: 400, error: 'invalid_grant', reason: 'approval_unknown' } as const;
const details = { status: 400, error: 'invalid_authorization_details' } as const;
export const malformed = { status: 400, error: 'invalid_request', reason: 'request_malformed' } as const;
export const refused = { status: 403, error: 'access_denied', reason: 'step_refused' } as const;
export const two = ({ customer }: Scene): readonly JsonObject[] => [erase(`${customer}-a`), erase(`${customer}-b`)];
export const first = (s: Scene): JsonObject => two(s)[0] ?? {};
export const second = (s: Scene): JsonObject => two(s)[1] ?? {};
export const agreed = (s: Scene, more?: Asking, steps?: readonly number[]) => agreedPlan(s.rig, two(s), more, steps);

/** What is no plan. */
export const shapes: readonly PlanCase[] = [
  {
    name: 'one action twice',
    run: (s) => submit(s.rig, [first(s), second(s), first(s)]),
    ...details,
    reason: 'details_bad',
    detail: 'details_twice',
    step: 2,
  },
  {
    name: 'one action twice, for two purposes',
    run: (s) => submit(s.rig, [first(s), { ...first(s), purpose: 'another' }]),
    ...details,
    reason: 'details_bad',
    detail: 'details_twice',
    step: 1,
  },
  {
    name: '21 steps',
    run: (s) =>
      submit(
        s.rig,
        Array.from({ length: 21 }, (_, i) => look(`${s.customer}-${i}`)),
      ),
    ...details,
    reason: 'details_bad',
    detail: 'details_count',
  },
  { name: 'no step', run: (s) => submit(s.rig, []), ...details, reason: 'details_bad', detail: 'details_count' },
  {
    name: 'one entry without a list',
    run: (s) => submit(s.rig, [], { details: first(s) }),
    ...details,
    reason: 'details_bad',
    detail: 'details_type',
  },
  {
    name: 'a resource that nobody registered among those that are',
    run: (s) => submit(s.rig, [first(s), { ...second(s), locations: [BILLING] }]),
    status: 400,
    error: 'invalid_target',
    reason: 'resource_unknown',
    step: 1,
  },
  {
    name: 'two locations in one step',
    run: (s) => submit(s.rig, [{ ...first(s), locations: [RESOURCE, BILLING] }]),
    ...details,
    reason: 'details_bad',
    detail: 'details_location',
    step: 0,
  },
  {
    name: 'a tool that there is not',
    run: (s) => submit(s.rig, [first(s), entry('drop_all', {})]),
    ...details,
    reason: 'tool_unknown',
    step: 1,
  },
  {
    name: 'arguments that are not of the schema',
    run: (s) => submit(s.rig, [first(s), entry('delete_customer', { customer_id: 7 })]),
    ...details,
    reason: 'arguments_bad',
    step: 1,
  },
  {
    name: 'a member nobody knows',
    run: (s) => submit(s.rig, [{ ...first(s), approved: true }]),
    ...details,
    reason: 'details_bad',
    detail: 'details_member',
    step: 0,
  },
  {
    name: 'a resource beside the entries',
    run: (s) => submit(s.rig, two(s), { form: { resource: RESOURCE } }),
    ...malformed,
    detail: 'resource',
  },
  { name: 'an order that is neither', run: (s) => submit(s.rig, two(s), { form: { ordered: 'yes' } }), ...malformed, detail: 'ordered' },
  { name: 'a plan within a plan', run: (s) => submit(s.rig, two(s), { form: { plan: 'x.y' } }), ...malformed, detail: 'plan' },
  {
    name: 'another kind of credential',
    run: (s) => submit(s.rig, two(s), { form: { requested_token_type: 'urn:countersign:credential:aws' } }),
    status: 400,
    error: 'invalid_request',
    reason: 'type_unsupported',
  },
  {
    name: 'no key',
    run: (s) => submit(s.rig, two(s), { proof: null }),
    status: 400,
    error: 'invalid_dpop_proof',
    reason: 'proof_bad',
    detail: 'proof_absent',
  },
  {
    name: 'a proof made for /token',
    run: (s) => submit(s.rig, two(s), { proof: { claims: { htu: `${s.rig.issuer}/token` } } }),
    status: 400,
    error: 'invalid_dpop_proof',
    reason: 'proof_bad',
    detail: 'proof_htu',
  },
  {
    name: 'a step that policy denies',
    run: (s) => submit(s.rig, [look(s.customer), refund(s.customer, 99_000_000)]),
    status: 403,
    error: 'access_denied',
    reason: 'policy_denied',
    step: 1,
  },
  {
    name: 'a person who may not, in any step',
    run: (s) => submit(s.rig, [look(s.customer), first(s)], { subject: { claims: { sub: 'u_bob', groups: ['support'] } } }),
    status: 403,
    error: 'access_denied',
    reason: 'policy_denied',
    step: 1,
  },
];

/** Other hands, other keys, other words. */
export const hands: readonly PlanCase[] = [
  {
    name: 'another client takes a step',
    run: async (s) => take(s.rig, (await agreed(s)).code, first(s), asAgent(s.rig, 'triage-bot')),
    status: 400,
    error: 'invalid_request',
    reason: 'subject_bad',
  },
  {
    name: 'another client, for itself, takes a step',
    run: async (s) => asking(s.rig, asItself(s.rig, 'nightly-report', { form: { plan: (await agreed(s)).code } })),
    ...unknown,
    detail: 'binding',
  },
  {
    name: 'another key of the same client',
    run: async (s) => take(s.rig, (await agreed(s)).code, first(s), { proof: { key: newKey() } }),
    ...unknown,
    detail: 'binding',
  },
  {
    name: 'another person',
    run: async (s) =>
      take(s.rig, (await agreed(s)).code, first(s), { subject: { claims: { sub: 'u_dave', groups: ['support', 'support-leads'] } } }),
    ...unknown,
    detail: 'binding',
  },
  {
    name: 'another client looks',
    run: async (s) => status(s.rig, (await agreed(s)).code, asAgent(s.rig, 'triage-bot')),
    ...unknown,
    detail: 'binding',
  },
  {
    name: 'another key looks',
    run: async (s) => status(s.rig, (await agreed(s)).code, { proof: { key: newKey() } }),
    ...unknown,
    detail: 'binding',
  },
  {
    name: 'another client withdraws',
    run: async (s) => withdraw(s.rig, (await agreed(s)).code, 'triage-bot'),
    status: 400,
    error: 'unauthorized_client',
    reason: 'grant_refused',
  },
  {
    name: 'a guessed code',
    run: async (s) =>
      take(
        s.rig,
        (await agreed(s)).code.replace(/\.(.)/, (_, c) => (c === 'A' ? '.B' : '.A')),
        first(s),
      ),
    ...unknown,
    detail: 'code',
  },
  { name: 'a code with a key of the store in it', run: (s) => take(s.rig, '../../halt/all', first(s)), ...unknown, detail: 'code' },
  { name: 'a code of 100 KB', run: (s) => take(s.rig, 'a'.repeat(100_000), first(s)), ...unknown, detail: 'code' },
  {
    name: 'the code of a single action',
    run: async (s) => take(s.rig, String((await asking(s.rig, { ...DELETE, details: [first(s)] })).body['deferral_code']), first(s)),
    ...unknown,
    detail: 'no_plan',
  },
  { name: 'a step that is not listed', run: async (s) => take(s.rig, (await agreed(s)).code, erase(`${s.customer}-c`)), ...refused },
  {
    name: 'a listed step with one argument more',
    run: async (s) => {
      const { code } = await agreedPlan(s.rig, [look(s.customer), first(s)]);
      return take(s.rig, code, entry('list_orders', { customer_id: s.customer, limit: 20 }));
    },
    ...refused,
  },
  {
    name: 'a plan for the list of tools',
    run: async (s) => asking(s.rig, { ...DELETE, details: null, form: { scope: 'tool:list', plan: (await agreed(s)).code } }),
    ...malformed,
    detail: 'plan',
  },
];
