import type { JsonObject } from '../../src/wire/json.ts';
import { newKey, rawJws } from '../support/keys.ts';
import { bareJwk } from '../support/rig.ts';
import type { Case } from './oracle.ts';

const bad = { status: 400, error: 'invalid_dpop_proof', reason: 'proof_bad' } as const;
const nonce = { status: 400, error: 'use_dpop_nonce', reason: 'nonce_needed' } as const;

export const proofCases: readonly Case[] = [
  { name: 'no proof for an action', asking: () => ({ proof: null }), ...bad, detail: 'proof_absent' },
  { name: 'no nonce', asking: () => ({ nonce: null }), ...nonce },
  { name: 'a nonce of another broker', asking: () => ({ nonce: 'K0bGgq5zVn2r8v0QmJ7sT1uXyZ3aBcDeFgHiJkLmNoP' }), ...nonce },
  { name: 'a proof for GET', asking: () => ({ proof: { claims: { htm: 'GET' } } }), ...bad, detail: 'proof_htm' },
  {
    name: 'a proof for another URL',
    asking: () => ({ proof: { claims: { htu: 'https://other.example/token' } } }),
    ...bad,
    detail: 'proof_htu',
  },
  {
    name: 'a proof for another path',
    asking: (rig) => ({ proof: { claims: { htu: `${rig.issuer}/introspect` } } }),
    ...bad,
    detail: 'proof_htu',
  },
  { name: 'htu with a query', asking: (rig) => ({ proof: { claims: { htu: `${rig.issuer}/token?x=1` } } }), ...bad, detail: 'proof_htu' },
  { name: 'an old proof', asking: (rig) => ({ proof: { claims: { iat: rig.now() - 300 } } }), ...bad, detail: 'proof_iat' },
  { name: 'a proof from the future', asking: (rig) => ({ proof: { claims: { iat: rig.now() + 300 } } }), ...bad, detail: 'proof_iat' },
  { name: 'no iat', asking: () => ({ proof: { claims: { iat: undefined } } }), ...bad, detail: 'proof_iat' },
  { name: 'no jti', asking: () => ({ proof: { claims: { jti: undefined } } }), ...bad, detail: 'proof_claim' },
  { name: 'a huge jti', asking: () => ({ proof: { claims: { jti: 'j'.repeat(300) } } }), ...bad, detail: 'proof_claim' },
  { name: 'typ JWT', asking: () => ({ proof: { header: { typ: 'JWT' } } }), ...bad, detail: 'proof_form' },
  { name: 'no jwk', asking: () => ({ proof: { header: { jwk: undefined } } }), ...bad, detail: 'proof_key' },
  {
    name: 'the private key in the header',
    asking: (rig) => ({ proof: { header: { jwk: { ...bareJwk(rig.proofKey), d: 'AAAA' } } } }),
    ...bad,
    detail: 'proof_key',
  },
  {
    name: 'another key in the header',
    asking: () => ({ proof: { header: { jwk: bareJwk(newKey()) } } }),
    ...bad,
    detail: 'proof_signature',
  },
  { name: 'an RSA proof', asking: () => ({ proof: { key: newKey('r', 'RS256') } }), ...bad, detail: 'proof_form' },
  {
    name: 'a point that is not on the curve',
    asking: (rig) => ({ proof: { header: { jwk: { ...bareJwk(rig.proofKey), x: 'A'.repeat(43) } } } }),
    ...bad,
    detail: 'proof_key',
  },
  { name: 'an empty proof', asking: () => ({ proof: { token: '' } }), ...bad, detail: 'proof_form' },
  { name: 'a proof that is no JWT', asking: () => ({ proof: { token: 'x.y' } }), ...bad, detail: 'proof_form' },
  { name: 'a nonce that is a number', asking: () => ({ proof: { claims: { nonce: 7 } } }), ...bad, detail: 'proof_claim' },
  {
    name: 'claims twice in a proof',
    asking: (rig) => ({
      proof: {
        token: rawJws(
          rig.proofKey,
          JSON.stringify({ typ: 'dpop+jwt', alg: 'ES256', jwk: bareJwk(rig.proofKey) }),
          '{"htm":"GET","htm":"POST"}',
        ),
      },
    }),
    ...bad,
    detail: 'proof_form',
  },
  {
    name: 'two proofs, joined by the HTTP parser',
    asking: async (rig) => {
      const { headers } = await rig.form();
      return { proof: { token: `${headers['dpop']}, ${headers['dpop']}` } };
    },
    ...bad,
    detail: 'proof_form',
  },

  ...(
    [
      ['https for http', (url) => url.replace('http:', 'https:')],
      ['another port', (url) => url.replace(/:\d+$/, ':1')],
      ['another host', (url) => url.replace('127.0.0.1', 'localhost')],
      ['a user', (url) => url.replace('//', '//u@')],
    ] as const satisfies readonly (readonly [string, (issuer: string) => string])[]
  ).map(
    ([name, change]): Case => ({
      name: `htu with ${name}`,
      asking: (rig) => ({ proof: { claims: { htu: `${change(rig.issuer)}/token` } } }),
      ...bad,
      detail: 'proof_htu',
    }),
  ),
  ...[
    '/',
    '/token/',
    '/Token',
    '/token/x',
    '//token',
    '/%74oken',
    '/token%00',
    '/token;x=1',
    '/token?',
    '/token#',
    '/token#x',
    '/token\\',
    '/backends/token',
  ].map(
    (path): Case => ({
      name: `htu of the path ${path}`,
      asking: (rig) => ({ proof: { claims: { htu: `${rig.issuer}${path}` } } }),
      ...bad,
      detail: 'proof_htu',
    }),
  ),
  { name: 'htu at the trap', asking: (_, trap) => ({ proof: { claims: { htu: `${trap.url}/token` } } }), ...bad, detail: 'proof_htu' },
  { name: 'htu that is the issuer alone', asking: (rig) => ({ proof: { claims: { htu: rig.issuer } } }), ...bad, detail: 'proof_htu' },
  ...(
    [
      ['with a symmetric half', (jwk) => ({ ...jwk, k: 'AAAA' })],
      ['with RSA primes', (jwk) => ({ ...jwk, d: 'AAAA', p: 'AAAA' })],
      ['of another type', (jwk) => ({ ...jwk, kty: 'RSA' })],
      ['of a type in lower case', (jwk) => ({ ...jwk, kty: 'ec' })],
      ['on another curve', (jwk) => ({ ...jwk, crv: 'P-384' })],
      ['on the curve of Bitcoin', (jwk) => ({ ...jwk, crv: 'secp256k1' })],
      ['without curve', ({ crv: _, ...jwk }) => jwk],
      ['without y', ({ y: _, ...jwk }) => jwk],
      ['of zeros', (jwk) => ({ ...jwk, x: 'A'.repeat(43), y: 'A'.repeat(43) })],
      ['with x of 42 characters', (jwk) => ({ ...jwk, x: String(jwk['x']).slice(1) })],
      ['with x of 44 characters', (jwk) => ({ ...jwk, x: `A${jwk['x']}` })],
      ['with x padded', (jwk) => ({ ...jwk, x: `${jwk['x']}=` })],
      ['with x a number', (jwk) => ({ ...jwk, x: 7 })],
      ['with x a list', (jwk) => ({ ...jwk, x: [jwk['x']] })],
      ['that is a string', (jwk) => JSON.stringify(jwk)],
      ['that is a list', (jwk) => [jwk]],
      ['that is null', () => null],
      ['that is empty', () => ({})],
      ['symmetric', () => ({ kty: 'oct', k: 'AAAA' })],
      ['of Edwards', () => ({ kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) })],
      ['that is a URL', () => 'https://evil.example/key'],
    ] as const satisfies readonly (readonly [string, (jwk: JsonObject) => unknown])[]
  ).map(
    ([name, change]): Case => ({
      name: `a key in the header ${name}`,
      asking: (rig) => ({ proof: { header: { jwk: change(bareJwk(rig.proofKey)) } } }),
      ...bad,
      detail: 'proof_key',
    }),
  ),
  {
    name: 'the key mirrored: y of the other root',
    asking: (rig) => ({ proof: { header: { jwk: mirrored(bareJwk(rig.proofKey)) } } }),
    ...bad,
    detail: 'proof_signature',
  },
  { name: 'jku beside the key', asking: (_, trap) => ({ proof: { header: { jku: `${trap.url}/jwks` } } }), ...bad, detail: 'proof_form' },
  { name: 'a proof of 5 KB', asking: () => ({ proof: { claims: { pad: 'x'.repeat(4_000) } } }), ...bad, detail: 'proof_form' },
  { name: 'a second too old', asking: (rig) => ({ proof: { claims: { iat: rig.now() - 62 } } }), ...bad, detail: 'proof_iat' },
  { name: 'a second too early', asking: (rig) => ({ proof: { claims: { iat: rig.now() + 63 } } }), ...bad, detail: 'proof_iat' },
  { name: 'an iat in milliseconds', asking: (rig) => ({ proof: { claims: { iat: rig.now() * 1000 } } }), ...bad, detail: 'proof_iat' },
  ...(['x', 'K0bGgq5zVn2r8v0QmJ7sT1uXyZ3aBcDeFgHiJkLmNoP=', '__proto__', '\u20ac'.repeat(43)] as const).map(
    (given): Case => ({ name: `a nonce ${given.slice(0, 12)}`, asking: () => ({ nonce: given }), ...nonce }),
  ),
  {
    name: 'the nonce in another case',
    asking: async (rig) => ({ nonce: (await rig.nonce()).toUpperCase() }),
    ...nonce,
  },
  {
    name: 'the nonce and a character more',
    asking: async (rig) => ({ nonce: `${await rig.nonce()}x` }),
    ...nonce,
  },
  {
    name: 'a proof without a nonce for a base token',
    asking: () => ({ nonce: null, details: null, form: { scope: 'tool:list' } }),
    ...nonce,
  },
  {
    name: 'a bad proof for a base token, which needs none',
    asking: () => ({ proof: { token: 'x' }, details: null, form: { scope: 'tool:list' } }),
    ...bad,
    detail: 'proof_form',
  },
];
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
function mirrored(jwk: JsonObject): JsonObject {
  const y = P - BigInt(`0x${Buffer.from(String(jwk['y']), 'base64url').toString('hex')}`);
  return { ...jwk, y: Buffer.from(y.toString(16).padStart(64, '0'), 'hex').toString('base64url') };
}
