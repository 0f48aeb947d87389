/** Calls at a tool server with one thing wrong, in the order of wire.md §5, and the one answer to each, whatever the way in. */
import { createHmac } from 'node:crypto';
import type { VerifyCode } from '../../src/verify/verify.ts';
import type { Json } from '../../src/wire/json.ts';
import { rawJws } from '../support/keys.ts';
import {
  ARGS,
  actionToken,
  agent,
  broker,
  brokerRsa,
  type Form,
  type Minting,
  NOW,
  type Proving,
  TOOL,
  thief,
} from '../unit/verify/issuer.ts';

/** Where the call goes: tokens and proofs name it. */
export interface Place {
  readonly resource: string;
  readonly issuer: string;
  readonly form: Form;
}
export interface Flaw {
  readonly name: string;
  readonly token?: (place: Place) => Minting;
  /** The token as a string, made from a good one. */
  readonly rewrite?: (token: string, place: Place) => string | Promise<string>;
  readonly proof?: (place: Place) => Proving;
  readonly proved?: (proof: string) => string | undefined;
  readonly args?: Json;
  readonly tool?: string;
  readonly status: number;
  readonly error: string;
  readonly code: VerifyCode;
}
export const token = { status: 401, error: 'invalid_token' } as const;
export const scope = { status: 403, error: 'insufficient_scope', code: 'ERR_SCOPE_INSUFFICIENT' } as const;
export const claims = (change: object) => () => ({ claims: change });
export const header = (change: object) => () => ({ header: change });
const entry = (change: object) => () => ({ entry: change });
const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');
const parts = (text: string): [string, string, string] => text.split('.') as [string, string, string];
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
/** The same claims under another header, unsigned or signed by hand. */
const underHeader = (head: object, sign?: (input: string) => string) => (text: string) => {
  const input = `${b64(JSON.stringify(head))}.${parts(text)[1]}`;
  return `${input}.${sign ? sign(input) : 'AAAA'}`;
};
const resigned = (change: (claims: string) => string) => (text: string) =>
  rawJws(broker, Buffer.from(parts(text)[0], 'base64url').toString(), change(Buffer.from(parts(text)[1], 'base64url').toString()));

