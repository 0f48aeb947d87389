/** Two brokers on one Redis: what either wrote is found at the other, told live there, and taken away with what it takes to check it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { operatorClient } from '../../scripts/operator-client.ts';
import { verifyExcerptFile } from '../../scripts/verify-excerpt.ts';
import type { EntriesPage } from '../../src/operate/entries.ts';
import type { Explained } from '../../src/operate/story.ts';
import { link } from '../../src/store/chain.ts';
import { canonical } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { skipUnless } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';
import { nonceOf, startTwo, type TwoBrokers } from './two-brokers.ts';

suite('the ledger of two brokers', { skip: await skipUnless('redis') }, () => {
  let redis: Redis;
  let two: TwoBrokers;
  before(async () => {
    redis = await startRedis({ appendfsync: 'always' });
    two = await startTwo(redis);
  });
  after(async () => {
    await two?.stop();
    await redis?.stop();
  });
  async function ask(door: string): Promise<void> {
    const { body, headers } = await two.rig.form({ nonce: await nonceOf(door) });
    assert.equal((await fetch(`${door}/token`, { method: 'POST', body, headers })).status, 200);
  }
  async function found(socket: string, query: string): Promise<EntriesPage> {
    const { status, body } = await operatorClient({ socket })('GET', `/operator/entries?${query}`);
    assert.equal(status, 200);
    return body as EntriesPage;
  }
  function stream(socketPath: string, path: string, ms: number): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = '';
      const asked = request({ socketPath, path }, (answer) => {
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => resolve(text)).on('error', () => resolve(text));
      });
      asked.on('error', reject).end();
      setTimeout(() => {
        resolve(text);
        asked.destroy();
      }, ms).unref();
    });
  }

  test('is found at either, whole, whoever wrote it', async () => {
    for (const door of [...two.doors, ...two.doors]) await ask(door);
    const expected = (await two.rig.entries()).flatMap((entry, i) => (entry.client === 'refund-bot' ? [i + 1] : [])).reverse();
    assert.equal(expected.length, 4);
    for (const socket of two.sockets) {
      const { entries, indexed } = await found(socket, 'agent=refund-bot');
      assert.deepEqual(
        entries.map(({ seq }) => seq),
        expected,
      );
      assert.equal(indexed?.whole, true);
    }
  });
  test('is told live at the one that did not write it', async () => {
    const last = await two.rig.count();
    const heard = stream(two.sockets[1], '/operator/live', 2_500);
    await sleep(300);
    await ask(two.doors[0]);
    const text = await heard;
    const wrote = (await two.rig.entries(last)).findIndex(({ kind }) => kind === 'minted') + last + 1;
    assert.match(text, new RegExp(`^id: ${wrote}$`, 'm'));
  });
  test('is taken away with every link that there is', async () => {
    for (const [query, count] of [
      ['?outcome=minted', 5],
      ['', undefined],
    ] as const) {
      const text = await stream(two.sockets[0], `/operator/export${query}`, 5_000);
      const taken = text
        .trimEnd()
        .split('\n')
        .slice(1, -1)
        .map((line) => JSON.parse(line) as JsonObject);
      if (count !== undefined) assert.equal(taken.length, count);
      // Two chains in one ledger: each entry's own is found. One that is not sealed yet has no hash.
      for (const { hash, previous, body } of taken)
        if (hash !== '') assert.equal(link(String(previous), canonical(body as JsonObject)), hash);
      const [file, keys] = [join(two.rig.folder, 'excerpt'), join(two.rig.folder, 'keys')];
      writeFileSync(file, text);
      writeFileSync(keys, await (await fetch(`${two.rig.issuer}/jwks`)).text());
      const report = await verifyExcerptFile(file, keys, {});
      assert.deepEqual([report.ok, report.hashed], [true, taken.filter(({ hash }) => hash !== '').length], JSON.stringify(report.bad));
    }
  });
  test('says of no entry that its link was checked where it was not', async () => {
    const [newest] = (await found(two.sockets[0], 'agent=refund-bot&limit=1')).entries;
    const { body } = await operatorClient({ socket: two.sockets[0] })('GET', `/operator/explain/${newest?.entry.exchange}`);
    const { story, follows } = body as Explained;
    assert.equal(story.length, 1);
    assert.ok(follows.every((seq) => story.some((one) => one.seq === seq)));
  });
  test('is found again when the connection was lost', async () => {
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
    await sleep(1_500);
    await ask(two.doors[0]);
    for (const socket of two.sockets) assert.equal((await found(socket, 'agent=refund-bot&outcome=minted')).entries.length, 6);
  });
});
