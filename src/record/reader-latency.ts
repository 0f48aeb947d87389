import type { Reader } from './record.ts';

/** So many of the latest. */
const KEPT = 2_048;
const DECIDED: ReadonlySet<string> = new Set(['minted', 'refused', 'pending']);

/** How long decisions took of late. */
export function latencies(): {
  readonly read: Reader;
  /** Milliseconds; undefined while there was none. */
  readonly told: () => { readonly p50: number; readonly p99: number; readonly count: number } | undefined;
} {
  const ring = new Float64Array(KEPT);
  let taken = 0;
  return {
    read({ kind, request }, { milliseconds }) {
      if (DECIDED.has(kind) && request !== 'operator') ring[taken++ % KEPT] = milliseconds;
    },
    told() {
      const count = Math.min(taken, KEPT);
      const sorted = ring.slice(0, count).sort();
      const at = (share: number): number => Math.round((sorted[Math.min(count - 1, Math.floor(share * count))] ?? 0) * 10) / 10;
      return count === 0 ? undefined : { p50: at(0.5), p99: at(0.99), count };
    },
  };
}
