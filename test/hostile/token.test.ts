import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { actionCases } from './cases-action.ts';
import { clientCases } from './cases-client.ts';
import { exchangeCases } from './cases-exchange.ts';
import { proofCases } from './cases-proof.ts';
import { type Case, judge } from './oracle.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig.stop());

const tables: readonly (readonly [string, readonly Case[]])[] = [
  ['client authentication', clientCases],
  ['DPoP', proofCases],
  ['exchange', exchangeCases],
  ['action', actionCases],
];
for (const [name, cases] of tables) {
  describe(name, () => {
    for (const [index, item] of cases.entries()) {
      test(`${index + 1} ${item.name}`, async () => {
        await judge(rig, item);
        const good = await rig.ask();
        assert.equal(good.status, 200, 'the next good request works');
      });
    }
  });
}
test('the chain verifies after all of it', async () => {
  const verified = await verifyLedger(join(rig.folder, 'data', 'countersign.db'));
  assert.equal(verified.ok, true);
});
