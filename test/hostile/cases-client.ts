import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { newKey, rawJws } from '../support/keys.ts';
import type { Rig } from '../support/rig.ts';
import type { Case } from './oracle.ts';

const refused = { status: 401, error: 'invalid_client', reason: 'client_unauthenticated' } as const;
const claims = (rig: Rig): object => ({
  iss: 'refund-bot',
  sub: 'refund-bot',
  aud: rig.issuer,
  iat: rig.now(),
  exp: rig.now() + 60,
  jti: randomUUID(),
});
const raw = (rig: Rig, header: object, body: object = claims(rig)): string =>
  rawJws(rig.agent, JSON.stringify(header), JSON.stringify(body));
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** The last character of a 64-byte signature carries two bits; its other four are free, and ignored by lenient decoders. */
const respell = (token: string): string => `${token.slice(0, -1)}${ALPHABET[ALPHABET.indexOf(token.slice(-1)) + 1]}`;
const assertionOf = async (rig: Rig): Promise<string> => new URLSearchParams((await rig.form()).body).get('client_assertion') ?? '';

export const clientCases: readonly Case[] = [
  { name: 'no assertion', asking: () => ({ assertion: null }), ...refused, detail: 'assertion_absent' },
  {
    name: 'a client secret',
    asking: () => ({ assertion: null, form: { client_id: 'refund-bot', client_secret: 'x' } }),
    ...refused,
    detail: 'client_secret',
  },
  { name: 'HTTP Basic', asking: () => ({ headers: { authorization: 'Basic cmVmdW5kLWJvdDp4' } }), ...refused, detail: 'client_secret' },
  {
    name: 'an assertion type that is not JWT',
    asking: () => ({ form: { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' } }),
    ...refused,
    detail: 'client_assertion_type',
  },
  {
    name: 'an assertion without its type',
    asking: () => ({ form: { client_assertion_type: null } }),
    status: 400,
    error: 'invalid_request',
    reason: 'request_malformed',
    detail: 'client_assertion_type',
  },
  {
    name: 'an unknown client',
    asking: () => ({ assertion: { claims: { iss: 'nobody', sub: 'nobody' } } }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unknown',
  },
  {
    name: 'another agent’s key',
    asking: (rig) => ({ assertion: { ...(rig.agents['triage-bot'] && { key: rig.agents['triage-bot'] }) } }),
    ...refused,
    detail: 'token_signature',
  },
  { name: 'a key nobody registered', asking: () => ({ assertion: { key: newKey() } }), ...refused, detail: 'token_signature' },
  { name: 'a kid that is not the client’s', asking: () => ({ assertion: { header: { kid: 'other' } } }), ...refused, detail: 'token_kid' },
  {
    name: 'client_id that differs from the assertion',
    asking: () => ({ form: { client_id: 'triage-bot' } }),
    ...refused,
    detail: 'client_id',
  },
  { name: 'sub is not iss', asking: () => ({ assertion: { claims: { sub: 'triage-bot' } } }), ...refused, detail: 'token_claim' },
  {
    name: 'audience is the token endpoint',
    asking: (rig) => ({ assertion: { claims: { aud: `${rig.issuer}/token` } } }),
    ...refused,
    detail: 'token_audience',
  },
  {
    name: 'audience with a trailing slash',
    asking: (rig) => ({ assertion: { claims: { aud: `${rig.issuer}/` } } }),
    ...refused,
    detail: 'token_audience',
  },
  {
    name: 'two audiences',
    asking: (rig) => ({ assertion: { claims: { aud: [rig.issuer, 'https://other.example'] } } }),
    ...refused,
    detail: 'token_audience',
  },
  { name: 'no audience', asking: () => ({ assertion: { claims: { aud: undefined } } }), ...refused, detail: 'token_audience' },
  {
    name: 'expired',
    asking: (rig) => ({ assertion: { claims: { iat: rig.now() - 120, exp: rig.now() - 60 } } }),
    ...refused,
    detail: 'token_expired',
  },
  {
    name: 'from the future',
    asking: (rig) => ({ assertion: { claims: { iat: rig.now() + 120, exp: rig.now() + 180 } } }),
    ...refused,
    detail: 'token_early',
  },
  {
    name: 'not before a later time',
    asking: (rig) => ({ assertion: { claims: { nbf: rig.now() + 120 } } }),
    ...refused,
    detail: 'token_early',
  },
  { name: 'lives too long', asking: (rig) => ({ assertion: { claims: { exp: rig.now() + 3600 } } }), ...refused, detail: 'token_lifetime' },
  { name: 'no exp', asking: () => ({ assertion: { claims: { exp: undefined } } }), ...refused, detail: 'token_claim' },
  { name: 'no iat', asking: () => ({ assertion: { claims: { iat: undefined } } }), ...refused, detail: 'token_claim' },
  { name: 'exp is text', asking: (rig) => ({ assertion: { claims: { exp: String(rig.now() + 60) } } }), ...refused, detail: 'token_claim' },
  { name: 'no jti', asking: () => ({ assertion: { claims: { jti: undefined } } }), ...refused, detail: 'token_claim' },
  { name: 'jti is an object', asking: () => ({ assertion: { claims: { jti: { a: 1 } } } }), ...refused, detail: 'token_claim' },
  { name: 'jti of 5 KB', asking: () => ({ assertion: { claims: { jti: 'j'.repeat(5_000) } } }), ...refused, detail: 'token_claim' },
  { name: 'typ of an access token', asking: () => ({ assertion: { header: { typ: 'at+jwt' } } }), ...refused, detail: 'token_typ' },
  { name: 'typ of a DPoP proof', asking: () => ({ assertion: { header: { typ: 'dpop+jwt' } } }), ...refused, detail: 'token_typ' },
  {
    name: 'alg none',
    asking: (rig) => ({
      assertion: {
        token: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims(rig))).toString('base64url')}.`,
      },
    }),
    ...refused,
    detail: 'token_form',
  },
  {
    name: 'alg none with a signature',
    asking: (rig) => ({ assertion: { token: raw(rig, { alg: 'none' }) } }),
    ...refused,
    detail: 'token_alg',
  },
  {
    name: 'alg HS256 keyed with the public key',
    asking: (rig) => ({ assertion: { token: raw(rig, { alg: 'HS256' }) } }),
    ...refused,
    detail: 'token_alg',
  },
  { name: 'alg ES384 on P-256', asking: (rig) => ({ assertion: { token: raw(rig, { alg: 'ES384' }) } }), ...refused, detail: 'token_alg' },
  {
    name: 'RS256 named over an EC key',
    asking: (rig) => ({ assertion: { token: raw(rig, { alg: 'RS256' }) } }),
    ...refused,
    detail: 'token_kid',
  },
  {
    name: 'a jku header',
    asking: (rig) => ({ assertion: { token: raw(rig, { alg: 'ES256', jku: 'https://evil.example/jwks' }) } }),
    ...refused,
    detail: 'token_header',
  },
  {
    name: 'a jwk header',
    asking: (rig) => ({ assertion: { token: raw(rig, { alg: 'ES256', jwk: rig.agent.publicJwk }) } }),
    ...refused,
    detail: 'token_header',
  },
  {
    name: 'a crit header',
    asking: (rig) => ({ assertion: { token: raw(rig, { alg: 'ES256', crit: ['b64'], b64: false }) } }),
    ...refused,
    detail: 'token_header',
  },
  {
    name: 'a zip header',
    asking: (rig) => ({ assertion: { token: raw(rig, { alg: 'ES256', zip: 'DEF' }) } }),
    ...refused,
    detail: 'token_header',
  },
  {
    name: 'a claim that stands twice',
    asking: (rig) => ({
      assertion: { token: rawJws(rig.agent, '{"alg":"ES256"}', `{"sub":"triage-bot",${JSON.stringify(claims(rig)).slice(1)}`) },
    }),
    ...refused,
    detail: 'token_form',
  },
  {
    name: 'a byte-order mark before the claims',
    asking: (rig) => ({ assertion: { token: rawJws(rig.agent, '{"alg":"ES256"}', `\ufeff${JSON.stringify(claims(rig))}`) } }),
    ...refused,
    detail: 'token_form',
  },
  {
    name: 'padding on the signature',
    asking: async (rig) => ({ assertion: { token: `${await assertionOf(rig)}==` } }),
    ...refused,
    detail: 'token_form',
  },
  {
    name: 'another spelling of the last character',
    asking: async (rig) => ({ assertion: { token: respell(await assertionOf(rig)) } }),
    ...refused,
    detail: 'token_form',
  },
  {
    name: 'white space inside',
    asking: async (rig) => ({ assertion: { token: (await assertionOf(rig)).replace('.', '. ') } }),
    ...refused,
    detail: 'token_form',
  },
  {
    name: 'two segments',
    asking: async (rig) => ({ assertion: { token: (await assertionOf(rig)).split('.').slice(0, 2).join('.') } }),
    ...refused,
    detail: 'token_form',
  },
  {
    name: '20 KB of assertion',
    asking: (rig) => ({ assertion: { token: raw(rig, { alg: 'ES256' }, { ...claims(rig), pad: 'x'.repeat(20_000) }) } }),
    ...refused,
    detail: 'token_form',
  },
  {
    name: 'an actor token in its place',
    asking: () => ({ assertion: { header: { typ: 'JWT' }, claims: { cnf: { jkt: 'x' } } } }),
    ...refused,
    detail: 'assertion_is_actor',
  },
  {
    name: 'a tool server at /token',
    asking: (rig) => ({ assertion: { key: rig.server, claims: { iss: 'shop', sub: 'shop' } } }),
    status: 400,
    error: 'unauthorized_client',
    reason: 'grant_refused',
    detail: 'client_is_server',
  },
  {
    name: 'a P-384 signature',
    asking: (rig) => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
      return { assertion: { token: rawJws({ private: privateKey }, '{"alg":"ES256"}', JSON.stringify(claims(rig))) } };
    },
    ...refused,
    detail: 'token_signature',
  },
];
