/** Ways around a limit that is reached: each is answered 429 all the same, counted, and leaves no entry. And ways to make it another's: none does. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { get } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { newKey } from '../support/keys.ts';
import { type Asking, GRANT, type Rig, startRig } from '../support/rig.ts';
import { say } from './wire.ts';

/** Long enough that no case outlives it. */
const SECONDS = 3600;
const NONE = { perAddress: 'none', perAgent: 'none', refusals: 'none' } as const;
/** By the operator's socket: who watches has no address, and no limit. */
async function counted(rig: Rig): Promise<number> {
  const page = await new Promise<string>((resolve, reject) => {
    const where = { socketPath: join(rig.folder, 'operator.sock'), path: '/metrics', agent: false };
    get(where, (answer) => resolve(text(answer))).on('error', reject);
  });
  return Number(/^countersign_http_refused_total\{status="429"\} (\d+)$/m.exec(page)?.[1] ?? 0);
}

describe('a limit of one address', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ config: { limits: { ...NONE, perAddress: { requests: 3, seconds: SECONDS } } } });
    for (let i = 0; i < 2; i++) await fetch(`${rig.issuer}/jwks`);
  });
  after(() => rig.stop());

  const GET = (lines: readonly string[] = [], target = '/jwks', version = '1.1'): string =>
    [`GET ${target} HTTP/${version}`, 'Host: broker.example', ...lines, '', ''].join('\r\n');
  const POST = (path: string, body: string, type = 'application/x-www-form-urlencoded'): string =>
    [`POST ${path} HTTP/1.1`, 'Host: broker.example', `Content-Type: ${type}`, `Content-Length: ${body.length}`, '', body].join('\r\n');
  const cases: readonly (readonly [name: string, bytes: string | ((rig: Rig) => string), replies?: number])[] = [
    ['asked plainly', GET()],
    ['twice in one breath', GET() + GET(), 2],
    ['on a connection that ends', GET(['Connection: close'])],
    ['in HTTP/1.0', GET([], '/jwks', '1.0')],
    ['of another endpoint', GET([], '/rar')],
    ['with a query', GET([], '/jwks?a=1')],
    ['with the path in escapes', GET([], '/%6awks')],
    ['with the whole address', ({ issuer }) => GET([], `${issuer}/jwks`)],
    ['of another host', 'GET /jwks HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n'],
    ...['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'X-Client-IP', 'True-Client-IP', 'CF-Connecting-IP', 'X-Cluster-Client-IP'].map(
      (name) => [`behind ${name}`, GET([`${name}: ${name === 'Forwarded' ? 'for=203.0.113.9' : '203.0.113.9'}`])] as const,
    ),
    ['behind two of them', GET(['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-For: 203.0.113.10'])],
    ['behind a list', GET([`X-Forwarded-For: ${Array.from({ length: 50 }, (_, i) => `203.0.113.${i}`).join(', ')}`])],
    ['to /token', POST('/token', 'grant_type=x')],
    ['to /token, with nothing', POST('/token', '')],
    ['to /token, with a body of the largest size', POST('/token', `a=${'x'.repeat(1_000_000)}`)],
    ['to /introspect', POST('/introspect', 'token=x')],
    ['to /revoke', POST('/revoke', 'token=x')],
    ['to /receipts', POST('/receipts', 'x.y.z', 'application/jwt')],
  ];
  for (const [index, [name, bytes, replies = 1]] of cases.entries()) {
    test(`${index + 1} ${name}: 429`, async () => {
      const [before, entries] = [await counted(rig), await rig.count()];
      const talk = await say(rig, typeof bytes === 'string' ? bytes : bytes(rig), { atLeast: replies });
      assert.deepEqual(
        talk.replies.map(({ status }) => status),
        Array(replies).fill(429),
      );
      for (const { headers, body } of talk.replies) {
        const wait = Number(headers.get('retry-after'));
        assert.ok(wait >= 1 && wait <= 2 * SECONDS, `${wait}`);
        assert.deepEqual(JSON.parse(body), {
          error: 'temporarily_unavailable',
          error_description: 'Too many requests; ask again after a while.',
        });
      }
      assert.deepEqual([(await counted(rig)) - before, await rig.count()], [replies, entries]);
    });
  }
});

