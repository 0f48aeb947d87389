/** A broker in a process of its own, which may be killed at any moment, and around it what outlives it: its folder, its agents, its people. */
import { type ChildProcess, spawn } from 'node:child_process';
import { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { writeDemoBundle } from '../../scripts/demo/bundle.ts';
import { type App, createApp } from '../../src/app.ts';
import type { ConfigInput } from '../../src/config.ts';
import { readConfig } from '../../src/main.ts';
import type { World } from '../../src/model.ts';
import { newFolder } from '../services/program.ts';
import { type TestIdp, testIdp, testKey } from '../support/idp.ts';
import { newKey, type TestKey } from '../support/keys.ts';
import { freePort, RESOURCE } from '../support/rig.ts';
import { UNLIMITED } from '../support/unlimited.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Longer than any start on a loaded machine: beyond it something hangs. */
const READY_MS = 60_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}
export interface Broker {
  readonly child: ChildProcess;
  /** From spawn to the first /readyz that says ready. */
  readonly readyMs: number;
  /** What it cost the processor until then, whoever else was busy; as the system counts it (Linux), else as long as it took. */
  readonly readyCpuMs: number;
  readonly exited: Promise<Exit>;
  /** Lines of its log, and what it told people. */
  readonly said: readonly string[];
  kill(): Promise<void>;
  stop(signal?: NodeJS.Signals): Promise<Exit>;
}
export interface Launch {
  /** Put before node: `prlimit`, `faketime`. */
  readonly wrapper?: readonly string[];
  /** Given to node before the program. */
  readonly node?: readonly string[];
  readonly program?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The address of this one, where several brokers are one issuer. */
  readonly door?: string;
}
export interface House extends AsyncDisposable {
  /** Nobody sends anything any more. */
  readonly over: boolean;
  readonly folder: string;
  readonly data: string;
  readonly policies: string;
  readonly issuer: string;
  readonly config: string;
  readonly store: string;
  readonly keyFile: string;
  readonly socket: string;
  readonly agents: Readonly<Record<'refund-bot' | 'triage-bot' | 'nightly-report', TestKey>>;
  readonly server: TestKey;
  /** Keys that proofs are signed with. */
  readonly proofKeys: readonly TestKey[];
  readonly people: TestIdp;
  readonly peopleKey: { readonly kid: string; readonly private: KeyObject };
  /** Spawned, and not waited for. */
  spawn(launch?: Launch): ChildProcess & { readonly said: string[] };
  /** In this process, in a world of the test's own, and listening. */
  app(world: World): Promise<App>;
  /** Spawned, and expected to refuse to start: what it tells people. Throws when it ends otherwise or not at all. */
  refused(launch?: Launch): Promise<string>;
  /** Spawned and ready. Throws with what it said when it ends instead. */
  start(launch?: Launch): Promise<Broker>;
}

