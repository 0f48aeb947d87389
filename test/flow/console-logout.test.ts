/** The way out of the console, and on to the issuer: where it leads is the issuer's word and ours, never a request's; and it is out whatever comes there. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { createLogin } from '../../src/console/login.ts';
import { openSecret } from '../../src/keys/secret-file.ts';
import { createWorld } from '../../src/world.ts';
import { CLIENT, LOGIN } from '../support/login-idp.ts';
import { freePort, type Rig, startRig } from '../support/rig.ts';
import { operator } from './approving.ts';
import { type AheadWorld, aheadWorld } from './front-door.ts';
import { cookieOf, logIn, type Visit, visit } from './visiting.ts';

/** What an issuer says of itself is asked again after an hour. */
const LATER = 3_601;
let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world, console: { idleSeconds: 7_200 } });
});
after(() => rig.stop());
afterEach(() => {
  delete rig.idp.metadata;
  delete rig.idp.down;
});
const entered = async (metadata: object = {}): Promise<Visit> => {
  world.ahead(LATER);
  rig.idp.metadata = metadata;
  return logIn(rig);
};
const isOut = async (who: Visit): Promise<void> => assert.equal((await who.get('/operator/status')).status, 401);
const own = (): Readonly<Record<string, string>> => ({ client_id: CLIENT, post_logout_redirect_uri: `${rig.issuer}/console` });

describe('a logout', () => {
  it('goes on to where the issuer ends its own session, with nothing of the person', async () => {
    const alice = await entered({ end_session_endpoint: `${rig.idp.issuer}/end?tenant=one` });
    const out = await alice.post('/console/logout');
    assert.equal(out.status, 200);
    const there = new URL(String(out.body['location']));
    assert.equal(there.origin + there.pathname, `${rig.idp.issuer}/end`);
    assert.deepEqual(Object.fromEntries(there.searchParams), { tenant: 'one', ...own() });
    assert.match(cookieOf(out, 'session') ?? '', /=$/);
    await isOut(alice);
    assert.match((await alice.get('/console?state=whatever')).text, /Log in/, 'the way back');
    const all = await entered();
    assert.equal((await all.post('/console/logout?which=all')).status, 200);
    await isOut(all);
  });

  /** What an issuer may say, and nobody is led to. */
  const NOWHERE: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['a script', 'javascript:alert(1)//'],
    ['data', 'data:text/html,x'],
    ['a plain address elsewhere', 'http://evil.example/end'],
    ['somebody’s password', 'https://user:secret@idp.example/end'],
    ['a fragment', 'https://idp.example/end#x'],
    ['no address', 'end'],
    ['nothing in many words', ''],
    ['a number', 5],
    ['a list', ['https://idp.example/end']],
    ['something endless', `https://idp.example/${'a'.repeat(3_000)}`],
  ];
  for (const [what, end_session_endpoint] of NOWHERE)
    it(`ends here where the issuer says ${what}`, async () => {
      const alice = await entered({ end_session_endpoint });
      const out = await alice.post('/console/logout');
      assert.deepEqual([out.status, out.text], [204, '']);
      await isOut(alice);
    });

  it('leads nowhere that a request asks for', async () => {
    const evil = 'https://evil.example/';
    const asked = new URLSearchParams({ post_logout_redirect_uri: evil, location: evil, client_id: 'other', state: 'x', which: evil });
    for (const headers of [{}, { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }, { referer: evil }]) {
      const alice = await entered();
      const out = await alice.post(`/console/logout?${asked}`, Object.fromEntries(asked), headers);
      const there = new URL(String(out.body['location']));
      assert.deepEqual([there.origin, Object.fromEntries(there.searchParams)], [rig.idp.issuer, own()]);
    }
  });

  it('leads nobody out whose idea it was not', async () => {
    const alice = await entered();
    for (const headers of [{ origin: 'https://evil.example' }, { 'x-countersign-pledge': '' }, { 'sec-fetch-site': 'cross-site' }]) {
      const out = await alice.post('/console/logout', {}, headers);
      assert.deepEqual([out.status, out.text.includes('location')], [403, false]);
    }
    assert.equal((await alice.get('/console/logout')).status, 404);
    assert.equal((await alice.get('/operator/status')).status, 200);
  });

  it('ends here what began here: a one-time link', async () => {
    await entered();
    const { url } = (await operator(rig, 'POST', '/operator/tickets', {})).body as unknown as { readonly url: string };
    const link = await fetch(url, { redirect: 'manual' });
    const local = await visit(rig, link.headers.getSetCookie()[0]?.split(';')[0] ?? '');
    assert.equal((await local.post('/console/logout')).status, 204);
    await isOut(local);
  });

  it('asks nobody and waits for nobody: it is out while the issuer is down', async () => {
    const alice = await entered();
    rig.idp.down = true;
    world.ahead(LATER);
    const before = rig.idp.requests;
    const out = await alice.post('/console/logout');
    assert.deepEqual([out.status, rig.idp.requests], [200, before]);
    await isOut(alice);
  });
});

/** By itself: what a broker has that never saw its issuer. */
const leaving = async (logout: 'issuer' | 'here', name: string, issuer: string): Promise<string | undefined> =>
  (
    await createLogin(
      {
        ...LOGIN,
        scopes: 'openid',
        logout,
        issuer: { id: 'people', url: issuer },
        roles: { claim: 'groups', ...LOGIN.roles },
        teams: { claim: 'groups' },
      },
      {
        world: createWorld(),
        secret: openSecret({ value: Buffer.alloc(32, 1).toString('base64url') }),
        redirect: 'http://127.0.0.1/console/callback',
        home: 'http://127.0.0.1/console',
      },
    ).leave(name)
  )?.href;

describe('where a logout leads', () => {
  it('is nowhere while the issuer is dead, and where it is configured so', async () => {
    assert.equal(await leaving('issuer', 'people:u_a', `http://127.0.0.1:${await freePort()}`), undefined);
    assert.match((await leaving('issuer', 'people:u_a', rig.idp.issuer)) ?? '', /\/end\?/);
    const asked = rig.idp.requests;
    for (const [logout, name] of [
      ['here', 'people:u_a'],
      ['issuer', 'local:people:u_a'],
      ['issuer', 'peoples:u_a'],
    ] as const)
      assert.equal(await leaving(logout, name, rig.idp.issuer), undefined);
    assert.equal(rig.idp.requests, asked);
  });
});
