/** What a plan must not be: something else than was shown, somebody else's, out of order, after its time, or twice. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { operator } from '../flow/approving.ts';
import { type AheadWorld, aheadWorld } from '../flow/front-door.ts';
import { erase, planned } from '../flow/planning.ts';
import { type Rig, startRig } from '../support/rig.ts';
import type { Scene } from './cases-approval.ts';
import { hands, type PlanCase, shapes } from './cases-plan.ts';
import { meanwhile, turns, votes } from './cases-plan-steps.ts';

let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world });
});
after(() => rig.stop());
const scene = (customer: string): Scene => ({ rig, world, folder: join(rig.folder, 'policies'), customer });

const TABLES: readonly (readonly [string, readonly PlanCase[]])[] = [
  ['what is no plan', shapes],
  ['a plan in other hands', hands],
  ['a step', turns],
  ['a plan meanwhile', meanwhile],
  ['a vote on a plan', votes],
];
for (const [title, cases] of TABLES)
  describe(title, () => {
    for (const [i, one] of cases.entries())
      it(one.name, async () => {
        const seq = await rig.count();
        const answer = await one.run(scene(`${title} ${i}`.replaceAll(' ', '-')));
        const { error, step } = answer.body as JsonObject;
        assert.deepEqual([answer.status, error, step], [one.status, one.error, one.step], JSON.stringify(answer.body));
        if (one.reason === undefined) return;
        const told = (await rig.entries(seq)).findLast(({ reason }) => reason === one.reason);
        assert.equal(told?.reason, one.reason);
        if (one.detail !== undefined) assert.equal(told?.detail, one.detail);
      });
  });

/** Bodies that are no vote: nothing is recorded, and nothing changes. */
const BALLOTS: readonly unknown[] = [[], 'all', [-1], [0.5], ['0'], [null], Array.from({ length: 21 }, (_, i) => i), { 0: true }];
describe('steps that are no list of places', () => {
  it('are refused as they are read', async () => {
    const { id } = await planned(rig, [erase('no steps')]);
    const seq = await rig.count();
    for (const steps of BALLOTS) {
      const body = { vote: 'approve', as: 'people:u_alice', reason: 'x', steps } as JsonObject;
      assert.equal((await operator(rig, 'POST', `/operator/approvals/${id}`, body)).status, 400, JSON.stringify(steps));
    }
    assert.equal(await rig.count(), seq);
  });
});
