/** Who gets into the console, and who does not: login at an issuer that misbehaves, sessions that end, one-time links. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { newKey, sha256 } from '../support/keys.ts';
import { CLIENT } from '../support/login-idp.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { operator, pending } from './approving.ts';
import { type AheadWorld, aheadWorld } from './front-door.ts';
import { begun, comeBack, cookieOf, logIn, visit } from './visiting.ts';

const CANARY = 'canary-access-token';
let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world, console: { sessionSeconds: 3600, idleSeconds: 600 } });
});
after(() => rig.stop());
afterEach(() => {
  delete rig.idp.bend;
  delete rig.idp.signer;
});
const last = async () => (await rig.entries()).at(-1);

describe('login', () => {
  it('makes a session of who they are, tells it, and keeps no token', async () => {
    const alice = await logIn(rig, { sub: 'u_alice', roles: ['viewer', 'approver'], teams: ['privacy'] });
    const entry = await last();
    assert.deepEqual([entry?.kind, entry?.request, entry?.by, entry?.outcome], ['session', 'console', 'people:u_alice', 'begun']);
    const page = await alice.get('/console/approvals');
    assert.equal(page.status, 200);
    const shown = JSON.parse((/data-me="([^"]*)"/.exec(page.text)?.[1] ?? '').replaceAll('&quot;', '"')) as object;
    assert.deepEqual(shown, {
      name: 'people:u_alice',
      display: 'Somebody',
      roles: ['viewer', 'approver'],
      teams: ['team:console-viewer', 'team:console-approver', 'team:privacy'],
    });
    assert.equal((await alice.get('/operator/status')).status, 200);
    await rig.app.store.look([]);
    const kept = [rig.log.join('\n'), JSON.stringify(await rig.entries()), page.text];
    for (const name of ['countersign.db', 'countersign.db-wal']) kept.push(readFileSync(join(rig.folder, 'data', name), 'latin1'));
    for (const [at, text] of kept.entries())
      for (const secret of [CANARY, alice.cookie.split('=')[1] ?? '']) assert.equal(text.includes(secret), false, `${at} ${secret}`);
  });

  /** What stands in the id_token, and what is recorded of it. */
  const now = (): number => Math.floor(Date.now() / 1000);
  const BENT: readonly (readonly [string, (claims: Record<string, unknown>) => object, string])[] = [
    ['for another client', (c) => ({ ...c, aud: 'refund-bot-app' }), 'id_token'],
    ['for two', (c) => ({ ...c, aud: [CLIENT, 'refund-bot-app'], azp: CLIENT }), 'audience'],
    ['presented by another', (c) => ({ ...c, azp: 'refund-bot-app' }), 'audience'],
    ['acted', (c) => ({ ...c, act: { sub: 'refund-bot' } }), 'acted'],
    ['acted, emptily', (c) => ({ ...c, act: null }), 'acted'],
    ['a logout token', (c) => ({ ...c, events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }), 'id_token'],
    ['of another issuer', (c) => ({ ...c, iss: 'http://127.0.0.1:1' }), 'id_token'],
    ['of another login', (c) => ({ ...c, nonce: 'of-another' }), 'id_token'],
    ['without a nonce', ({ nonce: _, ...c }) => c, 'answer'],
    ['over', (c) => ({ ...c, iat: now() - 900, exp: now() - 300 }), 'id_token'],
    ['of nobody', (c) => ({ ...c, sub: '' }), 'subject'],
    ['of two words', (c) => ({ ...c, sub: 'u alice' }), 'subject'],
    ['of a line', (c) => ({ ...c, sub: 'u\nalice' }), 'subject'],
    ['of a long name', (c) => ({ ...c, sub: 'u'.repeat(256) }), 'subject'],
  ];
  for (const [what, bend, detail] of BENT)
    it(`refuses an id_token ${what}`, async () => {
      rig.idp.bend = bend;
      const { back, cookie } = await begun(rig);
      const answer = await comeBack(back, cookie);
      assert.deepEqual([answer.status, cookieOf(answer, 'session')], [403, undefined], answer.text);
      const entry = await last();
      assert.deepEqual([entry?.kind, entry?.reason, entry?.detail], ['refused', 'login_refused', detail]);
      assert.match(answer.text, /Not logged in/);
      assert.match(answer.text, new RegExp(entry?.exchange ?? 'none'));
    });

  it('refuses a signature of nobody', async () => {
    rig.idp.signer = newKey();
    const { back, cookie } = await begun(rig);
    assert.equal((await comeBack(back, cookie)).status, 403);
    assert.equal((await last())?.reason, 'login_refused');
  });

  it('refuses a way back that was not begun here, was changed, or was used', async () => {
    const { back, cookie } = await begun(rig);
    const other = await begun(rig);
    const changed = (name: string, value: string | undefined): string => {
      const url = new URL(back);
      if (value === undefined) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
      return url.href;
    };
    const table: readonly (readonly [string, string, string, string])[] = [
      ['no cookie', back, '', 'not_begun_here'],
      ['another login’s cookie', back, other.cookie, 'answer'],
      ['a cookie of one’s own making', back, 'countersign-login=s1.AAAA', 'not_begun_here'],
      ['another state', changed('state', 'x'), cookie, 'answer'],
      ['no state', changed('state', undefined), cookie, 'answer'],
      ['another issuer', changed('iss', 'http://127.0.0.1:1'), cookie, 'answer'],
      ['no issuer', changed('iss', undefined), cookie, 'answer'],
      ['two codes', `${back}&code=x`, cookie, 'answer'],
      ['an error instead', changed('code', undefined).replace('?', '?error=access_denied&'), cookie, 'refused_there'],
    ];
    for (const [what, url, brought, detail] of table) {
      const answer = await comeBack(url, brought);
      assert.deepEqual([answer.status, cookieOf(answer, 'session'), (await last())?.detail], [403, undefined, detail], what);
    }
    assert.equal((await comeBack(back, cookie)).status, 303, 'none of that used it up');
    const again = await comeBack(back, cookie);
    assert.deepEqual([again.status, (await last())?.detail], [403, 'code']);
  });

  it('begins no session for whoever took too long', async () => {
    const { back, cookie } = await begun(rig);
    world.ahead(601);
    const answer = await comeBack(back, cookie);
    assert.deepEqual([answer.status, (await last())?.detail], [403, 'not_begun_here']);
  });

  it('leads back to where it began, and never elsewhere', async () => {
    const table = [
      ['/console/approvals/apr_0123?x=1', '/console/approvals/apr_0123?x=1'],
      ['https://evil.example/', '/console/now'],
      ['//evil.example/console', '/console/now'],
      ['/console/../token', '/console/now'],
      ['/console\\evil', '/console/now'],
      ['/console/%2e%2e/x', '/console/now'],
      ['/operator/status', '/console/now'],
      ['/consolex', '/console/now'],
    ] as const;
    rig.idp.person = { sub: 'u_alice', groups: ['console-viewer'] };
    for (const [asked, led] of table) {
      const { back, cookie } = await begun(rig, `/console/login?back=${encodeURIComponent(asked)}`);
      assert.equal((await comeBack(back, cookie)).headers.get('location'), led, asked);
    }
  });
});

