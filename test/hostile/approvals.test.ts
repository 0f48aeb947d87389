/** What an approval must not be: somebody else's, for something else, after its time, or twice. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { deletion, operator, pending, poll } from '../flow/approving.ts';
import { type AheadWorld, aheadWorld } from '../flow/front-door.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { type ApprovalCase, changes, hands, type Scene, votes } from './cases-approval.ts';
import { meanwhile } from './cases-approval-meanwhile.ts';

let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world });
});
after(() => rig.stop());
const scene = (customer: string): Scene => ({ rig, world, folder: join(rig.folder, 'policies'), customer });

const TABLES: readonly (readonly [string, readonly ApprovalCase[]])[] = [
  ['in other hands', hands],
  ['for something else', changes],
  ['decided by', votes],
  ['meanwhile', meanwhile],
];
for (const [title, cases] of TABLES)
  describe(title, () => {
    for (const [i, one] of cases.entries())
      it(one.name, async () => {
        const seq = await rig.count();
        const answer = await one.run(scene(`${title} ${i}`));
        const { error } = answer.body as JsonObject;
        assert.deepEqual([answer.status, error], [one.status, one.error], JSON.stringify(answer.body));
        if (one.reason === undefined) return;
        const told = (await rig.entries(seq)).filter(({ client, by, request }) => (client ?? by) !== undefined && request !== 'bundle');
        const last = told.findLast(({ reason }) => reason === one.reason);
        assert.deepEqual([last?.reason, one.detail === undefined ? undefined : last?.detail], [one.reason, one.detail]);
      });
  });

/** Bodies that are no vote: nothing is recorded, and nothing changes. */
const BALLOTS: readonly object[] = [
  {},
  { vote: 'approve', as: 'people:u_alice' },
  { vote: 'yes', as: 'people:u_alice', reason: 'x' },
  { vote: 'approve', as: ['people:u_alice'], reason: 'x' },
  { vote: 'approve', as: 'people:u_alice', reason: '' },
  { vote: 'approve', as: 'people:u_alice', reason: 'x'.repeat(501) },
  { vote: 'approve', as: 'people:u_alice', reason: 'x', force: true },
];
const cast = (id: string, body: object) => operator(rig, 'POST', `/operator/approvals/${id}`, body);
describe('what is no vote', () => {
  it('is refused as it is read, and leaves what waits as it was', async () => {
    const { code, id } = await pending(rig, deletion('no vote'));
    const seq = await rig.count();
    for (const body of BALLOTS) assert.equal((await cast(id, body)).status, 400, JSON.stringify(body));
    assert.equal(await rig.count(), seq);
    assert.equal((await poll(rig, code)).body['error'], 'authorization_pending');
  });
});

describe('a flood of polls', () => {
  it('is told to slow down, and does not keep people from deciding', async () => {
    const { code, id } = await pending(rig, deletion('flood'));
    const flood = Array.from({ length: 40 }, () => poll(rig, code));
    const decided = await cast(id, { vote: 'approve', as: 'people:u_alice', reason: 'in the flood' });
    assert.equal(decided.status, 200);
    const errors = (await Promise.all(flood)).map(({ status, body }) => (status === 200 ? 'granted' : String(body['error'])));
    for (const error of errors)
      assert.ok(['authorization_pending', 'slow_down', 'granted', 'temporarily_unavailable'].includes(error), error);
    assert.ok(errors.filter((error) => error === 'authorization_pending').length <= 1);
  });
});
