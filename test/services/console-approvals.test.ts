/** Approvals in Chromium: decided by keyboard, refused and said so, raced for, over, and full of hostile text. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import { deletion, pending, poll, said, vote } from '../flow/approving.ts';
import { type AheadWorld, aheadWorld, editBundle } from '../flow/front-door.ts';
import { assertSound, type OpenedConsole, openConsole, textOf } from './console.ts';
import { skipUnless } from './provision.ts';

const skip = await skipUnless('chromium');
const APPROVER = { roles: ['approver'], teams: ['privacy'] } as const;

describe('approvals', { skip }, () => {
  let open: OpenedConsole;
  let world: AheadWorld;
  let page: Page;
  before(async () => {
    world = aheadWorld();
    const roomy = (folder: string): Promise<void> =>
      editBundle(folder, 'servers/shop.yaml', /maxLength: 64 \}\s*$/, 'maxLength: 200000 }\n');
    open = await openConsole({ world, bundle: roomy, ...APPROVER });
    page = open.page;
  });
  after(() => open[Symbol.asyncDispose]());
  const show = async (id: string, on = page): Promise<void> => {
    await on.goto(`${open.base}/console/approvals/${id}`);
    await on.waitForSelector('.approval');
  };
  /** Nothing but keys. */
  async function decide(on: Page, how: 'approve' | 'deny', why: string): Promise<void> {
    await on.keyboard.press('a');
    await on.keyboard.type(why);
    await on.keyboard.press('Tab');
    if (how === 'deny') await on.keyboard.press('Tab');
    await on.keyboard.press('Enter');
    await on.waitForSelector('.sure button:focus');
    await on.keyboard.press('Enter');
  }

  it('says what to do while nothing waits', async () => {
    await page.goto(`${open.base}/console/approvals`);
    await page.waitForSelector('.empty');
    assert.match(await textOf(page, '.empty'), /Nothing waits for a person[\s\S]*Playground/);
    await assertSound(page, open.problems);
  });

  it('is approved by keyboard alone, from the list on; then it runs once', async () => {
    const { code, id } = await pending(open.rig, deletion('cus_key'));
    await page.waitForSelector('.ask');
    assert.match(await textOf(page, '.ask'), /delete_customer[\s\S]*cus_key[\s\S]*refund-bot for people:u_carol[\s\S]*yours to decide/);
    await assertSound(page, open.problems);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(`${open.base}/console/approvals/${id}`);
    await page.waitForSelector('#reason');
    await page.keyboard.press('a');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.match(await textOf(page, '[role=alert]'), /Say why first/);
    await page.keyboard.type('ticket 12 is genuine');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.sure');
    await assertSound(page, open.problems);
    await page.keyboard.press('Escape');
    await page.waitForSelector('#reason');
    assert.equal(await page.inputValue('#reason'), 'ticket 12 is genuine');
    await decide(page, 'approve', '');
    await page.waitForSelector('.closed.good');
    assert.match(await textOf(page, '.closed'), /This is approved[\s\S]*may do this once/i);
    await assertSound(page, open.problems);
    const entry = (await open.rig.entries()).find(({ kind }) => kind === 'approved');
    assert.deepEqual([entry?.by, entry?.approval, entry?.context?.['reason']], ['people:u_alice', id, 'ticket 12 is genuine']);
    assert.equal((await poll(open.rig, code)).status, 200);
    await show(id);
    assert.match(await textOf(page, '.closed'), /approved and used/i);
  });

  it('is denied with a reason, and the agent is told no', async () => {
    const { code, id } = await pending(open.rig, deletion('cus_no'));
    await show(id);
    await page.waitForSelector('#reason');
    await page.waitForSelector('.field.changed');
    assert.match(await textOf(page, '.field.changed'), /cus_no[\s\S]*was cus_key/);
    await decide(page, 'deny', 'no such ticket');
    await page.waitForSelector('.closed.bad');
    assert.match(await textOf(page, 'main'), /This is denied[\s\S]*no such ticket/i);
    assert.deepEqual(said(await poll(open.rig, code)), [400, 'access_denied']);
  });

  it('is raced for: one decides, and the other is told so', async () => {
    const { id } = await pending(open.rig, deletion('cus_race'));
    const other = await open.enter({ ...APPROVER, sub: 'u_dora', name: 'Dora' });
    const both = [page, other];
    for (const one of both) {
      await show(id, one);
      await one.fill('#reason', 'I was first');
      await one.click('text=Approve …');
      await one.waitForSelector('.sure');
    }
    await Promise.all(both.map((one) => one.click('.sure button.primary')));
    for (const one of both) await one.waitForSelector('.closed');
    const won = (await open.rig.entries()).filter(({ approval, kind }) => approval === id && kind === 'approved');
    assert.equal(won.length, 1);
    assert.match(await textOf(page, '.closed'), /approved/);
    assert.deepEqual(open.problems.splice(0), [`409 /operator/approvals/${id}`]);
    await other.context().close();
  });

  it('says clearly why not: one’s own, decided, unknown, a role too few', async () => {
    const own = await pending(open.rig, deletion('cus_own', { subject: { claims: { sub: 'u_alice', groups: ['support-leads'] } } }));
    await show(own.id);
    assert.match(await textOf(page, '.closed'), /on your behalf[\s\S]*four eyes/);
    assert.equal(await page.locator('#reason').count(), 0);
    const done = await pending(open.rig, deletion('cus_done'));
    await vote(open.rig, done.id, 'deny', 'people:u_dora');
    await show(done.id);
    assert.match(await textOf(page, '.closed'), /This is denied/);
    await page.goto(`${open.base}/console/approvals/apr_${'0'.repeat(32)}`);
    await page.waitForSelector('.empty');
    assert.match(await textOf(page, 'main'), /no approval of this name/);
    const other = await open.enter({ sub: 'u_erin', name: 'Erin', roles: ['approver'], teams: ['sales'] });
    await show(own.id, other);
    assert.match(await textOf(other, '.closed'), /Only team:privacy can decide this/);
    const looker = await open.enter({ sub: 'u_finn', name: 'Finn', roles: ['auditor'] });
    await show(own.id, looker);
    assert.match(await textOf(looker, '.closed'), /takes the role approver/);
    // A vote that the page does not offer, sent all the same: refused there, and recorded.
    const sent = await other.evaluate(`fetch('/operator/approvals/${own.id}', { method: 'POST', body: '{"vote":"approve","reason":"x"}',
      headers: { 'content-type': 'application/json', 'x-countersign-pledge': document.body.dataset.pledge } }).then((a) => a.json())`);
    assert.equal((sent as { detail?: string }).detail, 'not_an_approver');
    assert.deepEqual([(await open.rig.entries()).at(-1)?.reason, (await open.rig.entries()).at(-1)?.by], ['vote_refused', 'people:u_erin']);
    const expected = [`404 /operator/approvals/apr_${'0'.repeat(32)}`, `403 /operator/approvals/${own.id}`];
    assert.deepEqual(open.problems.splice(0), expected);
    for (const one of [other, looker]) await one.context().close();
  });

  const LONG = 'x\u202e'.repeat(50 * 1024);
  const HOSTILE: readonly (readonly [string, string, RegExp])[] = [
    ['script', '<script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">', /<script>document\.title/],
    ['an attribute', '" autofocus onfocus="document.title=\'owned\'" x="', /onfocus/],
    ['direction', 'refund \u202etxt.exe\u202c \u2066x\u2069', /U\+202E[\s\S]*U\+2069/],
    ['nothing to see', 'pay\u200bpal \u00ad\ufeff\u{e0041}', /U\+200B[\s\S]*U\+FEFF[\s\S]*U\+E0041/],
    ['another alphabet', 'pаypаl \u{1d429}\u{1d41a}y', /U\+0430[\s\S]*U\+1D429/],
    ['controls', 'a\u0007b\u001b[31mred\u0000', /U\+0007[\s\S]*U\+001B[\s\S]*U\+0000/],
    ['a template', `\${document.title="owned"} {{7*7}} <//>`, /\{\{7\*7\}\}/],
  ];
  for (const [what, text, shown] of HOSTILE)
    it(`shows ${what} in a purpose and in an argument, and obeys neither`, async () => {
      const { id } = await pending(open.rig, deletion(text, { entry: { identifier: 'delete_customer', purpose: text } }));
      for (const path of ['/console/approvals', `/console/approvals/${id}`]) {
        await page.goto(open.base + path);
        await page.waitForSelector('.ask, .approval');
        assert.match(await textOf(page, 'main'), shown, path);
        assert.match(await page.title(), /Approvals/);
        await assertSound(page, open.problems);
      }
      await vote(open.rig, id, 'deny', 'people:u_dora');
    });
  it('folds what is long, and opens it when asked', async () => {
    const { id } = await pending(open.rig, deletion(LONG, { entry: { identifier: 'delete_customer', purpose: LONG.slice(0, 1_000) } }));
    await show(id);
    assert.match(await textOf(page, 'blockquote'), /all 1,000 characters/);
    assert.match(await textOf(page, '.field'), /4,000 more of 102,400 characters/);
    await assertSound(page, open.problems);
    await page.click('text=all 1,000 characters');
    assert.equal((await textOf(page, 'blockquote')).split('U+202E').length - 1, 500);
    for (let piece = 0; piece < 3; piece++) await page.click('text=more of 102,400 characters');
    assert.equal((await textOf(page, '.field')).split('U+202E').length - 1, 6_300);
    // No axe over ten thousand marks: it takes a minute, and has seen them folded.
    assert.deepEqual(open.problems, []);
  });

  it('ends before one’s eyes: what nobody decided has expired, and cannot be decided', async () => {
    const { id } = await pending(open.rig, deletion('cus_late'));
    await show(id);
    await page.fill('#reason', 'too late');
    await page.click('text=Approve …');
    world.ahead(16 * 60);
    await page.click('.sure button.primary');
    await page.waitForSelector('.closed');
    assert.match(await textOf(page, '.closed'), /This is expired[\s\S]*nothing was done/);
    assert.deepEqual(open.problems.splice(0), [`409 /operator/approvals/${id}`]);
  });
});
