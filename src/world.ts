/** The edge of the world: clocks and randomness, read here and nowhere else. */
import { randomBytes } from 'node:crypto';
import { Unavailable } from './errors.ts';
import type { World } from './model.ts';

/** How far the wall clock may part from the monotonic one before nothing is granted. */
const MAX_DRIFT_MS = 5_000;
/** A slewed clock (NTP) parts by at most this share of the time passed; the anchor follows it that fast. */
const SLEW = 0.001;

/**
 * A clock that jumps must not reopen a replay window nor mint a longer life: `now` throws Unavailable('clock') while wall and monotonic
 * time disagree by more than five seconds, and answers again once they agree (a stepped clock stepped back, or a restart).
 */
export function createWorld(
  clocks: { readonly wall: () => number; readonly monotonic: () => number } = { wall: Date.now, monotonic: () => performance.now() },
): World {
  let anchor = { wall: clocks.wall(), monotonic: clocks.monotonic() };
  return {
    now() {
      const wall = clocks.wall();
      const monotonic = clocks.monotonic();
      const passed = monotonic - anchor.monotonic;
      const drift = wall - (anchor.wall + passed);
      if (Math.abs(drift) > MAX_DRIFT_MS) throw new Unavailable('clock');
      if (passed > 60_000) anchor = { wall: anchor.wall + passed + Math.sign(drift) * Math.min(Math.abs(drift), passed * SLEW), monotonic };
      return Math.floor(wall / 1000);
    },
    elapsed: clocks.monotonic,
    random: pool(),
    after: (ms) => AbortSignal.timeout(ms),
    turn: turns(),
  };
}

/** Randomness in portions: a call of the system for every id would cost as much as a hash of its token. No byte is given twice. */
function pool(): World['random'] {
  let bytes = Buffer.alloc(0);
  return (count) => {
    if (bytes.length < count) bytes = randomBytes(Math.max(4_096, count));
    const given = Uint8Array.from(bytes.subarray(0, count));
    bytes.fill(0, 0, count);
    bytes = bytes.subarray(count);
    return given;
  };
}

/** One queue a kind; each is emptied in one go when the loop has read what has arrived. */
function turns(): World['turn'] {
  const queues = new Map<string, (() => void)[]>();
  return (kind, work) =>
    new Promise((resolve, reject) => {
      const run = (): void => {
        try {
          resolve(work());
        } catch (fault) {
          reject(fault);
        }
      };
      const queue = queues.get(kind);
      if (queue) {
        queue.push(run);
        return;
      }
      queues.set(kind, [run]);
      setImmediate(() => {
        const all = queues.get(kind) ?? [];
        queues.delete(kind);
        for (const one of all) one();
      });
    });
}
