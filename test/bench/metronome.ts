/** A thread that sleeps until each time has come and then says so: a timer of the loop is late by a millisecond, and a loop that turns until then takes a core from what is measured. */
import { parentPort, Worker, workerData } from 'node:worker_threads';

/** Calls `beat` at each of the times (ms from now, rising), or once for those that have come together. */
export function metronome(times: readonly number[], beat: () => void): { stop(): void } {
  const at = clock();
  const worker = new Worker(new URL(import.meta.url), { workerData: { times: times.map((time) => at + time) } });
  worker.on('message', beat);
  return { stop: () => void worker.terminate() };
}

/** ms, the same in every thread. */
function clock(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const times = (workerData as { readonly times?: readonly number[] } | null)?.times;
if (times && parentPort) {
  const never = new Int32Array(new SharedArrayBuffer(4));
  const rest = (time: number): number => time - clock();
  for (let next = 0; next < times.length; next++) {
    const wait = rest(times[next] ?? 0);
    if (wait > 0) Atomics.wait(never, 0, 0, wait);
    while (next + 1 < times.length && rest(times[next + 1] ?? 0) <= 0) next++;
    parentPort.postMessage(0);
  }
}
