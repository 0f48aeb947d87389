import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  guardedUrl,
  KeysUnavailable,
  MAX_DOCUMENT_BYTES,
  type RemoteKeys,
  type RemoteKeysOptions,
  remoteKeys,
} from '../../../src/wire/jwks-remote.ts';
import { type Answer, type TestIdp, testIdp, testKey } from '../../support/idp.ts';

const [a, b, c] = [await testKey(), await testKey(), await testKey('RS256')];
const clock = { at: 1_795_176_000 };
const pass = (seconds: number): void => {
  clock.at += seconds;
};
/** A source at a well-behaved issuer with key `a`. */
async function source(more: Partial<RemoteKeysOptions> = {}, path = ''): Promise<{ idp: TestIdp; keys: RemoteKeys }> {
  const idp = await testIdp(path);
  idp.keys = [a];
  return { idp, keys: remoteKeys({ url: idp.jwksUri, now: () => clock.at, deadlineMs: 10_000, ...more }) };
}
const unavailable = (code: string) => (fault: unknown) =>
  fault instanceof KeysUnavailable && fault.code === code && fault.message === 'keys unavailable';
/** Lets a background refresh arrive. */
async function settled(idp: TestIdp, hits: number): Promise<void> {
  while (idp.hits.length < hits) await new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 2));
}

test('fifty who ask at once are one question', async () => {
  const { idp, keys } = await source();
  await using _ = idp;
  const found = await Promise.all(Array.from({ length: 50 }, () => keys.find(a.kid, 'ES256')));
  assert.ok(found.every((key) => key?.asymmetricKeyType === 'ec'));
  assert.equal(idp.hits.length, 1);
});

for (const [control, fresh] of [
  ['', 300],
  ['public, max-age=120', 120],
  ['max-age=1', 30],
  ['max-age=999999', 600],
  ['no-store, max-age=500', 30],
  ['s-maxage=120', 300],
  ['max-age=nonsense', 300],
] as const) {
  test(`"${control}" is fresh for ${fresh} s, then served stale while one refresh runs`, async () => {
    const { idp, keys } = await source();
    await using _ = idp;
    idp.headers = { 'cache-control': control };
    await keys.find(a.kid, 'ES256');
    pass(fresh - 1);
    await keys.find(a.kid, 'ES256');
    assert.equal(idp.hits.length, 1);
    idp.keys = [b];
    pass(1);
    assert.ok(await keys.find(a.kid, 'ES256'), 'stale, at once');
    await settled(idp, 2);
    assert.equal(idp.hits.length, 2);
    pass(6);
    assert.equal(await keys.find(a.kid, 'ES256'), undefined, 'a removed key verifies no more');
    assert.ok(await keys.find(b.kid, 'ES256'));
  });
}

test('an unknown kid asks at once, and at most once per cooldown', async () => {
  const { idp, keys } = await source();
  await using _ = idp;
  await keys.find(a.kid, 'ES256');
  idp.keys = [a, b];
  assert.ok(await keys.find(b.kid, 'ES256'), 'rotated a moment ago');
  assert.equal(idp.hits.length, 2);
  for (let i = 0; i < 20; i++) assert.equal(await keys.find(`nobody-${i}`, 'ES256'), undefined);
  assert.equal(idp.hits.length, 2);
  pass(5);
  await Promise.all(Array.from({ length: 20 }, (_, i) => keys.find(`nobody-${i}`, 'ES256')));
  assert.equal(idp.hits.length, 3);
});
test('an unknown kid of a set just fetched asks no second time; nor does a token without kid', async () => {
  const { idp, keys } = await source();
  await using _ = idp;
  assert.equal(await keys.find('nobody', 'ES256'), undefined);
  assert.equal(idp.hits.length, 1);
  idp.keys = [a, b];
  assert.ok(await keys.find(undefined, 'ES256'));
  assert.equal(await keys.find(undefined, 'RS256'), undefined);
  assert.equal(idp.hits.length, 1);
});

