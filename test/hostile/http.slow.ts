/** What takes longer than a test run should: time-outs that are really kept, and ten thousand connections. The command is in package.json. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { exchangesAfter, type Ground, openGround, settled } from './oracle.ts';
import { open } from './wire.ts';

let ground: Ground;
before(async () => {
  ground = await openGround();
});
after(() => ground.stop());
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** How long the broker lets it last, and what it says in the end. */
async function lasts(socket: Socket): Promise<{ readonly seconds: number; readonly said: string }> {
  const began = performance.now();
  let said = '';
  socket.setEncoding('latin1').on('data', (part) => {
    said += part;
  });
  socket.on('error', () => {});
  await once(socket, 'close');
  return { seconds: (performance.now() - began) / 1000, said };
}
const drip = async (socket: Socket, head: string, everyMs: number): Promise<void> => {
  socket.write(head);
  while (!socket.destroyed && socket.writable) {
    await pause(everyMs);
    if (socket.writable) socket.write('y');
  }
};

describe('slow requests end, each by its own limit', { concurrency: true }, () => {
  test('1 a head that comes letter by letter: ten seconds, 408', async () => {
    const socket = await open(ground.rig);
    void drip(socket, 'POST /token HTTP/1.1\r\nHost: x\r\nX: ', 200);
    const { seconds, said } = await lasts(socket);
    assert.match(said, /^HTTP\/1\.1 408 [\s\S]*"The request could not be read\."/);
    assert.ok(seconds > 8 && seconds < 15, `${seconds} s`);
  });
  test('2 a body that comes letter by letter: fifteen seconds, and nothing is recorded', async () => {
    const from = await ground.rig.count();
    const socket = await open(ground.rig);
    const head = 'POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 90000\r\n\r\n';
    void drip(socket, head, 200);
    const { seconds } = await lasts(socket);
    assert.ok(seconds > 12 && seconds < 20, `${seconds} s`);
    assert.deepEqual(await exchangesAfter(ground.rig, from), []);
  });
  test('3 a connection that never says a word: ten seconds', async () => {
    const { seconds } = await lasts(await open(ground.rig));
    assert.ok(seconds > 8 && seconds < 15, `${seconds} s`);
  });
  test('4 a connection that is kept and not used: thirty seconds', async () => {
    const socket = await open(ground.rig);
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    const { seconds, said } = await lasts(socket);
    assert.match(said, /^HTTP\/1\.1 200 /);
    assert.ok(seconds > 28 && seconds < 36, `${seconds} s`);
  });
});
test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));

test('ten thousand idle connections, and a hundred good requests among them', async () => {
  // From a process of its own: each end takes ten thousand descriptors (Node raises its soft limit to the hard one).
  const { port } = new URL(ground.rig.issuer);
  const program = `
    import { connect } from 'node:net';
    const opened = () => new Promise((resolve, reject) => {
      const socket = connect(${port}, '127.0.0.1', () => resolve(socket));
      socket.once('error', reject);
    });
    const sockets = [];
    for (let i = 0; i < 100; i++) sockets.push(...(await Promise.all(Array.from({ length: 100 }, opened))));
    for (const socket of sockets) socket.on('error', () => {});
    console.log('open');
    process.stdin.once('data', () => {
      console.log(sockets.filter((socket) => !socket.destroyed).length);
      process.exit();
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = child.stdout.setEncoding('utf8');
  assert.equal(String((await once(lines, 'data'))[0]).trim(), 'open');
  for (let i = 0; i < 100; i++) assert.equal((await ground.rig.ask()).status, 200);
  child.stdin.write('how many?\n');
  assert.equal(Number((await once(lines, 'data'))[0]), 10_000, 'they were there all the while');
  await once(child, 'close');
});
