/** The harness itself: each service starts, does one real thing, and leaves no process and no folder. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { type Service, until } from './program.ts';
import { skipUnless } from './provision.ts';
import { redisCli, startRedis } from './redis.ts';

/** Alive, and not only waiting to be collected by whoever inherited it. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\nState:\tZ/.test(existsSync('/proc/self/status') ? readFileSync(`/proc/${pid}/status`, 'utf8') : '');
  } catch {
    return false;
  }
}
/** Stops it, and looks for what it may have left. */
async function leavesNothing(service: Service): Promise<void> {
  const { folder } = service;
  const pid = service.pid();
  assert.ok(lives(pid) && existsSync(folder));
  await service.stop();
  assert.deepEqual({ lives: lives(pid), folder: existsSync(folder) }, { lives: false, folder: false });
}

suite('Redis', { skip: await skipUnless('redis') }, () => {
  test('keeps over a kill what was written through, and nothing when it is to be empty', async () => {
    const redis = await startRedis({ appendfsync: 'always' });
    assert.equal(await redis.cli('SET', 'a', '1'), 'OK');
    const before = redis.pid();
    await redis.kill();
    assert.equal(lives(before), false);
    await redis.restart();
    assert.equal(await redis.cli('GET', 'a'), '1');
    await redis.restartEmpty();
    assert.equal(await redis.cli('GET', 'a'), null);
    await leavesNothing(redis);
  });

  test('asks for its password', async () => {
    await using redis = await startRedis();
    await assert.rejects(redisCli({ host: redis.host, port: redis.port })('PING'), /NOAUTH/);
  });

  test('answers nothing while it is stopped, and what was asked once it goes on', async () => {
    const redis = await startRedis();
    redis.pause();
    const answer = redis.cli('PING');
    assert.equal(await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300, 'nothing'))]), 'nothing');
    redis.resume();
    assert.equal(await answer, 'PONG');
    redis.pause();
    await leavesNothing(redis);
  });

  for (const [death, code] of [
    ['killed', "process.kill(process.pid, 'SIGKILL')"],
    ['over, and nobody stopped it', ''],
  ] as const) {
    test(`goes when its test process is ${death}`, async () => {
      const module = new URL('./redis.ts', import.meta.url).href;
      const source = `const { startRedis } = await import('${module}'); const redis = await startRedis();
        redis.pause(); process.stdout.write(JSON.stringify({ pid: redis.pid(), folder: redis.folder }), () => { ${code} });`;
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (part: string) => {
        said += part;
      });
      await once(child, 'close');
      const { pid, folder } = JSON.parse(said) as { pid: number; folder: string };
      await until(() => !lives(pid) && !existsSync(folder), 'nothing to be left', { seconds: 10 });
    });
  }

  test('a start that fails says why, and leaves nothing', async () => {
    const fault = await startRedis({ config: ['no-such-setting yes'] }).then(
      () => undefined,
      (reason: unknown) => String(reason),
    );
    assert.match(fault ?? '', /no-such-setting/);
  });
});
