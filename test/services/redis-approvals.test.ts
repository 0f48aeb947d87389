/** People decide at one broker what is fetched at the other: every race has one winner, and a no is never outrun. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { operatorClient } from '../../scripts/operator-client.ts';
import { verifyConfigured } from '../../scripts/verify-chains.ts';
import { deletion, pending, polling } from '../flow/approving.ts';
import { claimsOf, editBundle, tokenOf } from '../flow/front-door.ts';
import { holder, PROVEN, signedVote } from '../flow/keyholders.ts';
import { answerOf } from '../support/rig.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { nonceOf, startTwo, type TwoBrokers } from './two-brokers.ts';

suite('approval on two brokers', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let two: TwoBrokers;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    two = await startTwo(redis, { console: true, host: 'localhost' });
  });
  after(async () => {
    await two?.stop();
    await redis?.stop();
  });
  const vote = async (at: number, id: string, how: 'approve' | 'deny', as: string): Promise<number> => {
    const socket = two.sockets[at % 2] ?? '';
    return (await operatorClient({ socket })('POST', `/operator/approvals/${id}`, { vote: how, as, reason: 'race' })).status;
  };
  const poll = async (at: number, code: string) => {
    const door = two.doors[at % 2] ?? '';
    const { body, headers } = await two.rig.form(polling(code, { nonce: await nonceOf(door) }));
    return answerOf(await fetch(`${door}/token`, { method: 'POST', body, headers }));
  };
  const made = async (id: string, kind: string): Promise<number> =>
    (await two.rig.entries()).filter((entry) => entry.kind === kind && entry.approval === id && entry.again !== true).length;

  test('of 50 who agree at once, half at each, one is counted', async () => {
    const { id } = await pending(two.rig, deletion('votes'));
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => vote(at, id, 'approve', `people:u_${at}`)));
    assert.deepEqual([answers.filter((status) => status === 200).length, await made(id, 'approved')], [1, 1]);
    assert.deepEqual(
      answers.filter((status) => status !== 200 && status !== 409),
      [],
    );
  });

  test('of 50 who fetch at once, half at each, one is granted anew, and every other gets that same one or waits', async () => {
    const { code, id } = await pending(two.rig, deletion('fetched'));
    assert.equal(await vote(1, id, 'approve', 'people:u_alice'), 200);
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => poll(at, code)));
    const jtis = new Set(answers.flatMap((answer) => (answer.status === 200 ? [claimsOf(tokenOf(answer))['jti']] : [])));
    assert.deepEqual([jtis.size, await made(id, 'minted')], [1, 1]);
    assert.deepEqual(
      answers.filter(({ status }) => status !== 200 && status !== 409),
      [],
    );
  });

  test('a no at one and a fetch at the other: one of them was first, and the other is told', async () => {
    const ends = { granted: 0, denied: 0 };
    for (let round = 0; round < 20; round++) {
      const { code, id } = await pending(two.rig, deletion(`outrun ${round}`));
      await vote(0, id, 'approve', 'people:u_alice');
      const fetching = round % 2 ? poll(0, code) : poll(1, code);
      const [denied, fetched] = await Promise.all([vote(round + 1, id, 'deny', 'people:u_bob'), fetching]);
      const granted = fetched.status === 200;
      assert.equal(denied === 200, !granted, `${denied} ${fetched.text}`);
      if (!granted) assert.equal((await poll(1, code)).body['error'], 'access_denied');
      assert.deepEqual([await made(id, 'minted'), await made(id, 'denied')], granted ? [1, 0] : [0, 1]);
      ends[granted ? 'granted' : 'denied']++;
    }
    assert.ok(ends.granted + ends.denied === 20);
  });

  test('what a passkey signed is proved from Redis, by whoever can read it', async () => {
    const folder = join(two.rig.folder, 'policies');
    await editBundle(folder, 'people.cedar', '@approval("team:privacy")', PROVEN);
    await two.rig.app.reload();
    const alice = await holder(two.rig, 'u_alice');
    const { code, id } = await pending(two.rig, deletion('signed'));
    assert.equal((await signedVote(alice, id)).status, 200);
    assert.equal((await poll(0, code)).status, 200);
    await editBundle(folder, 'people.cedar', PROVEN, '@approval("team:privacy")');
    await two.rig.app.reload();
    const file = join(two.rig.folder, 'countersign.yaml');
    const place = { use: 'redis', url: `redis://${redis.host}:${redis.port}`, password: { env: 'REDIS' } };
    const keys = { use: 'local', secret: { env: 'KEY' } };
    writeFileSync(
      file,
      JSON.stringify({ issuer: two.rig.issuer, policies: 'policies', store: place, keys, operator: { socket: 'x.sock' } }),
    );
    const found = await verifyConfigured(file, { REDIS: redis.password }, {});
    assert.ok('report' in found);
    assert.deepEqual([found.report.ok, found.report.proofs], [true, 1], JSON.stringify(found.report.bad));
  });

  // The last: the other broker takes the new bundle in its own time.
  test('of 50 who agree at once to what needs two, two are, and no person twice', async () => {
    const folder = join(two.rig.folder, 'policies');
    await editBundle(folder, 'people.cedar', '@approval("team:privacy")', '@approval("team:privacy") @quorum("2")');
    await two.rig.app.reload();
    const { id } = await pending(two.rig, deletion('quorum'));
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => vote(at, id, 'approve', `people:u_${Math.floor(at / 2) % 5}`)));
    const counted = answers.flatMap((status, at) => (status === 200 ? [Math.floor(at / 2) % 5] : []));
    assert.deepEqual([counted.length, new Set(counted).size, await made(id, 'approved')], [2, 2, 1]);
  });
});