describe('a limit of one agent', () => {
  let rig: Rig;
  before(async () => {
    rig = await startRig({ config: { limits: { ...NONE, perAgent: { requests: 3, seconds: SECONDS } } } });
    for (let i = 0; i < 3; i++) assert.equal((await rig.ask()).status, 200);
  });
  after(() => rig.stop());

  const cases: readonly (readonly [name: string, asking: Asking | ((rig: Rig) => Asking)])[] = [
    ['once more', {}],
    ['with another key in its proof', { proof: { key: newKey() } }],
    ['without a proof, for a base token', { proof: null, details: null, form: { scope: 'tool:list' } }],
    ['for another person', { subject: { claims: { sub: 'u_alice' } } }],
    ['for itself', { subject: null, form: { grant_type: 'client_credentials' } }],
    ['with a sub-agent', { actor: {} }],
    ['for another tool', { entry: { identifier: 'list_orders' }, args: {} }],
    ['for a resource that is not there', { form: { resource: 'https://nowhere.example/mcp' } }],
    ['under an Idempotency-Key', { headers: { 'idempotency-key': randomUUID() } }],
    ['polling', { form: { grant_type: 'urn:ietf:params:oauth:grant-type:deferred', deferral_code: 'x' } }],
    ['naming itself twice', { form: { client_id: 'refund-bot' } }],
    ['with a nonce of long ago', { nonce: 'x' }],
    ['with an assertion of another type', { assertion: { header: { typ: 'JWT' } } }],
    ['with an assertion that names no key', { assertion: { header: { kid: undefined } } }],
    ['with an assertion of another sub', { assertion: { claims: { sub: 'nightly-report' } } }],
    ['with an assertion of ten years', { assertion: { claims: { exp: 2_000_000_000 } } }],
    ['with the assertion of a stranger', { assertion: { key: newKey() } }],
  ];
  for (const [index, [name, asking]] of cases.entries()) {
    test(`${index + 1} ${name}: 429`, async () => {
      const [before, entries] = [await counted(rig), await rig.count()];
      const answer = await rig.ask(typeof asking === 'function' ? asking(rig) : asking);
      assert.deepEqual([answer.status, answer.body['error'], answer.body['access_token']], [429, 'temporarily_unavailable', undefined]);
      assert.ok(Number(answer.headers.get('retry-after')) >= 1);
      assert.deepEqual([(await counted(rig)) - before, await rig.count()], [1, entries]);
    });
  }

  const names: readonly unknown[] = [
    'REFUND-BOT',
    ' refund-bot',
    'refund-bot ',
    'refund-bot\u0000',
    'refund%2Dbot',
    'refund\u2010bot',
    '',
    null,
    7,
    {},
  ];
  for (const iss of names) {
    test(`as ${JSON.stringify(iss)}: nobody, and recorded`, async () => {
      const entries = await rig.count();
      const { status } = await rig.ask({ assertion: { claims: { iss, sub: iss } } });
      assert.deepEqual([status, await rig.count()], [401, entries + 1]);
    });
  }
  const NIGHTLY: Asking = { subject: null, form: { grant_type: 'client_credentials' }, entry: { identifier: 'list_orders' }, args: {} };
  const as = (key = rig.agents['nightly-report']): Asking => ({
    ...NIGHTLY,
    ...(key && { assertion: { key, claims: { iss: 'nightly-report', sub: 'nightly-report' } } }),
  });
  test('then: what strangers and the noisy one say in another’s name uses nothing of its share', async () => {
    for (let i = 0; i < 10; i++) {
      assert.equal((await rig.ask(as(newKey()))).status, 401);
      assert.equal((await rig.ask(as(rig.agent))).status, 401);
      assert.equal((await rig.ask({ assertion: null, form: { grant_type: GRANT, client_id: 'nightly-report' } })).status, 401);
    }
    for (let i = 0; i < 3; i++) assert.equal((await rig.ask(as())).status, 200);
    assert.equal((await rig.ask(as())).status, 429);
  });
});
