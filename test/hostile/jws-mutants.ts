/** Tokens changed in every way that one can think of, and some that nobody did. */
import { constants, generateKeyPairSync, type KeyObject, privateEncrypt, sign } from 'node:crypto';

export interface Mutant {
  readonly kind: string;
  readonly token: string;
  readonly key: KeyObject;
}
export const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const STRANGER = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** Mulberry32: the same mutants for the same seed, wherever it runs. */
export function randomness(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');
const ecSign = (input: string): Buffer => sign('sha256', Buffer.from(input), { key: EC.privateKey, dsaEncoding: 'ieee-p1363' });
const rsaSign = (input: string): Buffer => sign('sha256', Buffer.from(input), RSA.privateKey);
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const bytesOf = (n: bigint): Buffer => Buffer.from(n.toString(16).padStart(64, '0'), 'hex');
const intOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);

const CLAIMS = '{"iss":"https://idp.example","sub":"u_1","aud":"refund-bot","iat":1795176000,"exp":1795176300,"n":[1,2.5,{"x":null}]}';
const ec = (header: string | Buffer, payload: string | Buffer): string => {
  const input = `${b64(header)}.${b64(payload)}`;
  return `${input}.${b64(ecSign(input))}`;
};
const rs = (header: string, payload: string): string => {
  const input = `${b64(header)}.${b64(payload)}`;
  return `${input}.${b64(rsaSign(input))}`;
};
const EC_HEADER = '{"alg":"ES256","typ":"JWT","kid":"k1"}';
const RS_HEADER = '{"alg":"RS256","typ":"JWT","kid":"k2"}';
/** Signing with RSA is slow and its signature always the same: once is enough. */
const RS_TOKEN = rs(RS_HEADER, CLAIMS);

const CHARS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const ODD = '.=+/ \n\t\r\u0000%~\u00e9\u20ac"{},:';
/** Put into a header or claims, as text: some mean nothing, some are stricter here, some change what is verified. */
const MEMBERS = [
  '"cty":"JWT"',
  '"x":1',
  '"x":null',
  '"x":[]',
  '"url":"https://x.example"',
  '"nonce":"x"',
  '"iss":"x"',
  '"x5t":"AAAA"',
  '"x5t#S256":"AAAA"',
  '"p2c":1',
  '"jku":"https://evil.example"',
  '"x5u":"https://evil.example"',
  '"x5c":["AAAA"]',
  '"jwk":{"kty":"EC"}',
  '"crit":["exp"]',
  '"crit":[]',
  '"b64":false',
  '"b64":true',
  '"zip":"DEF"',
  '"enc":"A128GCM"',
  '"alg":"none"',
  '"alg":"HS256"',
  '"alg":"ES256"',
  '"alg":"RS256"',
  '"typ":"at+jwt"',
  '"typ":7',
  '"kid":7',
  '"kid":""',
  '"kid":"k1"',
  '"__proto__":{}',
  '"constructor":1',
  '"x":9007199254740993',
  '"x":1e999',
  '"x":"\\ud800"',
];
const ALGS = [
  'none',
  'None',
  'HS256',
  'HS384',
  'ES256',
  'ES384',
  'ES512',
  'ES256K',
  'EdDSA',
  'Ed25519',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  '',
  'es256',
  'dir',
  'RSA-OAEP',
];
const TEXTS: readonly (string | Buffer)[] = [
  '',
  '""',
  'null',
  '1',
  '[]',
  '{}',
  '{',
  '{"a":1,"a":2}',
  '{"a":{"b":[{"c":1,"c":1}]}}',
  '\ufeff{}',
  ' {"a" : 1}\n',
  '{"\\u0061":1,"a":2}',
  '{"__proto__":1}',
  '{"a":1e400}',
  '{"a":9007199254740992}',
  '{"a":-0}',
  '{"a":1.0}',
  '{"a":"\\udc00"}',
  `${'['.repeat(70)}${']'.repeat(70)}`,
  `{"a":${'['.repeat(63)}${']'.repeat(63)}}`,
  `{"a":${'['.repeat(64)}${']'.repeat(64)}}`,
  'text',
  Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
  Buffer.from([0xc0, 0xaf]),
  '{"a":1}{"b":2}',
  '{"a":1,}',
  "{'a':1}",
  '{"a":01}',
  '{"a":"\u2028"}',
  `{"a":"${'x'.repeat(12_400)}"}`,
  `{"a":"${'x'.repeat(11_000)}"}`,
];

type Change = (at: (below: number) => number) => string;
const splice = (text: string, from: number, count: number, put: string): string => text.slice(0, from) + put + text.slice(from + count);
const pick = <T>(at: (below: number) => number, list: ArrayLike<T>): T => list[at(list.length)] as T;

