/** What is there is found, what can be had is had whole or not at all, and what is missing is said, or fails where CI says so. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { until } from './program.ts';

const PROVISION = new URL('./provision.ts', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'countersign-provision-'));
after(() => rmSync(folder, { recursive: true }));

/** A machine that has these programs and no others; what stands in `go` is a script's body. */
function machine(name: string, { go }: { go?: string } = {}): Readonly<Record<string, string>> {
  const bin = join(folder, name, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const tool of ['sh', 'sleep', 'cp', 'chmod']) symlinkSync(`/bin/${tool}`, join(bin, tool));
  if (go !== undefined) writeFileSync(join(bin, 'go'), `#!/bin/sh\n${go}\n`, { mode: 0o755 });
  return { PATH: bin, XDG_CACHE_HOME: join(folder, name, 'cache'), HOME: join(folder, name) };
}
interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}
async function node(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ran> {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [[code], out, err] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  return { code: code as number | null, out, err };
}
const built = (env: Readonly<Record<string, string>>): readonly string[] =>
  readdirSync(join(env['XDG_CACHE_HOME'] ?? '', 'countersign-tests', 'minio-20260212'));
/** What a build is asked for by: `go install`, and where to. */
const MAKES = 'echo "#!/bin/sh" > "$GOBIN/minio"; chmod 755 "$GOBIN/minio"';

test('a machine with nothing: each missing one says how to get it, and CI fails', async () => {
  const env = machine('bare');
  const ran = await node(env, PROVISION, '--only', 'redis,minio', '--json');
  assert.equal(ran.code, 0);
  assert.deepEqual(JSON.parse(ran.out), {
    redis: { skip: 'apt-get install redis-server' },
    minio: { skip: 'install Go 1.25 or later, it is built in 2 minutes' },
  });
  assert.equal((await node({ ...env, CI: 'true' }, PROVISION, '--only', 'redis')).code, 1);
});

test('a suite skips with that line, and fails in CI', async () => {
  const file = join(folder, 'some.test.mjs');
  const source = `import { suite, test } from 'node:test'; import { skipUnless } from '${PROVISION}';
    suite('of redis', { skip: await skipUnless('redis') }, () => { test('never', () => { throw new Error('ran'); }); });`;
  writeFileSync(file, source);
  const env = machine('suite');
  const skipped = await node(env, '--test', '--test-reporter=tap', file);
  assert.equal(skipped.code, 0, skipped.out);
  assert.match(skipped.out, /# SKIP redis is not here: apt-get install redis-server/);
  const failing = await node({ ...env, CI: 'true' }, '--test', '--test-reporter=tap', file);
  assert.equal(failing.code, 1);
  assert.match(failing.out, /redis is not here/);
});

test('what is built is there under its own name only when it is whole', async () => {
  const env = machine('builds', { go: MAKES });
  const ran = await node(env, PROVISION, '--only', 'minio', '--json');
  assert.deepEqual(JSON.parse(ran.out), { minio: { path: join(env['XDG_CACHE_HOME'] ?? '', 'countersign-tests/minio-20260212/minio') } });
  assert.deepEqual(built(env), ['minio']);
  assert.match(ran.err, /minio: building, about 2 minutes the first time\nminio: there after \d+ s/);
});

test('a build that fails says so with its last words, once, and leaves nothing', async () => {
  const env = machine('fails', { go: 'echo "no such module"; exit 1' });
  const ran = await node(env, PROVISION, '--only', 'minio', '--json');
  assert.deepEqual(JSON.parse(ran.out), { minio: { skip: 'its build with Go failed, see above' } });
  assert.match(ran.err, /no such module/);
  assert.deepEqual(built(env), []);
  // A suite does not try again at once; the command does.
  const asked = `import { need } from '${PROVISION}'; console.log(JSON.stringify(await need('minio')));`;
  const later = await node(env, '--input-type=module', '-e', asked);
  assert.deepEqual([later.code, later.err], [0, '']);
  writeFileSync(join(env['PATH'] ?? '', 'go'), `#!/bin/sh\n${MAKES}\n`);
  assert.match((await node(env, PROVISION, '--only', 'minio')).out, /^minio {2}\//);
});

test('a build that is killed leaves nothing that looks like a program, and the next one has it', async () => {
  const env = machine('killed', { go: `${MAKES}; echo $$ > "$HOME/pid"; sleep 60` });
  const child = spawn(process.execPath, [PROVISION, '--only', 'minio'], { env, stdio: 'ignore', detached: true });
  const ended = once(child, 'exit');
  await until(() => readdirSync(env['HOME'] ?? '').includes('pid'), 'the build to be under way');
  assert.ok(child.pid);
  process.kill(-child.pid, 'SIGKILL');
  await ended;
  assert.deepEqual(
    built(env).filter((name) => name === 'minio'),
    [],
  );
  writeFileSync(join(env['PATH'] ?? '', 'go'), `#!/bin/sh\n${MAKES}\n`);
  assert.equal((await node(env, PROVISION, '--only', 'minio')).code, 0);
  assert.deepEqual(built(env), ['minio']);
});
