/** A program beside the tests: in a folder of its own, ended by its own id, and gone with its folder even when the test process is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

/** What every service is, beside what it alone is. */
export interface Service extends AsyncDisposable {
  readonly folder: string;
  /** Of the process that runs now; it changes with `restart`. */
  pid(): number;
  /** All it has said so far. */
  log(): string;
  /** SIGSTOP: its connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** SIGKILL, awaited. The folder stays. */
  kill(): Promise<void>;
  /** Over the same folder, on the same port; one that runs is ended first. Resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}
export interface Launch {
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: Folder;
  /** Nothing of this process's environment goes along but PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** How it ends by itself; SIGTERM. */
  readonly ending?: NodeJS.Signals;
  /** How it ends without a last word; SIGKILL. */
  readonly killing?: NodeJS.Signals;
  readonly account?: { readonly uid: number; readonly gid: number };
  /** Whether it answers; a throw is a not yet. */
  readonly ready: () => Promise<boolean>;
  /** For its start; 20. */
  readonly seconds?: number;
}
export interface Folder {
  readonly path: string;
  watch(pid: number, ending: NodeJS.Signals): void;
  forget(pid: number): void;
  remove(): Promise<void>;
}

/** Reads which processes live, and when this process has closed the pipe, by intent or by its death, ends those and removes the folder. */
const KEEPER = `trap '' INT TERM HUP
all=
while read -r what pid how; do
  kept=
  for one in $all; do [ "\${one%:*}" = "$pid" ] || kept="$kept $one"; done
  all=$kept
  [ "$what" = + ] && all="$all $pid:$how"
done
for one in $all; do kill -s "\${one#*:}" "\${one%:*}"; kill -s CONT "\${one%:*}"; done 2>/dev/null
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  left=
  for one in $all; do kill -s 0 "\${one%:*}" 2>/dev/null && left=yes; done
  [ -z "$left" ] && break
  sleep 0.1
done
[ -z "$left" ] || for one in $all; do kill -s KILL "\${one%:*}"; done 2>/dev/null
rm -rf -- "$0"
`;

/** A folder in the machine's temporary one, which no end of this process leaves behind. */
export function newFolder(name: string): Folder {
  const path = mkdtempSync(join(tmpdir(), `countersign-${name}-`));
  // In a group of its own: a Ctrl-C is for the tests, and this outlives them.
  const keeper = spawn('sh', ['-c', KEEPER, path], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  const ended = once(keeper, 'exit');
  keeper.unref();
  const pipe = keeper.stdin;
  if ('unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
  return {
    path,
    watch: (pid, ending) => void pipe.write(`+ ${pid} ${ending.slice('SIG'.length)}\n`),
    forget: (pid) => void pipe.write(`- ${pid}\n`),
    async remove() {
      keeper.ref();
      pipe.end();
      await ended;
    },
  };
}

/** Resolves when it answers. Errors: it ended, or did not answer in time; with the last it said. The folder is removed then. */
export async function launch(what: Launch): Promise<Service> {
  const { folder, ending = 'SIGTERM', killing = 'SIGKILL' } = what;
  const log = join(folder.path, `${basename(what.program)}.log`);
  const said = (): string => (existsSync(log) ? readFileSync(log, 'utf8') : '');
  let child: ChildProcess | undefined;
  const running = (): boolean => child !== undefined && child.exitCode === null && child.signalCode === null;

  async function start(): Promise<void> {
    const file = openSync(log, 'a', 0o600);
    const begun = spawn(what.program, what.args, {
      cwd: folder.path,
      env: { PATH: process.env['PATH'] ?? '', HOME: folder.path, ...what.env },
      stdio: ['ignore', file, file],
      detached: true,
      ...what.account,
    });
    closeSync(file);
    child = begun;
    const { pid } = begun;
    if (pid === undefined) {
      const [fault] = await once(begun, 'error').catch((fault: unknown) => [fault]);
      throw fault;
    }
    folder.watch(pid, killing);
    begun.once('exit', () => folder.forget(pid));
    // A test that forgets to stop it ends all the same, and the folder's keeper does the rest.
    begun.unref();
    await until(what.ready, `${what.program} to answer`, { seconds: what.seconds ?? 20, alive: running }).catch((fault: unknown) => {
      throw new Error(`${String(fault)}; the last it said: ${said().slice(-2000)}`);
    });
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!child || !running()) return;
    child.ref();
    const ended = once(child, 'exit');
    child.kill(signal);
    child.kill('SIGCONT');
    const late = new AbortController();
    await Promise.race([ended, sleep(10_000, undefined, { signal: late.signal }).catch(() => undefined)]);
    late.abort();
    if (running()) child.kill('SIGKILL');
    await ended;
  }
  const service: Service = {
    folder: folder.path,
    pid: () => child?.pid ?? 0,
    log: said,
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    kill: () => end(killing),
    async restart() {
      await end(ending);
      await start();
    },
    async stop() {
      await end(ending);
      await folder.remove();
    },
    [Symbol.asyncDispose]: () => service.stop(),
  };
  await start().catch(async (fault: unknown) => {
    await service.stop();
    throw fault;
  });
  return service;
}

/** Asks again every 20 ms until it is so. Errors: not in time, or `alive` says there is nothing to wait for. */
export async function until(
  so: () => boolean | Promise<boolean>,
  what: string,
  { seconds = 20, alive = () => true }: { seconds?: number; alive?: () => boolean } = {},
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  let last: unknown;
  while (performance.now() < end) {
    if (!alive()) throw new Error(`waited for ${what}, which has ended`);
    try {
      if (await so()) return;
    } catch (fault) {
      last = fault;
    }
    await sleep(20);
  }
  throw new Error(`waited ${seconds} s for ${what}${last === undefined ? '' : ` (${String(last)})`}`, { cause: last });
}

/** What a program printed. Errors: it ended with another code than 0, with what it said; or it was ended, `seconds` (60) being over. */
export async function output(
  program: string,
  args: readonly string[],
  { env = {}, input, seconds = 60, ...options }: OutputOptions = {},
): Promise<string> {
  const child = spawn(program, args, {
    ...options,
    env: { PATH: process.env['PATH'] ?? '', ...env },
    timeout: seconds * 1000,
    killSignal: 'SIGKILL',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined).end(input);
  const [[code], out, err] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`${basename(program)} ended with ${code ?? `nothing after ${seconds} s`}: ${err || out}`);
  return out;
}
export interface OutputOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly seconds?: number;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
}

const taken = new Set<number>();
/** A port of loopback that nobody listens on, below those the kernel gives to outgoing connections: it is still free when its service is restarted. */
export async function servicePort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 32_000);
    if (taken.has(port)) continue;
    taken.add(port);
    const server = createServer().listen({ port, host: '127.0.0.1', exclusive: true });
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** A secret of this run. */
export const newSecret = (): string => randomBytes(24).toString('base64url').replaceAll(/[-_]/g, 'x');
