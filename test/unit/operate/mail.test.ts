/** One mail to a real server, whatever that server does; what is in it moves no header and brings nothing from elsewhere. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { after, describe, test } from 'node:test';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { Notice } from '../../../src/operate/notifier.ts';
import { type MailOptions, mailNotifier } from '../../../src/operate/notifier-mail.ts';

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
const never = new AbortController().signal;
const stops: (() => Promise<unknown>)[] = [];
after(() => Promise.all(stops.map((stop) => stop())));

interface Post {
  readonly port: number;
  readonly got: { readonly to: readonly string[]; readonly raw: string }[];
  readonly passwords: string[];
}
async function post(options: SMTPServerOptions = {}): Promise<Post> {
  const got: Post['got'] = [];
  const passwords: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    onAuth: ({ password }, _, done) => {
      passwords.push(password ?? '');
      done(password === 'right' ? null : new Error('no'), { user: 'broker' });
    },
    onData(stream, session, done) {
      let raw = '';
      stream.setEncoding('utf8').on('data', (part: string) => {
        raw += part;
      });
      stream.on('end', () => {
        got.push({ to: session.envelope.rcptTo.map(({ address }) => address), raw });
        done();
      });
    },
    ...options,
  });
  // What a client breaks off is the client's matter.
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  stops.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return { port: (server.server.address() as AddressInfo).port, got, passwords };
}
async function raw(speak: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket.on('error', () => undefined));
    speak(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(async () => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
const to = (port: number, more: Partial<MailOptions> = {}) =>
  mailNotifier({
    ...{
      name: 'mail',
      host: '127.0.0.1',
      port,
      tls: 'none',
      from: 'broker@broker.example',
      events: ['pending', 'halt'],
      timeoutMs: 10_000,
    },
    to: { 'team:privacy': ['p@example.org'], 'people:u_alice': ['a@example.org', 'p@example.org'], 'team:operators': ['ops@example.org'] },
    ...more,
  });
const PLAIN: SMTPServerOptions = { disabledCommands: ['STARTTLS'], allowInsecureAuth: true };

describe('a mail', () => {
  test('goes to each who must agree, once; of a halt to the operators alone', async () => {
    const server = await post(PLAIN);
    const mail = to(server.port);
    assert.deepEqual(await mail.send({ ...notice, who: ['team:privacy', 'people:u_alice', 'team:others'] }, now, never), { ok: true });
    assert.deepEqual(
      await mail.send({ ...notice, event: 'halt', who: [], facts: { step: 'revoke', scope: 'all', target: '' } }, now, never),
      { ok: true },
    );
    assert.deepEqual(
      server.got.map((one) => one.to),
      [['p@example.org', 'a@example.org'], ['ops@example.org']],
    );
    assert.match(server.got[0]?.raw ?? '', /^Message-ID: <led_0123_abcd@broker\.example>/m);
  });
  test('is wanted only where somebody reads it', () => {
    const mail = to(1);
    const wants = (event: Notice['event'], who: readonly string[]): boolean => mail.wants({ ...notice, event, who });
    assert.deepEqual(
      [
        wants('pending', ['team:privacy']),
        wants('pending', ['team:others']),
        wants('pending', ['constructor']),
        wants('approved', ['team:privacy']),
        wants('halt', []),
      ],
      [true, false, false, false, true],
    );
  });
  test('moves no header, whatever stands in it', async () => {
    const server = await post(PLAIN);
    const hostile = 'x\r\nBcc: evil@example.org\r\n\r\n<img src=https://evil.example>';
    await to(server.port).send({ ...notice, facts: { tool: hostile, agent: hostile } }, now, never);
    const [one] = server.got;
    assert.deepEqual(one?.to, ['p@example.org']);
    const [head = ''] = (one?.raw ?? '').split('\r\n\r\n');
    assert.equal(/^bcc:/im.test(head), false);
    assert.match(head, /^Content-Type: text\/plain/m);
  });
  test('logs in where it is told to, and a wrong password is refused', async () => {
    const server = await post({ ...PLAIN, authOptional: false });
    assert.deepEqual(await to(server.port, { user: 'broker', password: 'right' }).send(notice, now, never), { ok: true });
    const wrong = await to(server.port, { user: 'broker', password: 'wrong' }).send(notice, now, never);
    assert.deepEqual(wrong, { ok: false, flaw: 'refused', status: 535 });
  });
});

describe('a password', () => {
  test('never goes to a server that offers no TLS, nor to one that nobody vouches for', async () => {
    const bare = await post(PLAIN);
    const secrets = { user: 'broker', password: 'canary', tls: 'starttls' } as const;
    assert.deepEqual(await to(bare.port, secrets).send(notice, now, never), { ok: false, flaw: 'tls', status: 500 });
    // Its certificate is its own.
    const own = await post({ allowInsecureAuth: true });
    assert.equal((await to(own.port, secrets).send(notice, now, never)).ok, false);
    const implicit = await post({ secure: true });
    assert.equal((await to(implicit.port, { ...secrets, tls: 'implicit' }).send(notice, now, never)).ok, false);
    assert.deepEqual([bare.passwords, own.passwords, implicit.passwords], [[], [], []]);
    assert.deepEqual([bare.got, own.got, implicit.got], [[], [], []]);
  });
});

describe('a server', () => {
  const TABLE: readonly (readonly [string, (socket: Socket) => void, string])[] = [
    ['that says nothing', () => undefined, 'timeout'],
    ['that hangs up', (socket) => socket.destroy(), 'network'],
    ['that is none', (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'), 'network'],
    ['that greets for ever', (socket) => void setInterval(() => socket.writable && socket.write('220-wait\r\n'), 10).unref(), 'timeout'],
    ['that wants nobody', (socket) => socket.end('554 no\r\n'), 'network'],
  ];
  for (const [name, speak, flaw] of TABLE)
    test(name, async () => {
      const began = performance.now();
      const timeoutMs = flaw === 'timeout' ? 400 : 10_000;
      const delivery = await to(await raw(speak), { timeoutMs }).send(notice, now, never);
      assert.ok(!delivery.ok);
      assert.equal(delivery.flaw, flaw);
      assert.ok(performance.now() - began < 8_000);
    });
  test('that is not there', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    assert.deepEqual(await to(port).send(notice, now, never), { ok: false, flaw: 'network' });
  });
  test('that knows none of the readers, or one of them', async () => {
    const none = await post({ ...PLAIN, onRcptTo: (_, __, done) => done(Object.assign(new Error('nobody'), { responseCode: 550 })) });
    assert.deepEqual(await to(none.port).send(notice, now, never), { ok: false, flaw: 'refused', status: 550 });
    const one = await post({
      ...PLAIN,
      onRcptTo: ({ address }, _, done) =>
        done(address === 'a@example.org' ? Object.assign(new Error('nobody'), { responseCode: 550 }) : null),
    });
    assert.deepEqual(await to(one.port).send({ ...notice, who: ['people:u_alice'] }, now, never), { ok: true });
    assert.deepEqual(one.got[0]?.to, ['p@example.org']);
  });
  test('that is slow is left when we are', async () => {
    const stop = new AbortController();
    const sent = to(await raw(() => undefined), { timeoutMs: 10_000 }).send(notice, now, stop.signal);
    setTimeout(() => stop.abort(), 50);
    assert.deepEqual(await sent, { ok: false, flaw: 'timeout' });
  });
});
