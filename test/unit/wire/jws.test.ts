import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { JWTPayload } from 'jose';
import { localKeys } from '../../../src/wire/jwks.ts';
import { checkToken, type Expected, type KeySource, MAX_TOKEN_LENGTH, peek, readJws, type TokenFlaw } from '../../../src/wire/jws.ts';
import { sign, testKey } from '../../support/idp.ts';

const NOW = 1_795_176_000;
const ec = await testKey('ES256');
const rsa = await testKey('RS256');
const stranger = { ...(await testKey('ES256')), kid: ec.kid };
const read = localKeys({ keys: [ec.jwk, rsa.jwk] } as never);
assert.ok(read.ok);
const keys = read.value;

const base = { iss: 'https://idp.example', sub: 'u_1', aud: 'refund-bot', iat: NOW - 5, exp: NOW + 295, jti: 'j1' };
const expected: Expected = {
  typ: ['JWT', undefined],
  algs: ['ES256', 'RS256'],
  issuer: 'https://idp.example',
  audience: 'refund-bot',
  maxLifetimeSeconds: 300,
  now: NOW,
  required: ['jti'],
};
const b64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64url');
const flawOf = async (token: string, more: Partial<Expected> = {}, source: KeySource = keys): Promise<TokenFlaw | 'ok'> => {
  const checked = await checkToken(token, source, { ...expected, ...more });
  return checked.ok ? 'ok' : checked.error;
};
const good = await sign(ec, base);
const [head = '', body = '', mac = ''] = good.split('.');
/** Signed over texts as they are: what no honest library would make. */
async function raw(header: string | Uint8Array, payload: string | Uint8Array): Promise<string> {
  const input = `${b64(header)}.${b64(payload)}`;
  const bytes = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, ec.privateKey, Buffer.from(input));
  return `${input}.${b64(new Uint8Array(bytes))}`;
}
const H = JSON.stringify({ alg: 'ES256', typ: 'JWT', kid: ec.kid });

test('a good token of either algorithm, with and without typ', async () => {
  assert.deepEqual(await checkToken(good, keys, expected), { ok: true, value: base });
  assert.equal(await flawOf(await sign(rsa, base)), 'ok');
  assert.equal(await flawOf(await sign(ec, base, { typ: undefined })), 'ok');
  assert.equal(await flawOf(await sign(ec, base, { kid: undefined })), 'ok');
  assert.equal(await flawOf(await sign(ec, { ...base, aud: ['refund-bot'] })), 'ok');
  assert.equal(await flawOf(await sign(ec, base, { typ: 'application/at+JWT' }), { typ: ['at+jwt'] }), 'ok');
});

const FORMS: readonly (readonly [string, string])[] = [
  ['empty', ''],
  ['two segments', `${head}.${body}`],
  ['five segments', `${good}.x.y`],
  ['empty signature', `${head}.${body}.`],
  ['padding', `${good}==`],
  ['space before', ` ${good}`],
  ['line feed after', `${good}\n`],
  ['space within', `${head}.${body.slice(0, 8)} ${body.slice(8)}.${mac}`],
  ['standard base64', `${head}.${body}.${mac.slice(0, -2)}+/`],
  ['too long', `${head}.${'A'.repeat(MAX_TOKEN_LENGTH)}.${mac}`],
  ['a list as header', await raw('[]', JSON.stringify(base))],
  ['a list as payload', await raw(H, '[]')],
  ['a header twice', await raw(`{"alg":"none","alg":"ES256","kid":"${ec.kid}"}`, JSON.stringify(base))],
  ['a claim twice', await raw(H, `{"sub":"admin",${JSON.stringify(base).slice(1)}`)],
  ['a byte order mark', await raw(H, `\ufeff${JSON.stringify(base)}`)],
  [
    'broken UTF-8',
    await raw(H, Buffer.concat([Buffer.from(`{"x":"`), Buffer.from([0xff]), Buffer.from(`",${JSON.stringify(base).slice(1)}`)])),
  ],
  ['exp 1e400', await raw(H, JSON.stringify(base).replace(/"exp":\d+/, '"exp":1e400'))],
  ['a reserved key', await raw(H, `{"__proto__":{},${JSON.stringify(base).slice(1)}`)],
];
for (const [name, token] of FORMS) test(`token_form: ${name}`, async () => assert.equal(await flawOf(token), 'token_form'));

