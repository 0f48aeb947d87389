/** V8 is told what `main-memory.ts` tells it, in words that it knows, and keeps to it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const MEMORY = new URL('../../../src/main-memory.ts', import.meta.url).href;
/** Many objects, of which some live on for a while, as in a broker under load. Tells how large the young generation has become at most. */
const CHURN = `
  const { getHeapSpaceStatistics } = await import('node:v8');
  let most = 0;
  let kept = [];
  for (let i = 0; i < 200; i++) {
    for (let j = 0; j < 10_000; j++) kept.push({ i, text: 'x' + j, list: [i, j] });
    if (kept.length > 150_000) kept = [];
    await new Promise(setImmediate);
    most = Math.max(most, getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size);
  }
  console.log(most);`;

async function young(before: string): Promise<number> {
  const script = ['--input-type=module', '-e', `${before}${CHURN}`];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, script);
  // V8 complains here of a flag that it does not know.
  assert.equal(stderr, '');
  return Number(stdout);
}

test('the young generation grows with the load, to 16 MB and no further', async () => {
  const bound = await young(`(await import(${JSON.stringify(MEMORY)})).growWithLoad();`);
  assert.ok(bound > 8_000_000 && bound < 18_000_000, `${bound}`);
});
test('left alone it grows further: so the other test can fail', async () => {
  const free = await young('');
  assert.ok(free > 30_000_000, `${free}`);
});
