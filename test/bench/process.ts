/** A broker as people start it: `main` and a configuration file, in a process of its own. */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { threadsOf } from './machine.ts';
import type { Stage } from './scene.ts';

export interface Running {
  readonly pid: number;
  /** From the spawn until /readyz answered 200. */
  readonly readyMs: number;
  /** CPU ms that it took until then; 0 where the kernel does not tell. */
  readonly cpuMs: number;
  stop(): Promise<void>;
}
const root = new URL('../..', import.meta.url).pathname;
/** Beside the packages that it imports, and in nobody's way. */
const BUILT = join(root, 'node_modules', '.cache', 'countersign-bench');

/** What `npm run build` makes, but not in `dist/`, which may be in use. Answers the path of its `main.js`. */
export async function build(): Promise<string> {
  rmSync(BUILT, { recursive: true, force: true });
  mkdirSync(BUILT, { recursive: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await promisify(execFile)(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', join(BUILT, 'dist')], { cwd: root });
  writeFileSync(join(BUILT, 'package.json'), '{"type":"module"}\n');
  return join(BUILT, 'dist', 'main.js');
}
export const source = join(root, 'src', 'main.ts');

export async function startProcess(main: string, stage: Stage): Promise<Running> {
  const config = join(stage.folder, 'config.yaml');
  writeFileSync(config, JSON.stringify({ ...stage.config, log: 'error' }));
  const began = performance.now();
  const child = spawn(process.execPath, [main, '--config', config], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let gone = false;
  void ended.then(() => {
    gone = true;
  });
  while (!(await isReady(stage.port))) {
    if (gone) throw new Error('the broker ended before it was ready');
    if (performance.now() - began > 30_000) throw new Error('the broker was not ready within 30 s');
    await sleep(4);
  }
  const readyMs = performance.now() - began;
  const pid = child.pid ?? 0;
  const cpuMs = [...threadsOf(pid).values()].reduce((sum, thread) => sum + thread.cpu, 0) / 1000;
  return {
    pid,
    readyMs,
    cpuMs,
    stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}
const isReady = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const request = get({ port, host: '127.0.0.1', path: '/readyz', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
