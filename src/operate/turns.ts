/** One piece of work, done again and again and never twice at once: when it is woken, when it asked to be, and at the latest after a while. */
import { Unavailable } from '../errors.ts';
import type { World } from '../model.ts';
import { StoreFault } from '../store/store.ts';

export interface Turns {
  /** The first turn is at once: what a dead broker left is due. */
  begin(): void;
  wake(): void;
  /** Resolves once the turn under way has ended. */
  close(): Promise<void>;
}
export interface TurnsOptions {
  readonly world: Pick<World, 'after'>;
  /** Milliseconds after which it wants its next turn, if that is sooner than `everyMs`. The signal aborts at the end. */
  readonly work: (signal: AbortSignal) => Promise<number | undefined>;
  readonly everyMs: number;
  readonly onFault: (fault: unknown) => void;
}
/** Sooner than this nothing is tried again, whatever is due. */
const LEAST_MS = 50;

export function createTurns({ world, work, everyMs, onFault }: TurnsOptions): Turns {
  const closing = new AbortController();
  let woken = false;
  let rouse: () => void = () => undefined;
  let running: Promise<void> | undefined;

  async function turn(): Promise<number> {
    try {
      return Math.max(LEAST_MS, Math.min(everyMs, (await work(closing.signal)) ?? everyMs));
    } catch (fault) {
      // Store or clock are away, as /readyz says: what is due stays due. Anything else is a bug, and somebody is told.
      if (!(fault instanceof Unavailable || fault instanceof StoreFault)) onFault(fault);
      return everyMs;
    }
  }
  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      woken = false;
      const ms = await turn();
      if (woken || closing.signal.aborted) continue;
      await new Promise<void>((resolve) => {
        rouse = resolve;
        world.after(ms).addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
  return {
    begin() {
      running ??= run();
    },
    wake() {
      woken = true;
      rouse();
    },
    async close() {
      closing.abort();
      rouse();
      await running;
    },
  };
}
