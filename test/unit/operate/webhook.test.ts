/** One delivery to a real receiver, whatever that receiver does; and which addresses are ever asked. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { Notice } from '../../../src/operate/notifier.ts';
import { isWebhookSecret, type WebhookOptions, webhookNotifier } from '../../../src/operate/notifier-webhook.ts';
import { isInward } from '../../../src/operate/notifier-webhook-address.ts';
import { type Manner, type Receiver, startReceiver, WEBHOOK_SECRET } from '../../support/receiver.ts';

const now = Math.floor(Date.now() / 1000);
const notice: Notice = {
  id: 'led_0123_abcd',
  event: 'pending',
  at: now,
  link: 'https://broker.example/console/approvals/apr_1',
  who: ['team:privacy'],
  facts: { tool: 'delete_customer', agent: 'refund-bot' },
  until: now + 900,
};
const open: Receiver[] = [];
after(() => Promise.all(open.map((one) => one.stop())));
async function receiver(manner: Manner = 'ok'): Promise<Receiver> {
  const one = await startReceiver(manner);
  open.push(one);
  return one;
}
const to = (url: string, more: Partial<WebhookOptions> = {}) =>
  webhookNotifier({ name: 'chat', url, secret: WEBHOOK_SECRET, inward: true, events: ['pending'], timeoutMs: 10_000, ...more });
const never = new AbortController().signal;

describe('a webhook', () => {
  test('is signed, names its entry, and says where to look', async () => {
    const hook = await receiver();
    assert.deepEqual(await to(hook.url).send(notice, now, never), { ok: true });
    const [got] = hook.got;
    assert.equal(got?.genuine, true);
    assert.equal(got?.headers['webhook-id'], notice.id);
    assert.deepEqual(got?.body, {
      type: 'approval.pending',
      timestamp: new Date(now * 1000).toISOString(),
      data: { link: notice.link, needs: ['team:privacy'], tool: 'delete_customer', agent: 'refund-bot' },
    });
  });
  test('is not taken under another secret', async () => {
    const hook = await receiver();
    await to(hook.url, { secret: `whsec_${Buffer.alloc(32, 6).toString('base64')}` }).send(notice, now, never);
    assert.equal(hook.got[0]?.genuine, false);
  });

  const MANNERS: readonly (readonly [Manner, object])[] = [
    ['silent', { ok: false, flaw: 'timeout' }],
    ['drips', { ok: false, flaw: 'timeout' }],
    ['redirects', { ok: false, flaw: 'redirect', status: 307 }],
    ['gone', { ok: false, flaw: 'gone', status: 410 }],
    ['fails', { ok: false, flaw: 'status', status: 500 }],
    ['later', { ok: false, flaw: 'status', status: 503, afterSeconds: 120 }],
    ['endless', { ok: true }],
    ['big-head', { ok: false, flaw: 'network' }],
    ['lies', { ok: false, flaw: 'network' }],
    ['resets', { ok: false, flaw: 'network' }],
  ];
  for (const [manner, expected] of MANNERS)
    test(`to a receiver that ${manner}`, async () => {
      const hook = await receiver(manner);
      const began = performance.now();
      const timeoutMs = 'flaw' in expected && expected.flaw === 'timeout' ? 200 : 10_000;
      assert.deepEqual(await to(hook.url, { timeoutMs }).send(notice, now, never), expected);
      assert.ok(performance.now() - began < 8_000);
      assert.ok(hook.got.length <= 1 && hook.got.every(({ path }) => path === '/hook'), 'nothing is asked of where it redirects to');
    });
  test('to nobody, and to one who is broken off', async () => {
    const hook = await startReceiver();
    await hook.stop();
    assert.deepEqual(await to(hook.url).send(notice, now, never), { ok: false, flaw: 'network' });
    const slow = await receiver('silent');
    const stop = new AbortController();
    const sent = to(slow.url, { timeoutMs: 10_000 }).send(notice, now, stop.signal);
    await slow.has(1);
    stop.abort();
    assert.equal((await sent).ok, false);
  });
  test('is wanted by event and by whom it is for', () => {
    const hook = to('https://hooks.example', { events: ['pending', 'halt'], for: ['team:privacy', 'people:u_alice'] });
    const wants = (event: Notice['event'], who: readonly string[]): boolean => hook.wants({ ...notice, event, who });
    assert.deepEqual(
      [wants('pending', ['team:privacy']), wants('pending', ['team:other']), wants('denied', ['team:privacy']), wants('halt', [])],
      [true, false, false, true],
    );
  });
});

describe('an address inside', () => {
  test('is never asked, whether it stands in the URL or is what a name resolves to', async () => {
    const hook = await receiver();
    assert.deepEqual(await to(hook.url, { inward: false }).send(notice, now, never), { ok: false, flaw: 'inward' });
    const { port } = new URL(hook.url);
    const named = `http://hooks.example:${port}/hook`;
    const both = async () => [
      { address: '203.0.114.9', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ];
    for (const resolve of [
      async () => [{ address: '127.0.0.1', family: 4 }],
      both,
      async () => [{ address: '::ffff:127.0.0.1', family: 6 }],
      async () => [],
    ])
      assert.deepEqual(await to(named, { inward: false, resolve }).send(notice, now, never), { ok: false, flaw: 'inward' });
    assert.deepEqual(hook.got, []);
  });
  test('is looked at once: a name that answers otherwise the second time leads nowhere else', async () => {
    const hook = await receiver();
    let asked = 0;
    const resolve = async () => [{ address: asked++ === 0 ? '192.0.2.1' : '127.0.0.1', family: 4 }];
    await to(`http://hooks.example:${new URL(hook.url).port}/`, { inward: false, resolve }).send(notice, now, never);
    assert.deepEqual([asked, hook.got.length], [1, 0]);
  });
  const INSIDE = `0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1
    192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8
    ::ffff:7f00:1 64:ff9b::7f00:1 fe80::1 fc00::1 fd12:3456::1 ff02::1 2001::1 2001:db8::1 2002:7f00:1:: 3fff::1 100::1 5f00::1 hooks.example`.split(
    /\s+/,
  );
  for (const address of INSIDE) test(`${address} is inside`, () => assert.equal(isInward(address), true));
  for (const address of ['8.8.8.8', '1.1.1.1', '172.32.0.1', '192.0.1.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450::1'])
    test(`${address} is outside`, () => assert.equal(isInward(address), false));
});

test('a secret is whsec_ and 24 to 64 bytes', () => {
  const of = (bytes: number): string => `whsec_${Buffer.alloc(bytes, 1).toString('base64')}`;
  assert.deepEqual([of(24), of(32), of(64)].map(isWebhookSecret), [true, true, true]);
  assert.deepEqual(
    [of(23), of(65), of(32).slice(6), `${of(32)} `, 'whsec_', `whsec_${'!'.repeat(40)}`].map(isWebhookSecret),
    Array(6).fill(false),
  );
});
