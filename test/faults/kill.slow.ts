/** `npm run faults`: two hundred kills. `KILLS=20` for fewer. */
import assert from 'node:assert/strict';
import { loadavg } from 'node:os';
import { it } from 'node:test';
import { nothingLost, nothingTwice } from './checks.ts';
import { openHouse } from './harness.ts';
import { killRepeatedly, median } from './killing.ts';
import { createLoad } from './load.ts';

const KILLS = Number(process.env['KILLS'] ?? 200);

it(`killed ${KILLS} times under load`, async () => {
  await using house = await openHouse();
  const load = createLoad(house);
  const killed = await killRepeatedly(house, load, {
    kills: KILLS,
    sample: 8,
    onKill: ({ readyMs }, count) => {
      if (count % 10 === 0)
        console.log(
          `${count} kills, ${load.grants.length} grants, ${load.counts.get('lost')} lost, last start ${Math.round(readyMs.at(-1) ?? 0)} ms`,
        );
    },
  });
  const broker = await house.start();
  const replayed = killed.replayed + (await nothingTwice(load, 50));
  assert.deepEqual(await broker.stop(), { code: 0, signal: null });
  const entries = await nothingLost(house, load);
  console.table({
    kills: KILLS,
    'before it was ready': killed.beforeReady,
    'grants answered': load.grants.length,
    'of them under an Idempotency-Key': load.grants.filter(({ keyed }) => keyed).length,
    'answers lost': load.counts.get('lost') ?? 0,
    'grants not in the ledger': 0,
    'grants shown again, refused each time': replayed,
    'ledger entries, chain verified': entries,
    'restart to ready, median ms': Math.round(median(killed.readyMs)),
    'restart to ready, worst ms': Math.round(Math.max(...killed.readyMs)),
    'of processor time, median ms': Math.round(median(killed.readyCpuMs)),
    'of processor time, worst ms': Math.round(Math.max(...killed.readyCpuMs)),
    'others at work here (load average)': loadavg()[0]?.toFixed(1),
  });
  // The load and whoever else works here take their share of the processors: what a start costs is its own.
  assert.ok(Math.max(...killed.readyCpuMs) < 2_000);
});
