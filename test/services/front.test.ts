/** What stands in front of a broker, and what stands before its console, do one real thing each. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, suite, test } from 'node:test';
import { startHaproxy, startNginx } from './front.ts';
import { newFolder, output } from './program.ts';
import { pathOf, skipUnless } from './provision.ts';

/** Says who it is, how it was reached and from where. */
async function behind(name: string): Promise<number> {
  const server = createServer((request, response) => {
    const { host, 'x-forwarded-for': from } = request.headers;
    response.setHeader('content-type', 'text/html').end(`${name} ${request.method} ${request.url} ${host} ${from}`);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
const to = [await behind('one'), await behind('two')];

for (const [name, start] of [
  ['nginx', startNginx],
  ['haproxy', startHaproxy],
] as const) {
  suite(name, { skip: await skipUnless(name) }, () => {
    test('takes brokers in turn, and passes on the host and whom it came from', async () => {
      const front = await start({ to });
      const ask = async (): Promise<string> => (await fetch(`${front.address}/token?a=1`, { method: 'POST' })).text();
      const answers = [await ask(), await ask()].sort();
      assert.deepEqual(
        answers,
        ['one', 'two'].map((one) => `${one} POST /token?a=1 127.0.0.1:${front.port} 127.0.0.1`),
      );
      const pid = front.pid();
      await front.stop();
      assert.equal(existsSync(front.folder), false);
      assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    });

    test('answers 502 or 503 when nobody is behind it', async () => {
      await using front = await start({ to: [1] });
      assert.match(String((await fetch(front.address)).status), /^50[23]$/);
    });
  });
}

suite('Chromium', { skip: await skipUnless('chromium') }, () => {
  test('shows a page', async () => {
    const folder = newFolder('chromium');
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      `--user-data-dir=${folder.path}`,
      '--dump-dom',
    ];
    const page = await output(pathOf('chromium'), [...flags, `http://127.0.0.1:${to[0]}/console`], {
      env: { HOME: folder.path },
      seconds: 60,
    });
    await folder.remove();
    assert.match(page, /one GET \/console 127\.0\.0\.1/);
  });
});
