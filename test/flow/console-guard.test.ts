/** The operator API beside the console: whose request it is, what every answer says of itself, and which role may ask what. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { deletion, operator, pending } from './approving.ts';
import { logIn, type Visit } from './visiting.ts';

let rig: Rig;
let operated: Visit;
before(async () => {
  rig = await startRig({ console: {} });
  operated = await logIn(rig, { sub: 'u_root', roles: ['operator'] });
});
after(() => rig.stop());
const last = async () => (await rig.entries()).at(-1);

describe('a request with the cookie', () => {
  const HALT = { scope: 'agent', target: 'nightly-report', reason: 'a test' };
  it('does what our own page asks', async () => {
    const answer = await operated.post('/operator/revocations', HALT);
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await last())?.by, 'people:u_root');
    assert.equal((await operated.post('/operator/revocations/undo', HALT)).status, 200);
  });
  /** Headers that another site’s page could make a browser send, or a tool that has the cookie alone. */
  const FORGED: readonly (readonly [string, Readonly<Record<string, string>>, string])[] = [
    ['from another site', { 'sec-fetch-site': 'cross-site' }, 'site'],
    ['from a neighbour', { 'sec-fetch-site': 'same-site' }, 'site'],
    ['typed', { 'sec-fetch-site': 'none' }, 'site'],
    ['of another origin', { origin: 'https://evil.example' }, 'origin'],
    ['of no origin', { origin: 'null' }, 'origin'],
    ['of an origin unsaid', { origin: '' }, 'origin'],
    ['of another port', { origin: 'http://127.0.0.1:1' }, 'origin'],
    ['without the pledge', { 'x-countersign-pledge': '' }, 'pledge'],
    ['with half of it', { 'x-countersign-pledge': 'AAAA' }, 'pledge'],
    ['with another’s', { 'x-countersign-pledge': 'A'.repeat(43) }, 'pledge'],
  ];
  for (const [what, headers, detail] of FORGED)
    it(`is refused ${what}, and recorded`, async () => {
      const count = await rig.count();
      const answer = await operated.post('/operator/revocations', HALT, headers);
      assert.deepEqual([answer.status, answer.body['error'], answer.body['detail']], [403, 'access_denied', detail]);
      const entry = await last();
      assert.deepEqual(
        [await rig.count(), entry?.reason, entry?.detail, entry?.by],
        [count + 1, 'forgery_suspected', detail, 'people:u_root'],
      );
      assert.deepEqual(((await operator(rig, 'GET', '/operator/revocations')).body as { halts: unknown[] }).halts, []);
    });
  it('is refused with the pledge of another session of the same person', async () => {
    const other = await logIn(rig, { sub: 'u_root', roles: ['operator'] });
    const answer = await operated.post('/operator/revocations', HALT, { 'x-countersign-pledge': other.pledge });
    assert.deepEqual([answer.status, answer.body['detail']], [403, 'pledge']);
  });
  it('is not even read for another site', async () => {
    const answer = await operated.get('/operator/status', { 'sec-fetch-site': 'cross-site' });
    assert.deepEqual([answer.status, answer.body['detail']], [403, 'site']);
    assert.equal((await operated.get('/operator/status', { 'sec-fetch-site': 'none' })).status, 200);
  });
  it('changes nothing by a form, nor by a GET', async () => {
    const form = await operated.post('/operator/revocations', {}, { 'content-type': 'application/x-www-form-urlencoded' });
    assert.equal(form.status, 415);
    const { id } = await pending(rig);
    for (const path of [`/operator/approvals/${id}?vote=approve&reason=x`, '/operator/revocations?scope=all&reason=x'])
      await operated.get(path);
    assert.equal((await operated.get(`/operator/approvals/${id}`)).body['state'], 'pending');
  });
  it('sees what waits from either end, and nothing by a word that is misspelt', async () => {
    const made: string[] = [];
    for (const name of ['cus_a', 'cus_b']) made.push((await pending(rig, deletion(name))).id);
    const seen = async (query: string): Promise<readonly unknown[]> => {
      const { approvals } = (await operated.get(`/operator/approvals${query}`)).body as unknown as { approvals: readonly { id: string }[] };
      return approvals.map(({ id }) => id).filter((id) => made.includes(id));
    };
    assert.deepEqual(await seen('?state=pending&first=oldest'), made);
    assert.deepEqual([await seen('?state=pending'), await seen('')], [made.toReversed(), made.toReversed()]);
    for (const query of ['?first=newest', '?first=', '?first=oldest&first=oldest', '?state=waiting'])
      assert.equal((await operated.get(`/operator/approvals${query}`)).status, 400, query);
  });
  it('of a role that may not is recorded where it would have changed something', async () => {
    const viewer = await logIn(rig, { sub: 'u_vi', roles: ['viewer'] });
    const count = await rig.count();
    assert.equal((await viewer.get('/operator/approvals')).status, 403);
    assert.equal(await rig.count(), count);
    assert.equal((await viewer.post('/operator/revocations', HALT)).status, 403);
    assert.deepEqual([(await last())?.reason, (await last())?.by], ['role_refused', 'people:u_vi']);
  });
});