/** `data`: where store, key file and socket shall be, when that is no folder of the house. */
export async function openHouse(
  options: { readonly data?: string; readonly maxAgeSeconds?: number; readonly config?: Partial<ConfigInput> } = {},
): Promise<House> {
  // A test or a command that is killed itself leaves neither broker nor folder.
  const kept = newFolder('house');
  const folder = kept.path;
  const data = options.data ?? join(folder, 'data');
  mkdirSync(data, { recursive: true });
  const people = await testIdp();
  const key = await testKey();
  people.keys = [key];
  const agents = { 'refund-bot': newKey(), 'triage-bot': newKey(), 'nightly-report': newKey() };
  const server = newKey();
  const policies = join(folder, 'policies');
  await writeDemoBundle({
    from: join(ROOT, 'policies'),
    to: policies,
    resource: RESOURCE,
    agentKeys: Object.fromEntries(Object.entries(agents).map(([id, agent]) => [id, agent.publicJwk])),
    serverKeys: { shop: server.publicJwk },
  });
  const issuer = `http://127.0.0.1:${await freePort()}`;
  const [config, store, keyFile, socket] = [
    join(folder, 'broker.yaml'),
    join(data, 'countersign.db'),
    join(folder, 'key'),
    join(folder, 'operator.sock'),
  ];
  const settings: ConfigInput = {
    issuer,
    listen: { port: Number(new URL(issuer).port) },
    policies,
    store: { use: 'sqlite', path: store },
    keys: { use: 'local', secret: { file: keyFile }, ...(options.maxAgeSeconds !== undefined && { maxAgeSeconds: options.maxAgeSeconds }) },
    operator: { socket },
    limits: UNLIMITED,
    metrics: 'public',
    issuers: [
      {
        use: 'oidc',
        id: 'people',
        issuer: people.issuer,
        vouches: ['person'],
        clients: { 'refund-bot': 'refund-bot-app', 'triage-bot': 'triage-bot-app' },
        attributes: { groups: 'groups' },
      },
    ],
    log: 'warn',
    ...options.config,
  };
  writeFileSync(config, JSON.stringify(settings)); // JSON is YAML
  const children = new Set<ChildProcess>();
  const apps = new Set<App>();

  let over = false;

  const house: House = {
    get over() {
      return over;
    },
    folder,
    data,
    policies,
    issuer,
    config,
    store,
    keyFile,
    socket,
    agents,
    server,
    proofKeys: Array.from({ length: 8 }, () => newKey()),
    people,
    peopleKey: { kid: key.kid, private: KeyObject.from(key.privateKey) },
    spawn({ wrapper = [], node = [], program = [join(ROOT, 'src/main.ts'), '-c', config], env = {} } = {}) {
      const [command = '', ...args] = [...wrapper, process.execPath, '--disable-warning=ExperimentalWarning', ...node, ...program];
      const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: { ...process.env, ...env } });
      children.add(child);
      const { pid } = child;
      if (pid !== undefined) kept.watch(pid, 'SIGKILL');
      child.once('exit', () => {
        children.delete(child);
        if (pid !== undefined) kept.forget(pid);
      });
      const said: string[] = [];
      for (const stream of [child.stdout, child.stderr])
        stream?.setEncoding('utf8').on('data', (text: string) => said.push(...text.trimEnd().split('\n')));
      return Object.assign(child, { said });
    },
    async app(world) {
      const app = await createApp(readConfig(config), { world, log: pino({ level: 'silent' }), environment: {} });
      apps.add(app);
      await app.listen();
      return app;
    },
    async refused(launch) {
      const child = house.spawn(launch);
      const timer = setTimeout(() => child.kill('SIGKILL'), READY_MS);
      const [code, signal] = await once(child, 'close');
      clearTimeout(timer);
      if (code !== 2) throw new Error(`the broker was to refuse to start; it ended with ${code ?? signal}`);
      return child.said.join('\n');
    },
    async start(launch) {
      const began = performance.now();
      const child = house.spawn(launch);
      const exited = once(child, 'exit').then(([code, signal]): Exit => ({ code: code as number | null, signal: signal as string | null }));
      if (!(await untilReady(launch?.door ?? issuer, exited)))
        throw new Error(`the broker did not become ready:\n${child.said.join('\n')}`);
      const readyMs = performance.now() - began;
      return {
        child,
        readyMs,
        readyCpuMs: cpuOf(child.pid) ?? readyMs,
        exited,
        said: child.said,
        async kill() {
          child.kill('SIGKILL');
          await exited;
        },
        stop(signal = 'SIGTERM') {
          child.kill(signal);
          return exited;
        },
      };
    },
    async [Symbol.asyncDispose]() {
      over = true;
      await Promise.allSettled([...apps].map((app) => app.close()));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all([...children].map((child) => once(child, 'exit')));
      await people[Symbol.asyncDispose]();
      await kept.remove();
    },
  };
  return house;
}

/** proc(5): fields 14 and 15 of stat, in hundredths of a second. */
function cpuOf(pid: number | undefined): number | undefined {
  try {
    const after = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return 10 * (Number(after[11]) + Number(after[12]));
  } catch {
    return undefined;
  }
}

async function untilReady(issuer: string, exited: Promise<Exit>): Promise<boolean> {
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  for (const limit = performance.now() + READY_MS; !ended && performance.now() < limit; await sleep(5)) {
    const { status } = await look(`${issuer}/readyz`);
    if (status === 200) return true;
  }
  return false;
}

export interface Page {
  /** 0: nobody answered. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}
/** One GET on a connection of its own. Never throws. */
export const look = (url: string): Promise<Page> =>
  new Promise((resolve) => {
    const nobody = (): void => resolve({ status: 0, headers: {}, text: '' });
    get(url, { agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text })).on('error', nobody);
    }).on('error', nobody);
  });
/** The checks of /readyz that are not ok, as `name state`. */
export async function notReady(issuer: string): Promise<{ readonly status: number; readonly failing: readonly string[] }> {
  const { status, text } = await look(`${issuer}/readyz`);
  const { checks = [] } = JSON.parse(text || '{}') as { checks?: readonly { readonly name: string; readonly state: string }[] };
  return { status, failing: checks.filter(({ state }) => state !== 'ok').map(({ name, state }) => `${name} ${state}`) };
}
/** Looks until it is so, and says whether it became so. */
export async function eventually(holds: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<boolean> {
  for (const limit = performance.now() + withinMs; performance.now() < limit; await sleep(20)) if (await holds()) return true;
  return holds();
}

/** One request of the operator API. */
export const operate = (
  socket: string,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> =>
  new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    request({ socketPath: socket, method, path, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text || '{}') as Record<string, unknown> }));
      answer.on('error', reject);
    })
      .on('error', reject)
      .end(body && JSON.stringify(body));
  });
