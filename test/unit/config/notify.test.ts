/** Who is told, as it is configured: complete or refused, every problem at once and none with its value. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from '../../../src/config.ts';
import { ConfigError } from '../../../src/errors.ts';
import { defaults } from '../../../src/main.ts';

const problems = (more: object): readonly string[] => {
  try {
    parseConfig({ ...defaults, ...more });
    return [];
  } catch (fault) {
    assert.ok(fault instanceof ConfigError);
    return fault.problems;
  }
};
const hook = { use: 'webhook', url: 'https://hooks.example/x?token=canary', secret: { env: 'HOOK' } } as const;
const mail = { use: 'mail', host: 'mail.example', from: 'broker@broker.example', to: { 'team:privacy': ['p@example.org'] } } as const;

test('an address and a secret are enough, and so is a mail server with somebody to write to', () => {
  const { notify, approvals } = parseConfig({ ...defaults, notify: [hook, mail] });
  assert.deepEqual(
    notify.map(({ use, events, timeoutMs }) => [use, events, timeoutMs]),
    [
      ['webhook', ['pending', 'approved', 'denied', 'expired', 'cancelled', 'halt'], 5_000],
      ['mail', ['pending', 'halt'], 5_000],
    ],
  );
  assert.deepEqual(approvals, {});
  assert.deepEqual(
    problems({
      notify: [
        { ...hook, url: 'http://127.0.0.1:1/x', inward: 'allowed' },
        { ...mail, host: '::1', tls: 'none' },
      ],
    }),
    [],
  );
  assert.deepEqual(problems({ approvals: { perApprover: { max: 20, windowSeconds: 3_600 } } }), []);
});

const HOSTILE: readonly (readonly [string, object, string])[] = [
  ['plain http', { ...hook, url: 'http://hooks.example/' }, 'notify.0.url'],
  ['a user in the address', { ...hook, url: 'https://canary@hooks.example/' }, 'notify.0.url'],
  ['another scheme', { ...hook, url: 'file:///canary' }, 'notify.0.url'],
  ['loopback that is not said by name', { ...hook, url: 'http://localhost:1/' }, 'notify.0.inward'],
  ['the secret itself', { ...hook, secret: 'whsec_canary' }, 'notify.0.secret'],
  ['no secret', { use: 'webhook', url: 'https://hooks.example/' }, 'notify.0.secret'],
  ['an event that there is not', { ...hook, events: ['canary'] }, 'notify.0.events.0'],
  ['no event', { ...hook, events: [] }, 'notify.0.events'],
  ['for nobody', { ...hook, for: ['privacy'] }, 'notify.0.for.0'],
  ['a wish to be slow', { ...hook, timeoutMs: 60_000 }, 'notify.0.timeoutMs'],
  ['another kind', { use: 'pigeon' }, 'notify.0.use'],
  ['mail in clear beyond this machine', { ...mail, tls: 'none' }, 'notify.0.tls'],
  ['a user without a password', { ...mail, user: 'canary' }, 'notify.0.password'],
  ['a password without a user', { ...mail, password: { env: 'MAIL' } }, 'notify.0.password'],
  ['two lines for a sender', { ...mail, from: 'a@b.example\r\nBcc: canary@evil.example' }, 'notify.0.from'],
  ['two lines for a reader', { ...mail, to: { 'team:x': ['a@b.example\nBcc: canary@evil.example'] } }, 'notify.0.to.team:x.0'],
  ['two addresses in one', { ...mail, to: { 'team:x': ['a@b.example, canary@evil.example'] } }, 'notify.0.to.team:x.0'],
  ['nobody to write to', { ...mail, to: {} }, 'notify.0.to'],
  ['a host with a path', { ...mail, host: 'mail.example/canary' }, 'notify.0.host'],
];
for (const [name, one, path] of HOSTILE)
  test(name, () => {
    const found = problems({ notify: [one] });
    assert.deepEqual(
      found.map((problem) => problem.slice(0, problem.indexOf(': '))),
      [path],
    );
    assert.equal(found.join('').includes('canary'), false, found.join(''));
  });
test('a name that is none is told as that', () => {
  assert.deepEqual(problems({ notify: [{ ...mail, to: { privacy: ['p@example.org'] } }] }), [
    'notify.0.to.privacy: must be a team or a person, such as team:privacy',
  ]);
});
test('two of one name, and limits that are none', () => {
  assert.deepEqual(problems({ notify: [hook, hook] }), ['notify.1.id: stands twice']);
  assert.deepEqual(problems({ notify: [hook, { ...hook, id: 'second' }] }), []);
  assert.equal(problems({ approvals: { perApprover: { max: 0, windowSeconds: 0 } } }).length, 2);
});
