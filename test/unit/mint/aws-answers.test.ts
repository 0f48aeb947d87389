/** Whatever answers in place of STS: one session that is what was asked for, the stated no, or a fault that repeats nothing. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { suite, test } from 'node:test';
import { inspect } from 'node:util';
import { toWire, Unavailable } from '../../../src/errors.ts';
import { selfSigned } from '../../../src/keys/certificate.ts';
import { type Answer, credentials, failure, fakeSts, job, opened, result, SECRETS, says, stage, waiting } from './aws-fake.ts';

const NOW = 1_795_176_000;
const GOOD = result(credentials(NOW + 900));
/** What comes of an answer, and how long it took. */
async function outcome(answer: Answer, { waits = 5_000, timeoutMs = 800 } = {}): Promise<unknown> {
  await using on = await stage({ timeoutMs }, answer);
  const order = on.minter.prepare(job(), on.grant());
  assert.ok(order.ok);
  const began = performance.now();
  try {
    const made = await order.value.run(waiting(waits));
    if (made.ok) return { end: made.value.effectiveExpiry, ...opened(made.value.token) };
    assert.doesNotMatch(JSON.stringify([made, toWire(made.error.reason)]), /canary/i);
    return [made.error.reason, made.error.detail];
  } catch (fault) {
    assert.ok(fault instanceof Unavailable && fault.what === 'aws');
    assert.doesNotMatch(inspect(fault, { showHidden: true, depth: 9 }), /canary|ASIA/i);
    return 'code' in fault ? fault.code : fault;
  } finally {
    assert.ok(performance.now() - began < 4_500, 'it took too long');
    assert.equal(on.sts.asked.length, 1, 'it is asked once');
  }
}
const session = (end: number, iso: string): object => ({ end, Version: 1, ...SECRETS, Expiration: iso });
const ended = (end: number | string | undefined, change = {}): Answer => says(result(credentials(end, change)));

suite('when it ends', () => {
  for (const [what, answer, expected] of [
    ['as asked for', says(GOOD), session(NOW + 120, '2026-11-20T12:02:00Z')],
    ['earlier, which shortens', ended(NOW + 30), session(NOW + 30, '2026-11-20T12:00:30Z')],
    ['earlier, in the middle of a second', ended('2026-11-20T12:00:30.999Z'), session(NOW + 30, '2026-11-20T12:00:30Z')],
    ['elsewhere in the world', ended('2026-11-20T14:00:30+02:00'), session(NOW + 30, '2026-11-20T12:00:30Z')],
    ['one second from now', ended(NOW + 1), session(NOW + 1, '2026-11-20T12:00:01Z')],
    ['now', ended(NOW), 'aws_end'],
    ['an hour ago', ended(NOW - 3_600), 'aws_end'],
    ['a little late, as clocks differ', ended(NOW + 960), session(NOW + 120, '2026-11-20T12:02:00Z')],
    ['later than it was asked for', ended(NOW + 961), 'aws_end'],
    ['in a century', ended(NOW + 3_155_760_000), 'aws_end'],
    ['after time', ended('+275760-09-13T00:00:00.001Z'), 'aws_form'],
    ['never', ended(undefined), 'aws_end'],
    ['at no time', ended(''), 'aws_form'],
    ['some day', ended('tomorrow'), 'aws_form'],
    ['at a number', ended('1795176900'), 'aws_form'],
    ['on the 31st of November', ended('2026-11-31T00:00:00Z'), 'aws_end'],
    ['twice', ended(NOW + 30, { X: `</X><Expiration>${new Date((NOW + 60) * 1000).toISOString()}</Expiration><X>` }), 'aws_form'],
  ] as const) {
    test(what, async () => assert.deepEqual(await outcome(answer), expected));
  }
});

