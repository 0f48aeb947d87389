import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Consumed, memoryConsumed, sqliteConsumed } from '../../../src/verify/verify.ts';

const NOW = 1_795_176_000;
const folder = mkdtempSync(join(tmpdir(), 'consumed-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const fresh = (): string => join(folder, `${files++}.db`);
const KINDS: readonly (readonly [string, (now: () => number) => Consumed])[] = [
  ['memory', (now) => memoryConsumed({ now })],
  ['sqlite', (now) => sqliteConsumed({ path: fresh(), now })],
  ['sqlite in memory', (now) => sqliteConsumed({ path: ':memory:', now })],
];
for (const [kind, make] of KINDS) {
  describe(`consumed: ${kind}`, () => {
    test('true once, false ever after, whatever the end', async () => {
      const consumed = make(() => NOW);
      assert.equal(await consumed.consume('a', NOW + 10), true);
      assert.equal(await consumed.consume('a', NOW + 10), false);
      assert.equal(await consumed.consume('a', NOW + 99), false);
      assert.equal(await consumed.consume('A', NOW + 10), true);
      assert.equal(await consumed.consume("a'); --", NOW + 10), true);
    });
    test('fifty contenders, one winner, a hundred times', async () => {
      const consumed = make(() => NOW);
      for (let round = 0; round < 100; round++) {
        const all = await Promise.all(Array.from({ length: 50 }, () => consumed.consume(`r${round}`, NOW + 10)));
        assert.equal(all.filter(Boolean).length, 1);
      }
    });
    test('a mark stands after its end, even when the clock jumped an hour ahead', async () => {
      let now = NOW;
      const consumed = make(() => now);
      assert.equal(await consumed.consume('a', NOW + 10), true);
      now += 3_600;
      assert.equal(await consumed.consume('b', now + 10), true);
      assert.equal(await consumed.consume('a', NOW + 10), false);
      now += 7_200;
      await consumed.consume('c', now + 10);
      assert.equal(await consumed.consume('a', now + 10), true, 'long after its end it is forgotten');
    });
    test('says since when it remembers', () => {
      assert.equal(make(() => NOW).since, NOW);
    });
  });
}

test('a memory that is full cannot say "first time"', async () => {
  const consumed = memoryConsumed({ now: () => NOW, limit: 2 });
  await consumed.consume('a', NOW);
  await consumed.consume('b', NOW);
  await assert.rejects(consumed.consume('c', NOW), /full/);
});
test('the file outlives its process and its first start is remembered', async () => {
  const path = fresh();
  const first = sqliteConsumed({ path, now: () => NOW });
  await first.consume('a', NOW + 10);
  first.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const second = sqliteConsumed({ path, now: () => NOW + 500 });
  assert.equal(second.since, NOW);
  assert.equal(await second.consume('a', NOW + 10), false);
  second.close();
  await assert.rejects(second.consume('b', NOW + 10));
});
test('a file that is no such file is refused at once', () => {
  assert.throws(() => sqliteConsumed({ path: '/nonexistent/consumed.db' }));
  assert.throws(() => sqliteConsumed({ path: new URL(import.meta.url).pathname }));
});
test('two processes start on one new file together; of fifty contenders each time one wins', async () => {
  const path = fresh();
  const program = `
    import { sqliteConsumed } from ${JSON.stringify(new URL('../../../src/verify/verify.ts', import.meta.url).href)};
    const consumed = sqliteConsumed({ path: ${JSON.stringify(path)}, now: () => ${NOW} });
    const won = [];
    for (let round = 0; round < 40; round++) {
      const all = await Promise.all(Array.from({ length: 25 }, () => consumed.consume('r' + round, ${NOW} + 10)));
      for (const one of all) if (one) won.push(round);
    }
    console.log(JSON.stringify(won));`;
  const runs = [0, 1].map(async () => {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    const [status] = await once(child, 'close');
    assert.equal(status, 0);
    return JSON.parse(out) as number[];
  });
  const won = (await Promise.all(runs)).flat().sort((a, b) => a - b);
  assert.deepEqual(
    won,
    Array.from({ length: 40 }, (_, round) => round),
  );
});
