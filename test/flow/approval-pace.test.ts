/** One person can agree only so often: a vote too many is refused and recorded, a no never is. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JsonObject } from '../../src/wire/json.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { deletion, pending, vote } from './approving.ts';
import { type AheadWorld, aheadWorld } from './front-door.ts';

let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world, config: { approvals: { perApprover: { max: 3, windowSeconds: 600 } } } });
});
after(() => rig.stop());
const waits = async (name: string): Promise<string> => (await pending(rig, deletion(name))).id;

describe('a person who may agree three times in ten minutes', () => {
  it('of 20 at once agrees to three; others and a no are not held back', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push(await waits(`cus_${i}`));
    const seq = await rig.count();
    const answers = await Promise.all(ids.map((id) => vote(rig, id)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 3);
    const refusals = answers.filter(({ status }) => status !== 200).map(({ status, body }) => [status, (body as JsonObject)['detail']]);
    assert.deepEqual(new Set(refusals.map((one) => one.join(' '))), new Set(['403 too_many']));
    const entries = (await rig.entries(seq)).filter(({ reason }) => reason === 'vote_refused');
    assert.deepEqual([entries.length, new Set(entries.map(({ detail }) => detail))], [17, new Set(['too_many'])]);
    const [first = '', second = ''] = ids.filter((_, at) => answers[at]?.status !== 200);
    assert.equal((await vote(rig, first, 'deny')).status, 200);
    assert.equal((await vote(rig, second, 'approve', 'people:u_dora')).status, 200);
  });
  it('may again once the window has gone by', async () => {
    const id = await waits('later');
    assert.equal((await vote(rig, id)).status, 403);
    // A window ends with the bucket of its last second.
    world.ahead(660);
    assert.equal((await vote(rig, await waits('much-later'))).status, 200);
  });
});
