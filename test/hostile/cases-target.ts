/** What is asked for, named almost as it is registered, or more of it than was decided. */
import { RESOURCE } from '../support/rig.ts';
import type { Case } from './oracle.ts';

const target = { status: 400, error: 'invalid_target', reason: 'resource_unknown' } as const;
const request = { status: 400, error: 'invalid_request' } as const;
const type = { ...request, reason: 'type_unsupported', detail: 'requested_token_type' } as const;
const mint = { status: 403, error: 'access_denied', reason: 'mint_refused' } as const;
const malformed = { ...request, reason: 'request_malformed' } as const;
const scope = { ...malformed, detail: 'authorization_details' } as const;

const RESOURCES: readonly (readonly [string, string])[] = [
  ['https for http', RESOURCE.replace('http:', 'https:')],
  ['the scheme in capitals', RESOURCE.replace('http:', 'HTTP:')],
  ['another port', RESOURCE.replace('9090', '9091')],
  ['no port', RESOURCE.replace(':9090', '')],
  ['a port with a zero before it', RESOURCE.replace('9090', '09090')],
  ['an empty port', RESOURCE.replace(':9090', ':')],
  ['the host by name', RESOURCE.replace('127.0.0.1', 'localhost')],
  ['the host in hexadecimal', RESOURCE.replace('127.0.0.1', '0x7f.0.0.1')],
  ['the host as one number', RESOURCE.replace('127.0.0.1', '2130706433')],
  ['the host cut short', RESOURCE.replace('127.0.0.1', '127.1')],
  ['the host with a full stop', RESOURCE.replace('127.0.0.1', '127.0.0.1.')],
  ['the host in IPv6', RESOURCE.replace('127.0.0.1', '[::ffff:127.0.0.1]')],
  ['a user and password', RESOURCE.replace('//', '//u:p@')],
  ['an empty user', RESOURCE.replace('//', '//@')],
  ['a query', `${RESOURCE}?x=1`],
  ['an empty query', `${RESOURCE}?`],
  ['an empty fragment', `${RESOURCE}#`],
  ['a dot segment', RESOURCE.replace('/mcp', '/./mcp')],
  ['a path that climbs', RESOURCE.replace('/mcp', '/x/../mcp')],
  ['a climb in percent escapes', RESOURCE.replace('/mcp', '/x/%2e%2e/mcp')],
  ['two slashes', RESOURCE.replace('/mcp', '//mcp')],
  ['back slashes', RESOURCE.replace('/mcp', '\\mcp')],
  ['an escaped letter', RESOURCE.replace('mcp', '%6dcp')],
  ['an escaped slash', RESOURCE.replace('/mcp', '%2fmcp')],
  ['a path parameter', `${RESOURCE};x=1`],
  ['a NUL', `${RESOURCE}\u0000`],
  ['a space after it', `${RESOURCE} `],
  ['a line feed after it', `${RESOURCE}\n`],
  ['a Cyrillic letter', RESOURCE.replace('c', '\u0441')],
  ['a full-width letter', RESOURCE.replace('m', '\uff4d')],
  ['the id of the server', 'shop'],
  ['a URN', 'urn:countersign:shop'],
  ['a list', `["${RESOURCE}"]`],
  ['two in one', `${RESOURCE} https://other.example/mcp`],
  ['two with a comma', `${RESOURCE},https://other.example/mcp`],
  ['a file', 'file:///etc/passwd'],
  ['the broker’s back ends', 'http://127.0.0.1/backends'],
  ['javascript', 'javascript:alert(1)'],
  ['a prototype', '__proto__'],
  ["an object's own name", 'constructor'],
  ['a wildcard', '*'],
  ['2 KB', `${RESOURCE}/${'x'.repeat(2_000)}`],
];
const JWT = 'urn:ietf:params:oauth:token-type:';
const TYPES: readonly string[] = [
  `${JWT}jwt`,
  `${JWT}id_token`,
  `${JWT}refresh_token`,
  `${JWT}saml2`,
  `${JWT}id-jag`,
  `${JWT}txn_token`,
  `${JWT}ACCESS_TOKEN`,
  `${JWT}access_token `,
  `${JWT}access_token urn:countersign:credential:aws`,
  'urn:countersign:credential:',
  'urn:countersign:credential:gcp',
  'urn:countersign:credential:jwt',
  'URN:COUNTERSIGN:CREDENTIAL:VAULT',
  'access_token',
  'jwt',
  '__proto__',
];

