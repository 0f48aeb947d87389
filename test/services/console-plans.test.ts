/** In Chromium: a plan of which some steps are agreed to, and what somebody confirms for themselves. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { deletion, pending, poll } from '../flow/approving.ts';
import { editBundle } from '../flow/front-door.ts';
import { erase, look, ORDERED, planned, states } from '../flow/planning.ts';
import { assertSound, type OpenedConsole, openConsole, textOf } from './console.ts';
import { skipUnless } from './provision.ts';

const skip = await skipUnless('chromium');

describe('a plan', { skip }, () => {
  let open: OpenedConsole;
  before(async () => {
    open = await openConsole({ roles: ['approver'], teams: ['privacy'] });
  });
  after(() => open[Symbol.asyncDispose]());
  const decide = async (): Promise<void> => {
    await open.page.fill('#reason', 'the second is a mistake');
    await open.page.getByRole('button', { name: 'Approve …' }).click();
    await open.page.getByRole('button', { name: 'Yes, approve' }).click();
  };

  it('is shown step by step, and agreed to in part', async () => {
    const { code, id } = await planned(open.rig, [look('cus_1'), erase('cus_1', { purpose: 'right to erasure' }), erase('cus_2')]);
    const { page } = open;
    await page.goto(`${open.base}/console/approvals`);
    await page.waitForSelector('.ask');
    assert.match(await textOf(page, '.ask'), /A plan of 3 steps[\s\S]*list_orders[\s\S]*delete_customer/);
    await page.goto(`${open.base}/console/approvals/${id}`);
    await page.waitForSelector('.steps');
    assert.match(await textOf(page, '.steps'), /list_orders[\s\S]*needs nobody[\s\S]*cus_1[\s\S]*right to erasure[\s\S]*cus_2/);
    assert.equal(await page.locator('.steps input:checked').count(), 2);
    await assertSound(page, open.problems);
    for (const box of await page.locator('.steps input').all()) await box.uncheck();
    assert.match(await textOf(page, '.decide'), /No step is chosen/);
    assert.equal(await page.getByRole('button', { name: 'Approve …' }).isDisabled(), true);
    await page.locator('.steps input').first().check();
    await decide();
    await page.waitForSelector('.closed.good');
    assert.deepEqual(await states(open.rig, code), ['approved', 'agreed', 'agreed', 'refused']);
    assert.match(await textOf(page, '.steps'), /refused/);
    await assertSound(page, open.problems);
  });

  it('says so where a step would run without the one before it', async () => {
    const { id } = await planned(open.rig, [erase('cus_3'), erase('cus_4')], ORDERED);
    const { page } = open;
    await page.goto(`${open.base}/console/approvals/${id}`);
    await page.waitForSelector('.steps');
    await page.locator('.steps input').first().uncheck();
    await decide();
    await page.waitForSelector('[role=alert]');
    assert.match(await textOf(page, '[role=alert]'), /agree to those before/);
    assert.deepEqual(open.problems.splice(0), [`400 /operator/approvals/${id}`]);
  });
});

describe('a confirmation', { skip }, () => {
  it('is shown to the one it is done for, on their own page, and is theirs to give', async () => {
    const bundle = (folder: string): Promise<void> => editBundle(folder, 'people.cedar', '@approval("team:privacy")', '@confirm');
    await using open = await openConsole({ sub: 'u_carol', name: 'Carol', roles: [], bundle });
    const { page } = open;
    await page.waitForURL(`${open.base}/console/me`);
    await page.waitForSelector('.empty');
    assert.match(await textOf(page, '.empty'), /Nothing waits for your own word/);
    const { code } = await pending(open.rig, deletion('cus_mine'));
    await page.reload();
    await page.waitForSelector('#reason');
    assert.match(await textOf(page, 'main'), /refund-bot wants to run delete_customer for you[\s\S]*cus_mine/);
    await assertSound(page, open.problems);
    await page.fill('#reason', 'I asked for it');
    await page.getByRole('button', { name: 'Approve …' }).click();
    await page.getByRole('button', { name: 'Yes, approve' }).click();
    await page.waitForSelector('.empty, .notice.good');
    assert.equal((await poll(open.rig, code)).status, 200);
    await assertSound(page, open.problems);
  });
});
