/** What no exchange is begun for: too much by one agent, from one address, or than can be done in time. Counted, told when to come again, never recorded. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { afterEach, describe, test } from 'node:test';
import type { ConfigInput } from '../../src/config.ts';
import { newKey } from '../support/keys.ts';
import { type Answer, type Asking, answerOf, type Rig, startRig } from '../support/rig.ts';
import { type TestWorld, testWorld } from '../support/test-world.ts';

let rig: Rig;
let world: TestWorld;
const NONE = { perAddress: 'none', perAgent: 'none', refusals: 'none' } as const;
async function start(config: Partial<ConfigInput>): Promise<void> {
  // The store has a clock of its own.
  world = testWorld(Math.floor(Date.now() / 1000));
  rig = await startRig({ world, config });
}
afterEach(() => rig.stop());

async function times(count: number, asking: Asking = {}): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < count; i++) answers.push(await rig.ask(asking));
  return answers;
}
const statuses = (answers: readonly Answer[]): readonly number[] => answers.map(({ status }) => status);
const LIMITED = { error: 'temporarily_unavailable', error_description: 'Too many requests; ask again after a while.' };
async function counted(name: string): Promise<number> {
  const text = await (await fetch(`${rig.issuer}/metrics`)).text();
  const found = text.split('\n').find((line) => line.startsWith(`${name} `));
  return Number(found?.slice(name.length + 1) ?? 0);
}
const refused429 = (): Promise<number> => counted('countersign_http_refused_total{status="429"}');
/** The other agent, which acts for itself. */
const NIGHTLY = (): Asking => ({
  assertion: { key: rig.agents['nightly-report'] ?? newKey(), claims: { iss: 'nightly-report', sub: 'nightly-report' } },
  subject: null,
  form: { grant_type: 'client_credentials' },
  entry: { identifier: 'list_orders' },
  args: {},
});

describe('one agent', () => {
  const config = { limits: { ...NONE, perAgent: { requests: 5, seconds: 10 } } };

  test('gets what its limit says, then 429 with a time that is true; nothing of it is recorded', async () => {
    await start(config);
    const before = await rig.count();
    const answers = await times(8);
    assert.deepEqual(statuses(answers), [200, 200, 200, 200, 200, 429, 429, 429]);
    const last = answers.at(-1);
    assert.deepEqual([last?.body, last?.headers.get('cache-control')], [LIMITED, 'no-store']);
    assert.equal((await rig.count()) - before, 5, 'entries of the five');
    assert.equal(await refused429(), 3);
    const wait = Number(last?.headers.get('retry-after'));
    assert.ok(wait >= 1 && wait <= 20, `${wait}`);
    world.pass(wait);
    assert.deepEqual(statuses(await times(1)), [200]);
  });
  test('does not move another', async () => {
    await start(config);
    await times(8);
    assert.deepEqual(statuses(await times(5, NIGHTLY())), [200, 200, 200, 200, 200]);
  });
  test('is not spoken for by who only says its name: nobody can use up its share', async () => {
    await start(config);
    const stranger = newKey();
    for (const assertion of [
      { key: stranger },
      { token: 'x.y.z' },
      { claims: { aud: 'https://elsewhere.example' } },
      { claims: { exp: 1 } },
    ])
      assert.deepEqual(statuses(await times(6, { assertion })), [401, 401, 401, 401, 401, 401]);
    assert.deepEqual(statuses(await times(6)), [200, 200, 200, 200, 200, 429]);
  });
  test('over its limit is not looked at any more, whoever speaks for it', async () => {
    await start(config);
    await times(5);
    const from = await rig.count();
    assert.deepEqual(statuses(await times(2, { assertion: { key: newKey() } })), [429, 429]);
    assert.equal(await rig.count(), from, 'no signature was checked, no entry written');
  });
  test('that is refused by policy uses its share too; what was read by nobody does not', async () => {
    await start(config);
    assert.deepEqual(
      statuses(await times(3, { args: { payment_id: 'pay_8Qx2', amount_minor: 999_999, currency: 'EUR' } })),
      [403, 403, 403],
    );
    assert.deepEqual(statuses(await times(3, { form: { grant_type: null } })), [400, 400, 400]);
    assert.deepEqual(statuses(await times(3)), [200, 200, 429]);
  });
  test('what it could not ask is not used up: the same request is good later', async () => {
    await start(config);
    await times(5);
    const { body, headers } = await rig.form({ headers: { 'idempotency-key': randomUUID() } });
    const send = async (): Promise<number> => (await fetch(`${rig.issuer}/token`, { method: 'POST', headers, body })).status;
    assert.equal(await send(), 429);
    world.pass(20);
    assert.equal(await send(), 200);
  });
  test('and a tool server has no share of an agent’s', async () => {
    await start(config);
    const { body } = await rig.ask();
    const introspect = async (): Promise<number> => {
      const form = await rig.form({
        assertion: { key: rig.server, claims: { iss: 'shop', sub: 'shop' } },
        subject: null,
        details: null,
        proof: null,
        form: { grant_type: null, resource: null, token: String(body['access_token']) },
      });
      return (await fetch(`${rig.issuer}/introspect`, { method: 'POST', ...form })).status;
    };
    for (let i = 0; i < 8; i++) assert.equal(await introspect(), 200);
  });
});

