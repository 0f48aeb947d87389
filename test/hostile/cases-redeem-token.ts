/** What is brought in place of the action token, and in place of the agent's proof for it. */
import { randomUUID } from 'node:crypto';
import { claimsOf, LIST, tokenOf } from '../flow/front-door.ts';
import { actionToken, type Redeeming, redeem } from '../flow/redeeming.ts';
import { jwt, newKey, sha256 } from '../support/keys.ts';
import { bareJwk, type Part, proofFor, RESOURCE, type Rig } from '../support/rig.ts';
import type { RedeemCase, RedeemGround } from './redeem-oracle.ts';

const bad = { status: 400, error: 'invalid_request', reason: 'subject_bad' } as const;
const proofBad = { status: 400, error: 'invalid_dpop_proof', reason: 'proof_bad' } as const;

/** A token that is not ours to have made: these claims, by this key, under a good token's `kid` or another. */
async function forged(rig: Rig, header: object, claims: object, key = newKey()): Promise<Redeeming> {
  const token = await actionToken(rig);
  const head = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as object;
  return { token: await jwt(key, { ...head, ...header }, { ...claimsOf(token), ...claims }) };
}
/** A good token, spoilt as a string. */
const spoilt = async (rig: Rig, change: (parts: readonly string[]) => string): Promise<Redeeming> => ({
  token: change((await actionToken(rig)).split('.')),
});
const reworded = (payload: string, change: object): string =>
  Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...change })).toString('base64url');

export const redeemTokenCases: readonly RedeemCase[] = [
  {
    name: 'a base token',
    redeeming: async ({ rig }) => ({ token: await actionToken(rig, LIST) }),
    ...bad,
    detail: 'token_is_base',
  },
  {
    name: 'a Bearer base token',
    redeeming: async ({ rig }) => ({ token: await actionToken(rig, { ...LIST, proof: null }) }),
    ...bad,
    detail: 'token_is_base',
  },
  {
    name: 'the person’s id token',
    redeeming: async ({ rig }) => ({ token: new URLSearchParams((await rig.form()).body).get('subject_token') ?? '' }),
    ...bad,
    detail: 'token_typ',
  },
  {
    name: 'the redeemer’s own assertion',
    redeeming: async ({ rig }) => {
      const claims = { iss: 'shop', sub: 'shop', aud: rig.issuer, iat: rig.now(), exp: rig.now() + 60, jti: randomUUID() };
      return { token: await jwt(rig.server, { typ: 'client-authentication+jwt', alg: 'ES256' }, claims) };
    },
    ...bad,
    detail: 'token_typ',
  },
  {
    name: 'a receipt',
    redeeming: ({ rig }) => forged(rig, { typ: 'countersign-receipt+jwt' }, { iss: 'shop' }, rig.server),
    ...bad,
    detail: 'token_typ',
  },
  {
    name: 'the proof itself',
    redeeming: async ({ rig }) => ({
      token: await proofFor(rig.proofKey, { htm: 'tools/call', htu: RESOURCE, token: 'x' }, rig.now()),
    }),
    ...bad,
    detail: 'token_header',
  },
  {
    name: 'the broker’s login at a back end',
    redeeming: async ({ rig, program }) => {
      await redeem(rig);
      return { token: program.backEnd.made.at(-1)?.login ?? '' };
    },
    ...bad,
    detail: 'token_typ',
  },
  {
    name: 'a token that names the issuer of logins',
    redeeming: ({ rig }) => forged(rig, {}, { iss: `${rig.issuer}/backends` }),
    ...bad,
    detail: 'token_issuer',
  },
  {
    name: 'an access token of the people’s issuer',
    redeeming: ({ rig }) => forged(rig, { kid: rig.idp.key.kid }, { iss: rig.idp.issuer }, rig.idp.key),
    ...bad,
    detail: 'token_issuer',
  },
  { name: 'our claims under another key', redeeming: ({ rig }) => forged(rig, {}, {}), ...bad, detail: 'token_signature' },
  { name: 'our claims under an unknown kid', redeeming: ({ rig }) => forged(rig, { kid: 'x' }, {}), ...bad, detail: 'token_kid' },
  { name: 'our claims without a kid', redeeming: ({ rig }) => forged(rig, { kid: undefined }, {}), ...bad, detail: 'token_kid' },
  {
    name: 'our claims under a key that the token brings',
    redeeming: ({ rig }) => {
      const key = newKey();
      return forged(rig, { jwk: bareJwk(key) }, {}, key);
    },
    ...bad,
    detail: 'token_header',
  },
  {
    name: 'a token for other arguments, under the signature of a good one',
    redeeming: ({ rig }) => spoilt(rig, ([header, payload = '', signature]) => `${header}.${reworded(payload, { jti: 'x' })}.${signature}`),
    ...bad,
    detail: 'token_signature',
  },
  {
    name: 'no algorithm',
    redeeming: ({ rig }) =>
      spoilt(rig, ([header = '', payload, signature]) => `${reworded(header, { alg: 'none' })}.${payload}.${signature}`),
    ...bad,
    detail: 'token_alg',
  },
  { name: 'a token with padding', redeeming: ({ rig }) => spoilt(rig, (parts) => `${parts.join('.')}==`), ...bad, detail: 'token_form' },
  { name: 'a token and a space', redeeming: ({ rig }) => spoilt(rig, (parts) => `${parts.join('.')} `), ...bad, detail: 'token_form' },
  { name: 'two tokens', redeeming: ({ rig }) => spoilt(rig, (parts) => [...parts, ...parts].join('.')), ...bad, detail: 'token_form' },
  { name: 'a token of 20 KB', redeeming: () => ({ token: `${'a'.repeat(20_000)}.b.c` }), ...bad, detail: 'token_form' },
  {
    name: 'what an earlier redemption gave',
    redeeming: async ({ rig }) => ({ token: tokenOf(await redeem(rig)) }),
    ...bad,
    detail: 'token_form',
  },
];

