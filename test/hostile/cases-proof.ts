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
];
