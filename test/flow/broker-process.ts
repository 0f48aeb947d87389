/** The broker as people start it: `node src/main.ts -c file`, in a folder of its own, with what it says and leaves behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { operatorClient } from '../../scripts/operator-client.ts';
import { UNLIMITED } from '../support/unlimited.ts';

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}
export interface Process {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  /** Resolves when this text has been said, on either stream; rejects when the process ends without. */
  says(text: string): Promise<void>;
}
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const ROOT = new URL('../..', import.meta.url).pathname;

/** What one start has compiled the next one need not: half of the time that a start takes. */
const compiled = mkdtempSync(join(tmpdir(), 'countersign-compiled-'));
process.once('exit', () => rmSync(compiled, { recursive: true, force: true }));

/** Nothing of this process's environment goes along but what finds programs. */
export function startMain(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Process {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
    cwd: ROOT,
    env: { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: compiled, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { out: '', err: '' };
  const waiting = new Set<() => void>();
  const hear = (stream: keyof typeof said) => (part: string) => {
    said[stream] += part;
    for (const look of waiting) look();
  };
  child.stdout.setEncoding('utf8').on('data', hear('out'));
  child.stderr.setEncoding('utf8').on('data', hear('err'));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...said }));
  return {
    child,
    ended,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!`${said.out}${said.err}`.includes(text)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
        void ended.then(({ err, out }) => reject(new Error(`ended without «${text}»: ${err || out}`)));
      }),
  };
}

/** Listens once the operator's socket answers. */
export async function ready(folder: string): Promise<void> {
  const call = operatorClient({ socket: join(folder, 'operator.sock') });
  for (let i = 0; i < 400; i++) {
    const answer = await call('GET', '/operator/status').catch(() => undefined);
    if (answer?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('the broker did not come up');
}

export const newFolder = (): string => mkdtempSync(join(tmpdir(), 'countersign-start-'));

/** A configuration of everything in this folder; members of `more` stand over the usual ones. Returns the path of the file. */
export function writeConfig(folder: string, port: number, more: object = {}): string {
  const config = {
    issuer: `http://127.0.0.1:${port}`,
    listen: { port },
    policies: join(folder, 'policies'),
    store: { use: 'sqlite', path: join(folder, 'data', 'countersign.db') },
    keys: { use: 'local', secret: { file: join(folder, 'key') }, algorithms: ['ES256'] },
    operator: { socket: join(folder, 'operator.sock') },
    limits: UNLIMITED,
    ...more,
  };
  const file = join(folder, 'broker.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

/** Everything in a folder: kind, mode and content by path. */
export function printOf(folder: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = join(folder, path);
    // Shared memory of who reads, no state: a broker that runs beside reads now and then.
    if (path.endsWith('-shm')) continue;
    const about = lstatSync(file);
    const content = about.isFile() ? hash('sha256', readFileSync(file)) : about.isSymbolicLink() ? readlinkSync(file) : '';
    found[path] = `${(about.mode & 0o170777).toString(8)} ${content}`;
  }
  return found;
}
