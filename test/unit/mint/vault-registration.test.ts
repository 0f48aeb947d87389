import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { readVaultRegistration } from '../../../src/mint/minter-vault-registration.ts';
import type { JsonObject } from '../../../src/wire/json.ts';

const OF = { server: 'shop', tool: { name: 'create_refund', schema: {}, hidden: false } };
const read = (settings: JsonObject) => readVaultRegistration(settings, OF);
const DATABASE = { form: 'database', role: 'refunds', path: 'database/creds/refund-writer' };
const KV = { form: 'kv', role: 'reader', path: 'secret/data/shop/api' };
const PKI = { form: 'pki', role: 'certs', path: 'pki/sign/shop', commonName: 'shop.example' };
const SSH = { form: 'ssh', role: 'ssh', path: 'ssh/sign/deploy', principals: ['deploy'] };

suite('what a tool may register', () => {
  for (const [settings, filled] of [
    [DATABASE, { wrap: false }],
    [{ ...DATABASE, path: 'team-a/db_2/creds/Refund-Writer', wrap: true }, {}],
    [{ form: 'read', role: 'r', path: 'rabbitmq/creds/reader' }, { wrap: false }],
    [KV, { wrap: false }],
    [PKI, { hosts: [] }],
    [{ ...PKI, path: 'pki/issuer/2026/sign/shop', hosts: ['api.shop.example', 'shop.example'] }, {}],
    [SSH, { extensions: [] }],
    [{ ...SSH, extensions: ['permit-pty'], forceCommand: '/bin/backup --all', sourceAddresses: ['10.0.0.0/8', 'fd00::/8'] }, {}],
  ] as const) {
    test(`${settings.form}: ${settings.path}`, () => {
      const found = read(settings);
      assert.ok(found.ok);
      assert.deepEqual(found.value.settings, { ...filled, ...settings });
      assert.equal(found.value.where, `vault/${settings.path}`);
      assert.equal(found.value.standing, settings.form === 'kv' ? true : undefined);
      assert.ok(Object.isFrozen(found.value.settings));
    });
  }
  test('one path has one name, whoever logs in for it', () => {
    const names = [DATABASE, { ...DATABASE, role: 'others', wrap: true }].map((settings) => {
      const found = read(settings);
      return found.ok && found.value.where;
    });
    assert.equal(names[0], names[1]);
  });
});

const PATHS = [
  '../sys/policies/acl/root',
  'database/creds/../../sys/policies/acl/root',
  'database/creds/..',
  'database/./creds/x',
  'database/creds/%2e%2e/%2e%2e/sys/seal',
  'database/creds/%2E%2e',
  'database/creds/%252e%252e',
  'database/creds/x%2fy',
  'database/creds/x%00',
  'database\\creds\\x',
  'database/creds\\..\\x',
  'database//creds/x',
  '/database/creds/x',
  'database/creds/x/',
  'database/creds/x?list=true',
  'database/creds/x#y',
  'database/creds/x;y',
  'database/creds/x y',
  ' database/creds/x',
  'database/creds/x\n',
  'database/creds/x\r\nX-Vault-Token: y',
  'database/creds/x\0',
  'database/creds/ｘ',
  'database/creds/x\u202e',
  'database/creds/．．/x',
  'database/creds/{{identity.entity.name}}',
  'database/creds/$' + '{arguments.role}',
  'database/creds/+',
  'database/creds/*',
  'database/creds/&#x2F;x',
  'https://vault.example/v1/database/creds/x',
  'v1/../database/creds/x',
  'sys/creds/x',
  'sys/raw/creds/x',
  'auth/token/creds/x',
  'identity/oidc/creds/x',
  'cubbyhole/creds/x',
  'database/creds/',
  'database/creds',
  'database/static-creds/x',
  `database/creds/${'x'.repeat(129)}`,
  `${'a/'.repeat(20)}creds/x`,
  '',
];
const ROLES = ['', '..', 'a/b', 'a%2fb', 'a b', 'a\n', 'a*', '{{x}}', 'ｒ', 'x'.repeat(129)];

