/** How soon two brokers grant again after their Redis was away, killed or standing still. Needs Redis. */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../faults/harness.ts';
import { said } from '../faults/load.ts';
import { openPair, type Pair, settled } from '../faults/pair.ts';
import { need } from '../services/provision.ts';
import { type Figure, rowOf } from './figure.ts';

const TARGET = { atMost: 2_000, excellent: 500 } as const;

export const comeback: Figure = {
  name: 'return',
  about: 'two brokers grant again after Redis was away',
  async measure({ quick, tell }) {
    await need('redis');
    await using pair = await openPair('one');
    await settled(pair);
    const { redis } = pair;
    const times: Record<'killed' | 'still', number[]> = { killed: [], still: [] };
    for (let i = 0; i < (quick ? 3 : 10); i++) {
      tell(`round ${i + 1}`);
      times.killed.push(
        await once(
          pair,
          () => redis.kill(),
          () => redis.restart(),
        ),
      );
      times.still.push(
        await once(
          pair,
          async () => redis.pause(),
          async () => redis.resume(),
        ),
      );
    }
    return {
      rows: [
        rowOf('both grant, after it was killed and started again', 'ms', times.killed, TARGET),
        rowOf('  worst', 'ms', [Math.max(...times.killed)]),
        rowOf('both grant, after it stood still', 'ms', times.still, TARGET),
        rowOf('  worst', 'ms', [Math.max(...times.still)]),
      ],
      notes: [
        'From the moment at which Redis answers a PING, or is let go on, to the first grant of each of two brokers; each was asked all the while that it was away, and refused. A grant itself is in the figure.',
      ],
    };
  },
};
async function once({ sides }: Pair, away: () => Promise<void>, back: () => Promise<void>): Promise<number> {
  const grants = (load: (typeof sides)[0]['load']) => async (): Promise<boolean> => said(await load.ask())[0] === 200;
  await away();
  for (const { load } of sides)
    if (!(await eventually(async () => said(await load.ask())[0] === 503))) throw new Error('a broker granted without its Redis');
  await sleep(300 + Math.random() * 700);
  await back();
  const began = performance.now();
  const all = await Promise.all(sides.map(({ load }) => eventually(grants(load), 30_000)));
  if (all.includes(false)) throw new Error('a broker did not come back');
  return performance.now() - began;
}
