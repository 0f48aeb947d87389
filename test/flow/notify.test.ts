/** People hear of what waits: real receivers of webhooks and mail beside a whole broker, some of them down, slow or hostile. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { SMTPServer } from 'smtp-server';
import { createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { ConfigError } from '../../src/errors.ts';
import type { Check } from '../../src/http/health.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { type Delivered, type Receiver, startReceiver, WEBHOOK_SECRET } from '../support/receiver.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { DELETE, deletion, operator, pending, vote } from './approving.ts';
import { type AheadWorld, aheadWorld } from './front-door.ts';

const PASSWORD = 'canary-of-a-password';
interface Mail {
  readonly to: readonly string[];
  /** Without the soft line ends of quoted-printable. */
  readonly raw: string;
}
async function startMail(): Promise<{ readonly port: number; readonly got: Mail[]; readonly stop: () => Promise<void> }> {
  const got: Mail[] = [];
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _session, done) =>
      username === 'broker' && password === PASSWORD ? done(null, { user: username }) : done(new Error('no')),
    onData(stream, session, done) {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        got.push({ to: session.envelope.rcptTo.map(({ address }) => address), raw: Buffer.concat(parts).toString().replace(/=\r\n/g, '') });
        done();
      });
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  return { port: (server.server.address() as AddressInfo).port, got, stop: () => new Promise((resolve) => server.close(() => resolve())) };
}
const settled = async (is: () => boolean | Promise<boolean>, what: string): Promise<void> => {
  for (let left = 200; left > 0; left--) {
    if (await is()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(what);
};

const dataOf = (one: Pick<Delivered, 'body'> | undefined): JsonObject => (one?.body['data'] ?? {}) as JsonObject;

describe('a secret that is none, or not there', () => {
  for (const [environment, problem] of [
    [{}, 'notify.0: the environment has no variable of a name that stands there'],
    [{ HOOK: 'whsec_canary' }, 'notify.0.secret: must be whsec_ and 24 to 64 bytes in base64'],
  ] as const)
    it(`stops a start before anything is written: ${problem}`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'countersign-notify-'));
      const config = parseConfig({
        issuer: 'https://broker.example',
        policies: 'policies',
        store: { use: 'sqlite', path: join(folder, 'data', 'c.db') },
        keys: { use: 'local', secret: { file: join(folder, 'key') } },
        operator: { socket: join(folder, 'operator.sock') },
        notify: [{ use: 'webhook', url: 'https://hooks.example', secret: { env: 'HOOK' } }],
      });
      const edge = { world: aheadWorld(), log: pino({ level: 'silent' }), environment };
      await assert.rejects(createApp(config, edge), (fault) => fault instanceof ConfigError && fault.problems.join() === problem);
      assert.deepEqual(readdirSync(folder), []);
      rmSync(folder, { recursive: true });
    });
});

let rig: Rig;
let world: AheadWorld;
let chat: Receiver;
let others: Receiver;
let mail: Awaited<ReturnType<typeof startMail>>;
before(async () => {
  world = aheadWorld();
  [chat, others, mail] = await Promise.all([startReceiver(), startReceiver(), startMail()]);
  const hook = { use: 'webhook', secret: { env: 'HOOK' }, inward: 'allowed' } as const;
  rig = await startRig({
    world,
    environment: { HOOK: WEBHOOK_SECRET, MAIL: PASSWORD },
    config: {
      console: {},
      notify: [
        { ...hook, id: 'chat', url: `${chat.url}?token=canary-of-a-url` },
        { ...hook, id: 'others', url: others.url, events: ['pending'], for: ['team:somebody-else'] },
        {
          use: 'mail',
          host: '127.0.0.1',
          port: mail.port,
          tls: 'none',
          user: 'broker',
          password: { env: 'MAIL' },
          from: 'broker@broker.example',
          to: { 'team:privacy': ['paula@example.org', 'peter@example.org'], 'team:operators': ['ops@example.org'] },
        },
      ],
    },
  });
});
after(async () => {
  await rig.stop();
  await Promise.all([chat.stop(), others.stop(), mail.stop()]);
});
const status = async (): Promise<Check | undefined> =>
  ((await operator(rig, 'GET', '/operator/status')).body as { readonly checks: readonly Check[] }).checks.find(
    ({ name }) => name === 'notify',
  );

