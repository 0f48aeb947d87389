/** One round: so many requests, so many at a time, and what they cost whoever answered them. */
import { type Drive, drive } from './drive.ts';
import { httpOf, type Made } from './requests.ts';
import type { Child } from './scene.ts';

export interface Round {
  /** CPU µs of one request: of the whole process, and of its main thread. */
  readonly cpu: number;
  readonly main: number;
  /** Requests a second, by the clock on the wall. */
  readonly rate: number;
}
/** As many as keep a broker busy without pause. */
export const IN_FLIGHT = 64;

export async function round(child: Child | Omit<Child, 'end'>, load: Drive, made: readonly Made[], inFlight = IN_FLIGHT): Promise<Round> {
  const requests = made.map((one) => httpOf(one));
  const before = await child.usage();
  const began = performance.now();
  granted(await load.closed(requests, inFlight));
  const seconds = (performance.now() - began) / 1000;
  const after = await child.usage();
  return {
    cpu: (after.cpu - before.cpu) / made.length,
    main: (after.main - before.main) / made.length,
    rate: made.length / seconds,
  };
}
/** What is refused costs something else than what is granted: then there is no figure. */
export function granted(statuses: ReadonlyMap<number, number>): void {
  const others = [...statuses].filter(([status]) => status !== 200);
  if (others.length > 0) throw new Error(`answered otherwise than 200: ${others.map(([status, n]) => `${n} × ${status}`).join(', ')}`);
}
/** Connections to a port for as long as `work` takes. */
export async function driving<T>(ports: readonly number[], work: (...loads: Drive[]) => Promise<T>): Promise<T> {
  const loads = ports.map((port) => drive(port));
  try {
    return await work(...loads);
  } finally {
    for (const load of loads) load.close();
  }
}
