/** Issuers whose key sets are not what they should be: one server, one issuer for each flaw, all of them configured and trusted. */
import { generateKeyPairSync, generatePrimeSync, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newKey, type TestKey } from '../support/keys.ts';

export interface Flaw {
  readonly name: string;
  /** What /jwks answers: a body, and a status other than 200. `key` is the one tokens are signed with, and its good public half. */
  readonly jwks: (key: TestKey) => unknown;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** What discovery says of its address; the issuer's own /jwks unless told. */
  readonly discovery?: (issuer: string, trap: string) => object;
  readonly alg?: 'RS256';
  /** 503 where nothing can be known of the set, 400 where the set is good and does not hold this key. */
  readonly answer: 'issuer_unavailable' | 'token_kid' | 'token_signature' | 'granted';
}
const bigInt = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`);
const b64 = (n: bigint): string =>
  Buffer.from(n.toString(16).padStart(n.toString(16).length + (n.toString(16).length % 2), '0'), 'hex').toString('base64url');

/** CVE-2017-15361: a modulus that is a power of 65537 modulo each small prime, as Infineon's chips made them. */
function rocaModulus(): bigint {
  const primes: bigint[] = [];
  for (let p = 2n; primes.length < 39; p++) if (primes.every((q) => p % q !== 0n)) primes.push(p);
  const product = primes.reduce((a, b) => a * b);
  let power = 1n;
  for (let i = 0; i < 12_345; i++) power = (power * 65_537n) % product;
  // Any number of 2,048 bits of this residue: that it has no known factors does not matter here.
  const base = bigInt(Buffer.concat([Buffer.from([0xc0]), randomBytes(255)]));
  return base - (base % product) + power;
}
const weakRsa = (bits: number): object => generateKeyPairSync('rsa', { modulusLength: bits }).publicKey.export({ format: 'jwk' });
const rsa = (key: TestKey, change: object): object => ({ keys: [{ ...key.publicJwk, ...change }] });
const beside = (key: TestKey, other: object): object => ({ keys: [key.publicJwk, other] });
const stranger = newKey('stranger');
const pem = stranger.private.export({ format: 'jwk' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' });
const ed = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
const dead = 'issuer_unavailable';

export const FLAWS: readonly Flaw[] = [
  { name: 'a good set', jwks: (key) => ({ keys: [key.publicJwk] }), answer: 'granted' },
  {
    name: 'a good set among keys for other uses and algorithms',
    jwks: (key) => ({ keys: [{ ...stranger.publicJwk, use: 'enc' }, p384, ed, { kty: 'AKP' }, key.publicJwk] }),
    answer: 'granted',
  },
  {
    name: 'a key without use, alg and key_ops',
    jwks: ({ publicJwk: { kty, crv, x, y, kid } }) => ({ keys: [{ kty, crv, x, y, kid }] }),
    answer: 'granted',
  },
  { name: 'an empty set', jwks: () => ({ keys: [] }), answer: 'token_kid' },
  { name: 'another key of the same kid', jwks: (key) => ({ keys: [{ ...stranger.publicJwk, kid: key.kid }] }), answer: 'token_signature' },
  { name: 'the key, for encryption', jwks: (key) => rsa(key, { use: 'enc' }), answer: 'token_kid' },
  { name: 'the key, to sign and not to verify', jwks: (key) => rsa(key, { use: undefined, key_ops: ['sign'] }), answer: 'token_kid' },
  { name: 'the key, for another algorithm', jwks: (key) => rsa(key, { alg: 'ES384' }), answer: 'token_kid' },
  { name: 'the key, named in another case', jwks: (key) => rsa(key, { kid: key.kid.toUpperCase() }), answer: 'token_kid' },
  { name: 'the key without kid, for a token with one', jwks: (key) => rsa(key, { kid: undefined }), answer: 'token_kid' },

  {
    name: 'the private key in it',
    jwks: (key) => ({ keys: [{ ...key.publicJwk, ...key.private.export({ format: 'jwk' }) }] }),
    answer: dead,
  },
  { name: 'a private key beside it', jwks: (key) => beside(key, { ...stranger.publicJwk, ...pem }), answer: dead },
  { name: 'a private key for encryption beside it', jwks: (key) => beside(key, { ...pem, use: 'enc' }), answer: dead },
  {
    name: 'a private key on another curve beside it',
    jwks: (key) => beside(key, generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'jwk' })),
    answer: dead,
  },
  { name: 'RSA primes beside it', jwks: (key) => beside(key, { kty: 'RSA', n: 'AQAB', e: 'AQAB', p: 'AQ', q: 'AQ' }), answer: dead },
  {
    name: 'RSA primes without d beside it',
    jwks: (key) => beside(key, { kty: 'RSA', n: 'AQAB', e: 'AQAB', q: 'AQ', dp: 'AQ' }),
    answer: dead,
  },
  { name: 'a symmetric key beside it', jwks: (key) => beside(key, { kty: 'oct', k: 'AAAA' }), answer: dead },
  { name: 'a symmetric key without its bytes', jwks: (key) => beside(key, { kty: 'oct' }), answer: dead },
  {
    name: 'its public key as a symmetric one',
    jwks: (key) => ({ keys: [{ kty: 'oct', kid: key.kid, k: key.publicJwk['x'] }] }),
    answer: dead,
  },
  { name: 'one kid twice', jwks: (key) => ({ keys: [key.publicJwk, { ...stranger.publicJwk, kid: key.kid }] }), answer: dead },
  { name: 'one key twice', jwks: (key) => ({ keys: [key.publicJwk, key.publicJwk] }), answer: dead },
  { name: 'a kid that is a number', jwks: (key) => rsa(key, { kid: 7 }), answer: dead },
  { name: 'an empty kid', jwks: (key) => beside(key, { ...stranger.publicJwk, kid: '' }), answer: dead },
  {
    name: '101 keys',
    jwks: (key) => ({ keys: Array.from({ length: 101 }, (_, i) => ({ ...key.publicJwk, kid: i === 0 ? key.kid : `k${i}` })) }),
    answer: dead,
  },
  {
    name: '300,000 keys',
    jwks: (key) => `{"keys":[${JSON.stringify(key.publicJwk)}${`,{"kty":"EC","crv":"P-256","x":"A","y":"A"}`.repeat(300_000)}]}`,
    answer: dead,
  },
  { name: 'a point that is not on the curve', jwks: (key) => rsa(key, { x: 'A'.repeat(43) }), answer: dead },
  {
    name: 'a point at infinity',
    jwks: (key) => rsa(key, { x: Buffer.alloc(32).toString('base64url'), y: Buffer.alloc(32).toString('base64url') }),
    answer: dead,
  },
  { name: 'a coordinate cut short', jwks: (key) => rsa(key, { x: String(key.publicJwk['x']).slice(0, 20) }), answer: dead },
  { name: 'a coordinate that is a list', jwks: (key) => rsa(key, { x: [key.publicJwk['x']] }), answer: dead },

  { name: 'RSA of 512 bits', jwks: (key) => ({ keys: [{ ...weakRsa(512), kid: key.kid }] }), alg: 'RS256', answer: dead },
  { name: 'RSA of 1,024 bits', jwks: (key) => ({ keys: [{ ...weakRsa(1024), kid: key.kid }] }), alg: 'RS256', answer: dead },
  {
    name: 'RSA of 2,047 bits',
    jwks: (key) => rsa(key, { n: b64((bigInt(Buffer.from(String(key.publicJwk['n']), 'base64url')) >> 1n) | 1n) }),
    alg: 'RS256',
    answer: dead,
  },
  { name: 'RSA of 16,384 bits', jwks: (key) => rsa(key, { n: b64((1n << 16_383n) | 1n) }), alg: 'RS256', answer: dead },
  { name: 'RSA exponent 1', jwks: (key) => rsa(key, { e: 'AQ' }), alg: 'RS256', answer: dead },
  { name: 'RSA exponent 2', jwks: (key) => rsa(key, { e: 'Ag' }), alg: 'RS256', answer: dead },
  { name: 'RSA exponent 0', jwks: (key) => rsa(key, { e: 'AA' }), alg: 'RS256', answer: dead },
  { name: 'an RSA exponent as long as the modulus', jwks: (key) => rsa(key, { e: key.publicJwk['n'] }), alg: 'RS256', answer: dead },
  {
    name: 'an even RSA modulus',
    jwks: (key) => rsa(key, { n: b64(bigInt(Buffer.from(String(key.publicJwk['n']), 'base64url')) ^ 1n) }),
    alg: 'RS256',
    answer: dead,
  },
  {
    name: 'a ROCA modulus',
    jwks: (key) => ({ keys: [{ kty: 'RSA', kid: key.kid, e: 'AQAB', n: b64(rocaModulus()) }] }),
    alg: 'RS256',
    answer: dead,
  },
  {
    name: 'a ROCA modulus beside a good key',
    jwks: (key) => beside(key, { kty: 'RSA', kid: 'roca', e: 'AQAB', n: b64(rocaModulus()) }),
    answer: dead,
  },
  {
    name: 'a prime for an RSA modulus, exponent 1',
    jwks: (key) => rsa(key, { n: b64(generatePrimeSync(2_048, { bigint: true })), e: 'AQ' }),
    alg: 'RS256',
    answer: dead,
  },

  { name: 'nothing', jwks: () => '', answer: dead },
  { name: 'no JSON', jwks: () => '<html>', answer: dead },
  { name: 'a list', jwks: (key) => [key.publicJwk], answer: dead },
  { name: 'keys that are an object', jwks: (key) => ({ keys: { 0: key.publicJwk } }), answer: dead },
  { name: 'keys twice', jwks: (key) => `{"keys":[],"keys":[${JSON.stringify(key.publicJwk)}]}`, answer: dead },
  { name: 'a key that is a string', jwks: (key) => ({ keys: [JSON.stringify(key.publicJwk)] }), answer: dead },
  { name: 'a byte-order mark', jwks: (key) => `\ufeff${JSON.stringify({ keys: [key.publicJwk] })}`, answer: dead },
  { name: '257 KB', jwks: (key) => JSON.stringify({ keys: [key.publicJwk], pad: 'x'.repeat(257 * 1024) }), answer: dead },
  { name: 'status 500', jwks: (key) => ({ keys: [key.publicJwk] }), status: 500, answer: dead },
  { name: 'status 206', jwks: (key) => ({ keys: [key.publicJwk] }), status: 206, answer: dead },
  { name: 'a redirect to the good set', jwks: () => '', status: 302, headers: { location: '/0/jwks' }, answer: dead },
  { name: 'a PEM', jwks: (key) => key.private.export({ type: 'pkcs8', format: 'pem' }), answer: dead },

  {
    name: 'discovery names another issuer',
    jwks: (key) => ({ keys: [key.publicJwk] }),
    discovery: (issuer) => ({ issuer: `${issuer}/`, jwks_uri: `${issuer}/jwks` }),
    answer: dead,
  },
  { name: 'discovery names no key set', jwks: (key) => ({ keys: [key.publicJwk] }), discovery: (issuer) => ({ issuer }), answer: dead },
  {
    name: 'discovery names a file',
    jwks: (key) => ({ keys: [key.publicJwk] }),
    discovery: (issuer) => ({ issuer, jwks_uri: 'file:///etc/passwd' }),
    answer: dead,
  },
  {
    name: 'discovery names a plain address out there',
    jwks: (key) => ({ keys: [key.publicJwk] }),
    discovery: (issuer) => ({ issuer, jwks_uri: 'http://10.0.0.1/jwks' }),
    answer: dead,
  },
  {
    name: 'discovery names the cloud’s metadata service',
    jwks: (key) => ({ keys: [key.publicJwk] }),
    discovery: (issuer) => ({ issuer, jwks_uri: 'http://169.254.169.254/latest/meta-data' }),
    answer: dead,
  },
  {
    name: 'discovery names an address with a user',
    jwks: (key) => ({ keys: [key.publicJwk] }),
    discovery: (issuer, trap) => ({ issuer, jwks_uri: `${trap.replace('//', '//user@')}/jwks` }),
    answer: dead,
  },
];

export interface Issuers {
  /** `http://127.0.0.1:<port>`; flaw `i` is the issuer `<url>/<i>`. */
  readonly url: string;
  readonly keys: readonly TestKey[];
  close(): Promise<void>;
}
export async function openIssuers(trap: () => string): Promise<Issuers> {
  const [ec, rs] = [newKey('good'), newKey('good', 'RS256')];
  const keys = FLAWS.map(({ alg }) => (alg ? rs : ec));
  let url = '';
  const server: Server = createServer((request, response) => {
    const [, index = '', path = ''] = /^\/(\d+)\/(.*)$/.exec(request.url ?? '') ?? [];
    const flaw = FLAWS[Number(index)];
    const issuer = `${url}/${index}`;
    if (!flaw) return response.writeHead(404).end();
    if (path === '.well-known/openid-configuration') {
      const document = flaw.discovery?.(issuer, trap()) ?? { issuer, jwks_uri: `${issuer}/jwks` };
      return response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
    }
    const body = flaw.jwks(keys[Number(index)] ?? ec);
    return response
      .writeHead(flaw.status ?? 200, { 'content-type': 'application/json', ...flaw.headers })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    keys,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
