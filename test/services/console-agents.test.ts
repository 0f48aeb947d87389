/** Agents, Playground, Keys and Health as people use them, in Chromium: told in words, tried, stopped and rotated, in both themes and on a telephone. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { addToBundle, editBundle } from '../flow/front-door.ts';
import { REFUND } from '../support/rig.ts';
import { assertSound, type OpenedConsole, openConsole } from './console.ts';

const ODD = '‮<img src=x onerror=alert(1)>​';
const BUDGET = `budgets:
  - { id: daily, title: Refunds of a day, on: { server: shop, tool: create_refund }, per: [agent], sum: amount_minor, limit: 20000, window: 24h }
`;
let opened: OpenedConsole;
let page: Page;
before(async () => {
  opened = await openConsole({
    roles: ['viewer', 'operator'],
    bundle: async (folder) => {
      await editBundle(folder, 'agents.yaml', 'review: 2027-03-31', 'review: 2026-01-31');
      await editBundle(folder, 'agents.yaml', 'name: Ticket triage', `name: ${JSON.stringify(ODD)}`);
      await addToBundle(folder, 'budgets.yaml', BUDGET);
    },
  });
  page = opened.page;
  assert.equal((await opened.rig.ask()).status, 200);
});
after(() => opened[Symbol.asyncDispose]());
const open = async (path: string, on = page): Promise<void> => {
  await on.goto(`${opened.base}/console/${path}`);
  await on.locator('main h1').waitFor();
  while ((await on.locator('.loading').count()) > 0) await on.waitForTimeout(20);
};
const textOf = async (selector: string, on = page): Promise<string> =>
  ((await on.locator(selector).first().textContent()) ?? '').replace(/\s+/g, ' ').trim();

describe('agents', () => {
  it('are listed, those to be looked at first, and a strange name shows what it is', async () => {
    await open('agents');
    assert.match(await textOf('tbody tr:nth-child(1)'), /^Nightly reportnightly-report ?review overdue/);
    assert.match(await textOf('tbody'), /U\+202E.*U\+200B/);
    assert.equal(await page.locator('main img').count(), 0);
    await assertSound(page, opened.problems);
  });

  it('show their mandate in words with the policies, and lead to a try', async () => {
    await open('agents/refund-bot');
    const refund = page.locator('article', { hasText: 'create_refund' }).first();
    assert.match((await refund.textContent()) ?? '', /Never when amount_minor is more than 5,000\./);
    await refund.locator('summary').first().click();
    await refund.locator('summary', { hasText: 'refund-limit' }).click();
    assert.match((await refund.textContent()) ?? '', /context\.input\.amount_minor > 5000/);
    assert.match(await textOf('.ag-budgets'), /15,750 of 20,000 amount_minor left/);
    await assertSound(page, opened.problems);
    await refund.getByRole('link', { name: 'Try it' }).click();
    await page.locator('.pg-verdict').waitFor();
    assert.equal(await page.locator('#pg-tool').inputValue(), 'shop/create_refund');
  });

  it('are stopped by an operator, with a reason and after a look; and let go on', async () => {
    await open('agents/refund-bot');
    await page.fill('#why', 'a drill on Saturday');
    await page.getByRole('button', { name: 'See what this would stop' }).click();
    assert.match(await textOf('.notice.warn'), /1 signed token is out/);
    assert.equal((await opened.rig.ask()).status, 200, 'looked at, not done');
    await page.getByRole('button', { name: 'Stop it now' }).click();
    await page.getByText('It is stopped').first().waitFor();
    assert.equal((await opened.rig.ask()).body['error'], 'access_denied');
    assert.match(await textOf('.ag-switch'), /Halted by people:u_alice .*a drill on Saturday/);
    await assertSound(page, opened.problems);
    await page.fill('#why', 'the drill is over');
    await page.getByRole('button', { name: 'Let it run again' }).click();
    await page.getByRole('button', { name: 'See what this would stop' }).waitFor();
    assert.equal((await opened.rig.ask()).status, 200);
  });

  it('are not stopped by who may only look', async () => {
    const viewer = await opened.enter({ roles: ['viewer'], sub: 'u_vera', name: 'Vera' });
    await open('agents/refund-bot', viewer);
    assert.match(await textOf('.ag-switch', viewer), /An operator can stop it here/);
    assert.equal(await viewer.locator('#why').count(), 0);
    await open('keys', viewer);
    assert.equal(await viewer.getByRole('button', { name: 'Rehearse' }).count(), 0);
  });
});

describe('the playground', () => {
  it('says no, why and where; and its smallest change is one click away', async () => {
    await open('playground');
    await page.selectOption('#pg-tool', 'shop/create_refund');
    await page.fill('#pg-arg-payment_id', String(REFUND['payment_id']));
    await page.fill('#pg-arg-amount_minor', '9000');
    await page.selectOption('#pg-arg-currency', { label: 'EUR' });
    await page.getByRole('button', { name: 'Decide' }).click();
    assert.match(await textOf('.pg-verdict.bad'), /It would be refused.*refund_too_large Lower amount_minor to 5000 or less/);
    assert.match(await textOf('.policy.forbid'), /refund-limit forbid · refunds\.cedar:\d+–\d+/);
    assert.match(await textOf('.pg-nearest'), /Lower amount_minor from 9,000 to 5,000 ?granted/);
    await assertSound(page, opened.problems);
    await page.locator('.pg-nearest button').click();
    await page.locator('.pg-verdict.good').waitFor();
    assert.equal(await page.locator('#pg-arg-amount_minor').inputValue(), '5000');
    assert.match(await textOf('.pg-nearest'), /Raise amount_minor from 5,000 to 5,001 ?refused/);
  });

  it('takes hostile values as text, and by the keyboard alone', async () => {
    await open('playground?agent=refund-bot&server=shop&tool=create_refund');
    await page.locator('.pg-verdict').waitFor();
    await page.fill('#pg-arg-payment_id', ODD);
    await page.fill('#pg-arg-amount_minor', '1');
    await page.focus('#pg-arg-currency');
    await page.keyboard.press('ArrowDown');
    await page.focus('#pg-arg-reason');
    await page.keyboard.type('<script>1</script>');
    await page.keyboard.press('Enter');
    await page.locator('.pg-verdict.good').waitFor();
    assert.equal(await page.locator('main img, main script').count(), 0);
    await assertSound(page, opened.problems);
  });

  it('says that nothing was found, where nothing is', async () => {
    await open('playground?agent=nightly-report&server=shop&tool=delete_customer&alone=yes');
    await page.locator('.pg-verdict.bad').waitFor();
    await page.locator('#pg-arg-customer_id').fill('c');
    await page.getByRole('button', { name: 'Decide' }).click();
    await page.locator('.pg-who', { hasText: 'no permit holds' }).waitFor();
    assert.match(await textOf('.pg-flips'), /Another tool: list_orders|None found/);
  });
});

describe('keys and health', () => {
  it('a rotation is rehearsed, then taken as it was shown', async () => {
    await open('keys');
    assert.equal(await page.locator('.ring-lane.current .ring-key').count(), 2);
    await page.getByRole('button', { name: 'Rehearse' }).first().click();
    assert.match(await textOf('.ring-rehearsed'), /\(new ES256\) ES256: new → next/);
    assert.equal(await page.locator('.ring-lane.next .ring-key').count(), 0);
    await assertSound(page, opened.problems);
    await page.getByRole('button', { name: 'Do it' }).click();
    await page.locator('.ring-lane.next .ring-key').nth(1).waitFor();
    assert.match(await textOf('.ring-lane.next'), /may sign in \d+ /);
    const [last] = (await opened.rig.entries()).slice(-1);
    assert.deepEqual([last?.kind, last?.by], ['key', 'people:u_alice']);
  });

  it('health says what is well, and of what is not what to do', async () => {
    await open('health');
    assert.match(await textOf('.pg-verdict.good'), /All is well/);
    assert.match(await textOf('.health-troubles'), /the review of nightly-report is due since 2026-01-31/);
    await assertSound(page, opened.problems);
    await editBundle(`${opened.rig.folder}/policies`, 'refunds.cedar', '> 5000', '> "5000"');
    await page.getByRole('button', { name: 'Load the files again' }).click();
    await page.locator('.pg-verdict.warn').waitFor();
    assert.match(await textOf('.notice.bad'), /A newer bundle was refused/);
    assert.match(await textOf('.health-checks'), /bundle ?degraded.*npm run policies/);
    await assertSound(page, opened.problems);
  });
});

it('every page in the dark and on a telephone', async () => {
  await using narrow = await openConsole({ rig: opened.rig, roles: ['operator'], width: 360, dark: true });
  for (const path of ['agents', 'agents/refund-bot', 'playground?agent=refund-bot&server=shop&tool=create_refund', 'keys', 'health']) {
    await open(path, narrow.page);
    if (path.startsWith('playground')) await narrow.page.locator('.pg-verdict').waitFor();
    await assertSound(narrow.page, narrow.problems);
  }
});
