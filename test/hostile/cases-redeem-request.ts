/** Who redeems, what they ask for, and what they bring beside the token. */
import { BILLING, clientForm } from '../flow/front-door.ts';
import { actionToken, NOTE, type Redeeming, redeem } from '../flow/redeeming.ts';
import { newKey } from '../support/keys.ts';
import { DETAILS, ID_TOKEN, JWT_TYPE, REFUND, RESOURCE } from '../support/rig.ts';
import { SECRET } from './oracle.ts';
import type { RedeemCase } from './redeem-oracle.ts';

const client = { status: 401, error: 'invalid_client', reason: 'client_unauthenticated' } as const;
const grant = { status: 400, error: 'unauthorized_client', reason: 'grant_refused' } as const;
const target = { status: 400, error: 'invalid_target' } as const;
const denied = { status: 403, error: 'access_denied', reason: 'mint_refused' } as const;
const type = { status: 400, error: 'invalid_request', reason: 'type_unsupported' } as const;
const malformed = { status: 400, error: 'invalid_request', reason: 'request_malformed' } as const;
const details = { status: 400, error: 'invalid_authorization_details', reason: 'details_bad' } as const;

const form =
  (change: Redeeming['form'] & object): RedeemCase['redeeming'] =>
  () => ({ form: change });
/** As another tool server. */
const byBilling =
  (more: Redeeming['form'] = {}): RedeemCase['redeeming'] =>
  ({ billing }) => ({ client: 'billing', assertion: { key: billing }, form: more });

