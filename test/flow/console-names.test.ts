/** What people are called, as the operator API tells it: by their last login, for a while, to those with a role; and never in place of who they are. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { digestOf } from '../../src/console/session.ts';
import type { Claim } from '../../src/model.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { operator } from './approving.ts';
import { type AheadWorld, aheadWorld } from './front-door.ts';
import { begun, comeBack, logIn, type Visit } from './visiting.ts';

const DAY = 86_400;
let rig: Rig;
let world: AheadWorld;
before(async () => {
  world = aheadWorld();
  rig = await startRig({ world, console: {} });
});
after(() => rig.stop());

type People = { readonly people: readonly { readonly name: string; readonly called: string }[]; readonly next?: string };
async function called(query = ''): Promise<Readonly<Record<string, string>>> {
  const { people } = (await operator(rig, 'GET', `/operator/people${query}`)).body as unknown as People;
  return Object.fromEntries(people.map(({ name, called }) => [name, called]));
}
/** A login of somebody who is called so. */
async function come(sub: string, name?: string): Promise<void> {
  rig.idp.person = { sub, groups: ['console-viewer'], ...(name !== undefined && { name }) };
  const { back, cookie } = await begun(rig);
  assert.equal((await comeBack(back, cookie)).status, 303);
}

describe('what people are called', () => {
  it('is what their issuer said at the last login, of those who have one', async () => {
    assert.deepEqual(await called(), {});
    await come('u_dana', 'Dana');
    await come('u_carol', 'Carol Okafor');
    await come('u_dana', 'Dana Lindqvist');
    await come('u_none');
    assert.deepEqual(await called(), { 'people:u_dana': 'Dana Lindqvist', 'people:u_carol': 'Carol Okafor' });
  });
  it('names another person by none of their words', async () => {
    await come('u_mallory', 'people:u_dana');
    const all = await called();
    assert.deepEqual([all['people:u_mallory'], all['people:u_dana']], ['people:u_dana', 'Dana Lindqvist']);
  });
  it('is told to everybody with a role, part by part, and to nobody else', async () => {
    const [viewer, nobody] = [await logIn(rig, { sub: 'u_vi' }), await logIn(rig, { sub: 'u_no', roles: [] })];
    const seen: string[] = [];
    for (let [left, path]: [number, string | undefined] = [9, '?limit=2']; left > 0 && path !== undefined; left--) {
      const { people, next } = (await viewer.get(`/operator/people${path}`)).body as unknown as People;
      seen.push(...people.map(({ name }) => name));
      path = next && `?limit=2&after=${next}`;
    }
    assert.deepEqual(
      seen.toSorted(),
      ['u_carol', 'u_dana', 'u_mallory', 'u_no', 'u_vi'].map((sub) => `people:${sub}`),
    );
    const status = async (who: Visit, query = ''): Promise<number> => (await who.get(`/operator/people${query}`)).status;
    assert.deepEqual([await status(nobody), await status(viewer, '?limit=0'), await status(viewer, '?name=x')], [403, 400, 400]);
  });
  it('is in no entry and no log', async () => {
    for (const text of [JSON.stringify(await rig.entries()), rig.log.join('\n')]) assert.equal(text.includes('Lindqvist'), false);
  });
  it('is kept in no way of a moved or edited record, nor of two logins at once', async () => {
    const [dana, carol] = [`called/${digestOf('people:u_dana')}`, `called/${digestOf('people:u_carol')}`];
    const [of, its] = (await rig.app.store.look([dana, carol])).found;
    const moved: Claim = { key: carol, version: its?.version ?? 0, value: of?.value ?? null, terms: ['called'], else: 'state_conflict' };
    const at = rig.now();
    assert.equal(await rig.app.store.commit({ at, notAfter: at + 30, claims: [moved], entries: [] }), undefined);
    assert.equal('people:u_carol' in (await called()), false);
    world.ahead(DAY);
    await Promise.all(Array.from({ length: 8 }, () => come('u_carol', 'Carol O.')));
    assert.equal((await called())['people:u_carol'], 'Carol O.');
  });
  it('is forgotten ninety days after the last login', async () => {
    world.ahead(89 * DAY);
    assert.deepEqual(Object.keys(await called()), ['people:u_carol']);
    world.ahead(2 * DAY);
    assert.deepEqual(await called(), {});
  });
});
