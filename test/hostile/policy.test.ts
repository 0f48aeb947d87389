/** Bundles that break under a running broker: the old one stays in force, or nothing is granted; and rules that fail when they are asked. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { formatProblem } from '../../src/bundle/bundle.ts';
import { folderBundles } from '../../src/bundle/bundle-folder.ts';
import { cedarEngine } from '../../src/decide/policy-cedar.ts';
import { ConfigError } from '../../src/errors.ts';
import { FOLDERS, list } from './broken-bundles.ts';
import { CONTENTS } from './broken-contents.ts';
import { type Ground, openGround, settled } from './oracle.ts';

let ground: Ground;
let good: string;
let hash: string;
before(async () => {
  ground = await openGround();
  good = join(await mkdtemp(join(tmpdir(), 'countersign-bundle-')), 'good');
  await cp(folder(), good, { recursive: true });
  hash = (await ground.rig.app.reload()).hash;
});
after(async () => {
  await ground.stop();
  await rm(join(good, '..'), { recursive: true, force: true });
});
const folder = (): string => join(ground.rig.folder, 'policies');
async function restore(): Promise<void> {
  await rm(folder(), { recursive: true, force: true });
  await cp(good, folder(), { recursive: true });
}
const ready = async () => {
  const answer = await fetch(`${ground.rig.issuer}/readyz`);
  const { status } = (await answer.json()) as { status: string };
  return [answer.status, status];
};

for (const [name, damages] of [
  ['a bundle that is not whole', FOLDERS],
  ['a bundle that is whole and wrong', CONTENTS],
] as const) {
  describe(name, () => {
    for (const [index, { name: what, to, listed, said }] of damages.entries()) {
      test(`${index + 1} ${what}`, async () => {
        const { rig } = ground;
        try {
          await to(folder());
          if (listed) await list(folder());
          const report = await rig.app.reload();
          assert.deepEqual([report.ok, report.changed, report.hash], [false, false, hash]);
          assert.deepEqual(report.problems.map(formatProblem), said);
          assert.deepEqual(await ready(), [200, 'degraded'], 'it works, and says that it is degraded');
          const large = await rig.ask({ args: { payment_id: 'p', amount_minor: 5_001, currency: 'EUR' } });
          assert.deepEqual([large.status, large.body['reason']], [403, 'refund_too_large'], 'the old forbid stands');
          assert.equal((await rig.ask()).status, 200, 'what was allowed still is');
          const cold = folderBundles({ folder: folder(), engine: cedarEngine(), watch: false });
          await assert.rejects(cold, (fault) => fault instanceof ConfigError && fault.problems.join() === said.join());
        } finally {
          await restore();
          const report = await rig.app.reload();
          assert.deepEqual([report.ok, report.hash], [true, hash]);
        }
        assert.deepEqual(await ready(), [200, 'ready']);
      });
    }
    test('then: the chain verifies, metrics name nobody, nobody else was asked', () => settled(ground));
  });
}