export const targetCases: readonly Case[] = [
  ...RESOURCES.map(([name, resource]): Case => ({ name: `resource: ${name}`, asking: () => ({ form: { resource } }), ...target })),
  { name: 'resource: the trap', asking: (_, trap) => ({ form: { resource: `${trap.url}/mcp` } }), ...target },
  { name: 'resource: empty counts as none', asking: () => ({ form: { resource: '' } }), ...malformed, detail: 'resource' },
  {
    name: 'resource twice, the same',
    asking: () => ({ body: (form) => `${form}&resource=${encodeURIComponent(RESOURCE)}` }),
    ...malformed,
    detail: 'form_duplicate',
  },
  { name: 'resource twice, once empty', asking: () => ({ body: (form) => `resource=&${form}` }), ...malformed, detail: 'form_duplicate' },
  {
    name: 'resource as a list of a form',
    asking: () => ({ form: { resource: null }, body: (form) => `${form}&resource[]=${encodeURIComponent(RESOURCE)}` }),
    ...malformed,
    detail: 'resource',
  },
  { name: 'an audience alone', asking: () => ({ form: { resource: null, audience: RESOURCE } }), ...malformed, detail: 'resource' },
  { name: 'an audience that agrees', asking: () => ({ form: { audience: RESOURCE } }), ...malformed, detail: 'audience' },

  ...TYPES.map(
    (requested): Case => ({ name: `requested type ${requested}`, asking: () => ({ form: { requested_token_type: requested } }), ...type }),
  ),
  {
    name: 'Vault credentials nobody registered',
    asking: () => ({ form: { requested_token_type: 'urn:countersign:credential:vault' } }),
    ...mint,
  },
  {
    name: 'Vault credentials for the list',
    asking: () => ({ details: null, form: { scope: 'tool:list', requested_token_type: 'urn:countersign:credential:vault' } }),
    ...mint,
  },
  {
    name: 'AWS credentials for the list',
    asking: () => ({ details: null, form: { scope: 'tool:list', requested_token_type: 'urn:countersign:credential:aws' } }),
    ...mint,
  },
  {
    name: 'AWS credentials for itself',
    asking: () => ({ subject: null, form: { grant_type: 'client_credentials', requested_token_type: 'urn:countersign:credential:aws' } }),
    ...mint,
  },

  ...[
    'tool:create_refund',
    'tool:*',
    'tool:',
    'TOOL:LIST',
    'tool:list2',
    'xtool:list',
    'tool:list,tool:create_refund',
    'tool:list\ttool:x',
    'openid profile',
    '*',
    'offline_access',
  ].map(
    (text): Case => ({
      name: `scope ${JSON.stringify(text)} without details`,
      asking: () => ({ details: null, form: { scope: text } }),
      ...scope,
    }),
  ),

  {
    name: 'a plan nobody made',
    asking: () => ({ form: { grant_type: 'urn:ietf:params:oauth:grant-type:deferred', deferral_code: '../apr_1' } }),
    status: 400,
    error: 'invalid_grant',
    reason: 'approval_unknown',
  },
  {
    name: 'a poll without code',
    asking: () => ({ form: { grant_type: 'urn:ietf:params:oauth:grant-type:deferred' } }),
    ...malformed,
    detail: 'deferral_code',
  },
  {
    name: 'a refresh token',
    asking: () => ({ form: { grant_type: 'refresh_token', refresh_token: 'x' } }),
    status: 400,
    error: 'unsupported_grant_type',
    reason: 'grant_unsupported',
  },
  {
    name: 'a JWT bearer grant',
    asking: () => ({ form: { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer' } }),
    status: 400,
    error: 'unsupported_grant_type',
    reason: 'grant_unsupported',
  },
  {
    name: 'a device code',
    asking: () => ({ form: { grant_type: 'urn:ietf:params:oauth:grant-type:device_code' } }),
    status: 400,
    error: 'unsupported_grant_type',
    reason: 'grant_unsupported',
  },
  {
    name: 'the exchange in capitals',
    asking: () => ({ form: { grant_type: 'URN:IETF:PARAMS:OAUTH:GRANT-TYPE:TOKEN-EXCHANGE' } }),
    status: 400,
    error: 'unsupported_grant_type',
    reason: 'grant_unsupported',
  },
  {
    name: 'a grant type that is every object’s',
    asking: () => ({ form: { grant_type: 'constructor' } }),
    status: 400,
    error: 'unsupported_grant_type',
    reason: 'grant_unsupported',
  },
  ...[
    'client_assertion',
    'subject_token',
    'subject_token_type',
    'authorization_details',
    'scope',
    'requested_token_type',
    'grant_type',
    'state',
  ].map(
    (name): Case => ({
      name: `${name} twice`,
      asking: () => ({ form: { scope: 'tool:list', requested_token_type: `${JWT}access_token` }, body: (form) => `${form}&${name}=x` }),
      ...malformed,
      detail: 'form_duplicate',
    }),
  ),
  ...['%', '%zz', '%e2%82', '%c0%af', '%ed%a0%80'].map(
    (text): Case => ({
      name: `a broken escape ${text}`,
      asking: () => ({ body: (form) => `${form}&x=${text}` }),
      ...malformed,
      detail: 'form',
    }),
  ),
  { name: 'a raw letter that is not ASCII', asking: () => ({ body: (form) => `${form}&x=\u00e9` }), ...malformed, detail: 'form' },
  { name: 'a raw space', asking: () => ({ body: (form) => `${form}&x=a b` }), ...malformed, detail: 'form' },
  { name: 'a raw NUL', asking: () => ({ body: (form) => `${form}&x=\u0000` }), ...malformed, detail: 'form' },
  { name: 'a nameless parameter', asking: () => ({ body: (form) => `${form}&=x` }), ...malformed, detail: 'form' },
  { name: 'an empty pair', asking: () => ({ body: (form) => `${form}&&x=1` }), ...malformed, detail: 'form' },
  {
    name: '33 parameters',
    asking: () => ({ body: (form) => `${form}${Array.from({ length: 25 }, (_, i) => `&p${i}=1`).join('')}` }),
    ...malformed,
    detail: 'form_parameters',
  },
  {
    name: '100,000 parameters',
    asking: () => ({ body: (form) => `${form}${'&a=1'.repeat(100_000)}` }),
    ...malformed,
    detail: 'form_parameters',
  },
  {
    name: 'semicolons between parameters',
    asking: () => ({ body: (form) => form.replaceAll('&', ';') }),
    status: 400,
    error: 'unsupported_grant_type',
    reason: 'grant_unsupported',
  },
];
