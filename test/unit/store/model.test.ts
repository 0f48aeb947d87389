import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import fc from 'fast-check';
import { sqliteStore } from '../../../src/store/store-sqlite.ts';
import { agrees, steps } from '../../contract/store-model.ts';

it('agrees with the model, in memory', async () => {
  await fc.assert(
    fc.asyncProperty(steps(0), (plan) => agrees((now) => sqliteStore({ path: ':memory:', now }), plan)),
    { numRuns: 400 },
  );
});

it('agrees with the model in a file, opened again and again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  after(() => rmSync(folder, { recursive: true }));
  let files = 0;
  await fc.assert(
    fc.asyncProperty(steps(2), (plan) => {
      const path = join(folder, `${files++}.db`);
      return agrees((now) => sqliteStore({ path, now }), plan);
    }),
    { numRuns: 60 },
  );
});