test('token_form: every other spelling of the last signature character', async () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  for (const c of alphabet) {
    const other = good.slice(0, -1) + c;
    if (other !== good) assert.match(await flawOf(other), /^token_(form|signature)$/);
  }
});
test('not a string at all', () => {
  for (const value of [undefined, null, 1, {}, [good]]) {
    assert.deepEqual(readJws(value as never, { typ: ['JWT'] }), { ok: false, error: 'token_form' });
    assert.equal(peek(value as never), undefined);
  }
});

const HEADERS: readonly (readonly [string, Readonly<Record<string, unknown>>, TokenFlaw])[] = [
  ['none', { alg: 'none' }, 'token_alg'],
  ['HMAC', { alg: 'HS256' }, 'token_alg'],
  ['ES384', { alg: 'ES384' }, 'token_alg'],
  ['PS256', { alg: 'PS256' }, 'token_alg'],
  ['lower case', { alg: 'es256' }, 'token_alg'],
  ['a list of algorithms', { alg: ['ES256'] }, 'token_alg'],
  ['jku', { jku: 'https://evil.example/jwks' }, 'token_header'],
  ['x5u', { x5u: 'https://evil.example/x' }, 'token_header'],
  ['x5c', { x5c: ['AAAA'] }, 'token_header'],
  ['jwk', { jwk: ec.jwk }, 'token_header'],
  ['crit', { crit: ['exp'] }, 'token_header'],
  ['b64 without crit', { b64: false }, 'token_header'],
  ['zip', { zip: 'DEF' }, 'token_header'],
  ['enc', { enc: 'A256GCM' }, 'token_header'],
  ['an access token', { typ: 'at+jwt' }, 'token_typ'],
  ['a proof', { typ: 'dpop+jwt' }, 'token_typ'],
  ['typ a number', { typ: 1 }, 'token_typ'],
  ['typ empty', { typ: '' }, 'token_typ'],
  ['kid unknown', { kid: 'nobody' }, 'token_kid'],
  ['kid empty', { kid: '' }, 'token_kid'],
  ['kid a number', { kid: 7 }, 'token_kid'],
  ['kid long', { kid: 'k'.repeat(257) }, 'token_kid'],
  ['kid of the other algorithm', { kid: rsa.kid }, 'token_kid'],
];
for (const [name, header, flaw] of HEADERS) {
  test(`${flaw}: ${name}`, async () => {
    const whole = { alg: 'ES256', typ: 'JWT', kid: ec.kid, ...header };
    assert.equal(await flawOf(await raw(JSON.stringify(whole), JSON.stringify(base))), flaw);
  });
}

test('token_signature: another key, another body, HMAC with the public key, a raw DER signature', async () => {
  assert.equal(await flawOf(await sign(stranger, base)), 'token_signature');
  assert.equal(await flawOf(`${head}.${b64(JSON.stringify({ ...base, sub: 'admin' }))}.${mac}`), 'token_signature');
  const hs = createHmac('sha256', JSON.stringify(ec.jwk)).update(`${head}.${body}`).digest('base64url');
  assert.equal(await flawOf(`${head}.${body}.${hs}`), 'token_signature');
  assert.equal(await flawOf(`${head}.${body}.${b64(Buffer.alloc(64))}`), 'token_signature');
  assert.equal(await flawOf(`${head}.${body}.${b64(Buffer.alloc(72, 0x30))}`), 'token_signature');
});
test('the high-S twin verifies: replay is never keyed on the string', async () => {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const bytes = Buffer.from(mac, 'base64url');
  const s = n - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const twin = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  assert.equal(await flawOf(`${head}.${body}.${b64(twin)}`), 'ok');
});

