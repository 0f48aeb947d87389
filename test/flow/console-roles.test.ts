/** Every route of the operator API and every role: exactly who may ask it. A route that stands in no row fails here. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ROLES } from '../../src/operate/operator.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { get } from './front-door.ts';
import { logIn, type Visit } from './visiting.ts';

const NONE = `apr_${'0'.repeat(32)}`;
type Row = readonly [method: 'GET' | 'POST', route: string, who: string, answer: number, path?: string];
/** `who`: v viewer, a approver, o operator, u auditor; s whoever has logged in. `answer`: what they get, of a body `{}`; the others 403. */
const TABLE: readonly Row[] = [
  ['GET', '/operator/status', 'vaou', 200],
  ['GET', '/operator/metrics', 'vaou', 200],
  ['GET', '/operator/overview', 'vaou', 200],
  ['GET', '/operator/live', 'vaou', 200],
  ['GET', '/operator/leases', 'vaou', 200],
  ['POST', '/operator/leases/{id}/end', 'o', 404, '/operator/leases/lea_0/end'],
  ['GET', '/operator/backends', 'vaou', 200],
  ['GET', '/operator/keys', 'vaou', 200],
  ['POST', '/operator/keys/{step}', 'o', 404, '/operator/keys/explode'],
  ['POST', '/operator/bundle/reload', 'o', 200],
  ['GET', '/operator/revocations', 'vaou', 200],
  ['POST', '/operator/revocations', 'o', 400],
  ['POST', '/operator/revocations/undo', 'o', 400],
  ['GET', '/operator/verifiers', 'vaou', 200],
  ['GET', '/operator/agents', 'vaou', 200],
  ['GET', '/operator/agents/{id}', 'vaou', 404, '/operator/agents/nobody'],
  ['GET', '/operator/playground', 'vaou', 200],
  ['POST', '/operator/playground', 'vaou', 400],
  ['GET', '/operator/entries', 'ou', 200],
  ['GET', '/operator/export', 'ou', 200],
  ['GET', '/operator/usage', 'vaou', 200, '/operator/usage?agent=refund-bot'],
  ['GET', '/operator/explain/{id}', 'aou', 404, '/operator/explain/exc_0'],
  ['GET', '/operator/approvals', 'aou', 200],
  ['GET', '/operator/approvals/{id}', 'aou', 404, `/operator/approvals/${NONE}`],
  ['POST', '/operator/approvals/{id}', 'a', 400, `/operator/approvals/${NONE}`],
  ['GET', '/operator/approvals/{id}/similar', 'aou', 404, `/operator/approvals/${NONE}/similar`],
  ['POST', '/operator/approvals/{id}/seen', 'a', 404, `/operator/approvals/${NONE}/seen`],
  ['POST', '/operator/approvals/{id}/challenge', 'a', 404, `/operator/approvals/${NONE}/challenge`],
  ['GET', '/operator/fatigue', 'aou', 200],
  ['GET', '/operator/confirmations', 's', 200],
  ['POST', '/operator/confirmations/{id}', 's', 400, `/operator/confirmations/${NONE}`],
  ['POST', '/operator/confirmations/{id}/challenge', 's', 404, `/operator/confirmations/${NONE}/challenge`],
  ['GET', '/operator/people', 'vaou', 200],
  ['GET', '/operator/passkeys', 's', 200],
  ['POST', '/operator/passkeys', 's', 400],
  ['POST', '/operator/passkeys/options', 's', 200],
  ['POST', '/operator/passkeys/challenge', 's', 400],
  ['POST', '/operator/passkeys/{id}/remove', 's', 404, '/operator/passkeys/none/remove'],
];
const LETTER = { viewer: 'v', approver: 'a', operator: 'o', auditor: 'u' } as const;

describe('every route, every role', () => {
  let rig: Rig;
  const people = new Map<string, Visit>();
  before(async () => {
    rig = await startRig({ console: {} });
    for (const role of ROLES) people.set(role, await logIn(rig, { sub: `u_${role}`, roles: [role] }));
    people.set('none', await logIn(rig, { sub: 'u_none', roles: [] }));
  });
  after(() => rig.stop());

  it('stands in the table', async () => {
    const { paths } = (await get(rig, '/openapi.json')).body as unknown as { paths: Record<string, object> };
    const routes = Object.entries(paths)
      .filter(([path]) => path.startsWith('/operator'))
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    assert.deepEqual(routes.toSorted(), TABLE.map(([method, route]) => `${method} ${route}`).toSorted());
  });
  for (const [method, route, who, answer, path = route] of TABLE)
    it(`${method} ${route}`, async () => {
      for (const [role, visit] of people) {
        const may = who === 's' || (role !== 'none' && who.includes(LETTER[role as keyof typeof LETTER]));
        const stop = new AbortController();
        const headers = {
          cookie: visit.cookie,
          'x-countersign-pledge': visit.pledge,
          origin: rig.issuer,
          'content-type': 'application/json',
        };
        const got = await fetch(`${rig.issuer}${path}`, { method, headers, signal: stop.signal, ...(method === 'POST' && { body: '{}' }) });
        const type = got.headers.get('content-type') ?? '';
        const text = type.startsWith('text/event-stream') ? '' : await got.text();
        stop.abort();
        assert.equal(got.status, may ? answer : 403, `${role}: ${text.slice(0, 200)}`);
        if (!may) assert.match(text, /Your roles do not allow this/, role);
      }
    });
  it('is asked by nobody who has not logged in, and says so in the same words', async () => {
    for (const [method, , , , path] of TABLE.map(([m, r, w, a, p = r]) => [m, r, w, a, p] as const)) {
      const headers = { 'content-type': 'application/json', cookie: `countersign-session=${'A'.repeat(43)}` };
      const got = await fetch(`${rig.issuer}${path}`, { method, headers, ...(method === 'POST' && { body: '{}' }) });
      assert.deepEqual([got.status, await got.json()], [401, { error: 'login_required', error_description: 'Log in first.' }], path);
    }
  });
  it('is not there for what hands out credentials or speaks for others', async () => {
    const root = people.get('operator');
    for (const path of ['/operator/backends/mint', '/operator/tickets']) assert.equal((await root?.post(path))?.status, 404, path);
  });
});
