/** A back end with behaviour, over HTTP: it makes, lists and ends credentials, and knows every way of not answering. */
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { editBundle } from '../flow/front-door.ts';
import { type Kind, type Program, programWith } from './toy.ts';

/**
 * `hangs`: reads and never answers. `dead`: cuts every connection. `loses`: does what it is asked, and cuts before it says so. `late`: does
 * it and answers after a while. `twice`: a request that comes once is done twice, one answer. `sealed`: 503. `busy`: 429. `denies`: 403.
 * `generous`: longer than it was asked for. `garbled`: half an answer.
 */
export type Mood = 'good' | 'hangs' | 'dead' | 'loses' | 'late' | 'twice' | 'sealed' | 'busy' | 'denies' | 'generous' | 'garbled';
export interface Made {
  readonly name: string;
  readonly handle: string;
  readonly user: string;
  readonly password: string;
  readonly role: string;
  readonly txn: string;
  /** Epoch seconds. */
  readonly at: number;
  readonly exp: number;
  endedBy?: 'handle' | 'name';
}
export interface FakeBackend extends AsyncDisposable {
  readonly address: string;
  readonly made: readonly Made[];
  /** What works now: neither ended nor past its end. */
  outstanding(role?: string): readonly Made[];
  /** The most there ever were at once, by role. */
  most(role: string): number;
  works(login: { readonly user?: unknown; readonly password?: unknown }): boolean;
  mood: Mood;
  /** How long each call takes. */
  slowMs: number;
  /** Calls so far, as `POST /make`. */
  readonly calls: readonly string[];
}

/** `now`: epoch seconds, its own clock. */
export async function fakeBackend(options: { readonly now?: () => number } = {}): Promise<FakeBackend> {
  const { now = () => Math.floor(Date.now() / 1000) } = options;
  const made: Made[] = [];
  const most = new Map<string, number>();
  const calls: string[] = [];
  const secret = (): string => randomBytes(18).toString('base64url');
  const outstanding = (role?: string): readonly Made[] =>
    made.filter((one) => one.endedBy === undefined && one.exp > now() && (role === undefined || one.role === role));

  function make(asked: { readonly role: string; readonly txn: string; readonly exp: number }): Made {
    const exp = asked.exp + (fake.mood === 'generous' ? 3600 : 0);
    const one: Made = {
      ...asked,
      exp,
      at: now(),
      name: `n-${randomUUID()}`,
      handle: secret(),
      user: `u-${randomUUID()}`,
      password: secret(),
    };
    made.push(one);
    most.set(one.role, Math.max(most.get(one.role) ?? 0, outstanding(one.role).length));
    return one;
  }
  function end(found: Made | undefined, by: 'handle' | 'name'): number {
    if (!found || found.endedBy !== undefined) return 404;
    found.endedBy = by;
    return 204;
  }
  function act(method: string, path: string, text: string): readonly [number, unknown] {
    const [, room = '', name = ''] = path.split('/');
    if (method === 'POST' && room === 'make') {
      if (fake.mood === 'denies') return [403, {}];
      if (fake.mood === 'busy') return [429, {}];
      const asked = JSON.parse(text) as Parameters<typeof make>[0];
      if (fake.mood === 'twice') make(asked);
      return [200, make(asked)];
    }
    if (method === 'POST' && room === 'use') return [fake.works(JSON.parse(text) as object) ? 200 : 401, {}];
    if (method === 'GET' && room === 'health') return [200, { well: fake.mood !== 'sealed' }];
    if (method === 'GET' && room === 'made') return [200, outstanding().map((one) => ({ name: one.name, at: one.at }))];
    if (method === 'DELETE' && room === 'made')
      return [
        end(
          made.find(({ handle }) => handle === name),
          'handle',
        ),
        undefined,
      ];
    if (method === 'DELETE' && room === 'named')
      return [
        end(
          made.find((one) => one.name === name),
          'name',
        ),
        undefined,
      ];
    return [404, {}];
  }
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    let text = '';
    for await (const part of request) text += part;
    calls.push(`${method} /${url.split('/')[1]}`);
    if (fake.mood === 'dead') return void request.socket.destroy();
    if (fake.mood === 'hangs') return;
    if (fake.slowMs > 0) await sleep(fake.slowMs);
    if (fake.mood === 'sealed' && !url.startsWith('/health')) return void response.writeHead(503).end('{}');
    const [status, said] = act(method, url, text);
    if (fake.mood === 'loses') return void request.socket.destroy();
    if (fake.mood === 'late') await sleep(LATE_MS);
    const body = said === undefined ? '' : JSON.stringify(said);
    response.writeHead(status, { 'content-type': 'application/json' }).end(fake.mood === 'garbled' ? body.slice(0, body.length / 2) : body);
  }
  const server = createServer((request, response) => {
    serve(request, response).catch(() => request.socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const fake: FakeBackend = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    made,
    outstanding,
    most: (role) => most.get(role) ?? 0,
    works: ({ user, password }) => outstanding().some((one) => one.user === user && one.password === password),
    mood: 'good',
    slowMs: 0,
    calls,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return fake;
}
export const LATE_MS = 1_500;

const FAKE: Kind = {
  use: 'fake',
  file: 'test/support/fake/minter-fake.ts',
  arm: "z.strictObject({ use: z.literal('fake'), audience: z.string().default('fake'), address: z.string(), listing: z.boolean().default(false) })",
  imports: 'fakeMinter, readFake',
  reader: 'readFake',
  open: 'fakeMinter(backEnd)',
};
/** The program with this kind in it. */
export const fakeProgram = (): Promise<Program> => programWith(FAKE);
/** One arm of `backends`, for a configuration whose type knows nothing of it. */
export const fakeArm = (fake: FakeBackend, options: { readonly listing?: boolean } = {}): never =>
  ({ use: 'fake', address: fake.address, ...options }) as never;

/** `create_refund` is redeemed for one of role `refunds`; `list_orders` gives its agent one of role `looks`. */
export async function registerFake(folder: string, cap = 50, ttlSeconds = 20): Promise<void> {
  const refund = `credentials: { fake: { role: refunds, cap: ${cap}, ttlSeconds: ${ttlSeconds} } }`;
  await editBundle(folder, 'servers/shop.yaml', /(?=\n {4}recordable:)/, `\n    ${refund}`);
  const look = `credentials: { fake: { role: looks, deliver: agent, cap: ${cap}, ttlSeconds: ${ttlSeconds} } }`;
  await editBundle(folder, 'servers/shop.yaml', /(?<=list_orders:\n)/, `    ${look}\n`);
}
