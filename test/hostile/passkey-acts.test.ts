/** Whoever holds a login alone must not make a passkey come or go: one table, exact answers, and an entry of each. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import { type AheadWorld, aheadWorld, editBundle } from '../flow/front-door.ts';
import { holder, PROVEN } from '../flow/keyholders.ts';
import { softPasskey } from '../support/passkey.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { acts } from './cases-passkey-act.ts';

describe('a passkey that comes or goes', () => {
  let rig: Rig;
  let world: AheadWorld;
  before(async () => {
    world = aheadWorld();
    const bundle = (folder: string): Promise<void> => editBundle(folder, 'people.cedar', '@approval("team:privacy")', PROVEN);
    rig = await startRig({ host: 'localhost', console: {}, world, bundle });
  });
  after(() => rig.stop());

  for (const [at, { name, run, detail, status = detail === undefined ? 200 : 403, left }] of acts.entries())
    it(name, async () => {
      const own = await holder(rig, `u_own_${at}`);
      const other = await holder(rig, `u_other_${at}`);
      const more = softPasskey({ origin: rig.issuer });
      const answer = await run({ rig, world, own, other, more });
      assert.deepEqual([answer.status, answer.body['detail']], [status, detail], answer.text);
      assert.equal(((await own.visit.get('/operator/passkeys')).body['passkeys'] as readonly object[]).length, left);
      if (detail === undefined) return;
      const told = (await rig.entries()).findLast(({ kind }) => kind === 'refused');
      assert.deepEqual([told?.detail, told?.by], [detail, `people:u_own_${at}`]);
    });
  it('and the ledger bears all of it out', async () => {
    const report = await verifyLedger(join(rig.folder, 'data', 'countersign.db'));
    assert.deepEqual([report.ok, report.proofs > 0], [true, true], JSON.stringify(report.bad));
  });
});
