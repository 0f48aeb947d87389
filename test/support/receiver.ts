/** A receiver of webhooks with behaviour: a real HTTP server that takes what it is sent, checks its signature, and answers as it is told to. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import type { JsonObject } from '../../src/wire/json.ts';

export const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
export type Manner =
  | 'ok'
  | 'down'
  | 'silent'
  | 'drips'
  | 'redirects'
  | 'gone'
  | 'fails'
  | 'later'
  | 'endless'
  | 'big-head'
  | 'lies'
  | 'resets';
export interface Delivered {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly body: JsonObject;
  readonly genuine: boolean;
}
export interface Receiver {
  readonly url: string;
  readonly got: readonly Delivered[];
  manner: Manner;
  /** Resolves once so many have come. */
  has(count: number): Promise<readonly Delivered[]>;
  stop(): Promise<void>;
}

export async function startReceiver(first: Manner = 'ok', secret = WEBHOOK_SECRET): Promise<Receiver> {
  const got: Delivered[] = [];
  const verifier = new Webhook(secret);
  let waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    if (receiver.manner === 'resets') return void request.socket.destroy();
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const text = Buffer.concat(parts).toString();
      got.push({ path: request.url ?? '', headers: request.headers, text, body: parsed(text), genuine: isGenuine(text, request.headers) });
      answer(receiver.manner, response);
      for (const { count, resolve } of waiting) if (got.length >= count) resolve();
      waiting = waiting.filter(({ count }) => got.length < count);
    });
    return undefined;
  });
  const isGenuine = (text: string, headers: IncomingHttpHeaders): boolean => {
    try {
      verifier.verify(text, headers as Record<string, string>);
      return true;
    } catch {
      return false;
    }
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const receiver: Receiver = {
    url,
    got,
    manner: first,
    has: async (count) => {
      if (got.length < count) await new Promise<void>((resolve) => waiting.push({ count, resolve }));
      return got;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}

function answer(manner: Manner, response: ServerResponse): void {
  switch (manner) {
    case 'silent':
    case 'resets':
    case 'down':
      return;
    case 'drips': {
      response.socket?.write('HTTP/1.1 200 OK\r\nX: ');
      const timer = setInterval(() => response.socket?.write('X'), 20);
      response.socket?.on('close', () => clearInterval(timer));
      return;
    }
    case 'redirects':
      response.writeHead(307, { location: '/inward' }).end();
      return;
    case 'gone':
      response.writeHead(410).end();
      return;
    case 'fails':
      response.writeHead(500).end('canary of an answer');
      return;
    case 'later':
      response.writeHead(503, { 'retry-after': '120' }).end();
      return;
    case 'endless': {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
      return;
    }
    case 'big-head':
      response.socket?.end(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`);
      return;
    case 'lies':
      response.socket?.end('HTTP/1.1 999999 OK\r\n\r\n');
      return;
    case 'ok':
      response.writeHead(204).end();
      return;
    default:
      manner satisfies never;
  }
}
function parsed(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return {};
  }
}
