/** Bytes at the front door: read as one thing by everybody, or refused; and a good request works all the while. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { framingCases } from './cases-framing.ts';
import { duplicateCases, mediaCases, methodCases, type RawCase, targetCases } from './cases-http.ts';
import { exchangesAfter, type Ground, openGround, settled } from './oracle.ts';
import { open, request, say } from './wire.ts';

let ground: Ground;
before(async () => {
  ground = await openGround();
});
after(() => ground.stop());

async function counted(status: number | undefined): Promise<number> {
  const text = await (await fetch(`${ground.rig.issuer}/metrics`)).text();
  return Number(new RegExp(`^countersign_http_refused_total\\{status="${status}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}
const works = async (): Promise<void> => assert.equal((await ground.rig.ask()).status, 200, 'the next good request works');

/** What the ledger says of it, once it has been written. */
async function recorded(from: number, expected: readonly string[]): Promise<void> {
  const said = async () => (await exchangesAfter(ground.rig, from)).map((entry) => entry.reason ?? entry.kind);
  for (let i = 0; i < 200 && (await said()).length < expected.length; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(await said(), expected);
  await works();
}
async function judge(item: RawCase): Promise<void> {
  const { rig } = ground;
  const shape = typeof item.shape === 'function' ? item.shape(rig) : item.shape;
  const bytes = typeof shape === 'string' ? shape : await request(rig, shape);
  const [from, before] = [await rig.count(), await counted(item.status)];
  const { replies, rest, closed } = await say(rig, Buffer.from(bytes, 'latin1'), { quietMs: item.closed ? 1_000 : 25 });
  const [reply] = replies;
  assert.deepEqual([reply?.status, replies.length, rest], [item.status, item.status === undefined ? 0 : 1, '']);
  if (item.closed) assert.equal(closed, true, 'the connection ends');
  if (reply && item.status !== 200) {
    const body = JSON.parse(reply.body) as { error?: string; access_token?: string };
    assert.deepEqual([body.error, body.access_token], [item.error, undefined]);
  }
  const entries = await exchangesAfter(rig, from);
  const expected = item.status === 200 ? ['minted'] : item.reason ? [[item.reason, item.detail].join(' ')] : [];
  assert.deepEqual(
    entries.map((entry) => (entry.kind === 'minted' ? 'minted' : [entry.reason, entry.detail].join(' '))),
    expected,
    'recorded if it was read, and only then',
  );
  assert.equal(await counted(item.status), before + (item.counted ? 1 : 0), 'counted');
  await works();
}

for (const [name, cases] of [
  ['methods and versions', methodCases],
  ['targets', targetCases],
  ['media types', mediaCases],
  ['one header twice', duplicateCases],
  ['framing and sizes', framingCases],
] as const) {
  describe(`HTTP: ${name}`, () => {
    for (const [index, item] of cases.entries()) test(`${index + 1} ${item.name}: ${item.status ?? 'closed'}`, () => judge(item));
    test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));
  });
}

