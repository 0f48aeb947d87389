import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nothingLost, readLedger } from './checks.ts';
import { killAround, noneRefused, openStage, rotate } from './rotating.ts';

it('three rotations under load, the script killed at each step of one, the broker at each of another: every token verifies', async (t) => {
  await using stage = await openStage(80);
  const { house, load } = stage;
  let broker = await house.start(stage.launch);
  load.begin();

  // Longer than a rotation: once it is whole there is nothing more to do.
  const done: string[] = [];
  const runs: (number | null)[] = [];
  const killAtStep = (child: { kill(signal: 'SIGKILL'): boolean }, step: string): void => {
    done.push(step);
    child.kill('SIGKILL');
  };
  runs.push(await rotate(stage, 0, killAtStep));
  while (runs.at(-1) !== 0 && runs.length < 6) runs.push(await rotate(stage, 2_000, killAtStep));
  assert.deepEqual(done, ['publish', 'activate', 'retire']);
  // The last step told, a run may end before the kill arrives.
  assert.deepEqual([runs.slice(0, 2), runs.at(-1)], [[null, null], 0]);
  const states = async (): Promise<string> => (await stage.keys()).keys.map(({ alg, state }) => `${alg} ${state}`).join(', ');
  assert.equal(await states(), 'ES256 gone, RS256 gone, ES256 current, RS256 current');

  broker = await killAround(stage, broker, 'publish', 'after');
  broker = await killAround(stage, broker, 'activate', 'before');
  // Another begins before that one is over, and each step is taken as soon as it is possible.
  for (const step of ['publish', 'activate', 'retire'] as const) {
    await stage.possible(step);
    assert.equal(await stage.step(step), true);
  }
  // On a slow machine that step took both old keys.
  const isRetiring = async (): Promise<boolean> => (await stage.keys()).keys.some(({ state }) => state === 'retiring');
  if (await isRetiring()) broker = await killAround(stage, broker, 'retire', 'after');
  const { keys, version } = await stage.keys();
  assert.deepEqual(
    Object.entries(Object.groupBy(keys, ({ state }) => state)).map(([state, all]) => `${all?.length} ${state}`),
    ['6 gone', '2 current'],
  );

  await load.end();
  await stage.settled();
  assert.deepEqual(await broker.stop(), { code: 0, signal: null });
  assert.equal(stage.kids.size, 4);
  const good = noneRefused(stage);
  await nothingLost(house, load);
  assert.equal(readLedger(house.store).filter(({ kind }) => kind === 'key').length, version, 'each step is one entry');
  t.diagnostic(`${good} tokens of 4 keys verified, 0 refused`);
});