const CLAIMS: readonly (readonly [string, JWTPayload | Record<string, unknown>, TokenFlaw | 'ok'])[] = [
  ['iss of another', { iss: 'https://idp.example/' }, 'token_issuer'],
  ['iss absent', { iss: undefined }, 'token_issuer'],
  ['iss a list', { iss: ['https://idp.example'] }, 'token_issuer'],
  ['aud of another', { aud: 'other-bot' }, 'token_audience'],
  ['aud absent', { aud: undefined }, 'token_audience'],
  ['aud empty', { aud: [] }, 'token_audience'],
  ['aud among others', { aud: ['refund-bot', 'other-bot'] }, 'token_audience'],
  ['aud twice', { aud: ['refund-bot', 'refund-bot'] }, 'token_audience'],
  ['aud nested', { aud: [['refund-bot']] }, 'token_audience'],
  ['sub absent', { sub: undefined }, 'token_claim'],
  ['sub empty', { sub: '' }, 'token_claim'],
  ['sub an object', { sub: { a: 1 } }, 'token_claim'],
  ['sub a number', { sub: 1 }, 'token_claim'],
  ['sub long', { sub: 's'.repeat(1_025) }, 'token_claim'],
  ['jti absent where required', { jti: undefined }, 'token_claim'],
  ['jti an object', { jti: {} }, 'token_claim'],
  ['jti long', { jti: 'j'.repeat(1_025) }, 'token_claim'],
  ['exp absent', { exp: undefined }, 'token_claim'],
  ['exp a string', { exp: String(NOW + 60) }, 'token_claim'],
  ['exp negative', { exp: -1 }, 'token_claim'],
  ['iat absent', { iat: undefined }, 'token_claim'],
  ['iat a list', { iat: [NOW] }, 'token_claim'],
  ['nbf a string', { nbf: 'now' }, 'token_claim'],
  ['expired a second ago', { iat: NOW - 200, exp: NOW - 1 }, 'token_expired'],
  ['expired this second', { iat: NOW - 200, exp: NOW }, 'token_expired'],
  ['good for a second more', { iat: NOW - 200, exp: NOW + 1 }, 'ok'],
  ['iat 11 s ahead', { iat: NOW + 11 }, 'token_early'],
  ['iat 10 s ahead', { iat: NOW + 10 }, 'ok'],
  ['nbf 11 s ahead', { nbf: NOW + 11 }, 'token_early'],
  ['nbf 10 s ahead', { nbf: NOW + 10 }, 'ok'],
  ['a life of 301 s', { iat: NOW - 5, exp: NOW + 296 }, 'token_lifetime'],
  ['a century', { exp: NOW + 3_155_760_000 }, 'token_lifetime'],
  ['exp before iat', { iat: NOW + 9, exp: NOW + 5 }, 'token_lifetime'],
];
for (const [name, change, flaw] of CLAIMS) {
  test(`${flaw}: ${name}`, async () => assert.equal(await flawOf(await raw(H, JSON.stringify({ ...base, ...change }))), flaw));
}

test('a key source that throws is unavailable; one that is not asked knows nothing', async () => {
  let asked = 0;
  const dead: KeySource = {
    find: async () => {
      asked += 1;
      throw new Error('dead');
    },
  };
  assert.equal(await flawOf(good, {}, dead), 'keys_unavailable');
  assert.equal(asked, 1);
  assert.equal(await flawOf(good, { issuer: 'https://other.example' }, dead), 'token_issuer');
  assert.equal(await flawOf(good, { algs: ['RS256'] }, dead), 'token_alg');
  assert.equal(asked, 1);
});
test('peek reads without believing', () => {
  assert.deepEqual(peek(good), base);
  assert.equal(peek(`${head}.${b64('nonsense')}.${mac}`), undefined);
  assert.equal(peek(`${head}.${b64('{"iss":"a","iss":"b"}')}.${mac}`), undefined);
});
