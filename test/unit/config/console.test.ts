/** What a console may be told, and what it may not. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseConfig } from '../../../src/config.ts';
import { ConfigError } from '../../../src/errors.ts';

const login = { issuer: 'people', clientId: 'console', roles: { approver: ['leads'] } };
const person = { use: 'oidc', id: 'people', issuer: 'https://idp.example', vouches: ['person'] };
const config = (console: unknown, issuers: readonly object[] = [person]) => ({
  issuer: 'https://broker.example',
  policies: './policies',
  store: { use: 'sqlite', path: './data/db' },
  keys: { use: 'local', secret: { file: './data/key' } },
  operator: { socket: './data/operator.sock' },
  issuers,
  ...(console !== undefined && { console }),
});

it('is complete by a login, or by nothing: then there are one-time links alone', () => {
  const { console } = parseConfig(config({ login }));
  assert.deepEqual(console, {
    login: {
      ...login,
      scopes: 'openid profile email',
      logout: 'issuer',
      roles: { claim: 'groups', viewer: [], approver: ['leads'], operator: [], auditor: [] },
      teams: { claim: 'groups' },
    },
    sessionSeconds: 28_800,
    idleSeconds: 1_800,
  });
  assert.deepEqual(parseConfig(config({})).console, { sessionSeconds: 28_800, idleSeconds: 1_800 });
  assert.equal(parseConfig(config(undefined)).console, undefined);
});

const BAD: readonly (readonly [string, unknown, readonly object[] | undefined, string])[] = [
  [
    'an issuer of nobody here',
    { login: { ...login, issuer: 'other' } },
    undefined,
    'console.login.issuer: there is no such issuer of people',
  ],
  [
    'an issuer of workloads',
    { login },
    [{ ...person, vouches: ['service', 'agent'] }],
    'console.login.issuer: there is no such issuer of people',
  ],
  ['no openid', { login: { ...login, scopes: 'profile' } }, undefined, 'console.login.scopes: openid is missing'],
  ['a secret in the document', { login: { ...login, clientSecret: 'hunter2' } }, undefined, 'console.login.clientSecret: Invalid input'],
  ['a role of its own', { login: { ...login, roles: { admin: ['x'] } } }, undefined, 'console.login.roles.admin: unknown setting'],
  [
    'more than twelve hours',
    { login, sessionSeconds: 43_201 },
    undefined,
    'console.sessionSeconds: Too big: expected number to be <=43200',
  ],
  ['a switch', { login, enabled: true }, undefined, 'console.enabled: unknown setting'],
  ['the name of local users', {}, [{ ...person, id: 'local' }], 'issuers.0.id: is the name of this machine’s own users'],
];
for (const [what, value, issuers, problem] of BAD)
  it(`refuses ${what}`, () => {
    assert.throws(
      () => parseConfig(config(value, issuers)),
      (fault) => {
        assert.deepEqual(fault instanceof ConfigError && fault.problems, [problem]);
        return true;
      },
    );
  });
