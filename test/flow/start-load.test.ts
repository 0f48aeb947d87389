/** What a start loads is what it takes, in time and in memory: what few are ever asked for, or have not configured, is loaded when it is. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freePort } from '../support/rig.ts';
import { newFolder, ready, startMain, writeConfig } from './broker-process.ts';

/** Said by the broker as it ends: packages and built-in modules that it has loaded. */
const TELL = `import { registerHooks } from 'node:module';
import { isMainThread } from 'node:worker_threads';
const seen = [];
if (isMainThread) {
  registerHooks({ load: (url, context, next) => (seen.push(url), next(url, context)) });
  process.once('exit', () => console.error('loaded ' + JSON.stringify([...process.moduleLoadList, ...seen])));
}`;
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function loaded(ask: (url: string) => Promise<unknown> = async () => undefined): Promise<readonly string[]> {
  const folder = newFolder();
  folders.push(folder);
  mkdirSync(join(folder, 'data'));
  cpSync('policies', join(folder, 'policies'), { recursive: true });
  const port = await freePort();
  const environment = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(TELL)}` };
  const broker = startMain(['-c', writeConfig(folder, port)], environment);
  await ready(folder);
  await ask(`http://127.0.0.1:${port}`);
  broker.child.kill('SIGTERM');
  const { err } = await broker.ended;
  return JSON.parse(/^loaded (.*)$/m.exec(err)?.[1] ?? '') as string[];
}
const found = (all: readonly string[], parts: readonly string[]): readonly string[] =>
  parts.filter((part) => all.some((name) => name.includes(part)));

const LATER = [
  'deps/undici/undici',
  '/@fastify/swagger/',
  '/@fastify/ajv-compiler/',
  '/ioredis/',
  '/node-vault/',
  '/@aws-sdk/',
  '/nodemailer/',
  '/standardwebhooks/',
];

test('a start loads no fetch, no maker of documents, and no back end that is not configured', async () => {
  const all = await loaded();
  assert.deepEqual(found(all, ['/fastify/', '/ajv/', '/prom-client/']), ['/fastify/', '/ajv/', '/prom-client/']);
  assert.deepEqual(found(all, LATER), []);
});
test('what is asked for is loaded then', async () => {
  const all = await loaded(async (url) => assert.equal((await fetch(`${url}/openapi.json`)).status, 200));
  assert.deepEqual(found(all, LATER), ['/@fastify/swagger/']);
});
