/** `npm run faults`: fifty rotations under load, one overlapping the next; at every fifth the broker is killed around a step. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nothingLost, readLedger } from './checks.ts';
import { killAround, noneRefused, openStage, type Step } from './rotating.ts';

const ROTATIONS = Number(process.env['ROTATIONS'] ?? 50);
const STEPS: readonly Step[] = ['publish', 'activate'];

it(`${ROTATIONS} rotations under load`, async () => {
  await using stage = await openStage(40, 8);
  const { house, load } = stage;
  let broker = await house.start(stage.launch);
  load.begin();
  let [kills, retired] = [0, 0];
  const retire = async (): Promise<void> => {
    if ((await stage.keys()).steps.find(({ step }) => step === 'retire')?.possible && (await stage.step('retire'))) retired++;
  };
  for (let rotation = 1; rotation <= ROTATIONS; rotation++) {
    for (const [i, step] of STEPS.entries()) {
      if (rotation % 5 === i) {
        broker = await killAround(stage, broker, step, rotation % 2 === 0 ? 'before' : 'after');
        kills++;
      } else {
        await stage.possible(step);
        assert.equal(await stage.step(step), true);
      }
    }
    await retire();
    if (rotation % 5 === 0) console.log(`${rotation} rotations, ${kills} kills, ${JSON.stringify(Object.fromEntries(stage.verified))}`);
  }
  for (;;) {
    const { keys } = await stage.keys();
    if (!keys.some(({ state }) => state === 'retiring')) break;
    await stage.possible('retire');
    if (retired % 2 === 0) {
      broker = await killAround(stage, broker, 'retire', kills++ % 2 === 0 ? 'before' : 'after');
      retired++;
    } else await retire();
  }
  await load.end();
  await stage.settled();
  assert.deepEqual(await broker.stop(), { code: 0, signal: null });
  const good = noneRefused(stage);
  const entries = await nothingLost(house, load);
  console.table({
    rotations: ROTATIONS,
    'broker killed around a step': kills,
    'keys that signed': stage.kids.size,
    'tokens verified': good,
    'tokens refused': 0,
    'too late for a clock forty times as fast': load.grants.length - good,
    'answers lost to kills': load.counts.get('lost') ?? 0,
    'key entries': readLedger(house.store).filter(({ kind }) => kind === 'key').length,
    'ledger entries, chain verified': entries,
  });
  assert.equal(stage.kids.size, ROTATIONS + 1);
});