export const TOKENS: readonly Flaw[] = [
  // scheme and form
  { name: 'a token without key', token: claims({ cnf: undefined }), ...token, code: 'ERR_TOKEN_SCHEME' },
  { name: 'a space in it', rewrite: (t) => `${t.slice(0, 9)} ${t.slice(9)}`, ...token, code: 'ERR_TOKEN_FORM' },
  { name: 'padding', rewrite: (t) => `${t}=`, ...token, code: 'ERR_TOKEN_FORM' },
  {
    name: 'another spelling of its last character',
    rewrite: (t) => t.slice(0, -1) + ALPHABET[ALPHABET.indexOf(t.slice(-1)) ^ 1],
    ...token,
    code: 'ERR_TOKEN_FORM',
  },
  { name: 'a fourth segment', rewrite: (t) => `${t}.x`, ...token, code: 'ERR_TOKEN_FORM' },
  { name: 'two segments', rewrite: (t) => parts(t).slice(0, 2).join('.'), ...token, code: 'ERR_TOKEN_FORM' },
  { name: 'a claim twice', rewrite: resigned((c) => `{"scope":"tool:create_refund",${c.slice(1)}`), ...token, code: 'ERR_TOKEN_FORM' },
  { name: 'a byte-order mark', rewrite: resigned((c) => `\ufeff${c}`), ...token, code: 'ERR_TOKEN_FORM' },
  { name: 'an exp without end', rewrite: resigned((c) => c.replace(/"exp":\d+/, '"exp":1e999')), ...token, code: 'ERR_TOKEN_FORM' },
  // header
  { name: 'jku', token: header({ jku: 'https://evil.example/jwks' }), ...token, code: 'ERR_TOKEN_HEADER' },
  { name: 'x5u', token: header({ x5u: 'https://evil.example/x' }), ...token, code: 'ERR_TOKEN_HEADER' },
  { name: 'x5c', token: header({ x5c: ['MIIB'] }), ...token, code: 'ERR_TOKEN_HEADER' },
  {
    name: 'a key of its own',
    token: () => ({ key: { ...thief, kid: broker.kid }, header: { jwk: thief.publicJwk } }),
    ...token,
    code: 'ERR_TOKEN_HEADER',
  },
  {
    name: 'crit',
    rewrite: underHeader({ alg: 'ES256', typ: 'at+jwt', kid: broker.kid, crit: ['exp'], exp: 1 }),
    ...token,
    code: 'ERR_TOKEN_HEADER',
  },
  {
    name: 'b64 false',
    rewrite: underHeader({ alg: 'ES256', typ: 'at+jwt', kid: broker.kid, b64: false }),
    ...token,
    code: 'ERR_TOKEN_HEADER',
  },
  { name: 'zip', rewrite: underHeader({ alg: 'ES256', typ: 'at+jwt', kid: broker.kid, zip: 'DEF' }), ...token, code: 'ERR_TOKEN_HEADER' },
  { name: 'alg none', rewrite: underHeader({ alg: 'none', typ: 'at+jwt' }), ...token, code: 'ERR_TOKEN_ALG' },
  {
    name: 'alg HS256 with the public key',
    rewrite: underHeader({ alg: 'HS256', typ: 'at+jwt', kid: broker.kid }, (i) =>
      createHmac('sha256', JSON.stringify(broker.publicJwk)).update(i).digest('base64url'),
    ),
    ...token,
    code: 'ERR_TOKEN_ALG',
  },
  { name: 'alg ES384', rewrite: underHeader({ alg: 'ES384', typ: 'at+jwt', kid: broker.kid }), ...token, code: 'ERR_TOKEN_ALG' },
  {
    name: 'alg PS256 over the RSA key',
    rewrite: underHeader({ alg: 'PS256', typ: 'at+jwt', kid: brokerRsa.kid }),
    ...token,
    code: 'ERR_TOKEN_ALG',
  },
  {
    name: 'RS256 over the key of ES256',
    rewrite: underHeader({ alg: 'RS256', typ: 'at+jwt', kid: broker.kid }),
    ...token,
    code: 'ERR_TOKEN_KID',
  },
  ...['JWT', undefined, 'id_token+jwt', 'dpop+jwt', 'client-authentication+jwt', 'countersign-receipt+jwt', 'at+JWE', 7].map(
    (typ): Flaw => ({ name: `typ ${typ}`, token: header({ typ }), ...token, code: 'ERR_TOKEN_TYP' }),
  ),
  ...['k9', 'K1', '../k1', '__proto__'].map(
    (kid): Flaw => ({ name: `kid ${kid}`, token: header({ kid }), ...token, code: 'ERR_TOKEN_KID' }),
  ),
  {
    name: 'no kid, where the set has one key of the algorithm, and another signed',
    token: () => ({ key: thief, header: { kid: undefined } }),
    ...token,
    code: 'ERR_TOKEN_SIGNATURE',
  },
  // signature
  { name: 'the kid of another’s key', token: () => ({ key: { ...thief, kid: broker.kid } }), ...token, code: 'ERR_TOKEN_SIGNATURE' },
  { name: 'signed by the agent itself', token: () => ({ key: { ...agent, kid: broker.kid } }), ...token, code: 'ERR_TOKEN_SIGNATURE' },
  {
    name: 'a signature of zeros',
    rewrite: (t) => `${parts(t).slice(0, 2).join('.')}.${b64(Buffer.alloc(64))}`,
    ...token,
    code: 'ERR_TOKEN_SIGNATURE',
  },
  {
    name: 'r = n',
    rewrite: (t) => `${parts(t).slice(0, 2).join('.')}.${b64(Buffer.from(N.toString(16).repeat(2), 'hex'))}`,
    ...token,
    code: 'ERR_TOKEN_SIGNATURE',
  },
  {
    name: 'the claims of another token under its signature',
    rewrite: async (t, { resource, issuer }) =>
      [parts(t)[0], parts(await actionToken({ resource, claims: { iss: issuer } }))[1], parts(t)[2]].join('.'),
    ...token,
    code: 'ERR_TOKEN_SIGNATURE',
  },
  // claims
  { name: 'another issuer', token: claims({ iss: 'https://evil.example' }), ...token, code: 'ERR_TOKEN_ISSUER' },
  { name: 'the issuer with a slash', token: ({ issuer }) => ({ claims: { iss: `${issuer}/` } }), ...token, code: 'ERR_TOKEN_ISSUER' },
  { name: 'the issuer in a list', token: ({ issuer }) => ({ claims: { iss: [issuer] } }), ...token, code: 'ERR_TOKEN_ISSUER' },
  { name: 'no issuer', token: claims({ iss: undefined }), ...token, code: 'ERR_TOKEN_ISSUER' },
  { name: 'another audience', token: claims({ aud: 'https://mcp.other.example/mcp' }), ...token, code: 'ERR_TOKEN_AUDIENCE' },
  {
    name: 'the audience with a slash',
    token: ({ resource }) => ({ claims: { aud: `${resource}/` } }),
    ...token,
    code: 'ERR_TOKEN_AUDIENCE',
  },
  {
    name: 'the audience in capitals',
    token: ({ resource }) => ({ claims: { aud: resource.toUpperCase() } }),
    ...token,
    code: 'ERR_TOKEN_AUDIENCE',
  },
  {
    name: 'the origin for audience',
    token: ({ resource }) => ({ claims: { aud: new URL(resource).origin } }),
    ...token,
    code: 'ERR_TOKEN_AUDIENCE',
  },
  {
    name: 'two audiences',
    token: ({ resource }) => ({ claims: { aud: [resource, 'https://mcp.other.example/mcp'] } }),
    ...token,
    code: 'ERR_TOKEN_AUDIENCE',
  },
  { name: 'no audience', token: claims({ aud: undefined }), ...token, code: 'ERR_TOKEN_AUDIENCE' },
  { name: 'the broker for audience', token: ({ issuer }) => ({ claims: { aud: issuer } }), ...token, code: 'ERR_TOKEN_AUDIENCE' },
  { name: 'an end in this very second', token: claims({ iat: NOW - 60, exp: NOW }), ...token, code: 'ERR_TOKEN_EXPIRED' },
  { name: 'a start 11 seconds ahead', token: claims({ iat: NOW + 11, exp: NOW + 100 }), ...token, code: 'ERR_TOKEN_EARLY' },
  { name: 'not before 11 seconds ahead', token: claims({ nbf: NOW + 11 }), ...token, code: 'ERR_TOKEN_EARLY' },
  { name: 'a life of 301 seconds', token: claims({ exp: NOW + 301 }), ...token, code: 'ERR_TOKEN_LIFETIME' },
  { name: 'an end before its start', token: claims({ iat: NOW + 9, exp: NOW + 5 }), ...token, code: 'ERR_TOKEN_LIFETIME' },
  ...(['exp', 'iat', 'jti', 'txn', 'client_id', 'sub', 'scope'] as const).flatMap((name): Flaw[] => [
    { name: `no ${name}`, token: claims({ [name]: undefined }), ...token, code: 'ERR_TOKEN_CLAIM' },
    { name: `${name} a list`, token: claims({ [name]: ['x'] }), ...token, code: 'ERR_TOKEN_CLAIM' },
  ]),
  { name: 'an actor that is a text', token: claims({ act: 'refund-bot' }), ...token, code: 'ERR_TOKEN_CLAIM' },
  {
    name: 'nine actors',
    token: claims({ act: Array.from({ length: 8 }).reduce<object>((act) => ({ sub: 'x', act }), { sub: 'x' }) }),
    ...token,
    code: 'ERR_TOKEN_CLAIM',
  },
  { name: 'a binding without thumbprint', token: claims({ cnf: {} }), ...token, code: 'ERR_TOKEN_CLAIM' },
  { name: 'a binding to a certificate', token: claims({ cnf: { 'x5t#S256': 'x' } }), ...token, code: 'ERR_TOKEN_CLAIM' },
  // scope and details
  { name: 'the scope of another tool', token: claims({ scope: 'tool:delete_customer' }), ...scope },
  { name: 'a scope that only begins so', token: claims({ scope: `tool:${TOOL}s` }), ...scope },
  { name: 'the scope in capitals', token: claims({ scope: `TOOL:${TOOL}` }), ...scope },
  { name: 'the listing scope', token: claims({ scope: 'tool:list' }), ...scope },
  { name: 'no details', token: claims({ authorization_details: undefined }), ...scope },
  { name: 'empty details', token: claims({ authorization_details: [] }), ...token, code: 'ERR_DETAILS_COUNT' },
  {
    name: 'two entries',
    rewrite: resigned((c) => c.replace(/"authorization_details":\[(.*?\})\]/, '"authorization_details":[$1,$1]')),
    ...token,
    code: 'ERR_DETAILS_COUNT',
  },
  { name: 'details that are no list', token: claims({ authorization_details: {} }), ...token, code: 'ERR_DETAILS_TYPE' },
  { name: 'details of another type', token: entry({ type: 'urn:countersign:tool-call:v2' }), ...token, code: 'ERR_DETAILS_TYPE' },
  { name: 'a member of details that nobody knows', token: entry({ limit: 1 }), ...token, code: 'ERR_DETAILS_MEMBER' },
  { name: 'arguments in the details', token: entry({ arguments: ARGS }), ...token, code: 'ERR_DETAILS_MEMBER' },
  {
    name: 'details of another server',
    token: entry({ locations: ['https://mcp.other.example/mcp'] }),
    ...token,
    code: 'ERR_DETAILS_LOCATION',
  },
  {
    name: 'details of two servers',
    token: ({ resource }) => ({ entry: { locations: [resource, resource] } }),
    ...token,
    code: 'ERR_DETAILS_LOCATION',
  },
  { name: 'details of another method', token: entry({ actions: ['tools/list'] }), ...token, code: 'ERR_DETAILS_ACTION' },
  { name: 'details of two methods', token: entry({ actions: ['tools/call', 'tools/list'] }), ...token, code: 'ERR_DETAILS_ACTION' },
  { name: 'details of another tool', token: entry({ identifier: 'delete_customer' }), ...token, code: 'ERR_DETAILS_TOOL' },
  { name: 'a digest that is none', token: entry({ arguments_digest: 'sha-256:x' }), ...token, code: 'ERR_DETAILS_DIGEST' },
  {
    name: 'a digest of another hash',
    token: entry({ arguments_digest: `sha-512:${'A'.repeat(43)}` }),
    ...token,
    code: 'ERR_DETAILS_DIGEST',
  },
  { name: 'no digest', token: entry({ arguments_digest: undefined }), ...token, code: 'ERR_ARGUMENTS_DIGEST' },
];
