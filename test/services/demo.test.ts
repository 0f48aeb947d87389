/** `npm run demo -- --backends`, as a newcomer would run it. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { output } from './program.ts';
import { skipUnless } from './provision.ts';

suite('the demo with back ends', { skip: await skipUnless('vault', 'postgres', 'minio') }, () => {
  test('every step does what it says', async () => {
    const said = await output(process.execPath, ['scripts/demo.ts', '--backends', '--json']);
    const lines = said
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; ok?: boolean; text?: string });
    const checks = lines.filter(({ type }) => type === 'check');
    assert.deepEqual(
      checks.filter(({ ok }) => !ok).map(({ text }) => text),
      [],
    );
    assert.ok(checks.length >= 10);
    assert.equal(lines.at(-1)?.ok, true);
  });
});