describe('a session', () => {
  it('is new at each login, and the one before it ends: what was planted is never taken over', async () => {
    const planted = `countersign-session=${'A'.repeat(43)}`;
    const first = await logIn(rig, {}, planted);
    assert.notEqual(first.cookie, planted);
    assert.equal((await visit(rig, planted)).pledge, '');
    const second = await logIn(rig, {}, first.cookie);
    assert.notEqual(second.cookie, first.cookie);
    assert.deepEqual([(await first.get('/operator/status')).status, (await second.get('/operator/status')).status], [401, 200]);
  });

  it('ends when it is not used, and at its end; what a page asks by itself does not prolong it', async () => {
    const used = await logIn(rig);
    for (let i = 0; i < 5; i++) {
      world.ahead(500);
      assert.equal((await used.get('/operator/status')).status, 200, `used ${i}`);
    }
    world.ahead(500);
    assert.equal((await used.get('/operator/status')).status, 200);
    world.ahead(601);
    assert.equal((await used.get('/operator/status')).status, 401, 'an hour is over');

    const idle = await logIn(rig);
    for (const headers of [{ 'x-countersign-unattended': '1' }, { accept: 'text/event-stream' }]) {
      world.ahead(250);
      assert.equal((await idle.get('/operator/status', headers)).status, 200);
    }
    world.ahead(101);
    const gone = await idle.get('/operator/status');
    assert.deepEqual([gone.status, gone.body['error']], [401, 'login_required']);
    assert.match((await idle.get('/console/now')).text, /Log in/);
  });

  it('ends everywhere at logout: this one, or all of this person', async () => {
    const [one, two, other] = [await logIn(rig), await logIn(rig), await logIn(rig, { sub: 'u_bob' })];
    const status = async (): Promise<readonly number[]> =>
      Promise.all([one, two, other].map(async (who) => (await who.get('/operator/status')).status));
    assert.deepEqual(await status(), [200, 200, 200]);
    const out = await one.post('/console/logout');
    assert.equal(out.status, 200);
    assert.match(out.headers.getSetCookie()[0] ?? '', /^countersign-session=;.*Max-Age=0/);
    assert.deepEqual(await status(), [401, 200, 200]);
    const entry = await last();
    assert.deepEqual([entry?.kind, entry?.by, entry?.outcome, entry?.detail], ['session', 'people:u_alice', 'ended', 'this']);
    const third = await logIn(rig);
    await third.post('/console/logout?which=all');
    assert.deepEqual([...(await status()), (await third.get('/operator/status')).status], [401, 401, 200, 401]);
    assert.equal((await other.post('/console/logout', {}, { 'x-countersign-pledge': two.pledge })).status, 403);
  });

  it('is none while its person is halted', async () => {
    const bob = await logIn(rig, { sub: 'u_bob' });
    const halt = { scope: 'subject', target: 'people:u_bob', reason: 'left the house' };
    await operator(rig, 'POST', '/operator/revocations', halt);
    assert.equal((await bob.get('/operator/status')).status, 401);
  });

  it('is none where its record was edited, or moved from another', async () => {
    const bob = await logIn(rig, { sub: 'u_bob', roles: ['viewer'] });
    const root = await logIn(rig, { sub: 'u_root', roles: ['operator'] });
    const [mine, theirs] = [bob, root].map(({ cookie }) => `session/${sha256(cookie.split('=')[1] ?? '')}`) as [string, string];
    const { found } = await rig.app.store.look([mine, theirs]);
    const [own, other] = found;
    assert.ok(own && other);
    const claim = { key: mine, version: own.version, value: other.value, else: 'x' };
    assert.equal(await rig.app.store.commit({ at: rig.now(), notAfter: rig.now() + 60, claims: [claim], entries: [] }), undefined);
    assert.equal((await bob.get('/operator/status')).status, 401);
  });
});

