/** How long an answer takes at half of what the broker can do, when requests come as they come and not when the last one is done. */
import { freePort } from '../support/rig.ts';
import type { Drive } from './drive.ts';
import { type Figure, median, quantile, type Row, rowOf } from './figure.ts';
import { httpOf, makeRequests } from './requests.ts';
import { driving, granted, round } from './round.ts';
import { setScene } from './scene.ts';

/** Connections: enough that none is waited for but in the worst of moments, and then the wait counts. */
const CONNECTIONS = 256;
const SHAPES = {
  poisson: (rate: number): number => (-Math.log(1 - Math.random()) * 1000) / rate,
  even: (rate: number): number => 1000 / rate,
};
type Shape = keyof typeof SHAPES;
type Taken = { readonly [S in Shape]: number[][] };

export const latency: Figure = {
  name: 'latency',
  about: 'open loop at half of the measured capacity, from the time each request was due',
  async measure({ quick, long, tell }) {
    const bench = await setScene();
    const seconds = quick ? 3 : 4;
    try {
      const echo = await freePort();
      await bench.tell({ be: 'broker', config: bench.config });
      await bench.tell({ be: 'echo', port: echo });
      return await driving([bench.port, echo], async (broker, echoes) => {
        const scene = await bench.scene();
        const made = async (count: number) => makeRequests({ ...scene, nonce: (await bench.scene()).nonce }, count, { subjects: 'fresh' });
        tell('warming up');
        const rates: number[] = [];
        for (let i = 0; i < 6; i++) rates.push((await round(bench, broker, await made(1_000))).rate);
        await round(bench, echoes, await made(1_000));
        const capacity = median(rates.slice(2));
        const rate = capacity / 2;
        const taken: { readonly broker: Taken; readonly echo: Taken } = {
          broker: { poisson: [], even: [] },
          echo: { poisson: [], even: [] },
        };
        const cpu: { readonly [S in Shape]: number[] } = { poisson: [], even: [] };
        const main: { readonly [S in Shape]: number[] } = { poisson: [], even: [] };
        const forEcho = (await made(Math.ceil(rate * seconds))).map((one) => httpOf(one));
        const run = async (load: Drive, shape: Shape): Promise<number[]> => {
          const count = Math.ceil(rate * seconds);
          const requests = load === echoes ? forEcho : (await made(count)).map((one) => httpOf(one));
          let due = 100;
          const dues = requests.map(() => {
            due += SHAPES[shape](rate);
            return due;
          });
          const before = await bench.usage();
          const { latencies, statuses } = await load.open(requests, dues, CONNECTIONS);
          const after = await bench.usage();
          granted(statuses);
          if (load === broker) {
            cpu[shape].push((after.cpu - before.cpu) / count);
            main[shape].push((after.main - before.main) / count);
          }
          return [...latencies];
        };
        const rounds = quick ? 2 : long ? 12 : 3;
        for (let i = 0; i < rounds; i++) {
          for (const shape of ['poisson', 'even'] as const) {
            tell(`round ${i + 1} of ${rounds}, ${shape}`);
            taken.echo[shape].push(await run(echoes, shape));
            taken.broker[shape].push(await run(broker, shape));
          }
        }
        const p = (who: 'broker' | 'echo', shape: Shape, share: number): number[] => taken[who][shape].map((all) => quantile(all, share));
        const against = p('broker', 'poisson', 0.99).map((ours, i) => ours / (p('echo', 'poisson', 0.99)[i] ?? Number.NaN));
        const tails = (shape: Shape): Row[] =>
          (['broker', 'echo'] as const).flatMap((who) => [
            rowOf(`  ${shape}, ${who}: p50`, 'ms', p(who, shape, 0.5)),
            ...(who === 'echo' ? [rowOf(`  ${shape}, ${who}: p99`, 'ms', p(who, shape, 0.99))] : []),
            rowOf(`  ${shape}, ${who}: p99.9 of all rounds`, 'ms', [quantile(taken[who][shape].flat(), 0.999)]),
          ]);
        return {
          rows: [
            rowOf('Poisson arrivals: p99', 'ms', p('broker', 'poisson', 0.99), { atMost: 8, excellent: 6 }),
            rowOf("Poisson arrivals: p99 ÷ echo's", '×', against, { atMost: 12 }),
            rowOf('evenly spaced: p99', 'ms', p('broker', 'even', 0.99), { atMost: 5, excellent: 3.5 }),
            ...tails('poisson'),
            ...tails('even'),
            rowOf('  CPU of one at this rate, Poisson', 'µs', cpu.poisson),
            rowOf('  CPU of one at this rate, even', 'µs', cpu.even),
            rowOf('    of it the main thread, Poisson', 'µs', main.poisson),
            rowOf('  capacity, closed loop', '/s', rates.slice(2)),
          ],
          notes: [
            `Arrivals at ${rate.toFixed(0)}/s for ${seconds} s a round, broker and echo in turn, ${rounds} rounds of each; medians of the rounds. A request that could not be sent when it was due has waited since then. Fresh subject tokens, everything on.`,
            'By the clock, on a machine with neighbours: the echo of the same round says what the machine did to both.',
          ],
        };
      });
    } finally {
      await bench.stop();
    }
  },
};
