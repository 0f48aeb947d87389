/** SIGKILL at random while credentials are being made. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FakeBackend } from '../support/fake-backend.ts';
import { eventually, type House, type Launch } from './harness.ts';
import type { Clients } from './leasing.ts';

export interface KilledMinting {
  readonly kills: number;
  /** Made, not ended, and given to nobody, when the broker was dead; summed over all kills. */
  readonly orphans: number;
}
/** Leaves the broker dead. Half of those who are given something say that they are done with it. */
export async function killWhileMinting(
  house: House,
  back: FakeBackend,
  clients: Clients,
  options: { readonly kills: number; readonly launch: Launch; readonly onKill?: (killed: KilledMinting) => void },
): Promise<KilledMinting> {
  let [orphans, kills] = [0, 0];
  const seen = new Set<string>();
  // So that a kill falls into a call as often as before or after it.
  back.slowMs = 8;
  while (kills < options.kills) {
    const broker = await house.start(options.launch);
    let going = true;
    const run = async (): Promise<void> => {
      while (going) {
        const action = await clients.action();
        const reply = action && (await clients.redeem(action));
        if (action && reply?.status === 200 && Math.random() < 0.5) await clients.receipt(action.txn);
        const other = await clients.exchange();
        if (other.status === 0 || other.status >= 500) await sleep(20);
      }
    };
    const load = Promise.all(Array.from({ length: 12 }, run));
    const enough = back.made.length + 5 + Math.floor(Math.random() * 30);
    await eventually(() => back.made.length >= enough, 5_000);
    await sleep(Math.random() * 2 * back.slowMs);
    await broker.kill();
    going = false;
    await load;
    await sleep(back.slowMs + 20);
    kills++;
    for (const { user } of back.outstanding()) {
      if (clients.given.has(user) || seen.has(user)) continue;
      seen.add(user);
      orphans++;
    }
    options.onKill?.({ kills, orphans });
  }
  back.slowMs = 0;
  return { kills, orphans };
}
