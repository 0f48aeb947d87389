/** What V8 is told about memory, before there is much of it: so `main.ts` imports this first, and the rest later. Knows nothing of the broker. */
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Half the young generation, bytes: 16 MB in all. Left alone it takes 57, for nothing that can be measured. */
const YOUNG_BYTES = 8 * 1024 * 1024;

// Cedar's parsers work at start and are not worth the optimizing compiler: half a second of CPU and 30 MB. What decides exchanges is called
// so often that it gets there all the same, after some ten thousand of them; until then each costs 10 to 20 µs more.
setFlagsFromString('--wasm-tiering-budget=400000000');
// The old generation is collected when it has grown by a third, not when it has trebled.
setFlagsFromString('--heap-growing-percent=30');
// A start is one burst of modules, which the young generation need not grow for.
setFlagsFromString('--semi-space-growth-factor=1');

/** More often than this the young generation is collected under load alone. */
const SELDOM_MS = 1_000;
/** Once the broker listens. What has grown shrinks again when little happens, so each collection looks anew. */
export function growWithLoad(): void {
  let before = Number.NEGATIVE_INFINITY;
  new PerformanceObserver((collections) => {
    const at = collections.getEntries().at(-1)?.startTime ?? 0;
    const busy = at - before < SELDOM_MS;
    before = at;
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
    const half = young ? young.space_used_size + young.space_available_size : YOUNG_BYTES;
    // It doubles: a hair below is as good as there.
    setFlagsFromString(`--semi-space-growth-factor=${busy && half < 0.9 * YOUNG_BYTES ? 2 : 1}`);
  }).observe({ entryTypes: ['gc'] });
}