describe('HTTP: one connection, several requests', () => {
  test('1 two good requests in one breath are two answers in order', async () => {
    const { rig } = ground;
    const { replies } = await say(rig, (await request(rig)) + (await request(rig)), { atLeast: 2 });
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 200],
    );
  });
  test('2 a refused one does not spoil the next', async () => {
    const { rig } = ground;
    const bad = await request(rig, { headers: [['DPoP', 'x']] });
    const { replies } = await say(rig, bad + (await request(rig)), { atLeast: 2 });
    assert.deepEqual(
      replies.map(({ status }) => status),
      [400, 200],
    );
  });
  test('3 what follows a body that was not read is no request', async () => {
    const { rig } = ground;
    const from = await rig.count();
    const big = await request(rig, { body: (b) => `${b}&x=${'y'.repeat(1_100_000)}` });
    const { replies, closed } = await say(rig, big + (await request(rig)), { quietMs: 300 });
    assert.deepEqual([replies.map(({ status }) => status), closed], [[413], true]);
    assert.deepEqual(await exchangesAfter(rig, from), []);
    await works();
  });
  test('4 what was cut off a body is no request, and no word of that is taken for the answer', async () => {
    const { rig } = ground;
    const from = await rig.count();
    const { replies, closed } = await say(rig, await request(rig, { length: (b) => String(b.length - 10) }), {
      quietMs: 1_000,
      atLeast: 0,
    });
    assert.equal(closed, true);
    for (const { body } of replies)
      assert.ok((JSON.parse(body) as { decision_id?: string }).decision_id, 'an answer of the broker, or none');
    await recorded(from, ['details_bad']);
  });
  test('5 a good request and then bytes: the grant is recorded, and nobody is told 400', async () => {
    const { rig } = ground;
    const from = await rig.count();
    const { replies, closed } = await say(rig, `${await request(rig)}\u0000\u0001garbage\r\n\r\n`, { quietMs: 1_000, atLeast: 0 });
    assert.deepEqual([closed, replies.filter(({ status }) => status !== 200)], [true, []]);
    await recorded(from, ['minted']);
  });
  test('6 fifty requests on one connection', async () => {
    const { rig } = ground;
    const all = await Promise.all(Array.from({ length: 50 }, () => request(rig)));
    const { replies } = await say(rig, all, { atLeast: 50 });
    assert.deepEqual(
      replies.map(({ status }) => status),
      Array.from({ length: 50 }, () => 200),
    );
  });
  test('7 Expect: 100-continue is answered before the body, another expectation is refused', async () => {
    const { rig } = ground;
    const good = await say(rig, await request(rig, { headers: [['Expect', '100-continue']] }), { atLeast: 2 });
    assert.deepEqual(
      good.replies.map(({ status }) => status),
      [100, 200],
    );
    const large = await say(rig, await request(rig, { headers: [['Expect', '100-continue']], length: () => '2000000', body: () => '' }), {
      atLeast: 2,
    });
    assert.deepEqual(
      large.replies.map(({ status }) => status),
      [100, 413],
    );
    const other = await say(rig, await request(rig, { headers: [['Expect', 'tea']] }), { quietMs: 200, atLeast: 0 });
    assert.match(other.rest + other.replies.map(({ status }) => status).join(), /417/);
    await works();
  });
  test('8 HEAD is answered without a body', async () => {
    const { rig } = ground;
    const { rest, replies } = await say(rig, 'HEAD /token HTTP/1.1\r\nHost: x\r\n\r\n', { quietMs: 100, atLeast: 0 });
    assert.match(rest, /^HTTP\/1\.1 405 [\s\S]*\r\n\r\n$/);
    assert.equal(replies.length, 0);
  });
  test('9 no Host in HTTP/1.1', async () => {
    const { rig } = ground;
    const { rest, closed } = await say(rig, await request(rig, { headers: [['Host', null]] }), { quietMs: 200, atLeast: 0 });
    assert.match(rest, /^HTTP\/1\.1 400 /);
    assert.equal(closed, true);
    await works();
  });
});

describe('HTTP: slow and many', () => {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  async function dripping(text: string, count: number, work: () => Promise<void>): Promise<void> {
    const sockets = await Promise.all(Array.from({ length: count }, () => open(ground.rig)));
    for (const socket of sockets) socket.on('error', () => {});
    let dripping = true;
    const drips = sockets.map(async (socket: Socket) => {
      for (let i = 0; i < text.length && dripping; i++) {
        if (!socket.writable) return;
        socket.write(text[i] ?? '');
        await pause(20);
      }
    });
    await work();
    dripping = false;
    for (const socket of sockets) socket.destroy();
    await Promise.all(drips);
  }
  const twenty = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await works();
  };
  test('1 two hundred heads that come letter by letter', async () => {
    await dripping(`POST /token HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(5_000)}`, 200, twenty);
  });
  test('2 two hundred bodies that come letter by letter', async () => {
    const head = 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\n';
    const from = await ground.rig.count();
    await dripping(`${head}${'y'.repeat(4_000)}`, 200, twenty);
    assert.equal((await exchangesAfter(ground.rig, from)).length, 20, 'half a request is none');
  });
  test('3 a thousand idle connections', async () => {
    const sockets = await Promise.all(Array.from({ length: 1_000 }, () => open(ground.rig)));
    for (const socket of sockets) socket.on('error', () => {});
    await twenty();
    for (const socket of sockets) socket.destroy();
  });
  test('4 a thousand connections that are cut in the middle', async () => {
    const bytes = await request(ground.rig);
    const from = await ground.rig.count();
    for (let i = 0; i < 1_000; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, j) => {
          const socket = await open(ground.rig);
          socket.on('error', () => {});
          socket.write(bytes.slice(0, Math.floor((bytes.length - 1) * ((i + j) / 1_000))));
          socket.resetAndDestroy();
        }),
      );
    }
    await pause(100);
    assert.deepEqual(await exchangesAfter(ground.rig, from), []);
    await twenty();
  });
  test('5 a client that hangs up before its answer: the grant is recorded all the same', async () => {
    const from = await ground.rig.count();
    const socket = await open(ground.rig);
    socket.on('error', () => {});
    socket.write(await request(ground.rig));
    await new Promise((resolve) => setImmediate(resolve));
    socket.end();
    await recorded(from, ['minted']);
  });
  test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));
});
