/** A million mutants, other ones each time; the seed is told, so that what is found can be found again. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Compared, compare } from './jws-compare.ts';

const MANY = 1_000_000;
test('a million mutants: one verdict', async (t) => {
  const workers = Math.min(4, availableParallelism());
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}, ${workers} threads`);
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ compare }) => compare(workerData.seed, workerData.count)).then((found) => parentPort.postMessage(found));`;
  const all = await Promise.all(
    Array.from({ length: workers }, (_, i) => {
      const workerData = { module: new URL('./jws-compare.ts', import.meta.url).href, seed: seed + i, count: Math.ceil(MANY / workers) };
      return new Promise<Compared>((resolve, reject) =>
        new Worker(program, { eval: true, workerData }).once('message', resolve).once('error', reject),
      );
    }),
  );
  const sum = (name: keyof Compared): number => all.flatMap((each) => [...each[name].values()]).reduce((a, b) => a + b, 0);
  t.diagnostic(`${sum('accepted')} accepted, ${sum('refused')} refused, ${sum('strictly')} refused by a rule of ours alone`);
  assert.equal(sum('accepted') + sum('refused'), Math.ceil(MANY / workers) * workers);
  await compare(seed, 100);
});
