/** SIGKILL at random moments under load, some of them before the broker is ready. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { nothingTwice } from './checks.ts';
import type { House } from './harness.ts';
import type { Load } from './load.ts';

export interface Killed {
  /** Milliseconds from spawn to ready, of each start that was let live so long. */
  readonly readyMs: readonly number[];
  /** And of processor time. */
  readonly readyCpuMs: readonly number[];
  readonly beforeReady: number;
  /** Identifiers shown again after a restart; all refused. */
  readonly replayed: number;
}

/** Leaves the broker dead. The load goes on through all of it. */
export async function killRepeatedly(
  house: House,
  load: Load,
  options: { readonly kills: number; readonly sample: number; readonly onKill?: (killed: Killed, count: number) => void },
): Promise<Killed> {
  const readyMs: number[] = [];
  const readyCpuMs: number[] = [];
  let [beforeReady, replayed] = [0, 0];
  const state = (): Killed => ({ readyMs, readyCpuMs, beforeReady, replayed });
  load.begin();
  for (let count = 1; count <= options.kills; count++) {
    if (count % 5 === 4) {
      const child = house.spawn();
      await sleep(Math.random() * (readyMs.at(-1) ?? 500));
      child.kill('SIGKILL');
      await once(child, 'exit');
      beforeReady++;
    } else {
      const broker = await house.start();
      readyMs.push(broker.readyMs);
      readyCpuMs.push(broker.readyCpuMs);
      replayed += await nothingTwice(load, options.sample);
      await sleep(Math.random() * 300);
      await broker.kill();
    }
    options.onKill?.(state(), count);
  }
  await load.end();
  return state();
}

export const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
