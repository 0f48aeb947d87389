/** What a JOSE header can say of key and algorithm: nothing that is obeyed, and nowhere that anybody goes. */
import { createHmac, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { newKey, rawJws } from '../support/keys.ts';
import { bareJwk, type Rig } from '../support/rig.ts';
import type { Case } from './oracle.ts';
import { KINDS, type Kind, keyOf, partsOf, REFUSED, showing } from './tokens.ts';
import type { Trap } from './trap.ts';

type Tampered = (rig: Rig, kind: Kind, trap: Trap) => Promise<string>;
const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');

/** Members put in the header, signed by the right key. `undefined` takes one out. */
const withHeader =
  (change: object | ((rig: Rig, trap: Trap) => object)): Tampered =>
  async (rig, kind, trap) => {
    const { header, claims } = await partsOf(rig, kind);
    const changed = { ...header, ...(typeof change === 'function' ? change(rig, trap) : change) };
    return rawJws(keyOf(rig, kind), JSON.stringify(changed), JSON.stringify(claims));
  };
/** HS256 over the public key, in each shape that a careless library would take for the secret. */
const hmac =
  (secret: (rig: Rig, kind: Kind) => string | Buffer): Tampered =>
  async (rig, kind) => {
    const { header, claims } = await partsOf(rig, kind);
    const input = `${b64(JSON.stringify({ ...header, alg: 'HS256' }))}.${b64(JSON.stringify(claims))}`;
    return `${input}.${createHmac('sha256', secret(rig, kind)).update(input).digest('base64url')}`;
  };
const publicOf = (rig: Rig, kind: Kind) => createPublicKey(keyOf(rig, kind).private);
/** The right header and claims under a signature of other making. */
const signedBy =
  (make: (input: string, rig: Rig, kind: Kind) => Buffer): Tampered =>
  async (rig, kind) => {
    const { header, claims } = await partsOf(rig, kind);
    const input = `${b64(JSON.stringify(header))}.${b64(JSON.stringify(claims))}`;
    return `${input}.${b64(make(input, rig, kind))}`;
  };
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const pair = (r: bigint, s: bigint): Buffer => Buffer.from([r, s].map((n) => n.toString(16).padStart(64, '0')).join(''), 'hex');

interface Row {
  readonly name: string;
  readonly token: Tampered;
  /** What a token's refusal says; a proof's is `proof` or proof_form. */
  readonly detail: string;
  readonly proof?: string;
  readonly only?: readonly Kind[];
}
const ALGS: readonly unknown[] = [
  undefined,
  null,
  '',
  'none',
  'None',
  'NONE',
  'nOnE',
  'HS256',
  'HS384',
  'HS512',
  'ES384',
  'ES512',
  'ES256K',
  'EdDSA',
  'Ed25519',
  'PS256',
  'RS384',
  'RS512',
  'RS1',
  'RSA1_5',
  'RSA-OAEP',
  'dir',
  'ECDH-ES',
  'ML-DSA-44',
  'es256',
  'Es256',
  'ES256 ',
  ' ES256',
  'ES256\u0000',
  'SHA256withECDSA',
  7,
  true,
  ['ES256'],
  { ES256: true },
  '__proto__',
  'constructor',
  'toString',
];
const rows: readonly Row[] = [
  ...ALGS.map((alg): Row => ({ name: `alg ${JSON.stringify(alg) ?? 'absent'}`, token: withHeader({ alg }), detail: 'token_alg' })),
  {
    name: 'alg none, unsigned',
    token: async (rig, kind) => `${b64('{"alg":"none"}')}.${b64(JSON.stringify((await partsOf(rig, kind)).claims))}.`,
    detail: 'token_form',
  },
  { name: 'alg RS256 over an EC key', token: withHeader({ alg: 'RS256' }), detail: 'token_kid' },
  {
    name: 'HMAC with the public key as JWK',
    token: hmac((rig, kind) => JSON.stringify(publicOf(rig, kind).export({ format: 'jwk' }))),
    detail: 'token_alg',
  },
  {
    name: 'HMAC with the public key as PEM',
    token: hmac((rig, kind) => publicOf(rig, kind).export({ type: 'spki', format: 'pem' })),
    detail: 'token_alg',
  },
  {
    name: 'HMAC with the public key as DER',
    token: hmac((rig, kind) => publicOf(rig, kind).export({ type: 'spki', format: 'der' })),
    detail: 'token_alg',
  },
  { name: 'HMAC with an empty secret', token: hmac(() => ''), detail: 'token_alg' },
  { name: 'HMAC with the thumbprint', token: hmac((rig, kind) => keyOf(rig, kind).jkt), detail: 'token_alg' },

  { name: 'crit that names what we know', token: withHeader({ crit: ['exp'], exp: 1 }), detail: 'token_header' },
  { name: 'crit that is empty', token: withHeader({ crit: [] }), detail: 'token_header' },
  { name: 'crit that is null', token: withHeader({ crit: null }), detail: 'token_header' },
  { name: 'b64 false without crit', token: withHeader({ b64: false }), detail: 'token_header' },
  { name: 'b64 false with crit', token: withHeader({ b64: false, crit: ['b64'] }), detail: 'token_header' },
  { name: 'b64 true', token: withHeader({ b64: true }), detail: 'token_header' },
  { name: 'zip', token: withHeader({ zip: 'DEF' }), detail: 'token_header' },
  { name: 'enc', token: withHeader({ enc: 'A256GCM' }), detail: 'token_header' },
  { name: 'jku at a stranger', token: withHeader((_, trap) => ({ jku: `${trap.url}/jwks` })), detail: 'token_header' },
  { name: 'jku at the right issuer', token: withHeader((rig) => ({ jku: `${rig.idp.issuer}/jwks` })), detail: 'token_header' },
  { name: 'jku at a file', token: withHeader({ jku: 'file:///etc/passwd' }), detail: 'token_header' },
  { name: 'x5u at a stranger', token: withHeader((_, trap) => ({ x5u: `${trap.url}/cert.pem` })), detail: 'token_header' },
  { name: 'x5c', token: withHeader({ x5c: ['MIIB'] }), detail: 'token_header' },
  {
    name: 'a key of its own',
    token: withHeader(() => ({ jwk: bareJwk(newKey()) })),
    detail: 'token_header',
    only: ['assertion', 'subject', 'actor'],
  },

  ...[7, null, true, ['x'], {}, '', 'k'.repeat(257)].map(
    (kid): Row => ({ name: `kid ${JSON.stringify(kid).slice(0, 12)}`, token: withHeader({ kid }), detail: 'token_kid' }),
  ),
  ...['../../../dev/null', "' OR 1=1 --", '__proto__', 'constructor', 'x\u0000y', '*', '0'].map(
    (kid): Row => ({
      name: `kid ${JSON.stringify(kid)}`,
      token: withHeader({ kid }),
      detail: 'token_kid',
      only: ['assertion', 'subject', 'actor'],
    }),
  ),
  {
    name: 'kid that is a URL',
    token: withHeader((_, trap) => ({ kid: `${trap.url}/key` })),
    detail: 'token_kid',
    only: ['assertion', 'subject', 'actor'],
  },
  {
    name: 'kid in another case',
    token: async (rig, kind) => withHeader({ kid: keyOf(rig, kind).kid.toUpperCase() })(rig, kind, undefined as never),
    detail: 'token_kid',
    only: ['assertion', 'subject', 'actor'],
  },
  {
    name: 'kid of another’s key, and its signature',
    token: async (rig, kind) =>
      rawJws(
        rig.server,
        JSON.stringify({ ...(await partsOf(rig, kind)).header, kid: rig.server.kid }),
        JSON.stringify((await partsOf(rig, kind)).claims),
      ),
    detail: 'token_kid',
    only: ['assertion', 'subject', 'actor'],
  },

  ...[
    7,
    null,
    ['JWT'],
    '',
    'JWE',
    'JOSE',
    'at+jwt',
    'application/at+jwt',
    'countersign-receipt+jwt',
    'countersign-revocations+jwt',
    'logout+jwt',
    'secevent+jwt',
    'token-introspection+jwt',
    'JWT ',
    'application/application/jwt',
  ].map((typ): Row => ({ name: `typ ${JSON.stringify(typ)}`, token: withHeader({ typ }), detail: 'token_typ' })),
  { name: 'typ of a proof', token: withHeader({ typ: 'dpop+jwt' }), detail: 'token_typ', only: ['assertion', 'subject', 'actor'] },
  {
    name: 'typ of an assertion',
    token: withHeader({ typ: 'client-authentication+jwt' }),
    detail: 'token_typ',
    only: ['subject', 'actor', 'proof'],
  },

  ...(
    [
      ['zeros', () => Buffer.alloc(64)],
      ['r = 0, s = 1', () => pair(0n, 1n)],
      ['r = 1, s = 0', () => pair(1n, 0n)],
      ['r = n, s = 1', () => pair(N, 1n)],
      ['r = 1, s = n', () => pair(1n, N)],
      ['r = s = n', () => pair(N, N)],
      ['63 bytes', () => Buffer.alloc(63, 1)],
      ['65 bytes', () => Buffer.alloc(65, 1)],
      ['one byte', () => Buffer.alloc(1)],
      ['DER', (input: string, rig: Rig, kind: Kind) => sign('sha256', Buffer.from(input), keyOf(rig, kind).private)],
      [
        'SHA-384',
        (input: string, rig: Rig, kind: Kind) =>
          sign('sha384', Buffer.from(input), { key: keyOf(rig, kind).private, dsaEncoding: 'ieee-p1363' }),
      ],
      [
        'P-384',
        (input: string) =>
          sign('sha256', Buffer.from(input), {
            key: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
            dsaEncoding: 'ieee-p1363',
          }),
      ],
      [
        'secp256k1',
        (input: string) =>
          sign('sha256', Buffer.from(input), {
            key: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey,
            dsaEncoding: 'ieee-p1363',
          }),
      ],
      ['Ed25519', (input: string) => sign(null, Buffer.from(input), generateKeyPairSync('ed25519').privateKey)],
      ['another P-256 key', (input: string) => sign('sha256', Buffer.from(input), { key: newKey().private, dsaEncoding: 'ieee-p1363' })],
      [
        'the claims alone signed',
        (input: string, rig: Rig, kind: Kind) =>
          sign('sha256', Buffer.from(input.split('.')[1] ?? ''), { key: keyOf(rig, kind).private, dsaEncoding: 'ieee-p1363' }),
      ],
      [
        'the twin of s outside of the group',
        (input: string, rig: Rig, kind: Kind) =>
          shifted(sign('sha256', Buffer.from(input), { key: keyOf(rig, kind).private, dsaEncoding: 'ieee-p1363' })),
      ],
    ] as const
  ).map(
    ([name, make]): Row => ({ name: `a signature of ${name}`, token: signedBy(make), detail: 'token_signature', proof: 'proof_signature' }),
  ),
];
/** s + n where that still fits in 32 bytes, else a broken s: neither is in the group. */
function shifted(signature: Buffer): Buffer {
  const r = BigInt(`0x${signature.subarray(0, 32).toString('hex')}`);
  const s = BigInt(`0x${signature.subarray(32).toString('hex')}`);
  return pair(r, s + N < 1n << 256n ? s + N : (1n << 256n) - 1n);
}

export const headerCases = (kind: Kind): readonly Case[] =>
  rows
    .filter(({ only }) => !only || only.includes(kind))
    .map(
      ({ name, token, detail, proof = 'proof_form' }): Case => ({
        name,
        asking: async (rig, trap) => showing(kind, { token: await token(rig, kind, trap) }),
        ...REFUSED[kind],
        detail: kind === 'proof' ? proof : detail,
      }),
    );
export const headerTables = KINDS.map((kind) => [`header and signature of the ${kind}`, headerCases(kind)] as const);
