import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkFolder, writeManifest } from '../../scripts/policies.ts';
import { formatProblem } from '../../src/bundle/bundle.ts';

const sample = new URL('../../policies/', import.meta.url).pathname;

test('the sample bundle loads without a warning, and decides as its tests say', async () => {
  const checked = await checkFolder(sample, { today: '2026-11-21' });
  assert.deepEqual(checked.problems.map(formatProblem), []);
  assert.deepEqual(checked.warnings.map(formatProblem), []);
  assert.ok(checked.tests.length >= 15);
  for (const outcome of checked.tests) assert.ok(outcome.ok, `${outcome.name}: ${outcome.got} by ${outcome.policies.join(', ')}`);
  assert.equal(checked.ok, true);
});

test('a decision that comes out otherwise, a misspelt test and a missing tool are told', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'policies-'));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(sample, folder, { recursive: true });
  const at = join(folder, 'tests/refunds.yaml');
  const text = readFileSync(at, 'utf8');

  writeFileSync(at, text.replace('code: refund_too_large', 'code: something_else'));
  assert.deepEqual(await checkFolder(folder).then((c) => c.problems.map(formatProblem)), [
    'tests/refunds.yaml: is not what the manifest says (cut short, edited, or being written; npm run policies -- --write)',
  ]);
  assert.deepEqual(await writeManifest(folder), [{ path: 'tests/refunds.yaml', change: 'changed' }]);
  const failed = await checkFolder(folder).then((c) => c.tests.filter((outcome) => !outcome.ok));
  assert.deepEqual(
    failed.map(({ name, got, policies }) => [name, got, policies]),
    [['One cent more, even for a lead', 'deny refund_too_large', ['refund-limit']]],
  );

  writeFileSync(at, text.replace('tool: shop/create_refund', 'tool: shop/create_refnud').replace('expect:', 'expct:'));
  const misspelt = await checkFolder(folder, { candidate: true });
  assert.deepEqual(misspelt.problems.map(formatProblem), [
    'tests/refunds.yaml:2: tests.0.expect is missing',
    'tests/refunds.yaml:7: unknown key expct (did you mean expect?)',
  ]);
  writeFileSync(at, text.replace('tool: shop/create_refund', 'tool: shop/create_refnud'));
  const absent = await checkFolder(folder, { candidate: true });
  assert.deepEqual(absent.problems.map(formatProblem), ['tests/refunds.yaml:2: there is no tool shop/create_refnud']);
});
