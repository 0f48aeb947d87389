/** Who must agree, and how: four eyes, the owner, the person acted for; each by itself and together. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ShownApproval } from '../../src/operate/approvals.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { asking, deletion, inbox, operator, pending, poll, said, vote } from './approving.ts';
import { editBundle } from './front-door.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig.stop());

const CAROL = 'people:u_carol';
const PRIVACY = '@approval("team:privacy")';
async function under<T>(demand: string, work: () => Promise<T>): Promise<T> {
  const folder = join(rig.folder, 'policies');
  await editBundle(folder, 'people.cedar', PRIVACY, demand);
  await rig.app.reload();
  try {
    return await work();
  } finally {
    await editBundle(folder, 'people.cedar', demand, PRIVACY);
    await rig.app.reload();
  }
}
const confirm = (id: string, as = CAROL, how = 'approve') =>
  operator(rig, 'POST', `/operator/confirmations/${id}`, { vote: how, as, reason: 'this is what I asked for' });
const waitingFor = async (as: string): Promise<readonly ShownApproval[]> =>
  ((await operator(rig, 'GET', `/operator/confirmations?as=${as}`)).body as { readonly confirmations: readonly ShownApproval[] })
    .confirmations;
const told = ({ status, body }: { readonly status: number; readonly body: unknown }): readonly unknown[] => {
  const { state, error, detail } = body as { readonly state?: string; readonly error?: string; readonly detail?: string };
  return [status, state ?? error, ...(detail === undefined ? [] : [detail])];
};

describe('@confirm', () => {
  it('asks the person acted for, and nobody else', () =>
    under('@confirm', async () => {
      const { code, id } = await pending(rig, deletion('confirmed'));
      assert.deepEqual(
        (await waitingFor(CAROL)).map((one) => [one.id, one.demand, one.arguments]),
        [[id, { who: [], quorum: 0, confirm: true }, { customer_id: 'confirmed' }]],
      );
      assert.deepEqual(await waitingFor('people:u_bob'), []);
      assert.deepEqual(told(await vote(rig, id, 'approve', 'people:u_alice')), [403, 'access_denied', 'not_an_approver']);
      assert.deepEqual(told(await vote(rig, id, 'approve', CAROL)), [403, 'access_denied', 'own_action']);
      // What waits for somebody else is nothing to them, by whatever issuer they are known.
      for (const other of ['people:u_bob', 'corp:u_carol', 'refund-bot'])
        assert.deepEqual(told(await confirm(id, other)), [404, 'not_found']);
      assert.deepEqual(said(await poll(rig, code)), [400, 'authorization_pending']);
      assert.deepEqual(told(await confirm(id)), [200, 'approved']);
      assert.equal((await poll(rig, code)).status, 200);
      assert.deepEqual(await waitingFor(CAROL), []);
      const { words } = (await operator(rig, 'GET', `/operator/explain/${id}`)).body as { readonly words: readonly string[] };
      for (const part of ['the person acted for', `approved by ${CAROL}`, 'this is what I asked for'])
        assert.ok(words.join('\n').includes(part), part);
    }));

  it('a no of the person acted for stands', () =>
    under('@confirm', async () => {
      const { code, id } = await pending(rig, deletion('unwanted'));
      assert.deepEqual(told(await confirm(id, CAROL, 'deny')), [200, 'denied']);
      assert.deepEqual(said(await poll(rig, code)), [400, 'access_denied']);
    }));

  it('beside four eyes both must agree, in either order', () =>
    under('@confirm @approval("team:privacy")', async () => {
      for (const first of ['confirmation', 'four eyes']) {
        const { code, id } = await pending(rig, deletion(`both, ${first} first`));
        const steps = [() => confirm(id), () => vote(rig, id)];
        const [one, other] = first === 'confirmation' ? steps : steps.toReversed();
        assert.deepEqual(told((await one?.()) ?? { status: 0, body: {} }), [200, 'pending']);
        assert.deepEqual(said(await poll(rig, code)), [400, 'authorization_pending']);
        // Of other people's votes the person acted for is shown none, and what waits for nobody but others not as theirs.
        assert.equal(
          (await waitingFor(CAROL)).every(({ votes }) => votes.every(({ by }) => by === CAROL)),
          true,
        );
        assert.deepEqual(told((await other?.()) ?? { status: 0, body: {} }), [200, 'approved']);
        assert.equal((await poll(rig, code)).status, 200);
      }
    }));

  it('demanded after others agreed, it is outgrown', async () => {
    const { code, id } = await pending(rig, deletion('outgrown'));
    await vote(rig, id);
    const answer = await under('@confirm @approval("team:privacy")', () => poll(rig, code));
    assert.deepEqual([...said(answer), answer.body['reason']], [403, 'access_denied', 'approval_outgrown']);
  });
});

describe('@approval("owner")', () => {
  it('asks the owner of the agent, by name', () =>
    under('@approval("owner")', async () => {
      const { code, id } = await pending(rig, deletion('owned'));
      assert.deepEqual((await inbox(rig)).find((one) => one.id === id)?.demand, { who: ['people:u_alice'], quorum: 1 });
      assert.deepEqual(told(await vote(rig, id, 'approve', 'people:u_bob')), [403, 'access_denied', 'not_an_approver']);
      assert.deepEqual(told(await vote(rig, id, 'approve', 'people:u_alice')), [200, 'approved']);
      assert.equal((await poll(rig, code)).status, 200);
    }));

  it('an owner who is the person acted for can ask nobody, and is told so without names', () =>
    under('@approval("owner")', async () => {
      const own = { claims: { sub: 'u_alice', groups: ['support', 'support-leads'] } };
      const answer = await asking(rig, deletion('her own', { subject: own }));
      assert.deepEqual([...said(answer), answer.body['reason']], [403, 'access_denied', 'approval_needed']);
      assert.match(JSON.stringify(answer.body['remedy']), /nobody who can be asked/);
      assert.equal(answer.text.includes('alice'), false);
      assert.equal(
        (await inbox(rig)).some((one) => one.subject === 'people:u_alice'),
        false,
      );
    }));
});

describe('what is no confirmation', () => {
  const BODIES: readonly object[] = [
    { vote: 'approve', reason: 'x' },
    { vote: 'confirm', as: CAROL, reason: 'x' },
    { vote: 'approve', as: CAROL },
    { vote: 'approve', as: CAROL, reason: 'x', confirms: true },
  ];
  it('is refused as it is read', async () => {
    const { id } = await pending(rig, deletion('misread'));
    for (const body of BODIES) assert.equal((await operator(rig, 'POST', `/operator/confirmations/${id}`, body)).status, 400);
    assert.equal((await operator(rig, 'GET', '/operator/confirmations')).status, 400);
    assert.deepEqual(told(await confirm(id)), [404, 'not_found'], 'nobody asked for it');
  });
});
