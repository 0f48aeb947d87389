/** The network between a broker and a service, in this process: what goes through it can be late, held, cut or broken off in the middle. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What befalls the bytes of one direction. */
export interface Toxic {
  /** Each byte comes so much later; order and rate stay. */
  readonly delayMs?: number;
  /** Nothing comes, and the connection stays open. What is held comes when it is let go, as after a partition that TCP has outlived. */
  readonly hold?: boolean;
  /** So many bytes of each connection come from now on; then both of its sides are reset. */
  readonly resetAfterBytes?: number;
}
export interface Toxics {
  /** To the service. */
  readonly up?: Toxic;
  /** From the service. */
  readonly down?: Toxic;
}
export interface TcpProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Of now: what is open, and what was ever accepted. */
  connections(): { readonly open: number; readonly accepted: number };
  /** In place of those before; none without an argument. Holds for what is open too. */
  set(toxics?: Toxics): void;
  /** Resets every open connection. New ones are taken. */
  cut(): void;
  /** Resets what is open and refuses what comes, until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}
/** A partition of both ways. */
export const BLACKHOLE: Toxics = { up: { hold: true }, down: { hold: true } };
const HOST = '127.0.0.1';
/** Of one direction: beyond it the sender waits, as with the buffers of a real network. */
const BUFFER = 1024 * 1024;
type Way = keyof Toxics;
interface Pair {
  readonly client: Socket;
  readonly service: Socket;
  readonly passed: Record<Way, number>;
}

export async function startProxy(to: { readonly host?: string; readonly port: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  const waiting = new Set<() => void>();
  let toxics: Toxics = {};
  let accepted = 0;
  let port = 0;
  let server = createServer();

  const letGo = (): void => {
    for (const go of waiting) go();
    waiting.clear();
  };
  const end = (pair: Pair): void => {
    pairs.delete(pair);
    pair.client.resetAndDestroy();
    pair.service.resetAndDestroy();
    letGo();
  };
  const changed = (): Promise<void> => new Promise((resolve) => waiting.add(resolve));

  /** One chunk, as far as it may go. */
  async function pass(pair: Pair, way: Way, chunk: Buffer, into: Socket): Promise<void> {
    while (toxics[way]?.hold && pairs.has(pair)) await changed();
    if (!pairs.has(pair)) return;
    const left = (toxics[way]?.resetAfterBytes ?? Number.POSITIVE_INFINITY) - pair.passed[way];
    const part = left < chunk.length ? chunk.subarray(0, left) : chunk;
    pair.passed[way] += part.length;
    if (part.length > 0) await new Promise((resolve) => into.write(part, resolve));
    if (pair.passed[way] < (toxics[way]?.resetAfterBytes ?? Number.POSITIVE_INFINITY)) return;
    // Nothing more either way; but a reset discards what its receiver has not read yet.
    pairs.delete(pair);
    await sleep(20);
    end(pair);
  }
  function pump(pair: Pair, way: Way, from: Socket, into: Socket): void {
    let before = Promise.resolve();
    let waits = 0;
    from.on('data', (chunk: Buffer) => {
      waits += chunk.length;
      if (waits > BUFFER) from.pause();
      const late = toxics[way]?.delayMs ?? 0;
      const due = late > 0 ? sleep(late) : undefined;
      before = Promise.all([before, due])
        .then(() => pass(pair, way, chunk, into))
        .then(() => {
          waits -= chunk.length;
          from.resume();
        });
    });
    from.on('end', () => void before.then(() => into.end()));
    from.on('error', () => end(pair));
    from.on('close', () => pair.client.destroyed && pair.service.destroyed && pairs.delete(pair));
  }
  function accept(client: Socket): void {
    accepted += 1;
    const service = connect({ host: to.host ?? HOST, port: to.port, allowHalfOpen: true });
    const pair: Pair = { client, service, passed: { up: 0, down: 0 } };
    pairs.add(pair);
    for (const socket of [client, service]) socket.setNoDelay(true);
    pump(pair, 'up', client, service);
    pump(pair, 'down', service, client);
  }
  async function listen(): Promise<void> {
    server = createServer({ allowHalfOpen: true }, accept).listen(port, HOST);
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  }
  const cut = (): void => {
    for (const pair of [...pairs]) end(pair);
  };
  const down = async (): Promise<void> => {
    const closed = close(server);
    cut();
    await closed;
  };
  await listen();
  return {
    host: HOST,
    port,
    connections: () => ({ open: pairs.size, accepted }),
    set(next = {}) {
      toxics = next;
      for (const { passed } of pairs) Object.assign(passed, { up: 0, down: 0 });
      letGo();
    },
    cut,
    down,
    up: () => (server.listening ? Promise.resolve() : listen()),
    stop: down,
    [Symbol.asyncDispose]: down,
  };
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, 'close');
}
