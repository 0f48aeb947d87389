/** A store that moves, and whatever happens on the way: another store there, a kill, a change. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, afterEach, before, suite, test } from 'node:test';
import { sqliteStore } from '../../src/store/store-sqlite.ts';
import { type MovingRoom, movingRoom } from './moving.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { closeAll, openOn, seconds } from './redis-room.ts';

suite('a store on its way', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let room: MovingRoom;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    room = await movingRoom(redis);
  });
  after(async () => {
    await redis.stop();
    room.remove();
  });
  afterEach(async () => {
    await closeAll();
    await redis.cli('FLUSHALL');
  });

  test('is refused beside a running broker, onto something else, and from a file that is not what it was', {
    timeout: 120_000,
  }, async () => {
    const data = room.copy();
    const running = await sqliteStore({ path: data });
    const beside = await room.migrate(data);
    assert.deepEqual([beside.code, beside.said[0]], [2, 'another broker has this store open']);
    await running.close();
    assert.equal(await redis.cli('DBSIZE'), 0);

    // Another store; a key of somebody's under the name; half of another move.
    await (await openOn(redis)).close();
    assert.deepEqual(
      [(await room.migrate(data)).code, (await room.migrate(data, ['--anew'])).code],
      [2, 2],
      'a store is never thrown away',
    );
    assert.equal(await redis.cli('HGET', '{countersign}:meta', 'form'), '1');
    await redis.cli('FLUSHALL');
    await redis.cli('SET', '{countersign}:k:x', '1');
    assert.equal((await room.migrate(data)).code, 2);
    await redis.cli('FLUSHALL');
    await redis.cli('SET', 'somebody', 'else');
    assert.equal((await room.migrate(room.copy())).code, 0);
    await room.unfinish();
    const other = room.copy();
    const store = await sqliteStore({ path: other });
    const now = seconds();
    await store.commit({ at: now, notAfter: now + 9, claims: [], entries: [{ body: { kind: 'key', at: now }, terms: [] }] });
    await store.close();
    const refused = await room.migrate(other);
    assert.equal(refused.code, 2);
    assert.match(refused.said.join('\n'), /half done.*--anew/s);
    assert.equal((await room.migrate(other, ['--anew'])).moved?.state, 'moved');
    assert.equal(await redis.cli('GET', 'somebody'), 'else');
    await redis.cli('FLUSHALL');

    const damaged = room.copy();
    const db = new DatabaseSync(damaged);
    db.exec("UPDATE entry SET body = replace(body, 'minted', 'denied') WHERE seq = 20");
    db.close();
    assert.deepEqual([(await room.migrate(damaged)).code, await redis.cli('DBSIZE')], [2, 0]);
    assert.deepEqual([(await room.migrate(join(room.home, 'nowhere.db'))).code, existsSync(damaged)], [2, true]);
  });

  test('killed anywhere, goes on where it was, and is whole in the end; no broker begins meanwhile', { timeout: 120_000 }, async () => {
    const { tookMs } = await room.migrate(room.copy());
    await redis.cli('FLUSHALL');
    for (let i = 0; i < 3; i++) await room.survives(tookMs);
    // Between the last word of the move and the new name of the file: the file is what it was, the store is open.
    const data = room.copy();
    await room.migrate(room.copy());
    await (await openOn(redis)).close();
    assert.deepEqual([(await room.migrate(data)).moved?.state, existsSync(data)], ['moved before', false]);
  });

  test('that was changed on its way is found, and no broker is let in', { timeout: 120_000 }, async () => {
    const spoil: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['a key less', async () => redis.cli('DEL', String(((await redis.cli('KEYS', '{countersign}:k:*')) as string[])[0]))],
      ['a key more', () => redis.cli('SET', `{countersign}:k:${'0'.repeat(32)}`, 'x')],
      ['an amount less', async () => redis.cli('DEL', String(((await redis.cli('KEYS', '{countersign}:n:*')) as string[])[0]))],
      ['an entry less', () => redis.cli('XDEL', '{countersign}:log', '5-0')],
      ['a seal less', async () => redis.cli('XDEL', String(((await redis.cli('KEYS', '{countersign}:h:*')) as string[])[0]), '9-0')],
      ['a row that was set aside less', () => redis.cli('DEL', '{countersign}:torn')],
      ['a term less', async () => redis.cli('DEL', String(((await redis.cli('KEYS', '{countersign}:t:*')) as string[])[0]))],
    ];
    for (const [name, spoils] of spoil) {
      await redis.cli('FLUSHALL');
      const data = room.copy();
      assert.equal((await room.migrate(room.copy())).code, 0);
      await room.unfinish();
      await spoils();
      const { code, moved } = await room.migrate(data);
      assert.deepEqual([name, code, moved?.state], [name, 1, 'differs']);
      await assert.rejects(openOn(redis), { code: 'locked' });
      assert.ok(existsSync(data));
      assert.equal((await room.migrate(data, ['--anew'])).moved?.state, 'moved');
    }
  });
});