/** A good redemption but for this in the proof. */
const proof =
  (change: (rig: Rig) => Part, by: Redeeming['by'] = 'meta'): RedeemCase['redeeming'] =>
  ({ rig }) => ({ by, actionProof: change(rig) });
const claims =
  (change: object): ((rig: Rig) => Part) =>
  () => ({ claims: change });
/** The jti of a proof that was used for another action. */
async function usedJti({ rig }: RedeemGround): Promise<Redeeming> {
  const actionProof = { claims: { jti: randomUUID() } };
  if ((await redeem(rig, { actionProof })).status !== 200) throw new Error('the first redemption failed');
  return { actionProof };
}

export const redeemProofCases: readonly RedeemCase[] = [
  {
    name: 'no proof: it is no redemption',
    redeeming: () => ({ form: { action_proof: null } }),
    status: 400,
    error: 'unauthorized_client',
    reason: 'grant_refused',
    detail: 'client_is_server',
  },
  { name: 'a proof of somebody else’s key', redeeming: proof(() => ({ key: newKey() })), ...proofBad, detail: 'proof_binding' },
  { name: 'a proof by the tool server', redeeming: proof((rig) => ({ key: rig.server })), ...proofBad, detail: 'proof_binding' },
  { name: 'a proof for another token', redeeming: proof(claims({ ath: sha256('another') })), ...proofBad, detail: 'proof_ath' },
  {
    name: 'a proof for another token of the same agent',
    redeeming: async ({ rig }) => ({ actionProof: { claims: { ath: sha256(await actionToken(rig)) } } }),
    ...proofBad,
    detail: 'proof_ath',
  },
  { name: 'a proof for no token', redeeming: proof(claims({ ath: undefined })), ...proofBad, detail: 'proof_ath' },
  {
    name: 'the proof that the agent showed the broker',
    redeeming: async ({ rig }) => ({ actionProof: { token: (await rig.form()).headers['dpop'] ?? '' } }),
    ...proofBad,
    detail: 'proof_htu',
  },
  {
    name: 'a proof used for another action',
    redeeming: usedJti,
    status: 400,
    error: 'invalid_dpop_proof',
    reason: 'proof_replayed',
  },
  ...(
    [
      ['another server', 'https://mcp.other.example/mcp'],
      ['a server of another port', RESOURCE.replace('9090', '9091')],
      ['the broker', 'http://127.0.0.1:8080/token'],
      ['a neighbour whose path begins alike', `${RESOURCE}-admin`],
      ['a path above', new URL('/', RESOURCE).href],
      ['a path that climbs', `${RESOURCE}/../token`],
      ['a path that climbs in escapes', `${RESOURCE}/%2e%2e/token`],
      ['a query', `${RESOURCE}?x=1`],
      ['a fragment', `${RESOURCE}#x`],
      ['a user', RESOURCE.replace('//', '//user@')],
      ['no URL', '/mcp'],
      ['a list', [RESOURCE]],
    ] as const
  ).map(
    ([name, htu]): RedeemCase => ({
      name: `htu of ${name}`,
      redeeming: proof(claims({ htu }), 'header'),
      ...proofBad,
      detail: 'proof_htu',
    }),
  ),
  { name: 'in a call, htu beneath the resource', redeeming: proof(claims({ htu: `${RESOURCE}/x` })), ...proofBad, detail: 'proof_htu' },
  ...(['TRACE', 'tools/list', 'post', '', undefined, ['POST']] as const).map(
    (htm): RedeemCase => ({ name: `htm ${JSON.stringify(htm)}`, redeeming: proof(claims({ htm })), ...proofBad, detail: 'proof_htm' }),
  ),
  {
    name: 'older than its token can be',
    redeeming: proof((rig) => ({ claims: { iat: rig.now() - 70 } })),
    ...proofBad,
    detail: 'proof_iat',
  },
  { name: 'from the future', redeeming: proof((rig) => ({ claims: { iat: rig.now() + 70 } })), ...proofBad, detail: 'proof_iat' },
  ...['1795176000', null, undefined].map(
    (iat): RedeemCase => ({ name: `iat ${JSON.stringify(iat)}`, redeeming: proof(claims({ iat })), ...proofBad, detail: 'proof_claim' }),
  ),
  { name: 'no jti', redeeming: proof(claims({ jti: undefined })), ...proofBad, detail: 'proof_claim' },
  { name: 'a jti of 300', redeeming: proof(claims({ jti: 'j'.repeat(300) })), ...proofBad, detail: 'proof_claim' },
  { name: 'typ JWT', redeeming: proof(() => ({ header: { typ: 'JWT' } })), ...proofBad, detail: 'proof_form' },
  {
    name: 'another key in the header than the one that signed',
    redeeming: proof((rig) => ({ key: newKey(), header: { jwk: bareJwk(rig.proofKey) } })),
    ...proofBad,
    detail: 'proof_signature',
  },
  {
    name: 'a private key in the header',
    redeeming: proof((rig) => ({ header: { jwk: { ...bareJwk(rig.proofKey), d: 'AAAA' } } })),
    ...proofBad,
    detail: 'proof_key',
  },
  { name: 'an RSA proof', redeeming: proof(() => ({ key: newKey('r', 'RS256') })), ...proofBad, detail: 'proof_form' },
  { name: 'a proof of 5 KB', redeeming: proof(claims({ x: 'x'.repeat(5_000) })), ...proofBad, detail: 'proof_form' },
  { name: 'nonsense', redeeming: proof(() => ({ token: 'x.y.z' })), ...proofBad, detail: 'proof_claim' },
];