const json = (value: unknown): string => JSON.stringify(value);
const set = json({ keys: [a.jwk] });
const FAILURES: readonly (readonly [string, Answer, string])[] = [
  ['hangs', 'hang', 'keys_deadline'],
  ['cuts the line', 'cut', 'keys_network'],
  ['sends without end', 'trickle', 'keys_size'],
  ['is huge', { body: set + ' '.repeat(MAX_DOCUMENT_BYTES) }, 'keys_size'],
  ['is huge once unpacked', { body: gzipSync(' '.repeat(20_000_000)), headers: { 'content-encoding': 'gzip' } }, 'keys_size'],
  ['redirects', { status: 302, headers: { location: '/.well-known/openid-configuration' } }, 'keys_status'],
  ['redirects for ever', { status: 308, headers: { location: '/jwks' } }, 'keys_status'],
  ['is not found', { status: 404, body: set }, 'keys_status'],
  ['is broken', { status: 500, body: set }, 'keys_status'],
  ['has nothing to say', { status: 204 }, 'keys_status'],
  ['speaks HTML', { body: '<html></html>' }, 'keys_form'],
  ['is empty', { body: '' }, 'keys_form'],
  ['is a list', { body: '[]' }, 'keys_form'],
  ['says a key twice', { body: `{"keys":[],"keys":[${json(a.jwk)}]}` }, 'keys_form'],
  ['begins with a BOM', { body: `\ufeff${set}` }, 'keys_form'],
  ['is not UTF-8', { body: Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff]), Buffer.from('","keys":[]}')]) }, 'keys_form'],
  ['has one symmetric key', { body: json({ keys: [a.jwk, { kty: 'oct', k: 'AA' }] }) }, 'keys_form'],
  ['has one weak key', { body: json({ keys: [a.jwk, { ...c.jwk, e: 'AQ' }] }) }, 'keys_form'],
];
for (const [name, answer, code] of FAILURES) {
  test(`${code}: the source ${name}; nobody waits again until the negative cache ends`, async () => {
    const { idp, keys } = await source({ deadSeconds: 10, ...(answer === 'hang' && { deadlineMs: 150 }) });
    await using _ = idp;
    idp.answers['/jwks'] = answer;
    await assert.rejects(keys.find(a.kid, 'ES256'), unavailable(code));
    for (let i = 0; i < 5; i++) await assert.rejects(keys.find(a.kid, 'ES256'), unavailable('keys_dead'));
    assert.equal(await keys.refresh(), false);
    assert.equal(idp.hits.length, 1);
    pass(10);
    idp.answers = {};
    assert.ok(await keys.find(a.kid, 'ES256'), 'and it comes back');
  });
}

test('a source that dies is served stale up to the limit, then nothing is known', async () => {
  const { idp, keys } = await source({ staleSeconds: 600 });
  await using _ = idp;
  await keys.find(a.kid, 'ES256');
  idp.answers['/jwks'] = { status: 503 };
  pass(300 + 599);
  assert.ok(await keys.find(a.kid, 'ES256'));
  await settled(idp, 2);
  await assert.rejects(keys.find('new', 'ES256'), unavailable('keys_dead'), 'a new key cannot be known of');
  assert.equal(await keys.refresh(), true);
  pass(1);
  await assert.rejects(keys.find(a.kid, 'ES256'), unavailable('keys_dead'));
  assert.equal(await keys.refresh(), false);
  pass(10);
  await assert.rejects(keys.find(a.kid, 'ES256'), unavailable('keys_status'));
});
test('a hanging source keeps the stale set at hand: nobody waits for the refresh', async () => {
  const { idp, keys } = await source();
  await using _ = idp;
  await keys.find(a.kid, 'ES256');
  idp.answers['/jwks'] = 'hang';
  pass(301);
  for (let i = 0; i < 10; i++) assert.ok(await keys.find(a.kid, 'ES256'));
  await settled(idp, 2);
  assert.equal(idp.hits.length, 2);
});
test('a clock that steps back does not make old keys fresh', async () => {
  const { idp, keys } = await source();
  await using _ = idp;
  await keys.find(a.kid, 'ES256');
  idp.keys = [b];
  pass(-3_600);
  assert.equal(await keys.find(a.kid, 'ES256'), undefined);
  pass(3_600);
});
test('who waits may leave; the answer still comes for the others', async () => {
  const { idp, keys } = await source();
  await using _ = idp;
  const leave = new AbortController();
  const gone = keys.find(a.kid, 'ES256', leave);
  const stays = keys.find(a.kid, 'ES256');
  leave.abort();
  await assert.rejects(gone, unavailable('keys_abandoned'));
  assert.ok(await stays);
  await assert.rejects(keys.find('new', 'ES256', { signal: AbortSignal.abort() }), unavailable('keys_abandoned'));
});
test('a fetch that ignores its signal holds nobody past the deadline', async () => {
  const keys = remoteKeys({
    url: 'https://idp.example/jwks',
    now: () => clock.at,
    deadlineMs: 20,
    fetch: () => new Promise(() => undefined),
  });
  const held = setInterval(() => undefined, 1_000); // the deadline's own timer holds no process
  await assert.rejects(keys.find('k', 'ES256'), unavailable('keys_deadline'));
  clearInterval(held);
});
test('a fetch that followed a redirect on its own is not believed', async () => {
  const response = new Response(set);
  Object.defineProperty(response, 'redirected', { value: true });
  const keys = remoteKeys({ url: 'https://idp.example/jwks', now: () => clock.at, fetch: async () => response });
  await assert.rejects(keys.find(a.kid, 'ES256'), unavailable('keys_status'));
});

