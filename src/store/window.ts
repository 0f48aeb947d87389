/** How long an amount counts in a sum. Pure: every back end decides by it, so that a budget means the same on each. */

/** A window moves on in steps of a sixtieth, so that its sum is made of few parts, however many amounts are in it. Seconds. */
export const stepOf = (windowSeconds: number): number => Math.max(1, Math.floor(windowSeconds / 60));

/**
 * The last second in which an amount of `at` counts: through its `until`, and never less than the whole window. Amounts leave by the
 * step: up to a sixtieth of the window late, never early.
 */
export function lastSecond(at: number, until: number | undefined, windowSeconds: number): number {
  const step = stepOf(windowSeconds);
  const last = at - (at % step) + step + windowSeconds - 2;
  return until === undefined ? last : Math.min(last, until);
}
