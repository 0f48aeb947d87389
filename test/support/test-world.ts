/** A World whose clock stands still until it is moved. Randomness is real: what is tested must not hang on it. */
import { randomBytes } from 'node:crypto';
import type { World } from '../../src/model.ts';

export interface TestWorld extends World {
  /** Both clocks go forward, and what was to happen by then happens. */
  pass(seconds: number): void;
}
export function testWorld(start = 1_795_176_000): TestWorld {
  let milliseconds = 0;
  let timers: { readonly at: number; readonly abort: AbortController }[] = [];
  return {
    now: () => start + Math.floor(milliseconds / 1000),
    elapsed: () => milliseconds,
    random: (bytes) => randomBytes(bytes),
    turn: async (_kind, work) => work(),
    after(ms) {
      const abort = new AbortController();
      timers.push({ at: milliseconds + ms, abort });
      return abort.signal;
    },
    pass(seconds) {
      milliseconds += seconds * 1000;
      const due = timers.filter((timer) => timer.at <= milliseconds);
      timers = timers.filter((timer) => timer.at > milliseconds);
      for (const { abort } of due) abort.abort();
    },
  };
}
