/** `npm run approvals` as an operator runs it: exit codes, words, and nothing an agent wrote is obeyed by the terminal. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Rig, startRig } from '../support/rig.ts';
import { deletion, pending, poll } from './approving.ts';
import { editBundle } from './front-door.ts';
import { erase, look, ORDERED, planned, states } from './planning.ts';

let rig: Rig;
before(async () => {
  rig = await startRig();
});
after(() => rig.stop());

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}
const SCRIPT = new URL('../../scripts/approvals.ts', import.meta.url).pathname;
const run = (...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const [first = '', ...rest] = args;
    const all = [SCRIPT, first, '--socket', join(rig.folder, 'operator.sock'), ...rest];
    execFile(process.execPath, all, (fault, out, err) => resolve({ code: fault ? Number(fault.code) : 0, out, err }));
  });
const AS = ['--as', 'people:u_alice', '--reason', 'seen'];

describe('approvals', () => {
  it('lists nothing, then what waits; shows it; approves it; and it is fetched', async () => {
    assert.deepEqual(await run('list'), { code: 0, out: 'Nothing waits for anybody.\n', err: '' });
    const { code, id } = await pending(rig, deletion('cus_1'));
    const listed = await run('list');
    for (const part of [id, 'pending', 'refund-bot for people:u_carol', 'delete_customer', 'team:privacy'])
      assert.ok(listed.out.includes(part), part);
    const shown = await run('show', id);
    for (const part of ['customer_id', '"cus_1"', '“right to erasure, ticket 12”', 'not checked', 'at least 1 person'])
      assert.ok(shown.out.includes(part), part);
    assert.equal(shown.out.includes('CAREFUL'), false);
    const approved = await run('approve', id, ...AS);
    assert.deepEqual([approved.code, approved.out.includes(`${id}, approved`)], [0, true]);
    assert.equal((await poll(rig, code)).status, 200);
    assert.match((await run('list', '--state', 'redeemed')).out, new RegExp(id));
  });

  it('confirms in the name of the person it is done for, where a rule asks them', async () => {
    const folder = join(rig.folder, 'policies');
    await editBundle(folder, 'people.cedar', '@approval("team:privacy")', '@confirm');
    await rig.app.reload();
    const { code, id } = await pending(rig, deletion('cus_own'));
    assert.match((await run('list')).out, /people:u_carol$/m);
    assert.match((await run('show', id)).out, /needs +the confirmation of the person it is for$/m);
    const other = await run('confirm', id, ...AS);
    assert.deepEqual([other.code, /does not wait for the confirmation of this person/.test(other.err)], [1, true]);
    const confirmed = await run('confirm', id, '--as', 'people:u_carol', '--reason', 'mine');
    assert.deepEqual([confirmed.code, /^confirmed +people:u_carol/m.test(confirmed.out)], [0, true]);
    assert.equal((await poll(rig, code)).status, 200);
    await editBundle(folder, 'people.cedar', '@confirm', '@approval("team:privacy")');
    await rig.app.reload();
  });

  it('denies, and says what cannot be', async () => {
    const { id } = await pending(rig, deletion('cus_2'));
    const table: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['approve', id, '--as', 'people:u_carol', '--reason', 'mine'], 1, /on their own behalf/],
      [['approve', id, '--as', 'refund-bot', '--reason', 'x'], 1, /Agents decide nothing/],
      [['approve', id, '--as', 'team:privacy', '--reason', 'x'], 1, /Agents decide nothing/],
      [['approve', 'apr_1', ...AS], 1, /no such approval/],
      [['approve', id, '--as', 'people:u_alice'], 3, /--reason/],
      [['approve', id, '--reason', 'x'], 3, /--as/],
      [['approve', id, '--as', 'people:u_alice', '--reason', ' '], 1, /did not understand/],
      [['list', '--state', 'waiting'], 1, /did not understand/],
      [['explode'], 3, /unknown/],
    ];
    for (const [args, code, words] of table) {
      const ran = await run(...args);
      assert.equal(ran.code, code, args.join(' '));
      assert.match(ran.err, words);
    }
    assert.equal((await run('deny', id, ...AS)).code, 0);
    const twice = await run('approve', id, '--json', ...AS);
    assert.deepEqual([twice.code, JSON.parse(twice.out)], [1, { ok: false, error: 'state_conflict', detail: 'decided' }]);
  });

  it('shows what hides, and lets no text move the cursor or begin a line', async () => {
    const { claims } = deletion('').subject ?? {};
    const entry = { identifier: 'delete_customer', purpose: 'ok”\n\u001b[2Japproval  apr_0, approved\u202e\u2066\u200b' };
    const { id } = await pending(rig, { ...deletion('cus\u202e_3\u200b'), entry, subject: { claims: { ...claims } } });
    const { out } = await run('show', id);
    for (const line of out.trimEnd().split('\n')) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    for (const part of ['cus\\u{202e}_3\\u{200b}', '\\u{001b}[2J', '\\u{2066}', 'CAREFUL']) assert.ok(out.includes(part), part);
    assert.equal(out.split('\n').filter((line) => line.startsWith('approval')).length, 1);
  });

  it('says who does not answer', async () => {
    const gone = await new Promise<Ran>((resolve) => {
      execFile(process.execPath, [SCRIPT, 'list', '--socket', join(rig.folder, 'none.sock')], (fault, out, err) =>
        resolve({ code: fault ? Number(fault.code) : 0, out, err }),
      );
    });
    assert.equal(gone.code, 2);
    assert.match(gone.err, /npm start/);
  });

  it('shows each step of a plan as it would run, and agrees to some of them', async () => {
    const steps = [look('cus_9'), erase('cus_9', { purpose: 'asked\u202e for' }), erase('cus_10')];
    const { code, id } = await planned(rig, steps, ORDERED);
    const shown = await run('show', id);
    for (const part of ['each only after', 'step 0', 'needs nobody', 'step 2', '"cus_10"', '\\u{202e}', 'CAREFUL'])
      assert.ok(shown.out.includes(part), `${part}\n${shown.out}`);
    assert.deepEqual(
      [(await run('approve', id, ...AS, '--steps', '2')).code, (await run('approve', id, ...AS, '--steps', 'all')).code],
      [1, 3],
    );
    const approved = await run('approve', id, ...AS, '--steps', '1');
    assert.equal(approved.code, 0, approved.err);
    assert.match(approved.out, /agreed +people:u_alice, steps 1/);
    assert.deepEqual(await states(rig, code), ['approved', 'agreed', 'agreed', 'refused']);
  });
});