suite('what is no session', () => {
  for (const [what, answer] of [
    ['no credentials', says(result(''))],
    ['no key', ended(NOW + 900, { AccessKeyId: undefined })],
    ['no secret', ended(NOW + 900, { SecretAccessKey: undefined })],
    ['no session token: a key that stands', ended(NOW + 900, { SessionToken: undefined })],
    ['an empty session token', ended(NOW + 900, { SessionToken: '' })],
    ['a key of two lines', ended(NOW + 900, { AccessKeyId: 'ASIA&#10;aws_secret' })],
    ['a secret with a quote in another alphabet', ended(NOW + 900, { SecretAccessKey: 'canary\u201d' })],
    ['a token of 20,000 letters', ended(NOW + 900, { SessionToken: 'x'.repeat(20_000) })],
    ['elements where text should be', ended(NOW + 900, { SessionToken: '<a>canary</a>' })],
    ['another operation’s answer', says(result(credentials(NOW + 900), 'GetSessionToken').replaceAll('GetSessionToken', 'X'))],
    ['an error that says it is none', says(failure('AccessDenied'), 200)],
    ['nothing', says('')],
    ['white space', says('   \n')],
    ['half a document', says(GOOD.slice(0, GOOD.length / 2))],
    ['garbage', says('\u0000\ufffd<<<>>&&&canary')],
    ['JSON that is called XML', says('{"canary":1}')],
    ['HTML', says('<html><body>canary</body></html>', 200, 'text/html; charset=utf-8')],
    ['HTML that is called XML', says('<!doctype html><html><body><p>canary</body></html>')],
    ['JSON', says('{"canary":1}', 200, 'application/json')],
    ['something of no type', says(GOOD, 200, '')],
    [
      'entities within entities',
      says(
        `<!DOCTYPE x [<!ENTITY a "${'c'.repeat(999)}">${'bcdefgh'
          .split('')
          .map((n, i) => `<!ENTITY ${n} "${`&${'abcdefg'[i]};`.repeat(10)}">`)
          .join('')}]><x>&h;</x>`,
      ),
    ],
    [
      'a file of ours',
      says(`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>${result(credentials(NOW + 900, { SessionToken: '&a;' }))}`),
    ],
    ['elements as deep as they go', says('<a>'.repeat(15_000))],
  ] as const) {
    test(what, async () => assert.equal(await outcome(answer), 'aws_form'));
  }
});

const slowly: Answer = (response) => {
  response.writeHead(200, { 'content-type': 'text/xml' });
  const timer = setInterval(() => response.write(' '), 20);
  response.once('close', () => clearInterval(timer));
};
const cut = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/xml', 'content-length': GOOD.length });
  response.write(GOOD.slice(0, 200), () => response.destroy());
};
suite('what the network does', () => {
  const big = `<x>${'c'.repeat(10_000_000)}</x>`;
  for (const [what, answer, expected] of [
    ['10 MB', says(big), 'aws_size'],
    ['10 MB in pieces', (response: ServerResponse) => void response.writeHead(200, { 'content-type': 'text/xml' }).write(big), 'aws_size'],
    ['half a body', cut, 'aws_network'],
    ['a body that never ends', slowly, 'aws_deadline'],
    ['nothing at all', () => undefined, 'aws_deadline'],
    ['a closed door', (response: ServerResponse) => void response.destroy(), 'aws_network'],
    ['no HTTP', (response: ServerResponse) => void response.socket?.end('SSH-2.0-canary\r\n'), 'aws_network'],
    [
      'another protocol',
      (response: ServerResponse) => void response.writeHead(101, { upgrade: 'x', connection: 'upgrade' }).end(),
      'aws_network',
    ],
    [
      'a packed body',
      (response: ServerResponse) => void response.writeHead(200, { 'content-type': 'text/xml', 'content-encoding': 'gzip' }).end('x'),
      'aws_form',
    ],
    ['no content', (response: ServerResponse) => void response.writeHead(204).end(), 'aws_form'],
    ['500', says(failure('InternalFailure'), 500), 'aws_status'],
    ['503', says(failure('ServiceUnavailable'), 503), 'aws_status'],
    ['502 of a balancer', says('<html>canary</html>', 502, 'text/html'), 'aws_form'],
    ['403 of a proxy', says('<html>canary</html>', 403, 'text/html'), 'aws_form'],
  ] as const) {
    test(what, async () => assert.equal(await outcome(answer), expected));
  }
  for (const status of [301, 302, 303, 307, 308]) {
    test(`a login follows no redirect: ${status}`, async () => {
      await using other = await fakeSts({ answer: says(GOOD) });
      const away = (response: ServerResponse): void =>
        void response.writeHead(status, { location: `${other.address}/`, 'content-type': 'text/xml' }).end();
      assert.equal(await outcome(away), 'aws_redirect');
      assert.equal(other.asked.length, 0);
    });
  }
  test('the exchange’s own deadline comes first', async () => {
    assert.equal(await outcome(() => undefined, { waits: 60, timeoutMs: 10_000 }), 'aws_deadline');
  });
  test('nobody is there', async () => {
    await using on = await stage({ endpoint: 'http://127.0.0.1:1' });
    const order = on.minter.prepare(job(), on.grant());
    assert.ok(order.ok);
    await assert.rejects(order.value.run(waiting()), { what: 'aws', code: 'aws_network' });
    assert.deepEqual(await on.minter.describe(waiting()), { ready: false, detail: 'STS, by logins: it cannot be reached' });
  });
  test('a connection is used again, and one that was closed meanwhile is not', async () => {
    await using on = await stage();
    const ports = new Set<number | undefined>();
    on.sts.answer = (response, asked) => {
      ports.add(response.socket?.remotePort);
      says(GOOD)(response, asked);
    };
    const mint = async (): Promise<boolean> => {
      const order = on.minter.prepare(job(), on.grant());
      return order.ok && (await order.value.run(waiting())).ok;
    };
    for (let i = 0; i < 5; i++) assert.ok(await mint());
    assert.equal(ports.size, 1);
  });
  test('a certificate of nobody is refused, whatever the environment says', async () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const cert = `-----BEGIN CERTIFICATE-----\n${selfSigned(pair, { name: '127.0.0.1', serial: randomBytes(15) }).toString('base64')}\n-----END CERTIFICATE-----\n`;
    const tls = { key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert };
    await using other = await fakeSts({ tls, answer: says(GOOD) });
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      // The environment is obeyed by who does not look away from it.
      assert.equal((await fetch(other.address)).status, 200);
      await using on = await stage({ endpoint: other.address });
      const order = on.minter.prepare(job(), on.grant());
      assert.ok(order.ok);
      await assert.rejects(order.value.run(waiting()), { what: 'aws', code: 'aws_network' });
      assert.equal(other.asked.length, 1);
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    }
  });
});

