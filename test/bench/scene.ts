/** What stands around what is measured: a folder with a bundle, an issuer of people in this process, and children. */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDemoBundle } from '../../scripts/demo/bundle.ts';
import type { ConfigInput } from '../../src/config.ts';
import { newKey, type TestKey } from '../support/keys.ts';
import { freePort, RESOURCE } from '../support/rig.ts';
import { UNLIMITED } from '../support/unlimited.ts';
import type { Order, Usage } from './child.ts';
import type { Scene } from './requests.ts';

export interface Stage {
  readonly folder: string;
  readonly port: number;
  readonly config: ConfigInput;
  readonly agents: Readonly<Record<string, TestKey>>;
  readonly people: { readonly issuer: string; readonly key: TestKey };
  /** The key of the shop's server. */
  readonly shop: TestKey;
  /** With the nonce of a broker that listens on `port`. */
  scene(): Promise<Scene>;
  clear(): void;
}
export interface Child {
  readonly pid: number;
  /** One order at a time. Throws what the child threw, or that it has ended. */
  tell<T = unknown>(order: Order): Promise<T>;
  usage(): Promise<Usage>;
  end(): Promise<void>;
}
export interface StageOptions {
  /** What is done to the copy of the sample bundle. */
  readonly bundle?: (folder: string) => Promise<void>;
  /** More clients of the issuer of people, by agent. */
  readonly clients?: Readonly<Record<string, string>>;
}
export interface Bench extends Stage, Omit<Child, 'end'> {
  stop(): Promise<void>;
}

const folders = new Set<string>();
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export async function setStage(options: StageOptions = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
  folders.add(folder);
  const people = newKey('people-1');
  const idp = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    const document = request.url === '/jwks' ? { keys: [people.publicJwk] } : { issuer: at, jwks_uri: `${at}/jwks` };
    response.end(JSON.stringify(document));
  }).listen(0, '127.0.0.1');
  await new Promise((done) => idp.once('listening', done));
  const at = `http://127.0.0.1:${(idp.address() as AddressInfo).port}`;
  const agents = { 'refund-bot': newKey(), 'triage-bot': newKey(), 'nightly-report': newKey() };
  const shop = newKey();
  const policies = join(folder, 'policies');
  await writeDemoBundle({
    from: 'policies',
    to: policies,
    resource: RESOURCE,
    agentKeys: Object.fromEntries(Object.entries(agents).map(([id, key]) => [id, key.publicJwk])),
    serverKeys: { shop: shop.publicJwk },
  });
  await options.bundle?.(policies);
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const proofKeys = Array.from({ length: 20 }, () => newKey());
  return {
    folder,
    port,
    agents,
    shop,
    people: { issuer: at, key: people },
    config: {
      issuer,
      listen: { port },
      policies,
      store: { use: 'sqlite', path: join(folder, 'data', 'countersign.db') },
      keys: { use: 'local', secret: { file: join(folder, 'key') } },
      operator: { socket: join(folder, 'operator.sock') },
      // Asked at every request as elsewhere, and never so: neighbours of the run must not have it turned away.
      limits: { ...UNLIMITED, pressureMs: 10_000 },
      metrics: 'public',
      issuers: [
        {
          use: 'oidc',
          id: 'people',
          issuer: at,
          vouches: ['person'],
          clients: { 'refund-bot': 'refund-bot-app', ...options.clients },
          attributes: { groups: 'groups' },
        },
      ],
    },
    async scene() {
      const answer = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'a=b',
      });
      return {
        issuer,
        resource: RESOURCE,
        people: { issuer: at, key: people },
        agents: proofKeys.map((proofKey) => ({ id: 'refund-bot', client: 'refund-bot-app', key: agents['refund-bot'], proofKey })),
        nonce: answer.headers.get('dpop-nonce') ?? '',
      };
    },
    clear() {
      idp.close();
      idp.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
      folders.delete(folder);
    },
  };
}

/** A child that waits for orders. `swap`: a module that is loaded before everything else (`swap.ts`). */
export function startChild(options: { readonly flags?: readonly string[]; readonly swap?: string; readonly env?: object } = {}): Child {
  const file = new URL('./child.ts', import.meta.url).pathname;
  const swap = options.swap === undefined ? [] : ['--import', new URL(options.swap, import.meta.url).href];
  const child = fork(file, {
    execArgv: ['--expose-gc', ...swap, ...(options.flags ?? [])],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...options.env },
  });
  let waiting: { readonly resolve: (answer: unknown) => void; readonly reject: (fault: Error) => void } | undefined;
  child.on('message', (message: { readonly answer?: unknown; readonly fault?: string }) => {
    if (message.fault === undefined) waiting?.resolve(message.answer);
    else waiting?.reject(new Error(message.fault));
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      waiting?.reject(new Error('the measured process has ended'));
      resolve();
    });
  });
  const tell = <T>(order: Order): Promise<T> =>
    new Promise((resolve, reject) => {
      waiting = { resolve: resolve as (answer: unknown) => void, reject };
      child.send(order);
    });
  return {
    pid: child.pid ?? 0,
    tell,
    usage: () => tell<Usage>({ ask: 'usage' }),
    end() {
      child.kill();
      return ended;
    },
  };
}

/** A stage and one child, which is not yet anything. */
export async function setScene(options: StageOptions & Parameters<typeof startChild>[0] = {}): Promise<Bench> {
  const stage = await setStage(options);
  const { end, ...child } = startChild(options);
  return {
    ...stage,
    ...child,
    async stop() {
      await end();
      stage.clear();
    },
  };
}
