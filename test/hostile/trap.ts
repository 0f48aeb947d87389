/** Where nobody may ever connect: a listener whose address stands wherever a hostile request can name one, and a watch on every socket opened. */
import { subscribe } from 'node:diagnostics_channel';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';

export interface Trap {
  /** `http://127.0.0.1:<port>`: it would answer. */
  readonly url: string;
  /** Connections so far. */
  readonly sprung: () => number;
  close(): Promise<void>;
}
export async function setTrap(): Promise<Trap> {
  let sprung = 0;
  const server = createServer((socket) => {
    sprung += 1;
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sprung: () => sprung,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

/**
 * Every TCP connection that this process tries, by `host:port`, and every name it looks up: the broker runs in this process, so whom it asks
 * is seen, whether or not anybody answers. Local sockets (paths) are left out.
 */
export function watchOutbound(): { readonly tried: ReadonlySet<string> } {
  const tried = new Set<string>();
  subscribe('net.client.socket', (message) => {
    const { socket } = message as { readonly socket: Socket };
    socket.on('connectionAttempt', (ip: string, port: number) => void tried.add(`${ip}:${port}`));
    socket.on('lookup', (_fault: Error | null, _address: string, _family: unknown, host: string) => void tried.add(host));
  });
  return { tried };
}
