/** Two whole brokers on one Redis while it dies, goes deaf, and while one of them stands still: one moment of each. More: `npm run faults:brokers`. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { FAULTS } from '../faults/broker-faults.ts';
import { runFault } from '../faults/brokers.ts';
import { skipUnless } from './provision.ts';

suite('two brokers in trouble lose nothing and grant nothing twice', { skip: await skipUnless('redis') }, () => {
  for (const name of ['dead', 'deaf', 'stalled'] as const)
    test(FAULTS[name].about, async (t) => {
      const { granted, unavailable, entries, replayed, slowestMs, backMs } = await runFault(name, 1);
      assert.ok(granted > 0 && unavailable > 0 && replayed > 0, `${granted} granted, ${unavailable} told 503`);
      t.diagnostic(`${granted} granted, ${unavailable} told 503, ${entries} entries, ${replayed} shown again`);
      t.diagnostic(`slowest refusal ${Math.round(slowestMs)} ms, back after ${Math.round(Math.max(...backMs))} ms`);
    });
});
