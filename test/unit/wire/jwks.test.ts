import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import type { Json } from '../../../src/wire/json.ts';
import { type JwksFlaw, localKeys, MAX_KEYS, pick, readJwks } from '../../../src/wire/jwks.ts';
import { testKey } from '../../support/idp.ts';

const ec = await testKey('ES256');
const ec2 = await testKey('ES256');
const rsa = await testKey('RS256');
const secret = await exportJWK(ec.privateKey);
const b64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');
const small = await crypto.subtle.generateKey(
  { name: 'RSASSA-PKCS1-v1_5', modulusLength: 1024, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' },
  true,
  ['sign', 'verify'],
);
const shortRsa = await crypto.subtle.exportKey('jwk', small.publicKey);

/** A modulus of the shape of CVE-2017-15361: a power of 65537 modulo each small prime, made by the Chinese remainder theorem. */
function rocaModulus(): string {
  const primes = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127]
    .concat([131, 137, 139, 149, 151, 157, 163, 167])
    .map(BigInt);
  const product = primes.reduce((a, b) => a * b, 1n);
  let residue = 1n;
  for (let i = 0; i < 12; i++) residue = (residue * 65537n) % product;
  let n = (1n << 2047n) + 1n;
  n += (residue - (n % product) + product) % product;
  if (n % 2n === 0n) n += product;
  return b64(n.toString(16));
}
const even = b64(((1n << 2047n) + 2n).toString(16));

const HOSTILE: readonly (readonly [string, unknown, JwksFlaw])[] = [
  ['no set', [], 'jwks_form'],
  ['keys no list', { keys: {} }, 'jwks_form'],
  ['a key that is a string', { keys: ['x'] }, 'jwks_form'],
  ['a key that is null', { keys: [null] }, 'jwks_form'],
  ['too many', { keys: Array.from({ length: MAX_KEYS + 1 }, () => ec.jwk) }, 'jwks_count'],
  ['a private key', { keys: [rsa.jwk, secret] }, 'jwks_private'],
  ['a private key for another use', { keys: [{ ...secret, use: 'enc' }] }, 'jwks_private'],
  ['a symmetric key', { keys: [ec.jwk, { kty: 'oct', k: 'c2VjcmV0' }] }, 'jwks_private'],
  ['a symmetric key without its secret', { keys: [{ kty: 'oct' }] }, 'jwks_private'],
  ['one name for two', { keys: [ec.jwk, { ...ec2.jwk, kid: ec.kid }] }, 'jwks_duplicate'],
  ['kid a number', { keys: [{ ...ec.jwk, kid: 1 }] }, 'jwks_form'],
  ['kid empty', { keys: [{ ...ec.jwk, kid: '' }] }, 'jwks_form'],
  ['a point off the curve', { keys: [{ ...ec.jwk, y: ec2.jwk.y }] }, 'jwks_form'],
  ['no y', { keys: [{ kty: 'EC', crv: 'P-256', x: ec.jwk.x, kid: 'a' }] }, 'jwks_form'],
  ['RSA of 1024 bits', { keys: [{ ...shortRsa, alg: 'RS256' }] }, 'jwks_weak'],
  ['RSA with exponent 1', { keys: [{ ...rsa.jwk, e: 'AQ' }] }, 'jwks_weak'],
  ['RSA with exponent 2', { keys: [{ ...rsa.jwk, e: 'Ag' }] }, 'jwks_weak'],
  ['an even modulus', { keys: [{ kty: 'RSA', n: even, e: 'AQAB' }] }, 'jwks_weak'],
  ['a ROCA modulus', { keys: [{ kty: 'RSA', n: rocaModulus(), e: 'AQAB' }] }, 'jwks_weak'],
];
for (const [name, set, flaw] of HOSTILE) {
  test(`${flaw}: ${name}`, () => assert.deepEqual(readJwks(set as Json), { ok: false, error: flaw }));
}

test('keys for other uses and algorithms are passed over', () => {
  const others = [
    { ...ec2.jwk, use: 'enc' },
    { ...ec2.jwk, key_ops: ['deriveKey'] },
    { ...ec2.jwk, alg: 'ECDH-ES' },
    { kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA', kid: 'p' },
    { kty: 'OKP', crv: 'Ed25519', x: 'AA', kid: 'o' },
    { ...rsa.jwk, alg: 'PS256' },
  ];
  const read = readJwks({ keys: [...others, ec.jwk] } as Json);
  assert.ok(read.ok);
  assert.deepEqual(
    read.value.map((k) => k.kid),
    [ec.kid],
  );
  const empty = readJwks({ keys: [] });
  assert.deepEqual(empty, { ok: true, value: [] });
});
test('a key is found by name and algorithm; without a name only where there is no choice', async () => {
  const read = readJwks({ keys: [ec.jwk, rsa.jwk] } as Json);
  assert.ok(read.ok);
  assert.ok(pick(read.value, ec.kid, 'ES256')?.equals(createPublicKey({ key: ec.jwk as never, format: 'jwk' })));
  assert.equal(pick(read.value, ec.kid, 'RS256'), undefined);
  assert.equal(pick(read.value, 'x', 'ES256'), undefined);
  assert.ok(pick(read.value, undefined, 'RS256'));
  const two = readJwks({ keys: [ec.jwk, ec2.jwk] } as Json);
  assert.ok(two.ok);
  assert.equal(pick(two.value, undefined, 'ES256'), undefined);
  const local = localKeys({ keys: [ec.jwk] } as Json);
  assert.ok(local.ok && (await local.value.find(ec.kid, 'ES256')));
  assert.equal(localKeys({ keys: [secret] } as unknown as Json).ok, false);
});
test('honest RSA keys are not taken for weak ones', async () => {
  for (const modulusLength of [2048, 3072]) {
    const { publicKey } = await generateKeyPair('RS256', { modulusLength, extractable: true });
    const read = readJwks({ keys: [await exportJWK(publicKey)] } as unknown as Json);
    assert.ok(read.ok && read.value.length === 1);
  }
});
