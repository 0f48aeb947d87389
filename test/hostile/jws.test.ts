/** Our verdict on a signature is jose's, but for the rules that are stricter here and said so; on mutants by the thousand and on edges one by one. */
import assert from 'node:assert/strict';
import { hash, sign } from 'node:crypto';
import { describe, test } from 'node:test';
import { localKeys } from '../../src/wire/jwks.ts';
import { checkToken } from '../../src/wire/jws.ts';
import { remembered } from '../../src/wire/remembered.ts';
import { compare, joses, ours } from './jws-compare.ts';
import { digestInfo, EC, KINDS, RSA, rawRsa } from './jws-mutants.ts';

const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');

test('six thousand mutants: one verdict', async () => {
  const { accepted, refused, strictly } = await compare(0x5eed, 6_000);
  for (const kind of KINDS) assert.ok((accepted.get(kind) ?? 0) + (refused.get(kind) ?? 0) > 300, `${kind}: too few to mean anything`);
  const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((a, b) => a + b, 0);
  assert.ok(sum(accepted) > 600 && sum(refused) > 2_000, `${sum(accepted)} accepted, ${sum(refused)} refused`);
  // Each rule that is stricter here has refused something that jose accepts.
  const rules = [
    'another spelling',
    'jku',
    'x5u',
    'x5c',
    'jwk',
    'zip',
    'enc',
    'kid',
    'typ',
    'header a key twice',
    'claims a key twice',
    'claims is no object',
    'claims a number',
    'claims a surrogate',
    'claims a reserved key',
  ];
  assert.deepEqual(
    rules.filter((rule) => !strictly.has(rule)),
    [],
  );
});

describe('ES256: r and s at every edge', () => {
  const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
  const edges = {
    0: 0n,
    1: 1n,
    'n-1': N - 1n,
    n: N,
    'n+1': N + 1n,
    'p-1': P - 1n,
    p: P,
    'p+1': P + 1n,
    '2^256-1': (1n << 256n) - 1n,
  } as const;
  const input = `${b64('{"alg":"ES256"}')}.${b64('{"sub":"x"}')}`;
  const bytes = (n: bigint): Buffer => Buffer.from(n.toString(16).padStart(64, '0'), 'hex');
  for (const [rName, r] of Object.entries(edges)) {
    for (const [sName, s] of Object.entries(edges)) {
      test(`r = ${rName}, s = ${sName}: no`, async () => {
        const token = `${input}.${b64(Buffer.concat([bytes(r), bytes(s)]))}`;
        assert.deepEqual([ours(token, EC.publicKey), await joses(token, EC.publicKey)], [false, false]);
      });
    }
  }
});