describe('a one-time link', () => {
  const mint = async (): Promise<string> => ((await operator(rig, 'POST', '/operator/tickets', {})).body as { url: string }).url;

  it('lets this machine’s user in, once, and decides nothing in a person’s place', async () => {
    const url = await mint();
    assert.ok(url.startsWith(`${rig.issuer}/console/login?ticket=`));
    const [a, b] = await Promise.all([comeBack(url, ''), comeBack(url, '')]);
    assert.deepEqual([a.status, b.status].sort(), [303, 403]);
    const third = await comeBack(url, '');
    assert.deepEqual([third.status, (await last())?.detail], [403, 'ticket']);
    const local = await visit(rig, cookieOf(a.status === 303 ? a : b, 'session') ?? '');
    assert.equal((await local.get('/operator/keys')).status, 200);
    const { id } = await pending(rig);
    const vote = await local.post(`/operator/approvals/${id}`, { vote: 'approve', reason: 'I am root' });
    assert.deepEqual([vote.status, vote.body['detail']], [403, 'not_a_person']);
    const begunBy = (await rig.entries()).filter((entry) => entry.kind === 'session' && entry.by?.startsWith('local:'));
    assert.deepEqual(
      begunBy.map(({ outcome }) => outcome),
      ['ticket', 'begun'],
    );
    assert.equal(JSON.stringify(begunBy).includes(url.split('=')[1] ?? 'none'), false);
  });

  it('is good for a minute, and is no other string', async () => {
    const url = await mint();
    world.ahead(61);
    for (const link of [url, `${url}x`, `${url.slice(0, -1)}`, `${rig.issuer}/console/login?ticket=`, `${url}&ticket=x`])
      assert.equal((await comeBack(link, '')).status, 403, link);
  });
  it('is made on the local socket alone', async () => {
    const root = await logIn(rig, { roles: ['operator'] });
    assert.equal((await root.post('/operator/tickets')).status, 404);
  });
});
