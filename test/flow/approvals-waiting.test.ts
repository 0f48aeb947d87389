/** What a wait is bounded by: how many there are, how long proofs last, and that its client may end it. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Answer, type Asking, ID_TOKEN, type Rig, startRig } from '../support/rig.ts';
import { asking, DELETE, deletion, inbox, pending, polling, said, vote } from './approving.ts';
import { type AheadWorld, aheadWorld, tokenOf } from './front-door.ts';
import { erase, planned, submit, voteOn, withdraw } from './planning.ts';

let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world, config: { console: {} } });
});
after(() => rig.stop());

describe('a wait that its client ends', () => {
  it('is withdrawn by its code, recorded as that, and nobody can decide it any more', async () => {
    const { code, id } = await pending(rig, deletion('withdrawn'));
    const seq = await rig.count();
    for (let i = 0; i < 3; i++) assert.equal((await withdraw(rig, code)).status, 200);
    const told = (await rig.entries(seq)).map(({ kind, client, approval, detail, tool }) => [kind, client, approval, detail, tool]);
    assert.deepEqual(told, [['cancelled', 'refund-bot', id, 'withdrawn', 'delete_customer']]);
    assert.equal((await vote(rig, id)).status, 409);
    assert.notEqual((await pending(rig, deletion('withdrawn'))).code, code, 'asking again asks people again');
  });

  it('stands as it was where another client, or nobody’s code, says so', async () => {
    const { code, id } = await pending(rig, deletion('not-withdrawn'));
    assert.deepEqual(said(await withdraw(rig, code, 'triage-bot')), [400, 'unauthorized_client']);
    assert.equal((await withdraw(rig, `${code.slice(0, -1)}${code.endsWith('A') ? 'B' : 'A'}`)).status, 200);
    assert.equal((await vote(rig, id)).status, 200);
  });
});

describe('the page where people decide', () => {
  it('stands in each answer that says that they must, and in the answer to a plan', async () => {
    const asked = await asking(rig, deletion('linked'));
    const { code, id } = await pending(rig, deletion('linked'));
    const uri = `${rig.issuer}/console/approvals/${id}`;
    assert.equal(asked.body['approval_uri'], uri);
    for (const answer of [await asking(rig, polling(code)), await asking(rig, polling(code))])
      assert.equal(answer.body['approval_uri'], uri, answer.text);
    const plan = await submit(rig, [erase('linked')]);
    assert.match(String(plan.body['approval_uri']), /\/console\/approvals\/apr_[0-9a-f]{32}$/);
    assert.equal(JSON.stringify(await rig.entries()).includes('/console/approvals/'), false);
  });
});

/** A poll that brings proofs of the same principals once more. */
const fresh = (code: string, claims: object, more: Asking = {}): Promise<Answer> =>
  asking(rig, {
    ...more,
    subject: { claims: { ...DELETE.subject?.claims, ...claims } },
    details: null,
    form: { grant_type: polling(code).form?.['grant_type'] ?? null, deferral_code: code, resource: null, subject_token_type: ID_TOKEN },
  });
const soon = (id: string, seconds: number): Asking =>
  deletion(id, { subject: { claims: { ...DELETE.subject?.claims, exp: rig.now() + seconds } } });