suite('is refused before it comes into force', () => {
  for (const path of PATHS) {
    test(`a path: ${JSON.stringify(path).slice(0, 60)}`, () => {
      const found = read({ ...DATABASE, path });
      assert.ok(!found.ok);
      assert.ok(found.error.every((flaw) => flaw.startsWith('path: ')));
    });
  }
  test('and the flaw repeats nothing', () => {
    const found = read({ ...DATABASE, role: 'canary/../role', path: 'canary/../path', canary_of_a_value: 'canary=value' });
    assert.ok(!found.ok);
    assert.doesNotMatch(found.error.join(), /canary[/=]/);
  });
  for (const role of ROLES) {
    test(`a role: ${JSON.stringify(role).slice(0, 60)}`, () => {
      const found = read({ ...DATABASE, role });
      assert.deepEqual(!found.ok && found.error, ['role: must be one path segment of letters, digits, _ and -']);
    });
  }
  for (const [what, settings, flaw] of [
    ['no form', { role: 'r', path: 'a/creds/b' }, /^form: must be/],
    ['a form nobody knows', { ...DATABASE, form: 'root' }, /^form: must be/],
    ['what a request brings', { ...DATABASE, csr: 'x' }, /^csr: unknown/],
    ['a lifetime of its own', { ...DATABASE, ttl: '24h' }, /^ttl: unknown/],
    ['a namespace', { ...DATABASE, namespace: 'other' }, /^namespace: unknown/],
    ['no role', { form: 'database', path: 'a/creds/b' }, /^role: /],
    ['a path of a number', { ...DATABASE, path: 7 }, /^path: /],
    ['a list of paths', { ...DATABASE, path: ['a/creds/b'] }, /^path: /],
    ['wrap that is a word', { ...DATABASE, wrap: 'yes' }, /^wrap: /],
    ['a wrapped certificate', { ...PKI, wrap: true }, /^wrap: unknown/],
    ['version 1 of a value', { ...KV, path: 'secret/shop' }, /^path: must be such as/],
    ['the metadata of a value', { ...KV, path: 'secret/metadata/shop' }, /^path: must be such as/],
    ['a certificate to the letter of the request', { ...PKI, path: 'pki/sign-verbatim/shop' }, /^path: must be such as/],
    ['a key that Vault makes', { ...PKI, path: 'pki/issue/shop' }, /^path: must be such as/],
    ['an intermediate authority', { ...PKI, path: 'pki/root/sign-intermediate' }, /^path: must be such as/],
    ['a wildcard name', { ...PKI, commonName: '*.shop.example' }, /^commonName: /],
    ['a name in capitals', { ...PKI, commonName: 'Shop.example' }, /^commonName: /],
    ['no name', { form: 'pki', role: 'r', path: 'pki/sign/shop' }, /^commonName: /],
    ['a name of two', { ...PKI, commonName: 'shop.example,bank.example' }, /^commonName: /],
    ['a host of two', { ...PKI, hosts: ['a.example,b.example'] }, /^hosts\.0: /],
    ['a host with a wildcard', { ...PKI, hosts: ['*'] }, /^hosts\.0: /],
    ['nobody to log in as', { ...SSH, principals: [] }, /^principals: /],
    ['everybody to log in as', { ...SSH, principals: ['*'] }, /^principals\.0: /],
    ['two in one to log in as', { ...SSH, principals: ['deploy,root'] }, /^principals\.0: /],
    ['a template to log in as', { ...SSH, principals: ['{{identity.entity.name}}'] }, /^principals\.0: /],
    ['an extension nobody knows', { ...SSH, extensions: ['login@github.com'] }, /^extensions\.0: /],
    ['a command of two lines', { ...SSH, forceCommand: 'a\nb' }, /^forceCommand: /],
    ['a network that is none', { ...SSH, sourceAddresses: ['everywhere'] }, /^sourceAddresses\.0: /],
    ['__proto__', JSON.parse('{"form":"database","role":"r","path":"a/creds/b","__proto__":{"wrap":true}}'), /unknown/],
  ] as const) {
    test(what, () => {
      const found = read(settings as JsonObject);
      assert.match(found.ok ? 'accepted' : (found.error[0] ?? ''), flaw);
    });
  }
});
