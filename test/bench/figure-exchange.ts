/** One whole exchange, everything on, against the sum of what it cannot do without. */
import { freePort } from '../support/rig.ts';
import { type Figure, rowOf } from './figure.ts';
import type { Floors } from './floors.ts';
import { makeRequests, type Wishes } from './requests.ts';
import { driving, IN_FLIGHT, round } from './round.ts';
import { setScene } from './scene.ts';
import type { Signatures } from './signatures.ts';

type Subjects = Wishes['subjects'];
const ROUND = 1_500;
const WARM_ROUNDS = 12;

export const exchange: Figure = {
  name: 'exchange',
  about: 'one whole exchange, everything on: (E + nV + S + 2C) ÷ its CPU',
  async measure({ quick, tell }) {
    const bench = await setScene();
    try {
      const echo = await freePort();
      await bench.tell({ be: 'broker', config: bench.config });
      await bench.tell({ be: 'echo', port: echo });
      await bench.tell({ do: './floors.ts' });
      return await driving([bench.port, echo], async (broker, echoes) => {
        const made = async (count: number, subjects: Subjects) => makeRequests(await bench.scene(), count, { subjects });
        tell('warming up');
        // Until the compiler has little left to do: it takes some ten thousand.
        for (let i = 0; i < WARM_ROUNDS; i++) {
          await round(bench, broker, await made(ROUND, i % 2 === 0 ? 'fresh' : 'kept'));
          await round(bench, echoes, await made(ROUND, 'kept'));
        }
        const counted = { fresh: await count('fresh'), kept: await count('kept') };
        const costs: (Floors & { readonly echo: number } & { readonly [S in Subjects]: number })[] = [];
        const rates: number[] = [];
        for (let i = 0; i < (quick ? 3 : 7); i++) {
          tell(`round ${i + 1}`);
          const fresh = await round(bench, broker, await made(ROUND, 'fresh'));
          const floors = await bench.tell<Floors>({ do: './floors.ts' });
          const kept = await round(bench, broker, await made(ROUND, 'kept'));
          const { cpu } = await round(bench, echoes, await made(ROUND, 'kept'));
          costs.push({ ...floors, echo: cpu, fresh: fresh.cpu, kept: kept.cpu });
          rates.push(fresh.rate);
        }
        const floor = (c: (typeof costs)[number], n: number): number => c.echo + n * c.verify + c.sign + 2 * c.decision;
        const share = (subjects: Subjects): number[] => costs.map((c) => (100 * floor(c, counted[subjects].verified)) / c[subjects]);
        const target = { atLeast: 70, excellent: 75 };
        const [n3, n2] = [counted.fresh.verified, counted.kept.verified];
        return {
          rows: [
            rowOf(`subject tokens fresh: n = ${n3.toFixed(2)}`, '%', share('fresh'), target),
            rowOf(`subject tokens kept: n = ${n2.toFixed(2)}`, '%', share('kept'), target),
            rowOf(
              '  CPU of one, fresh',
              'µs',
              costs.map((c) => c.fresh),
            ),
            rowOf(
              '  CPU of one, kept',
              'µs',
              costs.map((c) => c.kept),
            ),
            rowOf(
              '  E: echo with its own form parser',
              'µs',
              costs.map((c) => c.echo),
            ),
            rowOf(
              '  V: ES256 verify',
              'µs',
              costs.map((c) => c.verify),
            ),
            rowOf(
              '  S: ES256 sign',
              'µs',
              costs.map((c) => c.sign),
            ),
            rowOf(
              '  C: one sliced decision',
              'µs',
              costs.map((c) => c.decision),
            ),
            rowOf('  rate by the clock, fresh', '/s', rates),
          ],
          notes: [
            `${IN_FLIGHT} in flight; every exchange has an assertion, a DPoP proof with nonce, a subject token, strict arguments and an Idempotency-Key, and is durable when it is answered. CPU is the whole process: main thread, store writer, garbage collector. Each round has its own floors; shares are by round.`,
            `Counted in a round of their own: ${describe(counted.fresh)} with fresh subject tokens, ${describe(counted.kept)} with kept ones.`,
          ],
        };

        async function count(subjects: Subjects): Promise<Signatures> {
          const requests = await made(1_000, subjects);
          await bench.tell({ do: './signatures.ts', input: true });
          await round(bench, broker, requests);
          const all = await bench.tell<Signatures>({ do: './signatures.ts', input: false });
          return {
            verified: all.verified / requests.length,
            signed: all.signed / requests.length,
            imported: all.imported / requests.length,
          };
        }
      });
    } finally {
      await bench.stop();
    }
  },
};
const describe = ({ verified, signed, imported }: Signatures): string =>
  `${verified.toFixed(2)} verifications, ${signed.toFixed(2)} signatures and ${imported.toFixed(2)} key imports an exchange`;