/** From an address that a proxy tells of; `fetch` sends what it is given. */
async function send(from: string | readonly string[] | undefined, path = '/jwks', method = 'GET'): Promise<Answer> {
  const url = new URL(path, rig.issuer);
  return new Promise((resolve, reject) => {
    const headers = from === undefined ? {} : { 'x-forwarded-for': [...[from].flat()] };
    request(url, { method, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => {
        const init = { status: answer.statusCode ?? 0, headers: answer.headers as Record<string, string> };
        resolve(answerOf(new Response(init.status === 204 ? null : text, init)));
      });
    })
      .on('error', reject)
      .end();
  });
}
const many = async (count: number, from: string | readonly string[] | undefined, path?: string): Promise<readonly number[]> => {
  const all: number[] = [];
  for (let i = 0; i < count; i++) all.push((await send(from, path)).status);
  return all;
};

describe('one address', () => {
  const limits = { ...NONE, perAddress: { requests: 4, seconds: 10 } };
  // The rig has asked for its nonce from this address.
  const start3 = async (more: Partial<ConfigInput> = {}): Promise<void> => start({ limits, ...more });

  test('gets what its limit says of all endpoints together, then 429; health answers all the while', async () => {
    await start3();
    assert.deepEqual(
      [await many(2, undefined), await many(2, undefined, '/rar')],
      [
        [200, 200],
        [200, 429],
      ],
    );
    const answer = await send(undefined, '/token', 'POST');
    assert.deepEqual([answer.status, answer.body], [415, answer.body], 'what no endpoint reads is turned away first');
    const { status, body, headers } = await rig.ask();
    assert.deepEqual([status, body], [429, LIMITED]);
    const wait = Number(headers.get('retry-after'));
    assert.ok(wait >= 1 && wait <= 20);
    assert.equal(headers.get('x-ratelimit-limit'), null, 'no word of how much others may');
    assert.deepEqual(
      [await many(5, undefined, '/healthz'), await many(2, undefined, '/readyz')],
      [
        [200, 200, 200, 200, 200],
        [200, 200],
      ],
    );
    world.pass(wait);
    assert.equal((await rig.ask()).status, 200);
  });
  test('is the connection’s where no proxy is trusted, whatever is said of it', async () => {
    await start3();
    assert.deepEqual(await many(5, '203.0.113.7'), [200, 200, 200, 429, 429]);
    assert.deepEqual(await many(1, '203.0.113.8'), [429]);
  });
  test('is what a trusted proxy tells last; what was told to the proxy is not believed', async () => {
    await start3({ proxies: ['127.0.0.0/8'] });
    assert.deepEqual(await many(5, '203.0.113.7'), [200, 200, 200, 200, 429]);
    assert.deepEqual(await many(1, '198.51.100.1, 203.0.113.7'), [429], 'an address in front of it changes nothing');
    assert.deepEqual(await many(1, ['198.51.100.2', '203.0.113.7']), [429], 'nor does another header');
    assert.deepEqual(await many(1, '::ffff:203.0.113.7'), [429], 'nor another way to write it');
    assert.deepEqual(await many(2, '203.0.113.8'), [200, 200]);
  });
  test('of IPv6 is its /64, which one customer has', async () => {
    await start3({ proxies: ['127.0.0.1'] });
    assert.deepEqual(await many(3, '2001:db8:1:2::1'), [200, 200, 200]);
    assert.deepEqual(await many(2, '2001:db8:1:2:ffff:1:2:3'), [200, 429]);
    assert.deepEqual(await many(1, '2001:DB8:1:2:0:0:0:9'), [429]);
    assert.deepEqual(await many(1, '2001:db8:1:3::1'), [200]);
  });
  test('that is none counts as the proxy’s own', async () => {
    await start3({ proxies: ['127.0.0.1'] });
    for (const [i, said] of ['unknown', '_hidden', '203.0.113.7:4711', `1${'0'.repeat(4000)}`].entries())
      assert.deepEqual(await many(1, said), [i < 3 ? 200 : 429], said.slice(0, 20));
  });
});

test('what a broker cannot do in time it does not begin: 503 and a time, while health answers', async () => {
  await start({ limits: { ...NONE, pressureMs: 20 } });
  assert.equal((await send(undefined)).status, 200);
  const busy = async (): Promise<Answer> => {
    for (let i = 0; i < 12; i++) {
      const end = performance.now() + 150;
      while (performance.now() < end);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return send(undefined);
  };
  const answer = await busy();
  assert.deepEqual([answer.status, answer.headers.get('retry-after'), answer.body['error']], [503, '1', 'temporarily_unavailable']);
  assert.equal((await send(undefined, '/healthz')).status, 200);
  assert.equal((await send(undefined, '/readyz')).status, 200);
  for (let i = 0; i < 200 && (await send(undefined)).status !== 200; i++) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal((await rig.ask()).status, 200, 'and then it goes on');
});
