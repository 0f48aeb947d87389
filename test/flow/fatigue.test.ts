/** Whether agreeing still means something, as it is learnt from votes: through the whole broker, at the operator API and on a terminal. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeManifest } from '../../scripts/policies.ts';
import type { ShownFatigue } from '../../src/operate/fatigue.ts';
import { ALWAYS } from '../../src/operate/fatigue-rule.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { asking, DELETE, deletion, operator, pending, poll, said, vote } from './approving.ts';
import { type AheadWorld, aheadWorld } from './front-door.ts';

let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world });
});
after(() => rig.stop());

const fatigue = async (): Promise<ShownFatigue> => (await operator(rig, 'GET', '/operator/fatigue')).body as unknown as ShownFatigue;
async function until(is: (told: ShownFatigue) => boolean): Promise<ShownFatigue> {
  for (let left = 200; ; left--) {
    const told = await fatigue();
    if (is(told)) return told;
    assert.ok(left > 0, JSON.stringify(told));
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
const script = (...args: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const all = [
      new URL('../../scripts/approvals.ts', import.meta.url).pathname,
      'fatigue',
      '--socket',
      join(rig.folder, 'operator.sock'),
      ...args,
    ];
    execFile(process.execPath, all, (fault, out) => (fault ? reject(fault) : resolve(out)));
  });
const seen = (id: string, body: object = { as: 'people:u_alice' }) => operator(rig, 'POST', `/operator/approvals/${id}/seen`, body);

describe('people who agree to everything', () => {
  it('are nobody, before anybody was asked', async () => {
    assert.deepEqual(await fatigue(), { approvers: [], habits: [] });
    assert.equal(await script(), 'Nobody has decided anything yet.\n');
  });

  it('show in how fast they do it, and in what they always agree to', async () => {
    for (let i = 0; i < ALWAYS.times; i++) {
      const { code, id } = await pending(
        rig,
        deletion(`cus_${i % 2}`, { entry: { ...DELETE.entry, purpose: `canary of a purpose ${i}` } }),
      );
      world.ahead(20);
      if (i < 4) assert.deepEqual((await seen(id)).body, { ok: true });
      if (i === 3) world.ahead(60);
      if (i < 4) await seen(id); // shown again is the same showing
      await vote(rig, id);
      assert.equal((await poll(rig, code)).status, 200);
    }
    const { approvers, habits } = await until((told) => told.habits[0]?.in_a_row === ALWAYS.times);
    const [alice, ...others] = approvers;
    assert.deepEqual(others, []);
    assert.deepEqual([alice?.who, alice?.votes, alice?.approved, alice?.shown], ['people:u_alice', ALWAYS.times, ALWAYS.times, 4]);
    // A busy machine looks longer than it was meant to.
    assert.ok(alice && alice.quick <= 3 && alice.median_seconds >= 20, JSON.stringify(alice));
    const [habit] = habits;
    assert.deepEqual(
      [habit?.agent, habit?.server, habit?.tool, habit?.needs, habit?.asked, habit?.approved, habit?.denied],
      ['refund-bot', 'shop', 'delete_customer', ['team:privacy'], ALWAYS.times, ALWAYS.times, 0],
    );
    assert.deepEqual(habit?.proposal?.insteadOf, ['leads-delete-customers']);
    assert.deepEqual(habit?.proposal?.bounds.slice(1), ['for “people:u_carol”', 'customer_id is “cus_0” or “cus_1”']);
    const words = await script();
    assert.ok(words.includes(`people:u_alice  ${ALWAYS.times} votes`), words);
    assert.ok(words.includes(`${alice.quick} of 4 agreed to in under 2 s`), words);
    assert.ok(words.includes(habit?.proposal?.policy.split('\n')[1] ?? 'no policy'), words);
    assert.deepEqual(JSON.parse(await script('--json')), await fatigue());
    assert.equal(words.includes('canary of a purpose'), false);
  });

  it('are asked no more once somebody has put the rule into the bundle, within its bounds', async () => {
    const policy = (await fatigue()).habits[0]?.proposal?.policy ?? '';
    const folder = join(rig.folder, 'policies');
    const file = join(folder, 'people.cedar');
    assert.equal((await asking(rig, deletion('cus_0'))).body['error'], 'authorization_pending', 'a proposal changes nothing');
    await writeFile(file, `${await readFile(file, 'utf8')}\n${policy}`);
    await writeManifest(folder);
    const { body } = await operator(rig, 'POST', '/operator/bundle/reload', {});
    assert.equal((body as { readonly ok: boolean }).ok, true, JSON.stringify(body));
    assert.equal((await asking(rig, deletion('cus_1'))).status, 200);
    assert.deepEqual(said(await asking(rig, deletion('cus_2'))), [400, 'authorization_pending']);
  });

  it('who say no once have no rule proposed for long', async () => {
    const { id } = await pending(rig, deletion('cus_3'));
    await vote(rig, id, 'deny', 'people:u_dora');
    const { habits, approvers } = await until((told) => told.habits[0]?.denied === 1);
    assert.deepEqual([habits[0]?.in_a_row, habits[0]?.proposal, habits[0]?.no_proposal], [0, undefined, 'asked_too_seldom']);
    assert.deepEqual(approvers.map(({ who }) => who).sort(), ['people:u_alice', 'people:u_dora']);
  });

  it('and what is misspelt, unknown or over was seen by nobody', async () => {
    const { id } = await pending(rig, deletion('cus_4'));
    await vote(rig, id);
    const table: readonly (readonly [string, object, number])[] = [
      [id, {}, 400],
      [id, { as: 1 }, 400],
      [id, { as: 'people:u_alice', at: 1 }, 400],
      [`apr_${'0'.repeat(32)}`, { as: 'people:u_alice' }, 404],
      ['apr_x', { as: 'people:u_alice' }, 404],
    ];
    for (const [which, body, status] of table) assert.equal((await seen(which, body)).status, status, JSON.stringify(body));
    const left = JSON.stringify([await rig.entries(), rig.log]);
    assert.equal(left.includes('cus_0'), false, 'arguments are learnt sealed');
  });
});
