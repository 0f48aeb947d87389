/** What agreeing has become, as the Approvals page shows it: to whom it may, with a rule that can be copied and changes nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { ALWAYS } from '../../src/operate/fatigue-rule.ts';
import { deletion, operator, pending, poll, vote } from '../flow/approving.ts';
import { assertSound, type OpenedConsole, openConsole } from './console.ts';

let opened: OpenedConsole;
let page: Page;
before(async () => {
  opened = await openConsole({ roles: ['approver', 'operator'] });
  page = opened.page;
  for (let i = 0; i < ALWAYS.times; i++) {
    const { code, id } = await pending(opened.rig, deletion('cus_<img src=x>'));
    await operator(opened.rig, 'POST', `/operator/approvals/${id}/seen`, { as: 'people:u_paula' });
    await vote(opened.rig, id, 'approve', 'people:u_paula');
    await poll(opened.rig, code);
  }
  await vote(opened.rig, (await pending(opened.rig, deletion('cus_1'))).id, 'approve', 'people:u_alice');
  await new Promise((resolve) => setTimeout(resolve, 200));
});
after(() => opened[Symbol.asyncDispose]());
const panel = async (on = page): Promise<string> => {
  await on.goto(`${opened.base}/console/approvals`);
  await on.locator('.fatigue table').waitFor();
  return ((await on.locator('.fatigue').textContent()) ?? '').replace(/\s+/g, ' ');
};

describe('the panel on the Approvals page', () => {
  it('tells an operator of everybody, and shows the rule that could take the question’s place', async () => {
    const text = await panel();
    for (const part of ['u_paula', 'u_alice', ` of ${ALWAYS.times}`, `${ALWAYS.times + 1} times yes in a row`])
      assert.ok(text.includes(part), `${part}: ${text}`);
    await page.locator('.proposal summary').click();
    const rule = (await page.locator('.proposal pre').textContent()) ?? '';
    assert.match(rule, /@until\("\d{4}-\d\d-\d\d"\)\n@approval_instead_of\("leads-delete-customers"\)/);
    assert.ok(rule.includes('["cus_<img src=x>", "cus_1"].contains(context.input["customer_id"])'), rule);
    assert.equal(await page.locator('.fatigue img').count(), 0);
    await assertSound(page, opened.problems);
    await page.setViewportSize({ width: 360, height: 780 });
    await assertSound(page, opened.problems);
    await page.setViewportSize({ width: 1280, height: 900 });
  });
  it('tells an approver of themselves, and a viewer nothing', async () => {
    const approver = await opened.enter({ roles: ['approver'], sub: 'u_alice' });
    const text = await panel(approver);
    assert.deepEqual([text.includes('u_alice'), text.includes('u_paula')], [true, false]);
    await assertSound(approver, opened.problems);
    const viewer = await opened.enter({ roles: ['viewer'], sub: 'u_vera' });
    const asked: string[] = [];
    viewer.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await viewer.goto(`${opened.base}/console/now`);
    await viewer.locator('main h1').waitFor();
    assert.equal(asked.includes('/operator/fatigue'), false);
  });
  it('marks what a person has before them as seen', async () => {
    const { id } = await pending(opened.rig, deletion('cus_2'));
    const approver = await opened.enter({ roles: ['approver'], sub: 'u_peter', teams: ['privacy'] });
    const seen = approver.waitForResponse((response) => response.url().endsWith(`/operator/approvals/${id}/seen`));
    await approver.goto(`${opened.base}/console/approvals/${id}`);
    assert.equal((await seen).status(), 200);
  });
});
