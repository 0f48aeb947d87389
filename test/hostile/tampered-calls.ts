/** Calls at a tool server whose arguments are not what was granted, or whose proof is not the agent's for this call. */
import type { Json, JsonObject } from '../../src/wire/json.ts';
import { ARGS, agent, brokerRsa, NOW, newKey, thief } from '../unit/verify/issuer.ts';
import { claims, type Flaw, header, scope, token } from './tampered.ts';

const proof = { status: 401, error: 'invalid_dpop_proof' } as const;
const changed = (change: JsonObject): Json => ({ ...ARGS, ...change });
export const ARGUMENTS: readonly Flaw[] = [
  ...(
    [
      ['one cent more', changed({ amount_minor: 4251 })],
      ['another payment', changed({ payment_id: 'pay_8Qx3' })],
      ['a payment in another alphabet', changed({ payment_id: 'p\u0430y_8Qx2' })],
      ['a payment and a space', changed({ payment_id: 'pay_8Qx2 ' })],
      ['text for a number', changed({ amount_minor: '4250' })],
      ['an argument more', changed({ reason: 'none' })],
      ['an argument more that is null', changed({ reason: null })],
      ['an argument less', { payment_id: 'pay_8Qx2', amount_minor: 4250 }],
      ['a currency in lower case', changed({ currency: 'eur' })],
      ['no arguments', {}],
    ] satisfies readonly (readonly [string, Json])[]
  ).map(([name, args]): Flaw => ({ name, args, ...token, code: 'ERR_ARGUMENTS_DIGEST' })),
  { name: 'another tool', tool: 'delete_customer', ...scope },
];

const jwk = (change: object) => () => ({ jwk: { ...bare, ...change } });
const { kty, crv, x, y } = agent.publicJwk;
const bare = { kty, crv, x, y };
export const PROOFS: readonly Flaw[] = [
  { name: 'no proof', proved: () => undefined, ...proof, code: 'ERR_PROOF_MISSING' },
  { name: 'a proof that is no JWT', proved: () => 'x', ...proof, code: 'ERR_PROOF_FORM' },
  { name: 'a proof with a fourth segment', proved: (p) => `${p}.x`, ...proof, code: 'ERR_PROOF_FORM' },
  { name: 'two proofs with a comma', proved: (p) => `${p},${p}`, ...proof, code: 'ERR_PROOF_FORM' },
  { name: 'a proof of another kind', proof: header({ typ: 'JWT' }), ...proof, code: 'ERR_PROOF_FORM' },
  { name: 'a proof with RS256', proof: () => ({ key: brokerRsa, jwk: brokerRsa.publicJwk }), ...proof, code: 'ERR_PROOF_FORM' },
  { name: 'a proof with jku', proof: header({ jku: 'https://evil.example/jwks' }), ...proof, code: 'ERR_PROOF_FORM' },
  { name: 'a proof of 5 KB', proof: claims({ pad: 'x'.repeat(4_000) }), ...proof, code: 'ERR_PROOF_FORM' },
  { name: 'a proof without key', proof: header({ jwk: undefined }), ...proof, code: 'ERR_PROOF_KEY' },
  { name: 'a proof with its private key', proof: jwk({ d: 'AAAA' }), ...proof, code: 'ERR_PROOF_KEY' },
  { name: 'a proof with a symmetric key', proof: () => ({ jwk: { kty: 'oct', k: 'AAAA' } }), ...proof, code: 'ERR_PROOF_KEY' },
  { name: 'a proof on another curve', proof: jwk({ crv: 'P-384' }), ...proof, code: 'ERR_PROOF_KEY' },
  { name: 'a proof off the curve', proof: jwk({ x: 'A'.repeat(43) }), ...proof, code: 'ERR_PROOF_KEY' },
  { name: 'a proof signed by another key than it shows', proof: () => ({ key: thief, jwk: bare }), ...proof, code: 'ERR_PROOF_SIGNATURE' },
  { name: 'a thief’s proof', proof: () => ({ key: thief }), ...proof, code: 'ERR_PROOF_BINDING' },
  { name: 'the proof of a key made just now', proof: () => ({ key: newKey() }), ...proof, code: 'ERR_PROOF_BINDING' },
  ...[undefined, '', 7, 'x'.repeat(257)].map(
    (jti): Flaw => ({ name: `a proof with jti ${String(jti).slice(0, 9)}`, proof: claims({ jti }), ...proof, code: 'ERR_PROOF_CLAIM' }),
  ),
  ...['GET', 'post', '', undefined, 'tools/list', 'TOOLS/CALL'].map(
    (htm): Flaw => ({ name: `a proof for the method ${htm}`, proof: claims({ htm }), ...proof, code: 'ERR_PROOF_HTM' }),
  ),
  {
    name: 'a proof of the other form',
    proof: ({ form }) => ({ claims: { htm: form === 'header' ? 'tools/call' : 'POST' } }),
    ...proof,
    code: 'ERR_PROOF_HTM',
  },
  ...['https://mcp.other.example/mcp', '', '/mcp', undefined, 7].map(
    (htu): Flaw => ({ name: `a proof for ${htu}`, proof: claims({ htu }), ...proof, code: 'ERR_PROOF_HTU' }),
  ),
  ...['?x=1', '/', '#x', '/../admin', '%2f'].map(
    (end): Flaw => ({
      name: `a proof for this address and ${end}`,
      proof: ({ resource }) => ({ claims: { htu: `${resource}${end}` } }),
      ...proof,
      code: 'ERR_PROOF_HTU',
    }),
  ),
  { name: 'a proof for the broker', proof: ({ issuer }) => ({ claims: { htu: `${issuer}/token` } }), ...proof, code: 'ERR_PROOF_HTU' },
  ...[NOW - 61, NOW + 61, NOW * 1000, undefined, String(NOW), 0].map(
    (iat): Flaw => ({
      name: `a proof of the time ${typeof iat === 'number' ? iat - NOW : iat}`,
      proof: claims({ iat }),
      ...proof,
      code: 'ERR_PROOF_IAT',
    }),
  ),
  ...['x', '', undefined, 7].map(
    (ath): Flaw => ({ name: `a proof for the token ${ath}`, proof: claims({ ath }), ...proof, code: 'ERR_PROOF_ATH' }),
  ),
];
