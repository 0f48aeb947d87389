import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nothingLost, nothingTwice } from './checks.ts';
import { openHouse } from './harness.ts';
import { killRepeatedly, median } from './killing.ts';
import { createLoad } from './load.ts';

it('killed under load: every answered grant is in the ledger, and nothing that was used up works again', async (t) => {
  await using house = await openHouse();
  const load = createLoad(house);
  const killed = await killRepeatedly(house, load, { kills: 5, sample: 4 });
  const broker = await house.start();
  await nothingTwice(load, 12);
  assert.ok(load.grants.length > 0 && load.lost.length > 0, 'the kills fell into load');
  assert.deepEqual(await broker.stop(), { code: 0, signal: null });
  const entries = await nothingLost(house, load);
  const starts = [...killed.readyMs, broker.readyMs];
  t.diagnostic(`${load.grants.length} grants, ${load.counts.get('lost')} lost answers, ${entries} entries`);
  t.diagnostic(`ready after ${Math.round(median(starts))} ms (median), ${Math.round(Math.max(...starts))} ms (worst)`);
});