suite('what STS refuses', () => {
  for (const [code, status, expected] of [
    ['AccessDenied', 403, ['mint_refused', 'sts_access_denied']],
    ['AccessDeniedException', 400, ['mint_refused', 'sts_access_denied']],
    ['InvalidIdentityToken', 400, ['mint_refused', 'sts_login']],
    ['IDPRejectedClaim', 403, ['mint_refused', 'sts_login']],
    ['InvalidClientTokenId', 403, ['mint_refused', 'sts_keys']],
    ['SignatureDoesNotMatch', 403, ['mint_refused', 'sts_keys']],
    ['MalformedPolicyDocument', 400, ['mint_refused', 'sts_policy']],
    ['PackedPolicyTooLarge', 400, ['mint_refused', 'sts_policy_size']],
    ['RegionDisabledException', 403, ['mint_refused', 'sts_region']],
    ['ValidationError', 400, ['mint_refused', 'sts_request']],
    ['InvalidParameterValue', 400, ['mint_refused', 'sts_request']],
    ['CanaryCode', 400, ['mint_refused', 'sts_other']],
    ['constructor', 400, ['mint_refused', 'sts_other']],
    ['', 403, ['mint_refused', 'sts_other']],
    ['ExpiredTokenException', 400, ['unavailable', 'sts_clock']],
    ['RequestExpired', 400, ['unavailable', 'sts_clock']],
    ['IDPCommunicationError', 400, ['unavailable', 'sts_issuer_unreachable']],
    ['Throttling', 400, ['mint_backpressure', undefined]],
    ['ThrottlingException', 400, ['mint_backpressure', undefined]],
    ['RequestLimitExceeded', 503, ['mint_backpressure', undefined]],
    ['SlowDown', 503, ['mint_backpressure', undefined]],
    ['TooManyRequestsException', 429, ['mint_backpressure', undefined]],
  ] as const) {
    test(`${status} ${code || 'without a code'}`, async () => assert.deepEqual(await outcome(says(failure(code), status)), expected));
  }
  test('429 in whatever language', async () => {
    for (const [body, type] of [
      ['<html>canary</html>', 'text/html'],
      ['', ''],
      ['{}', 'application/json'],
    ] as const)
      assert.deepEqual(await outcome(says(body, 429, type)), ['mint_backpressure', undefined]);
  });
});
