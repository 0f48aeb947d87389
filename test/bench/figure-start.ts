/** How soon a broker is ready, how much memory it takes, and whether that grows. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Figure, median, rowOf, slope } from './figure.ts';
import { residentOf } from './machine.ts';
import { build, type Running, source, startProcess } from './process.ts';
import { httpOf, makeRequests } from './requests.ts';
import { driving, granted, IN_FLIGHT } from './round.ts';
import { type Stage, setStage } from './scene.ts';

const MB = 1e6;
/** Exchanges a second while the slope is taken. */
const PACE = 200;

export const start: Figure = {
  name: 'start',
  about: 'cold start to ready; memory idle and loaded; what it gains a minute',
  async measure({ quick, long, tell }) {
    tell('building');
    const dist = await build();
    const stage = await setStage();
    try {
      const starts = quick ? 2 : 4;
      const firsts: Running[] = [];
      for (let i = 0; i < (quick ? 1 : 2); i++) {
        tell('first starts, on nothing');
        const fresh = await setStage();
        const running = await startProcess(dist, fresh);
        await running.stop();
        fresh.clear();
        firsts.push(running);
      }
      const again: Record<'dist' | 'src', Running[]> = { dist: [], src: [] };
      for (let i = 0; i <= starts; i++) {
        for (const [name, main] of [['dist', dist] as const, ['src', source] as const]) {
          tell(`start ${i + 1} on ${name}`);
          const running = await startProcess(main, stage);
          await running.stop();
          // The first of each finds its files on the disk and not in memory.
          if (i > 0) again[name].push(running);
        }
      }
      const ready = (name: 'dist' | 'src'): number[] => again[name].map((r) => r.readyMs / 1000);
      const idle = { src: await idleOf(source, stage, tell), dist: 0 };
      const running = await startProcess(dist, stage);
      try {
        await sleep(1_500);
        idle.dist = rssOf(running);
        const loaded = await load(running, stage, quick ? 4_000 : 20_000, tell);
        const seconds = long ? 600 : quick ? 10 : 60;
        const samples = await steady(running, stage, seconds, tell);
        const half = samples.slice(Math.floor(samples.length / 2));
        const flat = (atMost: number): { readonly atMost: number } | undefined => (long ? { atMost } : undefined);
        return {
          rows: [
            rowOf('ready, on dist/', 's', ready('dist'), { atMost: 0.4 }),
            rowOf('ready, on src/ (types stripped as it loads)', 's', ready('src')),
            rowOf(
              'ready, on dist/, first start: keys are made',
              's',
              firsts.map((r) => r.readyMs / 1000),
            ),
            rowOf(
              '  CPU until ready, on dist/',
              's',
              again.dist.map((r) => r.cpuMs / 1000),
            ),
            rowOf('RSS idle, on dist/', 'MB', [idle.dist / MB], { atMost: 125 }),
            rowOf('RSS idle, on src/', 'MB', [idle.src / MB]),
            rowOf(
              `RSS after ${(quick ? 4_000 : 20_000).toLocaleString('en')} exchanges at full speed, on dist/`,
              'MB',
              [loaded.after / MB],
              { atMost: 180 },
            ),
            rowOf('  highest while they ran', 'MB', [loaded.most / MB]),
            rowOf(
              `RSS gains at ${PACE}/s, last half of ${seconds} s`,
              'MB/min',
              [60 * slope(half.map((s) => [s.at, s.rss / MB]))],
              flat(0.5),
            ),
            rowOf('  RSS then', 'MB', [median(half.map((s) => s.rss / MB))]),
            rowOf('descriptors gain', '/min', [60 * slope(half.map((s) => [s.at, s.descriptors]))], flat(0.1)),
          ],
          notes: [
            'A process as people start it: node main --config; ready is /readyz answering 200. Data and keys are there but for the first starts, where an RSA key is made: that takes its time.',
            ...(long
              ? []
              : [
                  'Flat is judged over ten minutes (--long): until the replay windows of two to three minutes have filled, memory grows by what they must remember.',
                ]),
          ],
        };
      } finally {
        await running.stop();
      }
    } finally {
      stage.clear();
    }
  },
};
type Tell = (text: string) => void;
function rssOf({ pid }: Running): number {
  const found = residentOf(pid);
  if (!found) throw new Error('this system does not tell the memory of a process');
  return found.rss;
}
async function idleOf(main: string, stage: Stage, tell: Tell): Promise<number> {
  tell('idle on src');
  const running = await startProcess(main, stage);
  try {
    await sleep(1_500);
    return rssOf(running);
  } finally {
    await running.stop();
  }
}
async function load(running: Running, stage: Stage, count: number, tell: Tell): Promise<{ readonly after: number; readonly most: number }> {
  return driving([stage.port], async (broker) => {
    let most = 0;
    for (let done = 0; done < count; done += 2_000) {
      tell(`${done} exchanges`);
      const requests = makeRequests(await stage.scene(), 2_000, { subjects: 'fresh' });
      granted(
        await broker.closed(
          requests.map((one) => httpOf(one)),
          IN_FLIGHT,
        ),
      );
      most = Math.max(most, rssOf(running));
    }
    await sleep(1_000);
    return { after: rssOf(running), most };
  });
}
interface Sample {
  /** s */
  readonly at: number;
  readonly rss: number;
  readonly descriptors: number;
}
async function steady(running: Running, stage: Stage, seconds: number, tell: Tell): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const began = performance.now();
  await driving([stage.port], async (broker) => {
    while (performance.now() - began < seconds * 1000) {
      const at = (performance.now() - began) / 1000;
      tell(`${PACE} exchanges a second, ${at.toFixed(0)} s of ${seconds} s`);
      const requests = makeRequests(await stage.scene(), PACE, { subjects: 'fresh' }).map((one) => httpOf(one));
      const left = 1_000 - (performance.now() - began - at * 1000) - 20;
      granted(
        (
          await broker.open(
            requests,
            requests.map((_, i) => 10 + (i * Math.max(200, left)) / PACE),
            IN_FLIGHT,
          )
        ).statuses,
      );
      const found = residentOf(running.pid);
      if (found) samples.push({ at, ...found });
    }
  });
  return samples;
}
