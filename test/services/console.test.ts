/** The console in Chromium: in and out, by keyboard, in both themes and on a narrow screen, and for whoever has no business there. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { operator } from '../flow/approving.ts';
import { assertSound, type OpenedConsole, openConsole, textOf } from './console.ts';
import { skipUnless } from './provision.ts';

const skip = await skipUnless('chromium');
const PAGES = [
  'now?minutes=10080',
  'approvals?state=expired',
  'now',
  'approvals',
  'agents',
  'explorer',
  'playground',
  'keys',
  'health',
  'me',
] as const;

/** Of the menu and of tabs, what is looked at: is it seen without being looked for? */
const hidden = (page: Page): Promise<unknown> =>
  page.evaluate(
    '[...document.querySelectorAll("nav [aria-current]")].filter((a) => a.getBoundingClientRect().left < 0 || a.getBoundingClientRect().right > innerWidth).map((a) => a.textContent)',
  );

describe('the console', { skip }, () => {
  let open: OpenedConsole;
  before(async () => {
    open = await openConsole({ roles: ['viewer', 'approver', 'operator', 'auditor'] });
  });
  after(() => open[Symbol.asyncDispose]());

  it('is entered by one button, and left by one; the way back leads to where one was', async () => {
    const page = await (await open.browser.newContext()).newPage();
    await page.goto(`${open.base}/console/keys?ring=tokens`);
    assert.match(await textOf(page, 'main'), /Log in/);
    assert.equal(await page.locator('main a, main button').count(), 1);
    await assertSound(page, open.problems);
    open.rig.idp.person = { sub: 'u_alice', name: 'Alice Moreau', groups: ['console-viewer'] };
    await page.click('main a');
    await page.waitForURL(`${open.base}/console/keys?ring=tokens`);
    const cookies = await page.context().cookies();
    assert.deepEqual(
      cookies.map(({ name, httpOnly, sameSite }) => [name, httpOnly, sameSite]),
      [['countersign-session', true, 'Lax']],
    );
    assert.equal(await page.evaluate('document.cookie'), '');
    await page.route('**/console/logout?*', (route) => route.fulfill({ status: 503, body: '{}' }), { times: 1 });
    await page.click('#logout');
    await page.waitForSelector('text=You are still logged in');
    const ended = page.waitForRequest((request) => request.url().startsWith(`${open.rig.idp.issuer}/end?`));
    await page.click('#logout');
    await ended;
    await page.waitForURL(`${open.base}/console`);
    await page.waitForSelector('text=Approve what agents ask for');
    await page.goBack();
    await page.waitForSelector('text=Log in');
    await page.context().close();
  });

  for (const [width, dark] of [
    [1280, false],
    [360, true],
  ] as const)
    it(`is sound on every page at ${width} px, ${dark ? 'dark' : 'light'}`, async () => {
      await using here = await openConsole({ rig: open.rig, roles: ['viewer', 'approver', 'operator', 'auditor'], width, dark });
      for (const name of PAGES) {
        await here.page.goto(`${here.base}/console/${name}`);
        await here.page.waitForSelector('main h1');
        await here.page.waitForSelector('main .loading', { state: 'detached' });
        assert.deepEqual(await hidden(here.page), []);
        await assertSound(here.page, here.problems);
      }
    });

  it('goes without a mouse: skip link, g and a letter, ? and Escape', async () => {
    const { page, base } = open;
    await page.goto(`${base}/console/health`);
    await page.waitForSelector('main h1');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.className'), 'skip');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate('document.activeElement.id'), 'page');
    for (const [key, name] of [
      ['a', 'approvals'],
      ['k', 'keys'],
      ['n', 'now'],
    ] as const) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await page.waitForURL(`${base}/console/${name}`);
      await page.waitForSelector(`nav a[aria-current=page][data-page=${name}]`);
      assert.ok((await page.title()).toLowerCase().startsWith(name));
    }
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await assertSound(page, open.problems);
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    await page.goBack();
    await page.waitForURL(`${base}/console/keys`);
  });

  it('has the system’s theme, and remembers which one was chosen instead', async () => {
    const paper = (page: Page): Promise<unknown> => page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    const { page } = open;
    const [light, dark] = ['rgb(246, 247, 245)', 'rgb(19, 23, 22)'];
    for (const [system, own, other] of [
      ['light', light, dark],
      ['dark', dark, light],
    ] as const) {
      await page.emulateMedia({ colorScheme: system });
      assert.equal(await paper(page), own);
      await page.click('#theme');
      assert.equal(await paper(page), other);
      await page.reload();
      assert.equal(await paper(page), other);
      await page.evaluate('localStorage.clear()');
      await page.reload();
    }
    await page.emulateMedia({ colorScheme: 'light' });
  });

  it('shows what somebody is called in quotation marks beside who they are, and lets it deceive nobody', async () => {
    const hostile = '<img src=x> people:u_root\u202e';
    await open.enter({ sub: 'u_alice', name: hostile, roles: ['viewer'] });
    const page = await open.enter({ sub: 'u_vi', name: 'Vi', roles: ['viewer'] });
    await page.goto(`${open.base}/console/agents/refund-bot`);
    await page.waitForSelector('.called');
    assert.match(await textOf(page, '.person'), /^people:u_alice “<img src=x> people:u_rootU\+202E”$/);
    assert.equal(await page.locator('main img').count(), 0);
    await assertSound(page, open.problems);
  });

  it('says which role is needed, and shows whoever has none what concerns them alone', async () => {
    const viewer = await open.enter({ sub: 'u_vi', name: 'Vi', roles: ['viewer'] });
    await viewer.goto(`${open.base}/console/approvals/apr_${'0'.repeat(32)}`);
    assert.match(await textOf(viewer, 'main'), /one of the roles approver, operator, auditor/);
    assert.equal(await viewer.locator('[data-page=approvals]').count(), 0);
    await assertSound(viewer);
    const nobody = await open.enter({ sub: 'u_no', name: 'Nobody', roles: [] });
    await nobody.waitForURL(`${open.base}/console/me`);
    await nobody.waitForSelector('text=No role here');
    assert.deepEqual(open.problems.splice(0), [`403 /console/approvals/apr_${'0'.repeat(32)}`]);
    await assertSound(nobody, open.problems);
  });

  it('says so when the session has ended, and what is done then', async () => {
    const bob = await open.enter({ sub: 'u_bob', name: 'Bob', roles: ['viewer'] });
    await bob.goto(`${open.base}/console/keys`);
    await bob.waitForSelector('main h1');
    await operator(open.rig, 'POST', '/operator/revocations', { scope: 'subject', target: 'people:u_bob', reason: 'a test' });
    await bob.keyboard.press('g');
    await bob.keyboard.press('h');
    await bob.waitForSelector('text=You are not logged in any more');
    await bob.click('text=Log in');
    open.problems.splice(0);
  });
});