test('https anywhere, http on loopback alone', () => {
  for (const good of [
    'https://idp.example/jwks',
    'http://127.0.0.1:1/x',
    'http://[::1]/x',
    'http://localhost:8080',
    'https://b2c.example/k?p=1',
  ]) {
    assert.ok(guardedUrl(good), good);
  }
  const bad = ['http://idp.example', 'http://169.254.169.254/latest', 'http://localhost.evil.example', 'http://0.0.0.0', 'ftp://127.0.0.1']
    .concat([
      'file:///etc/passwd',
      'data:application/json,{}',
      'https://user@idp.example',
      'https://:p@idp.example',
      'https://idp.example/#x',
      '',
      'idp',
    ])
    .concat(['http://127.0.0.1.evil.example', `https://idp.example/${'a'.repeat(2_048)}`]);
  for (const url of bad) {
    assert.equal(guardedUrl(url), undefined, url);
    assert.throws(() => remoteKeys({ url, now: () => 0 }), TypeError);
    assert.throws(() => remoteKeys({ url: { issuer: url }, now: () => 0 }), TypeError);
  }
  assert.throws(() => remoteKeys({ url: { issuer: 'https://idp.example?x=1' }, now: () => 0 }), TypeError);
  for (const value of [undefined, null, 1, {}]) assert.equal(guardedUrl(value), undefined);
});

for (const [path, document, asked] of [
  ['', 'openid-configuration', '/.well-known/openid-configuration'],
  ['/tenant', 'openid-configuration', '/tenant/.well-known/openid-configuration'],
  ['', 'oauth-authorization-server', '/.well-known/oauth-authorization-server'],
  ['/tenant', 'oauth-authorization-server', '/.well-known/oauth-authorization-server/tenant'],
] as const) {
  test(`discovery of …${path} by ${document}`, async () => {
    const idp = await testIdp(path);
    await using _ = idp;
    idp.keys = [a];
    const keys = remoteKeys({ url: { issuer: idp.issuer, document }, now: () => clock.at });
    assert.ok(await keys.find(a.kid, 'ES256'));
    assert.deepEqual(idp.hits, [asked, `${path}/jwks`]);
  });
}

const METADATA: readonly (readonly [string, (idp: TestIdp) => unknown, string])[] = [
  ['another issuer', (idp) => ({ issuer: 'https://evil.example', jwks_uri: idp.jwksUri }), 'keys_issuer'],
  ['the issuer with a slash', (idp) => ({ issuer: `${idp.issuer}/`, jwks_uri: idp.jwksUri }), 'keys_issuer'],
  ['no issuer', (idp) => ({ jwks_uri: idp.jwksUri }), 'keys_issuer'],
  ['no jwks_uri', (idp) => ({ issuer: idp.issuer }), 'keys_url'],
  ['jwks_uri on plain http elsewhere', (idp) => ({ issuer: idp.issuer, jwks_uri: 'http://169.254.169.254/jwks' }), 'keys_url'],
  ['jwks_uri a file', (idp) => ({ issuer: idp.issuer, jwks_uri: 'file:///etc/passwd' }), 'keys_url'],
  ['jwks_uri a list', (idp) => ({ issuer: idp.issuer, jwks_uri: [idp.jwksUri] }), 'keys_url'],
  ['a list', () => [], 'keys_form'],
];
for (const [name, metadata, code] of METADATA) {
  test(`${code}: metadata with ${name}`, async () => {
    const idp = await testIdp();
    await using _ = idp;
    idp.keys = [a];
    idp.answers['/.well-known/openid-configuration'] = { body: json(metadata(idp)) };
    const keys = remoteKeys({ url: { issuer: idp.issuer }, now: () => clock.at });
    await assert.rejects(keys.find(a.kid, 'ES256'), unavailable(code));
    assert.deepEqual(idp.hits, ['/.well-known/openid-configuration']);
  });
}
test('an issuer out there cannot point at a service in here', async () => {
  const asked: string[] = [];
  const metadata = json({ issuer: 'https://idp.example', jwks_uri: 'http://127.0.0.1:8200/v1/secret' });
  const keys = remoteKeys({
    url: { issuer: 'https://idp.example' },
    now: () => clock.at,
    fetch: async (url) => {
      asked.push(String(url));
      return new Response(metadata);
    },
  });
  await assert.rejects(keys.find(a.kid, 'ES256'), unavailable('keys_url'));
  assert.deepEqual(asked, ['https://idp.example/.well-known/openid-configuration']);
});
