import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose';
import { sha256 } from '../../../src/wire/digest.ts';
import { type ProofExpected, type ProofFlaw, proofChecker, proofClaims, thumbprintEc } from '../../../src/wire/dpop.ts';
import { sign, type TestKey, testKey } from '../../support/idp.ts';

const NOW = 1_795_176_000;
const HTU = 'https://broker.example/token';
const key = await testKey('ES256');
const rsa = await testKey('RS256');
const other = await testKey('ES256');
const bare = (jwk: JWK): JWK => ({ kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }) as JWK;
const jkt = await calculateJwkThumbprint(bare(key.jwk));
const check = proofChecker();
const base = proofClaims({ htm: 'POST', htu: HTU, iat: NOW, jti: 'p1', nonce: 'n1' });
const expected: ProofExpected = { htm: 'POST', htu: HTU, now: NOW, nonce: (nonce) => nonce === 'n1' };
const make = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, by: TestKey = key): Promise<string> =>
  sign(by, { ...base, ...claims }, { typ: 'dpop+jwt', kid: undefined, jwk: bare(key.jwk), ...header });
const flawOf = (proof: string, more: Partial<ProofExpected> = {}): ProofFlaw | 'ok' => {
  const checked = check(proof, { ...expected, ...more });
  return checked.ok ? 'ok' : checked.error;
};

test('a good proof says its key, its id and its time', async () => {
  assert.deepEqual(check(await make(), expected), { ok: true, value: { jkt, jti: 'p1', iat: NOW } });
  assert.equal(thumbprintEc(key.jwk as { x: string; y: string }), jkt);
});
test('members beside the material do not change the thumbprint', async () => {
  const read = check(await make({}, { jwk: { ...key.jwk, use: 'sig', alg: 'ES256', kid: 'k' } }), expected);
  assert.ok(read.ok && read.value.jkt === jkt);
});

const HEADERS: readonly (readonly [string, Record<string, unknown>, ProofFlaw])[] = [
  ['typ JWT', { typ: 'JWT' }, 'proof_form'],
  ['typ absent', { typ: undefined }, 'proof_form'],
  ['typ at+jwt', { typ: 'at+jwt' }, 'proof_form'],
  ['no key', { jwk: undefined }, 'proof_key'],
  ['a key that is text', { jwk: 'x' }, 'proof_key'],
  ['a symmetric key', { jwk: { kty: 'oct', k: 'AA' } }, 'proof_key'],
  ['another curve', { jwk: { ...bare(key.jwk), crv: 'P-384' } }, 'proof_key'],
  ['an RSA key', { jwk: rsa.jwk }, 'proof_key'],
  ['a short coordinate', { jwk: { ...bare(key.jwk), x: 'AA' } }, 'proof_key'],
  ['a padded coordinate', { jwk: { ...bare(key.jwk), x: `${key.jwk.x}=` } }, 'proof_key'],
  ['a point off the curve', { jwk: { ...bare(key.jwk), y: other.jwk.y } }, 'proof_key'],
  ["somebody else's key", { jwk: bare(other.jwk) }, 'proof_signature'],
  ['jku', { jku: 'https://evil.example' }, 'proof_form'],
];
for (const [name, header, flaw] of HEADERS) test(`${flaw}: ${name}`, async () => assert.equal(flawOf(await make({}, header)), flaw));

test('proof_key: the private key shown along', async () => {
  assert.equal(flawOf(await make({}, { jwk: await exportJWK(key.privateKey) })), 'proof_key');
});
test('proof_form: RS256, no JWT, too long', async () => {
  assert.equal(flawOf(await make({}, { jwk: rsa.jwk }, rsa)), 'proof_form');
  for (const bad of ['', 'a.b', 'x'.repeat(5_000), await make({ pad: 'x'.repeat(4_100) })]) assert.equal(flawOf(bad), 'proof_form');
  assert.equal(flawOf(undefined as never), 'proof_form');
});

const CLAIMS: readonly (readonly [string, Record<string, unknown>, ProofFlaw | 'ok'])[] = [
  ['no jti', { jti: undefined }, 'proof_claim'],
  ['jti empty', { jti: '' }, 'proof_claim'],
  ['jti an object', { jti: {} }, 'proof_claim'],
  ['jti long', { jti: 'j'.repeat(257) }, 'proof_claim'],
  ['another method', { htm: 'GET' }, 'proof_htm'],
  ['method in lower case', { htm: 'post' }, 'proof_htm'],
  ['no method', { htm: undefined }, 'proof_htm'],
  ['another path', { htu: 'https://broker.example/introspect' }, 'proof_htu'],
  ['another host', { htu: 'https://evil.example/token' }, 'proof_htu'],
  ['another scheme', { htu: 'http://broker.example/token' }, 'proof_htu'],
  ['a query', { htu: `${HTU}?x=1` }, 'proof_htu'],
  ['a fragment', { htu: `${HTU}#x` }, 'proof_htu'],
  ['a user', { htu: 'https://a@broker.example/token' }, 'proof_htu'],
  ['no URL', { htu: 'token' }, 'proof_htu'],
  ['htu a list', { htu: [HTU] }, 'proof_htu'],
  ['htu long', { htu: `${HTU}/${'a'.repeat(2_100)}` }, 'proof_htu'],
  ['the default port and capitals', { htu: 'HTTPS://BROKER.example:443/token' }, 'ok'],
  ['no iat', { iat: undefined }, 'proof_iat'],
  ['iat a string', { iat: String(NOW) }, 'proof_iat'],
  ['61 s old', { iat: NOW - 61 }, 'proof_iat'],
  ['60 s old', { iat: NOW - 60 }, 'ok'],
  ['61 s ahead', { iat: NOW + 61 }, 'proof_iat'],
  ['60 s ahead', { iat: NOW + 60 }, 'ok'],
  ['no nonce', { nonce: undefined }, 'proof_nonce_needed'],
  ['a stale nonce', { nonce: 'n0' }, 'proof_nonce_needed'],
  ['nonce a number', { nonce: 1 }, 'proof_claim'],
];
for (const [name, claims, flaw] of CLAIMS) test(`${flaw}: ${name}`, async () => assert.equal(flawOf(await make(claims)), flaw));

test('ath binds the proof to one access token (RFC 9449 §4.3, check 11)', async () => {
  const claims = { ath: sha256('token-a') };
  assert.equal(flawOf(await make(claims), { token: 'token-a' }), 'ok');
  assert.equal(flawOf(await make(claims), { token: 'token-b' }), 'proof_ath');
  assert.equal(flawOf(await make(), { token: 'token-a' }), 'proof_ath');
});
test('the key cache is bounded and never vouches for a signature', async () => {
  const small = proofChecker({ keys: 2 });
  const holders = await Promise.all([testKey(), testKey(), testKey(), testKey()]);
  for (const holder of [...holders, ...holders]) {
    const proof = await make({}, { jwk: bare(holder.jwk) }, holder);
    assert.ok(small(proof, expected).ok);
    assert.deepEqual(small(await make({}, { jwk: bare(holder.jwk) }, other), expected), { ok: false, error: 'proof_signature' });
  }
});
