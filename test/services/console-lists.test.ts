/** Lists that are longer than a page, in Chromium: it says so, and leads on to the rest. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { agentsOfCrowd, crowd } from '../flow/crowd.ts';
import { assertSound, type OpenedConsole, openConsole, textOf } from './console.ts';
import { skipUnless } from './provision.ts';

const skip = await skipUnless('chromium');

describe('a list of 2,500', { skip }, () => {
  let open: OpenedConsole;
  before(async () => {
    open = await openConsole({ bundle: agentsOfCrowd, roles: ['approver', 'operator'] });
    await crowd(open.rig);
  });
  after(() => open[Symbol.asyncDispose]());

  it('of approvals that wait says that there are more, and leads to them and back', async () => {
    const { page, base, problems } = open;
    await page.goto(`${base}/console/approvals`);
    await page.waitForSelector('.ask');
    assert.match(await textOf(page, '.page-head'), /More than 1,000 wait, and these longest/);
    assert.equal(await page.locator('.ask').count(), 100);
    const first = await textOf(page, '.chips');
    await page.click('text=900 more');
    assert.equal(await page.locator('.ask').count(), 200);
    await page.click('.pager >> text=Asked later');
    await page.waitForSelector('.page-head >> text=500 wait on this page');
    assert.notEqual(await textOf(page, '.chips'), first);
    assert.equal(await page.locator('.pager >> text=Asked later').count(), 0);
    await assertSound(page, problems);
    await page.reload();
    await page.waitForSelector('.page-head >> text=500 wait on this page');
    await page.click('.pager >> text=What waits longest');
    await page.waitForSelector('.page-head >> text=More than 1,000 wait');
    assert.equal(await textOf(page, '.chips'), first);
  });

  it('of agents says so in its figures, and leads on', async () => {
    const { page, base } = open;
    await page.goto(`${base}/console/agents`);
    await page.waitForSelector('.tile');
    assert.match(await textOf(page, '.tile'), /1,000\s+agents on this page/);
    await page.click('.pager >> text=The next ones');
    await page.waitForSelector('.pager >> text=The first ones');
    await page.click('.pager >> text=The next ones');
    await page.waitForSelector('.tile >> text=/^50[0-9]$/');
    assert.equal(await page.locator('.pager >> text=The next ones').count(), 0);
  });

  it('of credentials that are out says how many there are', async () => {
    const { page, base } = open;
    await page.goto(`${base}/console/health`);
    await page.waitForSelector('text=and 2,400 more');
  });
});
