/** What the proxy does to bytes is what it says. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './program.ts';
import { BLACKHOLE, startProxy, type TcpProxy } from './proxy.ts';

/** Answers each byte with itself, and counts what it has had. */
const service = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('data', (chunk) => {
    had += chunk.length;
    socket.write(chunk);
  });
  socket.on('end', () => socket.end());
  socket.on('error', () => undefined);
}).listen(0, '127.0.0.1');
await once(service, 'listening');
const to = { port: (service.address() as AddressInfo).port };
let had = 0;
after(() => service.close());

interface Client {
  readonly socket: Socket;
  text: string;
  ended: string;
}
async function client(proxy: TcpProxy): Promise<Client> {
  const socket = connect(proxy.port, proxy.host).setEncoding('utf8');
  const made: Client = { socket, text: '', ended: '' };
  socket.on('data', (part: string) => {
    made.text += part;
  });
  socket.on('error', (fault: NodeJS.ErrnoException) => {
    made.ended = fault.code ?? 'error';
  });
  socket.on('end', () => {
    made.ended ||= 'end';
  });
  await once(socket, 'connect').catch(() => undefined);
  return made;
}

test('passes all bytes in order, and ends as its ends do', async () => {
  await using proxy = await startProxy(to);
  const one = await client(proxy);
  const all = Array.from({ length: 200_000 }, (_, i) => i).join(',');
  one.socket.end(all);
  await until(() => one.ended !== '', 'the end');
  assert.equal(one.text, all);
  assert.equal(one.ended, 'end');
  await until(() => proxy.connections().open === 0, 'nothing open');
});

test('late is late for every byte alike, not for one after the other', async () => {
  await using proxy = await startProxy(to);
  proxy.set({ down: { delayMs: 300 } });
  const one = await client(proxy);
  const from = performance.now();
  for (let i = 0; i < 10; i++) {
    one.socket.write(`${i}`);
    await sleep(15);
  }
  assert.equal(one.text, '');
  await until(() => one.text === '0123456789', 'all of it');
  const took = performance.now() - from;
  assert.ok(took >= 300 && took < 2_900, `${took} ms`);
});

test('what is held comes when it is let go, one way or both', async () => {
  for (const toxics of [BLACKHOLE, { up: { hold: true } }, { down: { hold: true } }]) {
    await using proxy = await startProxy(to);
    const one = await client(proxy);
    had = 0;
    proxy.set(toxics);
    one.socket.write('abc');
    await sleep(100);
    assert.equal(one.text, '');
    assert.equal(had, toxics.up ? 0 : 3);
    assert.equal(one.ended, '');
    proxy.set();
    await until(() => one.text === 'abc', 'what was held');
  }
});

test('resets after so many bytes, to the byte, and then nothing comes the other way', async () => {
  await using proxy = await startProxy(to);
  const one = await client(proxy);
  one.socket.write('before');
  await until(() => one.text === 'before', 'the echo');
  proxy.set({ down: { resetAfterBytes: 2 } });
  one.socket.write('abc');
  await until(() => one.ended !== '', 'the reset');
  assert.deepEqual([one.text, one.ended], ['beforeab', 'ECONNRESET']);

  had = 0;
  proxy.set({ up: { resetAfterBytes: 5 } });
  const two = await client(proxy);
  two.socket.write('abcdefgh');
  await until(() => two.ended !== '', 'the reset');
  assert.deepEqual([had, two.text, two.ended], [5, '', 'ECONNRESET']);
});

test('cuts what is open; refuses while it is down; is itself again', async () => {
  await using proxy = await startProxy(to);
  const one = await client(proxy);
  one.socket.write('a');
  await until(() => one.text === 'a', 'the echo');
  proxy.cut();
  await until(() => one.ended === 'ECONNRESET', 'the reset');
  await proxy.down();
  const two = await client(proxy);
  await until(() => two.ended === 'ECONNREFUSED', 'the refusal');
  await proxy.up();
  const three = await client(proxy);
  three.socket.write('b');
  await until(() => three.text === 'b', 'the echo');
  assert.deepEqual(proxy.connections(), { open: 1, accepted: 2 });
});

test('a service that is not there resets', async () => {
  const nobody = createServer().listen(0, '127.0.0.1');
  await once(nobody, 'listening');
  const { port } = nobody.address() as AddressInfo;
  nobody.close();
  await once(nobody, 'close');
  await using proxy = await startProxy({ port });
  const one = await client(proxy);
  await until(() => one.ended === 'ECONNRESET', 'the reset');
});
