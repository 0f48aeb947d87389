/** A passkey in Chromium, by its virtual authenticator: registered, demanded, signed with, cancelled, removed; and the ledger holds what it signed. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CDPSession, Page } from 'playwright-core';
import { verifyLedger } from '../../scripts/verify-ledger.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { deletion, pending, poll } from '../flow/approving.ts';
import { editBundle } from '../flow/front-door.ts';
import { PROVEN } from '../flow/keyholders.ts';
import { erase, planned, states } from '../flow/planning.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { assertSound, type OpenedConsole, openConsole, textOf } from './console.ts';
import { skipUnless } from './provision.ts';

interface Authenticator {
  readonly session: CDPSession;
  readonly id: string;
}
/** CDP's WebAuthn domain. */
async function authenticator(
  page: Page,
  { transport = 'internal' }: { readonly transport?: 'internal' | 'usb' } = {},
): Promise<Authenticator> {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId: id } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport,
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return { session, id };
}

describe('a passkey in a browser', { skip: await skipUnless('chromium') }, () => {
  let rig: Rig;
  let open: OpenedConsole;
  let page: Page;
  let key: Authenticator;
  before(async () => {
    const bundle = (folder: string): Promise<void> => editBundle(folder, 'people.cedar', '@approval("team:privacy")', PROVEN);
    rig = await startRig({ host: 'localhost', console: {}, bundle });
    open = await openConsole({ rig, roles: ['approver'], teams: ['privacy'] });
    page = open.page;
    key = await authenticator(page);
  });
  after(async () => {
    await open?.[Symbol.asyncDispose]();
    await rig?.stop();
  });
  async function approve(id: string): Promise<void> {
    await page.goto(`${open.base}/console/approvals/${id}`);
    await page.waitForSelector('#reason');
    await page.fill('#reason', 'looked at the ticket');
    await page.getByRole('button', { name: /^approve/i }).click();
    await page.getByRole('button', { name: 'Sign and approve' }).click();
  }

  it('is registered on one’s own page, and told with its key', async () => {
    await page.goto(`${open.base}/console/me`);
    await page.waitForSelector('#label');
    await page.fill('#label', 'my laptop');
    await page.getByRole('button', { name: 'Register a passkey' }).click();
    await page.waitForSelector('.passkey');
    assert.match(await textOf(page, '.passkey'), /my laptop/);
    await assertSound(page, open.problems);
    const entry = (await rig.entries()).findLast(({ kind }) => kind === 'passkey');
    const { credentials } = await key.session.send('WebAuthn.getCredentials', { authenticatorId: key.id });
    const id = Buffer.from(credentials[0]?.credentialId ?? '', 'base64').toString('base64url');
    assert.deepEqual([entry?.by, entry?.context?.['credential'], entry?.context?.['origin']], ['people:u_alice', id, open.base]);
  });

  it('signs the very action, and the ledger proves it offline', async () => {
    const { code, id } = await pending(rig, deletion('cus_signed'));
    await approve(id);
    await page.waitForSelector('.closed.good');
    await assertSound(page, open.problems);
    assert.equal((await poll(rig, code)).status, 200);
    const report = await verifyLedger(join(rig.folder, 'data', 'countersign.db'));
    assert.deepEqual([report.ok, report.proofs], [true, 1]);
  });

  it('without its person nothing is sent, and the page says so', async () => {
    const { code, id } = await pending(rig, deletion('cus_unverified'));
    await key.session.send('WebAuthn.setUserVerified', { authenticatorId: key.id, isUserVerified: false });
    await approve(id);
    await page.waitForSelector('[role=alert]');
    assert.match(await textOf(page, '[role=alert]'), /Nothing was sent/);
    await key.session.send('WebAuthn.setUserVerified', { authenticatorId: key.id, isUserVerified: true });
    assert.equal((await poll(rig, code)).body['error'], 'authorization_pending');
    await assertSound(page, open.problems);
  });

  /** A broker that shows one thing and wants another signed, whichever of its two answers it changes: [of which path, what becomes of it]. */
  const LIES: readonly (readonly [string, RegExp, (body: JsonObject) => JsonObject])[] = [
    [
      'the challenge of something else',
      /\/challenge$/,
      (body) => ({ ...body, options: { ...(body['options'] as JsonObject), challenge: 'A'.repeat(43) } }),
    ],
    ['another salt', /\/challenge$/, (body) => ({ ...body, salt: 'A'.repeat(43) })],
    ['another customer', /\/apr_[0-9a-f]{32}$/, (body) => ({ ...body, arguments: { customer_id: 'cus_harmless' } })],
    ['another agent', /\/apr_[0-9a-f]{32}$/, (body) => ({ ...body, client: 'triage-bot' })],
    ['another bundle', /\/apr_[0-9a-f]{32}$/, (body) => ({ ...body, bundle: '0'.repeat(64) })],
    ['an earlier end', /\/apr_[0-9a-f]{32}$/, (body) => ({ ...body, latest: Number(body['latest']) - 1 })],
  ];
  for (const [at, [name, path, change]] of LIES.entries())
    it(`signs nothing else than what it shows: ${name}`, async () => {
      const { code, id } = await pending(rig, deletion(`cus_shown_${at}`));
      const counted = async (): Promise<unknown> => {
        const { credentials } = await key.session.send('WebAuthn.getCredentials', { authenticatorId: key.id });
        return credentials.map(({ signCount }) => signCount);
      };
      const before = await counted();
      let lied = 0;
      const sent: string[] = [];
      await page.route('**/operator/approvals/**', async (route) => {
        const request = route.request();
        const { pathname } = new URL(request.url());
        if (request.method() === 'POST' && pathname.endsWith(id)) sent.push(pathname);
        if (!path.test(pathname) || (pathname.endsWith(id) && request.method() !== 'GET')) return route.continue();
        const response = await route.fetch();
        lied++;
        return route.fulfill({ response, json: change((await response.json()) as JsonObject) });
      });
      try {
        await approve(id);
        await page.waitForSelector('[role=alert]');
        assert.match(await textOf(page, '[role=alert]'), /not what this page shows\. Nothing was signed/);
        assert.deepEqual([lied > 0, sent, await counted()], [true, [], before]);
        assert.equal((await poll(rig, code)).body['error'], 'authorization_pending');
      } finally {
        await page.unroute('**/operator/approvals/**');
      }
    });

  it('signs the steps of a plan that are chosen', async () => {
    const { code, id } = await planned(rig, [erase('cus_step_1'), erase('cus_step_2')]);
    await page.goto(`${open.base}/console/approvals/${id}`);
    await page.getByRole('checkbox').nth(1).uncheck();
    await page.fill('#reason', 'the first one alone');
    await page.getByRole('button', { name: /^approve/i }).click();
    await page.getByRole('button', { name: 'Sign and approve' }).click();
    await page.waitForSelector('.closed.good');
    await assertSound(page, open.problems);
    assert.deepEqual(await states(rig, code), ['approved', 'agreed', 'refused']);
  });

  it('signs the own confirmation of the person acted for, on their own page', async () => {
    const folder = join(rig.folder, 'policies');
    await editBundle(folder, 'people.cedar', PROVEN, '@confirm @approval_proof("passkey")');
    await rig.app.reload();
    const { code } = await pending(rig, deletion('cus_own'));
    const carol = await open.enter({ sub: 'u_carol', roles: [], name: 'Carol' });
    await authenticator(carol);
    await carol.goto(`${open.base}/console/me`);
    await carol.fill('#label', 'key ring');
    await carol.getByRole('button', { name: 'Register a passkey' }).click();
    await carol.waitForSelector('.passkey');
    await carol.fill('#reason', 'this is what I asked for');
    await carol.getByRole('button', { name: /^(approve|confirm)/i }).click();
    await carol.getByRole('button', { name: /^sign and/i }).click();
    await carol.waitForSelector('#reason', { state: 'detached' });
    await assertSound(carol, open.problems);
    assert.equal((await poll(rig, code)).status, 200);
    const entry = (await rig.entries()).findLast(({ kind }) => kind === 'approved');
    assert.deepEqual([entry?.by, entry?.context?.['vote']], ['people:u_carol', 'confirm']);
    await editBundle(folder, 'people.cedar', '@confirm @approval_proof("passkey")', PROVEN);
    await rig.app.reload();
  });

  it('a second one comes when the first one signs for it, and the page says what for', async () => {
    const second = await authenticator(page, { transport: 'usb' });
    const touch = (of: Authenticator, enabled: boolean) =>
      of.session.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId: of.id, enabled });
    // Nobody touches the first one while the second one is made.
    await touch(key, false);
    await page.goto(`${open.base}/console/me`);
    await page.fill('#label', 'key ring');
    await page.getByRole('button', { name: 'Register a passkey' }).click();
    await page.waitForSelector('#made');
    assert.match(await textOf(page, '#made'), /Let key ring sign in your name, too\?/);
    assert.equal(await page.locator('.passkey').count(), 1);
    await assertSound(page, open.problems);
    await touch(second, false);
    await touch(key, true);
    await page.getByRole('button', { name: 'Sign for it' }).click();
    await page.waitForSelector('.passkey >> nth=1');
    await assertSound(page, open.problems);
    const entry = (await rig.entries()).findLast(({ kind }) => kind === 'passkey');
    const proof = entry?.context?.['passkey'] as JsonObject;
    const first = (await rig.entries()).find(({ kind, by }) => kind === 'passkey' && by === 'people:u_alice');
    assert.deepEqual([entry?.context?.['label'], proof['credential']], ['key ring', first?.context?.['credential']]);
    await second.session.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId: second.id });
    const report = await verifyLedger(join(rig.folder, 'data', 'countersign.db'));
    assert.deepEqual([report.ok, report.bad], [true, undefined]);
  });

  it('signs for no other name than the page shows', async () => {
    await page.route('**/operator/passkeys/challenge', async (route) => {
      const asked = route.request().postDataJSON() as JsonObject;
      const [, spare] = (await (await page.request.get(`${open.base}/operator/passkeys`)).json())['passkeys'] as readonly JsonObject[];
      return route.continue({ postData: JSON.stringify({ ...asked, id: spare?.['id'] }) });
    });
    await page.goto(`${open.base}/console/me`);
    await page.getByRole('button', { name: 'Remove' }).first().click();
    await page.waitForSelector('[role=alert]');
    assert.match(await textOf(page, '[role=alert]'), /not what this page shows/);
    await page.unroute('**/operator/passkeys/challenge');
    assert.equal(await page.locator('.passkey').count(), 2);
  });

  it('removed, it signs nothing more', async () => {
    await page.goto(`${open.base}/console/me`);
    // The one that is lost goes first, and the other one for itself.
    for (const name of ['key ring', 'my laptop']) {
      const row = page.locator('.passkey', { hasText: name });
      await row.getByRole('button', { name: 'Remove' }).click();
      await row.waitFor({ state: 'detached' });
    }
    const { code, id } = await pending(rig, deletion('cus_removed'));
    await approve(id);
    await page.waitForSelector('[role=alert]');
    assert.equal((await poll(rig, code)).body['error'], 'authorization_pending');
  });
});
