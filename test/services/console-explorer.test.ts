/** Explorer, in a browser: a search stands in its address, a story is told from the asking to the end, an export is an entry. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Locator } from 'playwright-core';
import { claimsOf, tokenOf } from '../flow/front-door.ts';
import { jwt } from '../support/keys.ts';
import { REFUND, type Rig } from '../support/rig.ts';
import { assertSound, openConsole } from './console.ts';
import { skipUnless } from './provision.ts';

/** A few grants, one of them used, and a no. */
async function someDay(rig: Rig): Promise<string> {
  let txn = '';
  for (let i = 0; i < 3; i++) txn = String(claimsOf(tokenOf(await rig.ask()))['txn']);
  const at = rig.now();
  const claims = { iss: 'shop', sub: 'shop', aud: rig.issuer, iat: at, exp: at + 60, jti: randomUUID(), txn, outcome: 'done' };
  const body = await jwt(rig.server, { alg: 'ES256', typ: 'countersign-receipt+jwt' }, claims);
  const answer = await fetch(`${rig.issuer}/receipts`, { method: 'POST', headers: { 'content-type': 'application/jwt' }, body });
  assert.equal(answer.status, 204);
  await rig.ask({ args: { ...REFUND, amount_minor: 9_000 } });
  return txn;
}

/** As it stands there, whatever the page's measures make of it. */
const textOf = async (place: Locator): Promise<string> => (await place.textContent()) ?? '';

describe('Explorer', { skip: await skipUnless('chromium') }, () => {
  it('finds by form and by keyboard; the address is the search', async () => {
    await using console = await openConsole({ roles: ['auditor'] });
    const { page, rig, base, problems } = console;
    await someDay(rig);
    await page.goto(`${base}/console/explorer`);
    await page.locator('.entries').waitFor();
    await page.getByLabel('Outcome').selectOption('refused');
    await page.getByLabel('Agent', { exact: true }).fill('refund-bot');
    await page.getByLabel('When').selectOption('1h');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.waitForURL(/outcome=refused/);
    const rows = page.locator('.entries tbody tr:not(.day)');
    await page.locator('.entries tbody tr:not(.day)').nth(1).waitFor({ state: 'detached' });
    await page.locator('.entries tbody tr:not(.day)').waitFor();
    assert.match(await textOf(rows.first()), /refused[\s\S]*refund_too_large[\s\S]*create_refund/);
    await assertSound(page, problems);
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.locator('.entries').waitFor();
    assert.equal(await other.getByLabel('Agent', { exact: true }).inputValue(), 'refund-bot');
    assert.equal(await other.locator('.entries tbody tr:not(.day)').count(), 1);

    await page.keyboard.press('Escape');
    await page.locator('h1').click();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByText('refused: refund_too_large').waitFor();
    await page.goBack();
    await rows.first().waitFor();
    assert.equal(await page.getByLabel('Outcome').inputValue(), 'refused');
    await page.goto(`${base}/console/explorer?agent=nobody`);
    await page.getByText('Nothing like this is in the ledger.').waitFor();
    await assertSound(page, problems);
  });

  it('tells one action from the asking to its end, and where it stands in the chain', async () => {
    await using console = await openConsole({ roles: ['auditor'], width: 360 });
    const { page, rig, base, problems } = console;
    const txn = await someDay(rig);
    await page.goto(`${base}/console/explorer`);
    await page.getByLabel(/Find/).fill(txn);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.waitForURL(`${base}/console/explorer/${txn}`);
    await page.locator('.stages').waitFor();
    assert.deepEqual(await page.locator('.stages strong').allInnerTexts(), ['requested', 'granted', 'done']);
    const text = await textOf(page.locator('.story'));
    for (const part of [
      'refund-bot, owned by people:u_alice',
      'people:u_bob',
      'support-refunds',
      'amount_minor=4250',
      'only with key',
      'the tool server says: done',
    ])
      assert.ok(text.includes(part), part);
    assert.equal(await page.getByText('follows from the entry before it').count(), 2);
    await assertSound(page, problems);
    await page.goto(`${base}/console/explorer/txn_00000000`);
    await page.getByText('There is nothing under this id.').waitFor();
    assert.deepEqual(problems.splice(0), ['404 /operator/explain/txn_00000000']);
    await assertSound(page, problems);
  });

  it('shows what an agent wrote as it is, and marks what deceives', async () => {
    await using console = await openConsole({ roles: ['auditor'], dark: true });
    const { page, rig, base, problems } = console;
    const purpose = `<script>alert(1)</script>\u202e${'long '.repeat(80)}\u200b`;
    const txn = String(claimsOf(tokenOf(await rig.ask({ entry: { purpose } })))['txn']);
    await page.goto(`${base}/console/explorer/${txn}`);
    const why = page.locator('.field', { hasText: '<script>' });
    await why.waitFor();
    assert.match(await textOf(why), /U\+202E[\s\S]*U\+200B/);
    await assertSound(page, problems);
  });

  it('gives what was found away as a file, and writes down who took it', async () => {
    await using console = await openConsole({ roles: ['auditor'] });
    const { page, rig, base, problems } = console;
    await someDay(rig);
    await page.goto(`${base}/console/explorer?outcome=minted`);
    const coming = page.waitForEvent('download');
    await page.getByRole('link', { name: /Export/ }).click();
    const lines = readFileSync(await (await coming).path(), 'utf8')
      .trimEnd()
      .split('\n');
    const end = JSON.parse(lines.at(-1) ?? '') as { readonly end: { readonly entries: number } };
    assert.deepEqual([end.end.entries, lines.length], [3, 5]);
    const last = (await rig.entries()).at(-1);
    assert.deepEqual([last?.kind, last?.by, last?.context?.['filter']], ['export', 'people:u_alice', { outcome: 'minted' }]);
    assert.deepEqual(problems, []);
  });

  it('lets an approver see one action, and search nothing', async () => {
    await using console = await openConsole({ roles: ['approver'] });
    const { page, rig, base, problems } = console;
    const txn = await someDay(rig);
    await page.goto(`${base}/console/explorer`);
    await page.getByText('With your roles you see one action at a time.').waitFor();
    await page.getByLabel(/Id of an action/).fill(txn);
    await page.getByRole('button', { name: 'Search' }).click();
    await page.locator('.stages').waitFor();
    assert.equal((await page.request.get(`${base}/operator/entries`)).status(), 403);
    await assertSound(page, problems);
  });
});
