import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configJsonSchema, parseConfig } from '../../../src/config.ts';
import { ConfigError } from '../../../src/errors.ts';
import { defaults } from '../../../src/main.ts';

const good = { ...defaults, issuers: [{ use: 'oidc', id: 'people', issuer: 'https://id.example', vouches: ['person'] }] };
const problems = (value: unknown): readonly string[] => {
  try {
    parseConfig(value);
    return [];
  } catch (fault) {
    assert.ok(fault instanceof ConfigError);
    return fault.problems;
  }
};

test('the defaults are complete', () => assert.deepEqual(problems(defaults), []));
test('a trusted issuer is enough', () => assert.deepEqual(problems(good), []));
test('a Redis on loopback is enough; elsewhere TLS is, or its absence by name', () => {
  for (const store of [{ url: 'redis://127.0.0.1:6379/1' }, { url: 'rediss://redis.example' }, { url: 'redis://redis:6379', tls: 'none' }])
    assert.deepEqual(problems({ ...good, store: { use: 'redis', ...store } }), []);
});
const sts = { use: 'aws', region: 'eu-west-1' } as const;
test('an STS is asked by logins, or by keys that stand elsewhere', () => {
  const keys = { accessKeyId: { env: 'STS_KEY' }, secretAccessKey: { file: '/run/secrets/sts' } };
  for (const more of [{}, { via: 'assume-role', keys: 'default-chain' }, { via: 'assume-role', keys }])
    assert.deepEqual(problems({ ...good, backends: [{ ...sts, ...more }] }), []);
});
const vault = { use: 'vault', address: 'https://vault.example' } as const;
test('a Vault is told by its address; the rest can stay as it is', () => {
  const more = { address: 'https://vault.example/behind', namespace: 'team-a/shop', ca: '/etc/vault.pem', sweep: { role: 'sweeper' } };
  for (const backEnd of [vault, { ...vault, ...more }, { ...vault, address: 'http://127.0.0.1:8200' }])
    assert.deepEqual(problems({ ...good, backends: [backEnd] }), []);
});
test('limits stand where nothing is said of them, and none is said by name', () => {
  const { limits, proxies } = parseConfig(good);
  assert.deepEqual([limits.perAgent, limits.refusals, proxies], [{ requests: 600, seconds: 10 }, { requests: 60, seconds: 60 }, []]);
  assert.equal(parseConfig({ ...good, limits: { perAgent: 'none' } }).limits.perAgent, 'none');
  assert.deepEqual(problems({ ...good, proxies: ['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8'] }), []);
});
test('every problem at once, each with its path, none with its value', () => {
  const found = problems({
    ...good,
    issuer: 'http://broker.example/s3cret',
    operator: {},
    typo: 1,
    issuers: [{ ...good.issuers[0], vouches: ['gods'], extra: true }],
  });
  assert.deepEqual(
    found.map((p) => p.split(':')[0]),
    ['issuer', 'operator.socket', 'issuers.0.vouches.0', 'issuers.0.extra', 'typo'],
  );
  assert.equal(found.join('').includes('s3cret'), false);
});
const HOSTILE: readonly (readonly [string, object, string])[] = [
  ['plain http off loopback', { issuer: 'http://broker.example' }, 'issuer'],
  ['a trailing slash', { issuer: 'https://broker.example/' }, 'issuer'],
  ['a query', { issuer: 'https://broker.example?x=1' }, 'issuer'],
  ['a password in the issuer', { issuer: 'https://u:p@broker.example' }, 'issuer'],
  ['no issuer', { issuer: undefined }, 'issuer'],
  ['a secret in the document', { keys: { use: 'local', secret: 'hunter2' } }, 'keys.secret'],
  ['an unknown store', { store: { use: 'mysql' } }, 'store.use'],
  ['a Redis nowhere', { store: { use: 'redis' } }, 'store'],
  ['a Redis in two places', { store: { use: 'redis', url: 'redis://127.0.0.1', nodes: [{ host: '127.0.0.1', port: 6379 }] } }, 'store'],
  ['a password in the address of a Redis', { store: { use: 'redis', url: 'redis://default:hunter2@127.0.0.1' } }, 'store.url'],
  ['Sentinels without a name to ask for', { store: { use: 'redis', sentinels: [{ host: '127.0.0.1', port: 1 }] } }, 'store.master'],
  ['a Redis elsewhere without TLS', { store: { use: 'redis', url: 'redis://redis:6379' } }, 'store.tls'],
  ['TLS that is none', { store: { use: 'redis', url: 'rediss://redis:6379', tls: 'none' } }, 'store.tls'],
  ['a proxy by name', { proxies: ['nginx.internal'] }, 'proxies.0'],
  ['every address as a proxy, by a word', { proxies: ['all'] }, 'proxies.0'],
  ['no request at all', { limits: { perAddress: { requests: 0, seconds: 1 } } }, 'limits.perAddress.requests'],
  ['a limit over no time', { limits: { perAgent: { requests: 1, seconds: 0 } } }, 'limits.perAgent.seconds'],
  ['half a limit', { limits: { perAgent: { requests: 1 } } }, 'limits.perAgent'],
  ['a limit that is off by another word than none', { limits: { refusals: false } }, 'limits.refusals'],
  ['a pressure of no time', { limits: { pressureMs: 0 } }, 'limits.pressureMs'],
  ['a port out of range', { listen: { port: 70_000 } }, 'listen.port'],
  ['the broker as its own issuer of people', { issuers: [{ ...good.issuers[0], issuer: defaults.issuer }] }, 'issuers.0.issuer'],
  ['keys beside logins', { backends: [{ ...sts, keys: 'default-chain' }] }, 'backends.0.keys'],
  ['a role to be assumed without keys', { backends: [{ ...sts, via: 'assume-role' }] }, 'backends.0.keys'],
  [
    'keys in the document',
    { backends: [{ ...sts, via: 'assume-role', keys: { accessKeyId: 'hunter2', secretAccessKey: 'hunter2' } }] },
    'backends.0.keys',
  ],
  [
    'logins that nothing signs',
    { backends: [{ ...sts, algorithm: 'RS256' }], keys: { ...defaults.keys, algorithms: ['ES256'] } },
    'backends.0.algorithm',
  ],
  ['an STS elsewhere without TLS', { backends: [{ ...sts, endpoint: 'http://sts.example' }] }, 'backends.0.endpoint'],
  ['a Vault elsewhere without TLS', { backends: [{ ...vault, address: 'http://vault.example' }] }, 'backends.0.address'],
  ['a Vault with a token in its address', { backends: [{ ...vault, address: 'https://hvs.x@vault.example' }] }, 'backends.0.address'],
  ['a token for Vault', { backends: [{ ...vault, token: 'hunter2' }] }, 'backends.0.token'],
  ['a way round its certificate', { backends: [{ ...vault, skipVerify: true }] }, 'backends.0.skipVerify'],
  ['a mount that is a path', { backends: [{ ...vault, mount: '../sys' }] }, 'backends.0.mount'],
  ['a namespace that climbs', { backends: [{ ...vault, namespace: 'a/../b' }] }, 'backends.0.namespace'],
  ['a sweep without a role', { backends: [{ ...vault, sweep: {} }] }, 'backends.0.sweep.role'],
  ['a sweep of a path', { backends: [{ ...vault, sweep: { role: 'a/b' } }] }, 'backends.0.sweep.role'],
  ['a call that may take for ever', { backends: [{ ...vault, timeoutMs: 1e9 }] }, 'backends.0.timeoutMs'],
  ['one kind twice', { backends: [sts, { ...sts, region: 'eu-west-2' }] }, 'backends.1.use'],
  ['one issuer id twice', { issuers: [good.issuers[0], { ...good.issuers[0], issuer: 'https://b.example' }] }, 'issuers.1.id'],
  ['one issuer twice', { issuers: [good.issuers[0], { ...good.issuers[0], id: 'others' }] }, 'issuers.1.issuer'],
];
for (const [name, change, path] of HOSTILE) {
  test(`refused: ${name}`, () => {
    const found = problems({ ...good, ...change });
    assert.deepEqual(
      found.map((p) => p.split(':')[0]),
      [path],
    );
    assert.equal(found.join('').includes('hunter2'), false);
  });
}
test('editors get a JSON Schema of it', () => {
  const schema = configJsonSchema() as { readonly properties: Record<string, unknown>; readonly additionalProperties: boolean };
  assert.equal(schema.additionalProperties, false);
  assert.ok('issuers' in schema.properties);
});