describe('what waits', () => {
  it('is told to whom it concerns, with a link and nothing to decide by; and so is what became of it', async () => {
    const hostile = 'urgent‮\u0007 <https://evil.example|approve> canary of a purpose\r\nBcc: x@evil.example';
    const { id } = await pending(rig, { ...DELETE, entry: { ...DELETE.entry, purpose: hostile } });
    const [first] = await chat.has(1);
    const link = `${rig.issuer}/console/approvals/${id}`;
    const data = dataOf(first);
    assert.deepEqual([first?.genuine, first?.body['type'], data['link'], data['approval']], [true, 'approval.pending', link, id]);
    assert.deepEqual(
      [data['tool'], data['server'], data['agent'], data['subject'], data['owner'], data['needs'], data['quorum']],
      ['delete_customer', 'shop', 'refund-bot', 'people:u_carol', 'people:u_alice', ['team:privacy'], 1],
    );
    await settled(() => mail.got.length === 1, 'no mail');
    const [letter] = mail.got;
    assert.deepEqual(letter?.to, ['paula@example.org', 'peter@example.org']);
    assert.ok(letter?.raw.includes(link));
    assert.match(letter?.raw ?? '', /^Content-Type: text\/plain/m);
    assert.equal(/<html|<a |<img/i.test(letter?.raw ?? ''), false);
    await vote(rig, id);
    const [, second] = await chat.has(2);
    assert.deepEqual([second?.body['type'], dataOf(second)['by']], ['approval.approved', 'people:u_alice']);
    const told = JSON.stringify([chat.got, mail.got]);
    for (const secret of ['canary of a purpose', 'evil', 'cus_canary_1', 'looked at the ticket', '\\u202e'])
      assert.equal(told.includes(secret), false, secret);
    assert.equal(mail.got.length, 1, 'mail tells of what waits alone');
    assert.deepEqual(others.got, [], 'nothing of theirs waits');
    assert.equal((await status())?.state, 'ok');
  });

  it('is told of a halt too', async () => {
    const before = chat.got.length;
    const halt = { scope: 'agent', target: 'nightly-report', reason: 'canary of a reason' };
    await operator(rig, 'POST', '/operator/revocations', halt);
    await operator(rig, 'POST', '/operator/revocations/undo', halt);
    const got = (await chat.has(before + 2)).slice(before);
    assert.deepEqual(got.map(({ body }) => [body['type'], dataOf({ body })['step']]).sort(), [
      ['halt', 'revoke'],
      ['halt', 'undo'],
    ]);
    await settled(() => mail.got.some(({ to }) => to.includes('ops@example.org')), 'operators have no mail');
    assert.equal(JSON.stringify([chat.got, mail.got]).includes('canary of a reason'), false);
  });

  it('is told again where it could not be told, under the same id; meanwhile nothing else waits for it', async () => {
    const before = chat.got.length;
    chat.manner = 'fails';
    const began = performance.now();
    const { id } = await pending(rig, deletion('told-again'));
    assert.ok(performance.now() - began < 8_000);
    await chat.has(before + 1);
    await settled(async () => (await status())?.state === 'degraded', 'not degraded');
    assert.equal((await status())?.detail, 'a receiver cannot be told of what waits; it is tried again');
    await settled(() => mail.got.some(({ raw }) => raw.includes(id)), 'mail waited for a webhook');
    chat.manner = 'ok';
    world.ahead(16);
    await pending(rig, deletion('wakes-it'));
    await settled(() => chat.got.filter(({ text }) => text.includes(id)).length === 2, 'not told again');
    const [one, two] = chat.got.filter(({ text }) => text.includes(id));
    assert.equal(one?.headers['webhook-id'], two?.headers['webhook-id']);
    await settled(async () => (await status())?.state === 'ok', 'not ok again');
    const metrics = await (await fetch(`${rig.issuer}/metrics`)).text();
    assert.match(metrics, /countersign_notifications_total\{notifier="chat",outcome="failed"\} 1/);
  });

  it('is not told to a receiver that has gone, until it has another secret', async () => {
    const before = chat.got.length;
    chat.manner = 'gone';
    await pending(rig, deletion('gone'));
    await settled(async () => (await status())?.detail?.startsWith('a receiver wants nothing more') === true, 'not told to the operator');
    chat.manner = 'ok';
    const { id } = await pending(rig, deletion('after-it-has-gone'));
    await settled(() => mail.got.some(({ raw }) => raw.includes(id)), 'no mail');
    assert.equal(chat.got.length, before + 1);
  });

  it('leaves no secret, address or answer behind', async () => {
    const left = JSON.stringify(await rig.entries()) + JSON.stringify(rig.log);
    for (const secret of [PASSWORD, WEBHOOK_SECRET, WEBHOOK_SECRET.slice(6), 'canary-of-a-url', 'canary of an answer', 'paula@example.org'])
      assert.equal(left.includes(secret), false, secret);
    assert.ok(rig.log.some((line) => line.includes('notification not delivered')));
  });
});