describe('what every answer says of itself', () => {
  it('nothing inline, nothing from elsewhere, framed by nobody, kept by nobody', async () => {
    for (const path of ['/console/now', '/console/nowhere', '/operator/status', '/operator/approvals/apr_x', '/console']) {
      const { headers } = await operated.get(path);
      const csp = headers.get('content-security-policy') ?? '';
      assert.match(csp, /default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; /, path);
      assert.match(csp, /frame-ancestors 'none'; base-uri 'none'$/);
      assert.doesNotMatch(csp, /unsafe|\*|data:/);
      const of = (name: string): string | null => headers.get(name);
      assert.deepEqual(
        ['x-frame-options', 'referrer-policy', 'cross-origin-opener-policy', 'cross-origin-resource-policy', 'x-content-type-options'].map(
          of,
        ),
        ['DENY', 'no-referrer', 'same-origin', 'same-origin', 'nosniff'],
        path,
      );
      assert.equal(of('cache-control'), 'no-store', path);
    }
  });
  it('assets are asked for anew and answered by 304; there is no way out of their folder', async () => {
    const first = await operated.get('/console/assets/main.ts');
    assert.deepEqual([first.status, first.headers.get('content-type')], [200, 'text/javascript; charset=utf-8']);
    const etag = first.headers.get('etag') ?? '';
    const again = await operated.get('/console/assets/main.ts', { 'if-none-match': etag });
    assert.deepEqual([again.status, again.text], [304, '']);
    assert.equal((await operated.get('/console/assets/wire/signed.ts')).status, 200);
    for (const path of [
      '..%2f..%2fapp.ts',
      '%2e%2e/shell.ts',
      'tsconfig.json',
      'vendor/',
      'wire/',
      'wire/digest.ts',
      '',
      '__proto__',
      'constructor',
    ])
      assert.equal((await operated.get(`/console/assets/${path}`)).status, 404, path);
  });
  it('on https the cookies are this host’s alone', async () => {
    const issuer = 'https://broker.example';
    const { issuer: at } = rig.idp;
    const config = parseConfig({
      issuer,
      listen: { port: 0 },
      policies: `${rig.folder}/policies`,
      store: { use: 'sqlite', path: `${rig.folder}/other/db` },
      keys: { use: 'local', secret: { file: `${rig.folder}/other-key` } },
      operator: { socket: `${rig.folder}/other.sock` },
      issuers: [{ use: 'oidc', id: 'people', issuer: at, vouches: ['person'] }],
      console: { login: { issuer: 'people', clientId: 'c', roles: { viewer: ['v'] } } },
    });
    const { pino } = await import('pino');
    const { createWorld } = await import('../../src/world.ts');
    const app = await createApp(config, { world: createWorld(), log: pino({ level: 'silent' }), environment: {} });
    await app.server.ready();
    const answer = await app.server.inject('/console/login');
    const cookie = String(answer.headers['set-cookie']);
    assert.match(cookie, /^__Host-countersign-login=[^;]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    assert.match(String(answer.headers.location), /redirect_uri=https%3A%2F%2Fbroker\.example%2Fconsole%2Fcallback/);
    await app.close();
  });
  it('counts against the limit of its address, as everything does', async () => {
    await using stack = new AsyncDisposableStack();
    const few = await startRig({ console: {}, config: { limits: { perAddress: { requests: 20, seconds: 3600 } } } });
    stack.defer(() => few.stop());
    for (const path of ['/console', '/operator/status', '/console/assets/main.ts', '/console/login']) {
      let status = 0;
      for (let asked = 0; asked < 20 && status !== 429; asked++)
        status = (await fetch(`${few.issuer}${path}`, { redirect: 'manual' })).status;
      assert.equal(status, 429, path);
    }
  });
  it('without `console` there is neither console nor operator API on this address', async () => {
    await using stack = new AsyncDisposableStack();
    const bare = await startRig();
    stack.defer(() => bare.stop());
    for (const path of ['/console', '/console/login', '/console/assets/main.ts', '/operator/status', '/operator/approvals'])
      assert.equal((await fetch(`${bare.issuer}${path}`)).status, 404, path);
    assert.equal((await operator(bare, 'POST', '/operator/tickets', {})).status, 404);
  });
});
