/** Now, in a browser: what is committed is seen at once, counted, and explained; and what may not be seen is not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Locator } from 'playwright-core';
import { REFUND } from '../support/rig.ts';
import { assertSound, openConsole } from './console.ts';
import { skipUnless } from './provision.ts';

/** As it stands there, whatever the page's measures make of it. */
const textOf = async (place: Locator): Promise<string> => (await place.textContent()) ?? '';

describe('Now', { skip: await skipUnless('chromium') }, () => {
  it('shows each decision as it is committed, what is refused with what helps, and how it went', async () => {
    await using console = await openConsole({ roles: ['operator'] });
    const { page, rig, base, problems } = console;
    await page.goto(`${base}/console/now?minutes=15`);
    await page.getByText('live', { exact: true }).waitFor();
    await rig.ask();
    const line = page.locator('.lines li', { hasText: 'create_refund' }).first();
    await line.waitFor();
    assert.match(await textOf(line), /granted[\s\S]*refund-bot for people:u_bob/);
    await rig.ask({ args: { ...REFUND, amount_minor: 9_000 } });
    await page.locator('.lines').getByText('refund_too_large').waitFor();
    const refusal = page.locator('.refusals li', { hasText: 'refund_too_large' });
    await refusal.waitFor();
    assert.match(await textOf(refusal), /Lower amount_minor to 5000 or less/);
    const picture = page.getByRole('img', { name: /1 granted, \d+ refused/ });
    await picture.waitFor();
    assert.equal((await page.locator('svg rect.fill-good[height="0"]').count()) < 60, true, 'a bar is drawn');
    await page.getByText('As a table').click();
    assert.equal((await page.getByRole('table', { name: 'Decisions over time' }).locator('tbody tr').count()) > 0, true);
    await assertSound(page, problems);

    await page.getByRole('button', { name: 'Pause' }).click();
    const before = await page.locator('.lines li').count();
    await rig.ask();
    await page.waitForTimeout(600);
    assert.equal(await page.locator('.lines li').count(), before, 'what is paused stands still');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.locator('.lines li').nth(before).waitFor();
    await line.getByRole('link', { name: /the whole story/ }).click();
    await page.getByRole('heading', { name: 'create_refund' }).waitFor();
    assert.deepEqual(problems, []);
  });

  it('escapes what agents write, and shows what deceives', async () => {
    await using console = await openConsole({ roles: ['operator'], width: 360, dark: true });
    const { page, rig, base, problems } = console;
    // What an issuer calls somebody, too, is only somebody's word.
    const odd = '<img/src=x/onerror=alert(1)>\u202egnp.exe\u200b';
    await rig.ask({ subject: { claims: { sub: odd } } });
    await page.goto(`${base}/console/now`);
    const line = page.locator('.lines li', { hasText: 'onerror' });
    await line.waitFor();
    assert.match(await textOf(line), /U\+202E[\s\S]*U\+200B/);
    assert.equal(await page.locator('img[src="x"]').count(), 0);
    await assertSound(page, problems);
  });

  it('opens no story to a viewer, and ends with the session', async () => {
    await using console = await openConsole({ roles: ['viewer'] });
    const { page, rig, base, problems } = console;
    await rig.ask();
    await page.goto(`${base}/console/now`);
    await page.locator('.lines li', { hasText: 'create_refund' }).waitFor();
    assert.equal(await page.locator('.lines a.time').count(), 0);
    assert.equal(await page.getByRole('link', { name: 'Explorer' }).count(), 0);
    for (const path of ['/operator/entries', '/operator/export', '/operator/explain/exc_0'])
      assert.equal((await page.request.get(base + path)).status(), 403, path);
    assert.equal((await page.request.get(`${base}/operator/overview`)).status(), 200);
    await page.context().clearCookies();
    for (const path of ['/operator/live', '/operator/overview']) assert.equal((await page.request.get(base + path)).status(), 401, path);
    assert.deepEqual(problems, []);
  });
});
