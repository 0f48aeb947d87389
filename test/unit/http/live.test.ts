/** Server-sent events over real connections: a reader that does not read, a session that ends, a broker that stops. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { refuse } from '../../../src/errors.ts';
import { guard } from '../../../src/http/operator-guard.ts';
import { liveEndpoints } from '../../../src/http/operator-live.ts';
import { bare } from '../../../src/http/server.ts';
import type { Listener, Live, LiveEvent } from '../../../src/operate/live.ts';
import { localOperator } from '../../../src/operate/operator.ts';
import { ok } from '../../../src/wire/result.ts';
import { testWorld } from '../../support/test-world.ts';

let server: FastifyInstance | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server?.close();
  server = undefined;
});
const event = (seq: number): LiveEvent => ({
  entry: { seq, kind: 'minted', at: 1, exchange: 'exc_1', subject: `people:${'x'.repeat(500)}` },
});
async function start() {
  const world = testWorld();
  const listeners = new Set<Listener>();
  const state = { known: true, room: true };
  const released = new AbortController();
  const live: Live = {
    after: world.after,
    released: released.signal,
    read: () => undefined,
    async listen(listener) {
      if (state.room) listeners.add(listener);
      return state.room;
    },
    leave: (listener) => void listeners.delete(listener),
    release() {
      for (const listener of [...listeners]) listener.end();
    },
  };
  const who = () => (state.known ? ok(localOperator('maria')) : refuse('login_needed'));
  server = bare({ onRefused: () => undefined, onFault: assert.ifError });
  guard(server, who);
  const overview = () => Promise.reject(new Error('nobody asks'));
  liveEndpoints(server, { live, overview, who });
  const address = new URL(await server.listen({ host: '127.0.0.1', port: 0 }));
  async function listen(): Promise<{ readonly socket: Socket; text: string }> {
    const socket = connect({ host: '127.0.0.1', port: Number(address.port) });
    sockets.push(socket);
    const heard = { socket, text: '' };
    socket.setEncoding('utf8').on('data', (part: string) => {
      heard.text += part;
    });
    socket.on('error', () => undefined);
    socket.write('GET /operator/live HTTP/1.1\r\nHost: x\r\n\r\n');
    while (!heard.text.includes('retry: 2000') && !/^HTTP\/1.1 [45]/.test(heard.text)) await sleep(2);
    return heard;
  }
  return { world, listeners, state, live, listen };
}
const until = async (is: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !is(); i++) await sleep(4);
};

describe('GET /operator/live', () => {
  it('lets go of whoever does not read; whoever reads has every event, whole', async () => {
    const { listeners, listen } = await start();
    const deaf = await listen();
    deaf.socket.pause();
    const reading = await listen();
    assert.equal(listeners.size, 2);
    let told = 0;
    // A page of the ledger at a time, as they come; far more than a connection and its buffers hold.
    while (told < 40_000 && listeners.size === 2) {
      for (let i = 0; i < 100; i++, told++) for (const listener of listeners) listener.take(event(told));
      await sleep(0);
    }
    assert.equal(listeners.size, 1, 'the deaf one is let go');
    await until(() => reading.text.includes(`id: ${told - 1}\n`));
    assert.equal(reading.text.match(/^id: /gm)?.length, told);
    deaf.socket.resume();
    await once(deaf.socket, 'close');
    assert.equal(deaf.text.includes(`id: ${told - 1}\n`), false);
  });

  it('says that it is there now and then, and ends when the session has ended', async () => {
    const { world, listeners, state, listen } = await start();
    const heard = await listen();
    for (let i = 1; i <= 3; i++) {
      world.pass(15);
      await until(() => heard.text.split(': still here').length === i + 1);
    }
    assert.equal(heard.text.split(': still here').length, 4);
    state.known = false;
    world.pass(15);
    await until(() => listeners.size === 0);
    assert.equal(listeners.size, 0);
    world.pass(2);
    await until(() => heard.text.endsWith('0\r\n\r\n'));
    assert.match(heard.text, /0\r\n\r\n$/, 'an end, and no broken line');
  });

  it('ends for all when the broker stops, also for whoever does not read', async () => {
    const { world, live, listeners, listen } = await start();
    const [one, deaf] = [await listen(), await listen()];
    deaf.socket.pause();
    live.release();
    assert.equal(listeners.size, 0);
    world.pass(2);
    await once(one.socket, 'end');
    const closed = server?.close();
    server = undefined;
    assert.equal(await Promise.race([closed?.then(() => 'closed'), sleep(1_000).then(() => 'hangs')]), 'closed');
  });

  it('is refused where there is no room, and to nobody in particular', async () => {
    const { state, listen } = await start();
    state.room = false;
    assert.match((await listen()).text, /^HTTP\/1.1 429/);
    state.known = false;
    assert.match((await listen()).text, /^HTTP\/1.1 401/);
  });
});