describe('RS256: what a padding must be', () => {
  const input = `${b64('{"alg":"RS256"}')}.${b64('{"sub":"x"}')}`;
  const digest = hash('sha256', input, 'buffer');
  const info = digestInfo(digest);
  const padded = (type: number, fill: number, rest: Buffer, length = 256): Buffer =>
    Buffer.concat([Buffer.from([0, type]), Buffer.alloc(length - rest.length - 3, fill), Buffer.from([0]), rest]);
  const good = padded(1, 0xff, info);
  const change = (at: number, to: number): Buffer => {
    const copy = Buffer.from(good);
    copy[at] = to;
    return copy;
  };
  const der = (hex: string): Buffer => Buffer.concat([Buffer.from(hex, 'hex'), digest]);
  const shifted = Buffer.concat([padded(1, 0xff, info, 200), Buffer.alloc(56, 0xaa)]);
  const table: readonly (readonly [string, Buffer, boolean])[] = [
    ['as RFC 8017 says', good, true],
    ['block type 2', padded(2, 0xff, info), false],
    ['block type 0', padded(0, 0, info), false],
    ['other filling', padded(1, 0xfe, info), false],
    ['one byte of the filling', change(100, 0), false],
    ['the last byte of the filling', change(256 - info.length - 2, 0xfe), false],
    ['no separator', change(256 - info.length - 1, 0xff), false],
    ['a first byte that is not zero', change(0, 1), false],
    ['short filling and garbage at the end (Bleichenbacher)', shifted, false],
    ['no digest info', padded(1, 0xff, digest), false],
    ['no NULL parameters', padded(1, 0xff, der('302f300b0609608648016503040201' + '0420')), false],
    ['parameters that are not NULL', padded(1, 0xff, der('3033300f060960864801650304020104020000' + '0420')), false],
    ['long lengths (BER)', padded(1, 0xff, der('308131300d060960864801650304020105000420')), false],
    [
      'the id of SHA-1',
      padded(1, 0xff, Buffer.concat([Buffer.from('3021300906052b0e03021a05000414', 'hex'), hash('sha1', input, 'buffer')])),
      false,
    ],
    [
      'the id of SHA-512',
      padded(1, 0xff, Buffer.concat([Buffer.from('3051300d060960864801650304020305000440', 'hex'), hash('sha512', input, 'buffer')])),
      false,
    ],
    ['a digest cut short', padded(1, 0xff, info.subarray(0, -1)), false],
    ['a digest with a byte more', padded(1, 0xff, Buffer.concat([info, Buffer.from([0])])), false],
    ['another digest', padded(1, 0xff, digestInfo(hash('sha256', `${input}x`, 'buffer'))), false],
    ['zeros', Buffer.alloc(256), false],
    ['one', Buffer.concat([Buffer.alloc(255), Buffer.from([1])]), false],
  ];
  for (const [name, encoded, expected] of table) {
    test(`${name}: ${expected ? 'yes' : 'no'}`, async () => {
      const token = `${input}.${b64(rawRsa(encoded))}`;
      assert.deepEqual([ours(token, RSA.publicKey), await joses(token, RSA.publicKey)], [expected, expected]);
    });
  }
  for (const [name, made] of [
    ['PSS', sign('sha256', Buffer.from(input), { key: RSA.privateKey, padding: 6, saltLength: 32 })],
    ['SHA-384', sign('sha384', Buffer.from(input), RSA.privateKey)],
    ['a leading zero', Buffer.concat([Buffer.from([0]), rawRsa(good)])],
    ['a byte cut off', rawRsa(good).subarray(1)],
    ['the signature plus the modulus', plusModulus(rawRsa(good))],
  ] as const) {
    test(`${name}: no`, async () => {
      const token = `${input}.${b64(made)}`;
      assert.deepEqual([ours(token, RSA.publicKey), await joses(token, RSA.publicKey)], [false, false]);
    });
  }
});
/** The same residue, written with another number. */
function plusModulus(signature: Buffer): Buffer {
  const n = BigInt(`0x${Buffer.from(String(RSA.publicKey.export({ format: 'jwk' }).n), 'base64url').toString('hex')}`);
  const sum = (BigInt(`0x${signature.toString('hex')}`) + n).toString(16);
  return Buffer.from(sum.padStart(sum.length + (sum.length % 2), '0'), 'hex');
}

test('a token whose signature is remembered is remembered to the bit, and under its key alone', async () => {
  const read = localKeys({ keys: [{ ...EC.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256' }] } as never);
  assert.ok(read.ok);
  const now = 1_795_176_000;
  const claims = JSON.stringify({ iss: 'i', sub: 's', aud: 'a', iat: now, exp: now + 300 });
  const input = `${b64('{"alg":"ES256","kid":"k1"}')}.${b64(claims)}`;
  const token = `${input}.${b64(sign('sha256', Buffer.from(input), { key: EC.privateKey, dsaEncoding: 'ieee-p1363' }))}`;
  const memory = remembered({ now: () => now });
  const expected = {
    typ: [undefined],
    algs: ['ES256'],
    issuer: 'i',
    audience: 'a',
    maxLifetimeSeconds: 300,
    now,
    remembered: memory,
  } as const;
  for (let i = 0; i < 2; i++) assert.equal((await checkToken(token, read.value, expected)).ok, true);
  let n = 0;
  for (let at = 0; at < token.length; at++) {
    for (let bit = 0; bit < 7; bit++) {
      const mutant = token.slice(0, at) + String.fromCharCode(token.charCodeAt(at) ^ (1 << bit)) + token.slice(at + 1);
      assert.equal((await checkToken(mutant, read.value, expected)).ok, false, mutant);
      n += 1;
    }
  }
  assert.ok(n > 1_000);
  const other = localKeys({ keys: [{ ...RSA.publicKey.export({ format: 'jwk' }), kid: 'k2' }] } as never);
  assert.ok(other.ok);
  assert.deepEqual(await checkToken(token, other.value, expected), { ok: false, error: 'token_kid' });
  assert.deepEqual(await checkToken(token, read.value, { ...expected, audience: 'b' }), { ok: false, error: 'token_audience' });
});
