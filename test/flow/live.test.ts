/** Decisions of a real broker as they are committed. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { REFUND, type Rig, startRig } from '../support/rig.ts';
import { stream } from './streams.ts';

const SECRET = 'pay_of_somebody';
let rig: Rig;
let socket: string;
before(async () => {
  rig = await startRig();
  socket = join(rig.folder, 'operator.sock');
});
after(() => rig.stop());
const idsIn = (text: string): readonly number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

describe('live', () => {
  it('tells the latest, then what is committed, soon, each once; and goes on from where somebody was', async () => {
    const at = await rig.count();
    const heard = stream(socket, '/operator/live', 1_500);
    await sleep(300);
    for (let i = 0; i < 3; i++) await rig.ask({ args: { ...REFUND, payment_id: SECRET } });
    const { status, text } = await heard;
    assert.equal(status, 200);
    const ids = idsIn(text);
    assert.deepEqual(ids.slice(-3), [at + 1, at + 2, at + 3]);
    assert.equal(new Set(ids).size, ids.length);
    for (const word of [SECRET, 'amount_minor', 'purpose', 'jkt']) assert.equal(text.includes(word), false, word);
    const again = await stream(socket, '/operator/live?after=1', 400, { 'last-event-id': String(at + 1) });
    assert.deepEqual(idsIn(again.text), [at + 2, at + 3]);
    assert.deepEqual(idsIn((await stream(socket, `/operator/live?after=${at + 2}`, 400)).text), [at + 3]);
  });

  it('says how many it left out, where too many came', async () => {
    const from = 1;
    const { text } = await stream(socket, '/operator/live', 400, { 'last-event-id': String(from) });
    const ids = idsIn(text);
    const skipped = Number(/"skipped":(\d+)/.exec(text)?.[1] ?? 0);
    assert.equal(ids.length + skipped, (await rig.count()) - from);
  });

  it('lets go of whoever does not read, and nobody else notices', async () => {
    const deaf = connect(socket);
    deaf.pause();
    deaf.write('GET /operator/live HTTP/1.1\r\nHost: x\r\n\r\n');
    await sleep(100);
    const reading = stream(socket, '/operator/live', 1_200);
    const answers = await Promise.all(Array.from({ length: 20 }, () => rig.ask()));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.ok(idsIn((await reading).text).length >= 20);
    deaf.destroy();
  });

  it('ends when the broker stops, at once', async () => {
    const other = await startRig();
    const path = join(other.folder, 'operator.sock');
    const ended = new Promise<number>((resolve, reject) => {
      const asked = request({ socketPath: path, path: '/operator/live' }, (answer) => {
        answer.resume().on('end', () => resolve(performance.now()));
        void other.stop().catch(reject);
      });
      asked.on('error', reject).end();
    });
    const began = performance.now();
    assert.ok((await ended) - began < 15_000);
  });
});
