import { DETAILS, REFUND, RESOURCE } from '../support/rig.ts';
import { CANARY, type Case } from './oracle.ts';

const details = { status: 400, error: 'invalid_authorization_details', reason: 'details_bad' } as const;
const args = { status: 400, error: 'invalid_authorization_details', reason: 'arguments_bad' } as const;
const denied = { status: 403, error: 'access_denied', reason: 'policy_denied' } as const;
const entry = (text: string): string =>
  `[{"type":"${DETAILS}","locations":["${RESOURCE}"],"actions":["tools/call"],"identifier":"create_refund","arguments":${text}}]`;
const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

export const actionCases: readonly Case[] = [
  { name: 'details that are no JSON', asking: () => ({ details: '[{' }), ...details, detail: 'json_syntax' },
  { name: 'details that are an object', asking: () => ({ details: { type: DETAILS } }), ...details, detail: 'details_type' },
  { name: 'no entry', asking: () => ({ details: [] }), ...details, detail: 'details_count' },
  { name: 'two entries', asking: () => ({ details: [{ type: DETAILS }, { type: DETAILS }] }), ...details, detail: 'details_count' },
  { name: 'another type', asking: () => ({ entry: { type: 'payment_initiation' } }), ...details, detail: 'details_type' },
  { name: 'an unknown member', asking: () => ({ entry: { privileges: ['admin'] } }), ...details, detail: 'details_member' },
  {
    name: 'an unknown member of context',
    asking: () => ({ entry: { context: { session: 's', user: 'root' } } }),
    ...details,
    detail: 'details_member',
  },
  {
    name: 'a location that is not the resource',
    asking: () => ({ entry: { locations: ['https://other.example/mcp'] } }),
    ...details,
    detail: 'details_location',
  },
  {
    name: 'two locations',
    asking: () => ({ entry: { locations: [RESOURCE, 'https://other.example/mcp'] } }),
    ...details,
    detail: 'details_location',
  },
  { name: 'another action', asking: () => ({ entry: { actions: ['tools/list'] } }), ...details, detail: 'details_action' },
  { name: 'two actions', asking: () => ({ entry: { actions: ['tools/call', 'tools/list'] } }), ...details, detail: 'details_action' },
  { name: 'a tool name with a space', asking: () => ({ entry: { identifier: 'create refund' } }), ...details, detail: 'details_tool' },
  {
    name: 'arguments and a digest that disagree',
    asking: () => ({ entry: { arguments_digest: `sha-256:${'A'.repeat(43)}` } }),
    ...details,
    detail: 'digest_mismatch',
  },
  { name: 'a digest that is no digest', asking: () => ({ entry: { arguments_digest: 'md5:x' } }), ...details, detail: 'digest_mismatch' },
  { name: 'arguments that are a list', asking: () => ({ args: [1] }), ...details, detail: 'details_member' },
  {
    name: 'a purpose of 2,000 characters',
    asking: () => ({ entry: { purpose: CANARY.repeat(200) } }),
    ...details,
    detail: 'details_member',
  },
  {
    name: 'a tool the server does not have',
    asking: () => ({ entry: { identifier: 'drop_tables' } }),
    status: 400,
    error: 'invalid_authorization_details',
    reason: 'tool_unknown',
  },
  {
    name: 'the digest alone for a visible tool',
    asking: () => ({
      details: [
        {
          type: DETAILS,
          locations: [RESOURCE],
          actions: ['tools/call'],
          identifier: 'create_refund',
          arguments_digest: `sha-256:${'A'.repeat(43)}`,
        },
      ],
    }),
    ...args,
    detail: 'arguments_absent',
  },

  {
    name: 'a key twice',
    asking: () => ({ details: entry('{"payment_id":"p","amount_minor":1,"amount_minor":999999,"currency":"EUR"}') }),
    ...details,
    detail: 'json_duplicate_key',
  },
  {
    name: 'a key twice, once escaped',
    asking: () => ({ details: entry('{"payment_id":"p","amount_minor":1,"amount_\\u006dinor":999999,"currency":"EUR"}') }),
    ...details,
    detail: 'json_duplicate_key',
  },
  {
    name: '2^53 + 1',
    asking: () => ({ details: entry('{"payment_id":"p","amount_minor":9007199254740993,"currency":"EUR"}') }),
    ...details,
    detail: 'json_number',
  },
  {
    name: 'a number beyond any',
    asking: () => ({ details: entry('{"payment_id":"p","amount_minor":1e999,"currency":"EUR"}') }),
    ...details,
    detail: 'json_number',
  },
  {
    name: 'a lone surrogate',
    asking: () => ({ details: entry('{"payment_id":"\\ud800","amount_minor":1,"currency":"EUR"}') }),
    ...details,
    detail: 'json_surrogate',
  },
  { name: '70 levels', asking: () => ({ details: entry(deep(70)) }), ...details, detail: 'json_depth' },
  { name: '400 KB', asking: () => ({ details: entry(`{"payment_id":"${'x'.repeat(400_000)}"}`) }), ...details, detail: 'json_size' },
  { name: '__proto__', asking: () => ({ details: entry('{"__proto__":{"amount_minor":1}}') }), ...details, detail: 'json_reserved_key' },
  {
    name: 'a Cedar entity',
    asking: () => ({ args: { ...REFUND, payment_id: { __entity: { type: 'Person', id: 'people:u_alice' } } } }),
    ...details,
    detail: 'json_reserved_key',
  },
  {
    name: 'a Cedar extension value',
    asking: () => ({ args: { ...REFUND, amount_minor: { __extn: { fn: 'decimal', arg: '1.0' } } } }),
    ...details,
    detail: 'json_reserved_key',
  },
  { name: 'NaN', asking: () => ({ details: entry('{"amount_minor":NaN}') }), ...details, detail: 'json_syntax' },
  { name: 'a trailing comma', asking: () => ({ details: entry('{"amount_minor":1,}') }), ...details, detail: 'json_syntax' },
  { name: 'a comment', asking: () => ({ details: entry('{"amount_minor":1/**/}') }), ...details, detail: 'json_syntax' },

  { name: 'an argument missing', asking: () => ({ args: { payment_id: 'p', currency: 'EUR' } }), ...args },
  { name: 'an argument too many', asking: () => ({ args: { ...REFUND, force: true } }), ...args },
  { name: 'a Unicode twin of an argument', asking: () => ({ args: { ...REFUND, amount_mınor: 1 } }), ...args },
  { name: 'text for a number', asking: () => ({ args: { ...REFUND, amount_minor: '4250' } }), ...args },
  { name: 'a fraction for an integer', asking: () => ({ args: { ...REFUND, amount_minor: 42.5 } }), ...args },
  { name: 'a currency nobody registered', asking: () => ({ args: { ...REFUND, currency: 'XTS' } }), ...args },
  { name: 'null for a text', asking: () => ({ args: { ...REFUND, payment_id: null } }), ...args },

  { name: 'a refund too large', asking: () => ({ args: { ...REFUND, amount_minor: 9_000 } }), ...denied },
  { name: 'a person without the group', asking: () => ({ subject: { claims: { groups: ['warehouse'] } } }), ...denied },
  {
    name: 'a person whose groups nobody stated',
    asking: () => ({ subject: { claims: { groups: undefined } } }),
    status: 403,
    error: 'access_denied',
    reason: 'policy_input',
  },
  {
    name: 'groups of the wrong type',
    asking: () => ({ subject: { claims: { groups: 'support' } } }),
    status: 403,
    error: 'access_denied',
    reason: 'policy_input',
  },
  {
    name: 'a mandate to act for others, used for itself',
    asking: () => ({ subject: null, form: { grant_type: 'client_credentials' } }),
    ...denied,
  },
  { name: 'a sub-agent beyond its mandate', asking: () => ({ actor: {} }), ...denied },
  {
    name: 'an action that a person must approve',
    asking: () => ({
      entry: { identifier: 'delete_customer' },
      args: { customer_id: 'c_1' },
      subject: { claims: { sub: 'u_alice', groups: ['support', 'support-leads'] } },
    }),
    status: 403,
    error: 'access_denied',
    reason: 'approval_needed',
  },
  {
    name: 'the scope of a tool without details',
    asking: () => ({ details: null, form: { scope: 'tool:create_refund' } }),
    status: 400,
    error: 'invalid_request',
    reason: 'request_malformed',
    detail: 'authorization_details',
  },
  {
    name: 'AWS credentials nobody registered',
    asking: () => ({ form: { requested_token_type: 'urn:countersign:credential:aws' } }),
    status: 403,
    error: 'access_denied',
    reason: 'mint_refused',
  },
];