/** A member put first, last or in the middle of a JSON object's text. */
const withMember = (at: (below: number) => number, text: string): string => {
  const member = pick(at, MEMBERS);
  return pick(at, [`{${member},${text.slice(1)}`, `${text.slice(0, -1)},${member}}`, `{ ${member} , ${text.slice(1)} `]);
};
/** One character of a JSON text spelt or spaced otherwise, or broken. */
const respelt = (at: (below: number) => number, text: string): string => {
  const i = at(text.length);
  const c = text[i] ?? '';
  return splice(
    text,
    i,
    1,
    pick(at, [
      ` ${c}`,
      `${c} `,
      `\n${c}`,
      `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
      c.toUpperCase(),
      '',
      `${c}${c}`,
      '\u0000',
    ]),
  );
};
function signatureChanged(at: (below: number) => number, token: string): string {
  const dot = token.lastIndexOf('.') + 1;
  const bytes = Buffer.from(token.slice(dot), 'base64url');
  const [r, s] = [intOf(bytes.subarray(0, 32)), intOf(bytes.subarray(32, 64))];
  const flipped = Buffer.from(bytes);
  flipped[at(bytes.length)] = (flipped[at(bytes.length)] ?? 0) ^ (1 << at(8));
  const edges = [0n, 1n, N - 1n, N, N + 1n, (1n << 256n) - 1n, r, s];
  const changed = pick(at, [
    () => flipped,
    () => Buffer.concat([bytesOf(r), bytesOf(N - s)]), // the twin that verifies
    () => Buffer.concat([bytesOf(pick(at, edges)), bytesOf(pick(at, edges))]),
    () => Buffer.concat([bytesOf(s), bytesOf(r)]),
    () => Buffer.concat([Buffer.from([0]), bytes]),
    () => Buffer.concat([bytes, Buffer.from([at(256)])]),
    () => bytes.subarray(0, at(bytes.length)),
    () => bytes.subarray(at(bytes.length)),
    () => Buffer.from(bytes).reverse(),
    () => Buffer.concat([bytes, bytes]),
    () => Buffer.alloc(bytes.length, at(256)),
    () => Buffer.from([0x30, 0x44, 0x02, 0x20, ...bytes.subarray(0, 32), 0x02, 0x20, ...bytes.subarray(32)]),
  ])();
  return token.slice(0, dot) + b64(changed);
}

const CHANGES: Readonly<Record<string, Change>> = {
  'a bit flipped': (at) => {
    const token = pick(at, [ec(EC_HEADER, CLAIMS), RS_TOKEN]);
    const i = at(token.length);
    return splice(token, i, 1, String.fromCharCode(token.charCodeAt(i) ^ (1 << at(7))));
  },
  'a character changed': (at) => {
    const token = pick(at, [ec(EC_HEADER, CLAIMS), RS_TOKEN]);
    return splice(token, at(token.length + 1), at(3), pick(at, [pick(at, CHARS), pick(at, ODD), '', '=', ' ']));
  },
  'the last characters': (at) => {
    const token = ec(EC_HEADER, `{"n":${at(1e6)}}`);
    const segment = at(3);
    return token
      .split('.')
      .map((part, i) => (i === segment ? part.slice(0, -1) + pick(at, [...CHARS, '', '=', '==', ' ']) : part))
      .join('.');
  },
  'segments moved': (at) => {
    const [a, b] = [ec(EC_HEADER, CLAIMS).split('.'), ec(EC_HEADER, `{"n":${at(1e6)}}`).split('.')];
    return Array.from({ length: pick(at, [3, 3, 3, 3, 2, 4, 5]) }, (_, i) =>
      pick(at, [a[i % 3], a[i % 3], a[i % 3], b[i % 3], pick(at, a), '']),
    ).join('.');
  },
  'the header edited and signed again': (at) => ec(withMember(at, pick(at, [EC_HEADER, '{"alg":"ES256"}'])), CLAIMS),
  'the header respelt and signed again': (at) => ec(respelt(at, EC_HEADER), CLAIMS),
  'another algorithm, signed again': (at) => {
    const alg = pick(at, ALGS);
    const header = JSON.stringify({ alg, typ: 'JWT', kid: 'k1' });
    return at(8) === 0 ? rs(header, CLAIMS) : ec(header, CLAIMS);
  },
  'another header text, signed again': (at) => ec(pick(at, TEXTS), CLAIMS),
  'the claims edited and signed again': (at) => ec(EC_HEADER, withMember(at, CLAIMS)),
  'the claims respelt and signed again': (at) => ec(EC_HEADER, respelt(at, CLAIMS)),
  'other claims, signed again': (at) => ec(EC_HEADER, pick(at, TEXTS)),
  'the signature changed': (at) => signatureChanged(at, pick(at, [ec(EC_HEADER, CLAIMS), ec(EC_HEADER, CLAIMS), RS_TOKEN])),
  'nothing but numbers': (at) =>
    ec(
      EC_HEADER,
      `{"n":${pick(at, ['-', ''])}${at(2 ** 31)}${pick(at, ['', '.0', `.${at(99)}`, `e${at(400)}`, `E-${at(400)}`, String(at(1e7)), String(at(1e9))])}}`,
    ),
  'good, whatever its claims': (at) =>
    pick(at, [() => ec(EC_HEADER, JSON.stringify({ n: at(2 ** 31), s: pick(at, ODD), deep: [[{ x: at(9) }]] })), () => RS_TOKEN])(),
};
export const KINDS = Object.keys(CHANGES);

/** Endless. Most are checked under the key they were signed with, some under another. */
export function* mutants(seed: number): Generator<Mutant> {
  const at = randomness(seed);
  for (let i = 0; ; i++) {
    const kind = KINDS[i % KINDS.length] as string;
    const token = (CHANGES[kind] as Change)(at);
    const signer = token.startsWith(RS_TOKEN.slice(0, 20)) ? RSA : EC;
    yield {
      kind,
      token,
      key: pick(at, [signer, signer, signer, signer, signer, signer, signer, signer === EC ? RSA : EC, STRANGER]).publicKey,
    };
  }
}

// ── RSA by hand ──
const SHA256_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');
/** A signature over exactly these bytes, padded to the modulus by whoever calls. */
export const rawRsa = (encoded: Buffer): Buffer => privateEncrypt({ key: RSA.privateKey, padding: constants.RSA_NO_PADDING }, encoded);
export const digestInfo = (hash: Buffer): Buffer => Buffer.concat([SHA256_INFO, hash]);