describe('proofs that are brought anew', () => {
  it('let people decide for longer, as long as policy lets them', async () => {
    const first = await asking(rig, soon('longer', 60));
    const code = String(first.body['deferral_code']);
    const id = `apr_${code.split('.')[0]}`;
    assert.ok(Number(first.body['expires_in']) <= 60);
    world.ahead(40);
    const polled = await fresh(code, { exp: rig.now() + 300 });
    assert.deepEqual(said(polled), [400, 'authorization_pending']);
    const left = Number(polled.body['expires_in']);
    assert.ok(left > 290 && left <= 300, String(left));
    world.ahead(200);
    const again = Number((await fresh(code, { exp: rig.now() + 3_000 })).body['expires_in']);
    assert.ok(again > 640 && again <= 660, `the time that policy gives counts from the first asking: ${again}`);
    world.ahead(400);
    assert.equal((await vote(rig, id)).status, 200);
    assert.equal((await asking(rig, polling(code))).status, 200, 'the earliest proof has ended since');
  });

  it('never shorten it', async () => {
    const { code } = await pending(rig, deletion('shorter'));
    const left = Number((await fresh(code, { exp: rig.now() + 30 })).body['expires_in']);
    assert.ok(left > 880, String(left));
  });

  it('take no vote’s turn unless they change something that matters', async () => {
    const { code, id } = await pending(rig, deletion('turns'));
    const version = async (): Promise<number | undefined> => (await rig.app.store.look([`approval/${id}`])).found[0]?.version;
    const before = await version();
    for (const seconds of [30, 900, 1_500]) await fresh(code, { exp: rig.now() + seconds });
    assert.equal(await version(), before);
    await fresh(code, { groups: ['support'], exp: rig.now() + 900 });
    assert.equal(await version(), Number(before) + 1);
  });

  it('of somebody else are refused, and change nothing', async () => {
    const { code } = await pending(rig, deletion('other'));
    assert.deepEqual(said(await fresh(code, { sub: 'u_dave', exp: rig.now() + 600 })), [400, 'invalid_grant']);
    assert.deepEqual(said(await fresh(code, { exp: rig.now() - 600 })), [400, 'invalid_request']);
    assert.deepEqual(said(await fresh(code, { exp: rig.now() + 600 }, { actor: {} })), [400, 'invalid_grant']);
    assert.deepEqual(said(await asking(rig, polling(code))), [400, 'authorization_pending']);
  });

  it('are what is judged in the end: who has left the team since is not acted for', async () => {
    const { code, id } = await pending(rig, deletion('left'));
    await vote(rig, id);
    assert.deepEqual(said(await fresh(code, { groups: ['support'], exp: rig.now() + 600 })), [403, 'access_denied']);
  });

  it('are taken with the fetching too', async () => {
    const first = await asking(rig, soon('fetched', 60));
    const code = String(first.body['deferral_code']);
    await vote(rig, `apr_${code.split('.')[0]}`);
    world.ahead(50);
    tokenOf(await fresh(code, { exp: rig.now() + 600 }));
  });
});

describe('how many of one agent wait', () => {
  it('is bounded: beyond it the agent is told what to do, and each end makes room', async () => {
    for (const one of await inbox(rig)) await vote(rig, one.id, 'deny');
    const open = await Promise.all(Array.from({ length: 99 }, (_, i) => pending(rig, deletion(`many-${i}`))));
    const plan = await planned(rig, [erase('many-plan-1'), erase('many-plan-2')]);
    const over = deletion('one too many');
    const crowded = async (): Promise<readonly unknown[]> => {
      const answer = await asking(rig, over);
      return [...said(answer), answer.body['reason'] ?? null];
    };
    assert.deepEqual(await crowded(), [403, 'access_denied', 'approvals_too_many']);
    assert.match(JSON.stringify((await asking(rig, over)).body['remedy']), /POST \/revoke/);
    assert.equal((await submit(rig, [erase('one too many')])).body['reason'], 'approvals_too_many');
    assert.deepEqual(said(await asking(rig, deletion('many-0'))), [400, 'authorization_pending'], 'what waits already waits on');

    const free: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['denied', () => vote(rig, open[0]?.id ?? '', 'deny')],
      ['agreed to', () => vote(rig, open[1]?.id ?? '')],
      ['withdrawn', () => withdraw(rig, open[2]?.code ?? '')],
      ['a plan decided', () => voteOn(rig, plan.id, [0])],
    ];
    for (const [name, end] of free) {
      assert.deepEqual(await crowded(), [403, 'access_denied', 'approvals_too_many'], name);
      await end();
      const { code } = await pending(rig, over);
      assert.equal((await asking(rig, deletion('another one'))).body['reason'], 'approvals_too_many', name);
      await withdraw(rig, code);
      await pending(rig, deletion(`in place of what was ${name}`));
    }
  });

  it('holds for those who ask at the same moment', async () => {
    for (const one of await inbox(rig)) await vote(rig, one.id, 'deny');
    await Promise.all(Array.from({ length: 95 }, (_, i) => pending(rig, deletion(`race-${i}`))));
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => asking(rig, deletion(`racing-${i}`))));
    assert.equal(answers.filter(({ body }) => body['error'] === 'authorization_pending').length, 5);
    assert.equal(answers.filter(({ body }) => body['reason'] === 'approvals_too_many').length, 15);
  });
});
