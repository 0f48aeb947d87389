/** Between what people agreed to and what a back end makes of it anything may die: it is used up all the same, and says so. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ShownApproval } from '../../src/operate/approvals.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { type Asking, type Rig, startRig } from '../support/rig.ts';
import { type ToyProgram, toyProgram } from '../support/toy.ts';
import { deletion, operator, pending, poll, said, vote } from './approving.ts';
import { editBundle } from './front-door.ts';
import { credentialOf, TOY, toyRig } from './redeeming.ts';

let rig: Rig;
let program: ToyProgram;
before(async () => {
  program = await toyProgram();
  const options = toyRig(program);
  rig = await startRig({
    ...options,
    bundle: async (folder) => {
      await options.bundle?.(folder);
      const account = 'credentials: { toy: { role: erasers, deliver: agent, cap: 60, ttlSeconds: 20 } }';
      await editBundle(folder, 'servers/shop.yaml', /(?<=delete_customer:\n)/, `    ${account}\n`);
    },
  });
});
after(async () => {
  await rig?.stop();
  program?.remove();
});
const forAccount = (name: string): Asking => deletion(name, { form: { completion_mode: 'deferred', requested_token_type: TOY } });
const shown = async (id: string) => (await operator(rig, 'GET', `/operator/approvals/${id}`)).body as ShownApproval;
const kindsOf = async (id: string) =>
  (await rig.entries()).filter(({ approval, request }) => approval === id && request === 'deferred').map(({ kind }) => kind);

describe('what people agreed to, and the back end dies over it', () => {
  it('is used up, says so, and leads to one result under the one action', async () => {
    const { code, id } = await pending(rig, forAccount('dead'));
    await vote(rig, id);
    program.backEnd.mood = 'dead';
    const lost = await poll(rig, code);
    assert.deepEqual(said(lost), [503, 'temporarily_unavailable']);
    assert.equal((await shown(id)).state, 'redeemed');
    assert.deepEqual(await kindsOf(id), ['intent', 'faulted']);
    assert.equal((await vote(rig, id, 'approve', 'people:u_bob')).status, 409, 'nobody can agree to it once more');
    const { words } = (await operator(rig, 'GET', `/operator/explain/${id}`)).body as { readonly words: readonly string[] };
    const told = words.join('\n');
    assert.match(told, /approved by people:u_alice/);
    assert.match(told, /the credential is being asked for elsewhere/);
    assert.match(told, /not answered/);

    program.backEnd.mood = 'good';
    const answers = [await poll(rig, code), await poll(rig, code)];
    const granted = answers.filter(({ status }) => status === 200);
    assert.ok(granted.length > 0, answers.map(({ text }) => text).join('\n'));
    const txn = id.replace('apr_', 'txn_');
    assert.deepEqual([...new Set(program.backEnd.made.map((account) => account.txn))], [txn], 'whatever was made is of this one action');
    const standing = program.backEnd.made.filter(({ user }) => !program.backEnd.ended.includes(user)).map(({ user }) => user);
    assert.ok(standing.includes(String((credentialOf(granted.at(-1) ?? lost) as JsonObject)['user'])));
    assert.notEqual((await pending(rig, forAccount('dead'))).code, code, 'the same once more is asked of people once more');
  });

  it('a no of the back end uses it up too', async () => {
    const { code, id } = await pending(rig, forAccount('refused'));
    await vote(rig, id);
    program.backEnd.mood = 'refuses';
    const answer = await poll(rig, code);
    program.backEnd.mood = 'good';
    assert.deepEqual(said(answer), [403, 'access_denied']);
    assert.equal((await shown(id)).state, 'redeemed');
    assert.deepEqual(await kindsOf(id), ['intent', 'refused']);
  });
});
