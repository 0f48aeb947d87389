/** A broker is killed in the middle of a delivery: the next one on the same file tells it, under the same id. */
import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { operatorClient } from '../../scripts/operator-client.ts';
import { newFolder, type Process, ready, startMain, writeConfig } from '../flow/broker-process.ts';
import { type Receiver, startReceiver, WEBHOOK_SECRET } from '../support/receiver.ts';
import { freePort } from '../support/rig.ts';

const folder = newFolder();
let hook: Receiver;
let broker: Process;
let config = '';
const start = async (): Promise<void> => {
  broker = startMain(['-c', config], { HOOK: WEBHOOK_SECRET });
  await ready(folder);
};
before(async () => {
  hook = await startReceiver('silent');
  cpSync(new URL('../../policies', import.meta.url).pathname, join(folder, 'policies'), { recursive: true });
  const notify = [{ use: 'webhook', url: hook.url, secret: { env: 'HOOK' }, inward: 'allowed', timeoutMs: 10_000 }];
  config = writeConfig(folder, await freePort(), { notify });
  await start();
});
after(async () => {
  broker.child.kill('SIGKILL');
  await broker.ended;
  await hook.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('what was to be told when the broker was killed', () => {
  it('is told by the next one', async () => {
    const halt = { scope: 'agent', target: 'refund-bot', reason: 'a test' };
    const halted = await operatorClient({ socket: join(folder, 'operator.sock') })('POST', '/operator/revocations', halt);
    assert.equal(halted.status, 200, JSON.stringify(halted.body));
    const [first] = await hook.has(1);
    broker.child.kill('SIGKILL');
    await broker.ended;
    hook.manner = 'ok';
    await start();
    const [, second] = await hook.has(2);
    assert.deepEqual([second?.genuine, second?.headers['webhook-id'], second?.text], [true, first?.headers['webhook-id'], first?.text]);
  });
});
