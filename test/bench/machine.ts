/** What the figures were measured on, and what its kernel says of a process. Linux tells most; elsewhere less is known. */
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly system: string;
  /** Of the last minute, when the run began: over `cores`, and wall times say more of the neighbours than of us. */
  readonly load: number;
}
export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryGb: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  system: `${platform()} ${release()}`,
  load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
});

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
/** Bytes that a process has caused to be written to a disk. */
export function bytesWritten(pid: number | 'self'): number | undefined {
  const found = /^write_bytes: (\d+)$/m.exec(read(`/proc/${pid}/io`) ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}
/** Bytes of memory that are its own or shared, and how many descriptors it has open. */
export function residentOf(pid: number): { readonly rss: number; readonly descriptors: number } | undefined {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  if (kilobytes === undefined) return undefined;
  return { rss: Number(kilobytes) * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}
/** CPU µs of each thread so far, by id, with its name. The main thread's id is the process's. */
export function threadsOf(pid: number): ReadonlyMap<number, { readonly name: string; readonly cpu: number }> {
  const threads = new Map<number, { readonly name: string; readonly cpu: number }>();
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const nanoseconds = Number(read(`/proc/${pid}/task/${task}/schedstat`)?.split(' ')[0]);
      const name = read(`/proc/${pid}/task/${task}/comm`)?.trim() ?? '';
      if (!Number.isNaN(nanoseconds)) threads.set(Number(task), { name, cpu: nanoseconds / 1000 });
    }
  } catch {
    return new Map();
  }
  return threads;
}
