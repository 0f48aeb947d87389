/** One login at two brokers of one Redis: it holds at both, and ends at both. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { operatorClient } from '../../scripts/operator-client.ts';
import { begun, comeBack, cookieOf, logIn } from '../flow/visiting.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { startTwo, type TwoBrokers } from './two-brokers.ts';

suite('the console of two brokers', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let two: TwoBrokers;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    two = await startTwo(redis, { console: true });
  });
  after(async () => {
    await two?.stop();
    await redis?.stop();
  });
  const seen = (cookie: string): Promise<readonly number[]> =>
    Promise.all(two.doors.map(async (door) => (await fetch(`${door}/operator/status`, { headers: { cookie } })).status));

  test('who logged in at one is known at the other, and so is what their page says back', async () => {
    const root = await logIn(two.rig, { sub: 'u_root', roles: ['operator'] });
    assert.deepEqual(await seen(root.cookie), [200, 200]);
    const headers = {
      cookie: root.cookie,
      origin: two.rig.issuer,
      'x-countersign-pledge': root.pledge,
      'content-type': 'application/json',
    };
    const out = await fetch(`${two.doors[1]}/console/logout`, { method: 'POST', headers, body: '{}' });
    assert.equal(out.status, 200);
    assert.deepEqual(await seen(root.cookie), [401, 401]);
  });
  test('a login that began at one is finished at the other', async () => {
    two.rig.idp.person = { sub: 'u_alice', groups: ['console-viewer'] };
    const { back, cookie } = await begun(two.rig);
    const answer = await comeBack(back.replace(two.doors[0], two.doors[1]), cookie);
    assert.equal(answer.status, 303, answer.text);
    assert.deepEqual(await seen(cookieOf(answer, 'session') ?? ''), [200, 200]);
  });
  test('all logins of a person end at both, those of others at none', async () => {
    const [one, other] = [await logIn(two.rig, { sub: 'u_dora' }), await logIn(two.rig, { sub: 'u_dora' })];
    const bob = await logIn(two.rig, { sub: 'u_bob' });
    assert.equal((await one.post('/console/logout?which=all')).status, 200);
    assert.deepEqual(
      [await seen(one.cookie), await seen(other.cookie), await seen(bob.cookie)],
      [
        [401, 401],
        [401, 401],
        [200, 200],
      ],
    );
  });
  test('a one-time link of one is good at both, once: of fifty who follow it one gets in', async () => {
    const { body } = await operatorClient({ socket: two.sockets[0] })('POST', '/operator/tickets', {});
    const { url } = body as { readonly url: string };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) => comeBack(url.replace(two.doors[0], two.doors[at % 2] ?? ''), '')),
    );
    const counted = [303, 403].map((status) => answers.filter((answer) => answer.status === status).length);
    assert.deepEqual(counted, [1, 49]);
  });
});