export const redeemerCases: readonly RedeemCase[] = [
  { name: 'the agent of the token', redeeming: () => ({ client: 'refund-bot' }), ...grant, detail: 'client_is_agent' },
  { name: 'another agent', redeeming: () => ({ client: 'triage-bot' }), ...grant, detail: 'client_is_agent' },
  { name: 'another tool server, for the token’s resource', redeeming: byBilling(), ...target, reason: 'resource_refused' },
  {
    name: 'another tool server, for its own',
    redeeming: byBilling({ resource: BILLING }),
    status: 400,
    error: 'invalid_request',
    reason: 'subject_bad',
    detail: 'token_audience',
  },
  { name: 'the right one, for another’s resource', redeeming: form({ resource: BILLING }), ...target, reason: 'resource_refused' },
  { name: 'for no server’s resource', redeeming: form({ resource: `${RESOURCE}/` }), ...target, reason: 'resource_unknown' },
  { name: 'for no resource', redeeming: form({ resource: null }), ...malformed, detail: 'resource' },
  { name: 'nobody', redeeming: () => ({ assertion: null }), ...client, detail: 'assertion_absent' },
  { name: 'by another key', redeeming: () => ({ assertion: { key: newKey() } }), ...client, detail: 'token_signature' },
  {
    name: 'by the other server’s key',
    redeeming: ({ billing }) => ({ assertion: { key: billing } }),
    ...client,
    detail: 'token_signature',
  },
  {
    name: 'by an assertion for the token endpoint',
    redeeming: ({ rig }) => ({ assertion: { claims: { aud: `${rig.issuer}/token` } } }),
    ...client,
    detail: 'token_audience',
  },
  {
    name: 'by an assertion that was used',
    redeeming: async ({ rig }) => {
      const { client_assertion: token = '' } = await clientForm(rig, 'shop', rig.server);
      if ((await redeem(rig, { assertion: { token } })).status !== 200) throw new Error('the first use failed');
      return { assertion: { token } };
    },
    ...client,
    reason: 'assertion_replayed',
  },
  {
    name: 'by a server that nobody knows',
    redeeming: () => ({ client: 'nobody' }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unknown',
  },
];

export const redeemFormCases: readonly RedeemCase[] = [
  {
    name: 'a kind that the tool does not register',
    redeeming: form({ requested_token_type: 'urn:countersign:credential:vault' }),
    ...denied,
  },
  {
    name: 'a kind that its registration keeps for the agent',
    redeeming: () => ({ asking: { entry: { identifier: 'list_orders' }, args: {} } }),
    ...denied,
  },
  ...[
    null,
    'urn:ietf:params:oauth:token-type:access_token',
    'urn:countersign:credential:jwt',
    'urn:countersign:credential:',
    'toy',
    'urn:countersign:credential:TOY',
  ].map(
    (kind): RedeemCase => ({
      name: `the kind ${kind}`,
      redeeming: form({ requested_token_type: kind }),
      ...type,
      detail: 'requested_token_type',
    }),
  ),
  { name: 'a token of another type', redeeming: form({ subject_token_type: ID_TOKEN }), ...type, detail: 'subject_token_type' },
  { name: 'a token of no type', redeeming: form({ subject_token_type: null }), ...malformed, detail: 'subject_token_type' },
  { name: 'no token', redeeming: form({ subject_token: null }), ...malformed, detail: 'subject_token' },
  {
    name: 'an actor',
    redeeming: async ({ rig }) => ({ form: { actor_token: await actionToken(rig), actor_token_type: JWT_TYPE } }),
    ...malformed,
    detail: 'actor_token',
  },
  { name: 'the type of an actor', redeeming: form({ actor_token_type: JWT_TYPE }), ...malformed, detail: 'actor_token_type' },
  { name: 'a scope', redeeming: form({ scope: 'tool:create_refund' }), ...malformed, detail: 'scope' },
  { name: 'a deferral', redeeming: form({ completion_mode: 'deferred' }), ...malformed, detail: 'completion_mode' },
  { name: 'an audience', redeeming: form({ audience: RESOURCE }), ...malformed, detail: 'audience' },
  { name: 'as client_credentials', redeeming: form({ grant_type: 'client_credentials' }), ...malformed, detail: 'action_proof' },
  {
    name: 'two proofs',
    redeeming: () => ({ body: (text) => `${text}&action%5Fproof=x.y.z` }),
    ...malformed,
    detail: 'form_duplicate',
  },
  {
    name: 'a key of nothing',
    redeeming: () => ({ headers: { 'idempotency-key': '""' } }),
    ...malformed,
    detail: 'idempotency_key',
  },
];

const entry = (change: object = {}): object => ({
  type: DETAILS,
  locations: [RESOURCE],
  actions: ['tools/call'],
  identifier: 'create_refund',
  arguments: REFUND,
  ...change,
});
const withDetails = (value: unknown): RedeemCase['redeeming'] =>
  form({ authorization_details: typeof value === 'string' ? value : JSON.stringify(value) });
const material = (text: string): RedeemCase['redeeming'] => form({ credential_request: text });

export const redeemDetailsCases: readonly RedeemCase[] = [
  {
    name: 'one argument changed',
    redeeming: () => ({ args: { ...REFUND, payment_id: 'pay_other' } }),
    ...details,
    detail: 'digest_mismatch',
  },
  { name: 'one argument more', redeeming: () => ({ args: { ...REFUND, reason: SECRET } }), ...details, detail: 'digest_mismatch' },
  { name: 'one argument less', redeeming: () => ({ args: { payment_id: 'pay_8Qx2' } }), ...details, detail: 'digest_mismatch' },
  { name: 'no arguments in the entry', redeeming: withDetails([entry({ arguments: undefined })]), ...details, detail: 'digest_mismatch' },
  {
    name: 'the digest of the token beside other arguments',
    redeeming: withDetails([
      entry({ arguments: { ...REFUND, payment_id: 'pay_other' }, arguments_digest: 'sha-256:2msYgOCkGcsjzKxVpQMhYKwQelSMk47Z5Itx6GEBKmY' }),
    ]),
    ...details,
    detail: 'digest_mismatch',
  },
  {
    name: 'none where the template needs them',
    redeeming: () => ({ args: null }),
    status: 400,
    error: 'invalid_authorization_details',
    reason: 'arguments_bad',
    detail: 'arguments_absent',
  },
  {
    name: 'the digest alone where the template needs them',
    redeeming: withDetails([entry({ arguments: undefined, arguments_digest: 'sha-256:2msYgOCkGcsjzKxVpQMhYKwQelSMk47Z5Itx6GEBKmY' })]),
    status: 400,
    error: 'invalid_authorization_details',
    reason: 'arguments_bad',
    detail: 'arguments_absent',
  },
  { name: 'another tool', redeeming: withDetails([entry({ identifier: 'delete_customer' })]), ...details, detail: 'details_tool' },
  {
    name: 'arguments for a token that holds another digest',
    redeeming: () => ({ asking: NOTE, args: null, form: { authorization_details: JSON.stringify([entry({ identifier: 'read_note' })]) } }),
    ...details,
    detail: 'digest_mismatch',
  },
  { name: 'two entries', redeeming: withDetails([entry(), entry()]), ...details, detail: 'details_count' },
  { name: 'no entry', redeeming: withDetails([]), ...details, detail: 'details_count' },
  { name: 'another location', redeeming: withDetails([entry({ locations: [BILLING] })]), ...details, detail: 'details_location' },
  { name: 'another action', redeeming: withDetails([entry({ actions: ['tools/list'] })]), ...details, detail: 'details_action' },
  { name: 'a member that nobody knows', redeeming: withDetails([entry({ path: 'sys/policies' })]), ...details, detail: 'details_member' },
  { name: 'another type', redeeming: withDetails([entry({ type: 'urn:x' })]), ...details, detail: 'details_type' },
  {
    name: 'an argument twice',
    redeeming: withDetails(JSON.stringify([entry()]).replace('{"payment_id"', '{"payment_id":"pay_other","payment_id"')),
    ...details,
    detail: 'json_duplicate_key',
  },
  { name: 'no JSON', redeeming: withDetails('[{'), ...details, detail: 'json_syntax' },
  {
    name: 'arguments of 330 KB',
    redeeming: withDetails([entry({ arguments: { payment_id: 'x'.repeat(330_000) } })]),
    ...details,
    detail: 'json_size',
  },

  ...(
    [
      ['of 17 KB', JSON.stringify({ csr: 'x'.repeat(17_000) })],
      ['with a key twice', `{"public_key":"a","public_key":"${SECRET}"}`],
      ['that is a list', '["a"]'],
      ['that is a string', `"${SECRET}"`],
      ['that is null', 'null'],
      ['that is no JSON', '{csr:1}'],
      ['with a number beyond all', '{"a":1e400}'],
      ['with half a character', '{"a":"\\ud800"}'],
      ['with a prototype', '{"__proto__":{"role":"admin"}}'],
      ['too deep', `${'{"a":'.repeat(70)}1${'}'.repeat(70)}`],
    ] as const
  ).map(
    ([name, text]): RedeemCase => ({ name: `material ${name}`, redeeming: material(text), ...malformed, detail: 'credential_request' }),
  ),
];
