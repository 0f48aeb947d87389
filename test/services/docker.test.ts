/** docker/compose.yml without its engine: each service's own settings and command, as a process on loopback in place of a container in a network. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import { launch, newFolder, output, type Service, servicePort, until } from './program.ts';
import { pathOf, skipUnless } from './provision.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const file = (name: string): string => readFileSync(join(ROOT, 'docker', name), 'utf8');
const compose = parse(file('compose.yml'), { merge: true }) as {
  services: Record<string, { entrypoint: string[]; healthcheck: { test: string[] } }>;
};
const NAMES = join(ROOT, 'test', 'services', 'internal-names.ts');
const listens = (port: number) => async (): Promise<boolean> => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  return true;
};

suite('compose.yml, played', { skip: await skipUnless('redis', 'nginx', 'vault', 'openssl') }, () => {
  test('an agent acts through nginx and either broker, with the store in Redis over TLS; a broker that stops is not missed', {
    timeout: 120_000,
  }, async () => {
    await using stack = new AsyncDisposableStack();
    const folder = newFolder('docker');
    stack.defer(() => folder.remove());
    const state = join(folder.path, 'state');
    const [port, redisPort, vaultPort, vaultPeer, shopPort] = [
      await servicePort(),
      await servicePort(),
      await servicePort(),
      await servicePort(),
      await servicePort(),
    ];
    const brokerPorts = [await servicePort(), await servicePort()];
    execFileSync(process.execPath, [join(ROOT, 'scripts', 'prepare-compose.ts'), '--folder', state, '--port', String(port)]);

    /** A text of docker/ with this machine's places in it. */
    const here = (text: string, more: readonly (readonly [string | RegExp, string])[] = []): string =>
      [
        ['/tmp/', `${folder.path}/`] as const,
        [/\/run\/secrets\/(?=\w+\.key)/g, `${state}/tls/`] as const,
        [/\/run\/secrets\//g, `${state}/secrets/`] as const,
        [/\/etc\/(nginx\/|countersign\/)?(?=\w+\.crt)/g, `${state}/tls/`] as const,
        [/8443/g, String(port)] as const,
        ...more,
      ].reduce(
        (done, [what, into]) => done.replaceAll(what instanceof RegExp ? what : new RegExp(what.replaceAll('/', '\\/'), 'g'), into),
        text,
      );
    const put = (name: string, text: string): string => {
      const path = join(folder.path, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    const run = async (name: string, program: string, args: readonly string[], ready: () => Promise<boolean>, env = {}): Promise<Service> =>
      stack.use(await launch({ program, args, folder: newFolder(name), ready, env }));

    // Redis, by the entry point's own line.
    mkdirSync(join(folder.path, 'data'));
    const redisConf = put(
      'redis.conf',
      here(file('redis.conf'), [
        ['tls-port 6379', `tls-port ${redisPort}`],
        [/^bind .*$/gm, 'bind 127.0.0.1'],
        ['dir /data', `dir ${folder.path}/data`],
      ]),
    );
    const line = (words: readonly string[]): string =>
      here((words.at(-1) ?? '').replaceAll('$$', '$'), [
        ['/etc/redis.conf', redisConf],
        ['redis-server', pathOf('redis')],
        ['-h localhost', `-p ${redisPort} -h localhost`],
      ]);
    const redis = await run('redis', '/bin/sh', ['-c', line(compose.services['redis']?.entrypoint ?? [])], listens(redisPort));
    execFileSync('/bin/sh', ['-c', line(compose.services['redis']?.healthcheck.test ?? [])], { stdio: 'pipe' });

    // Vault, sealed as it is on the first day.
    mkdirSync(join(folder.path, 'vault'));
    const hcl = put(
      'vault.hcl',
      here(file('vault.hcl'), [
        ['/vault/file', `${folder.path}/vault`],
        ['0.0.0.0:8200', `127.0.0.1:${vaultPort}`],
        ['vault:8201', `127.0.0.1:${vaultPeer}`],
      ]),
    );
    await run('vault', pathOf('vault'), ['server', `-config=${hcl}`], listens(vaultPort));
    const ca = join(state, 'tls', 'ca.crt');
    const env = { NODE_EXTRA_CA_CERTS: ca, NODE_OPTIONS: `--import ${NAMES}` };

    // Both brokers, the shop, and nginx before them.
    const brokers: Service[] = [];
    for (const [i, own] of brokerPorts.entries()) {
      const config = here(file('countersign.yaml'), [
        [/port: 8080/g, `port: ${own}`],
        ['0.0.0.0', '127.0.0.1'],
        ['redis:6379', `localhost:${redisPort}`],
        ['vault:8200', `localhost:${vaultPort}`],
        ['/etc/countersign/policies', join(state, 'policies')],
        ['/run/countersign/', `${folder.path}/broker-${i}-`],
      ]);
      const args = [join(ROOT, 'src', 'main.ts'), '-c', put(`broker-${i}.yaml`, config)];
      brokers.push(await run(`broker-${i}`, process.execPath, args, listens(own), env));
    }
    await run('shop', process.execPath, [join(ROOT, 'scripts', 'demo', 'shop-server.ts')], listens(shopPort), {
      ...env,
      SHOP_ISSUER: `https://countersign.internal:${port}`,
      SHOP_RESOURCE: `https://shop.internal:${port}/mcp`,
      SHOP_LISTEN: `127.0.0.1:${shopPort}`,
      SHOP_KEY_FILE: join(state, 'secrets', 'shop'),
    });
    const nginxConf = put(
      'nginx.conf',
      here(file('nginx.conf'), [
        ['broker-1:8080', `127.0.0.1:${brokerPorts[0]}`],
        ['broker-2:8080', `127.0.0.1:${brokerPorts[1]}`],
        ['shop:9090', `127.0.0.1:${shopPort}`],
        ['/dev/stdout', `${folder.path}/access.log`],
        [`listen ${port}`, `listen 127.0.0.1:${port}`],
      ]),
    );
    await output(pathOf('nginx'), ['-t', '-c', nginxConf, '-e', 'stderr']);
    await run('nginx', pathOf('nginx'), ['-g', 'daemon off;', '-c', nginxConf, '-e', 'stderr'], listens(port));

    const ask = (): Promise<string> =>
      output(
        process.execPath,
        [
          join(ROOT, 'scripts', 'ask.ts'),
          'list_orders',
          '--as',
          'nightly-report',
          '--for',
          'nobody',
          '--file',
          join(state, 'agents.json'),
          '--json',
        ],
        { env },
      );
    // A new memory cannot know whether what was signed shortly before it began was used up: its first moments refuse.
    await until(async () => (await ask()) !== '', 'the store to be old enough', { seconds: 30 });
    for (let i = 0; i < 2; i++) {
      const exchanges = JSON.parse(await ask()) as readonly {
        readonly url: string;
        readonly status: number;
        readonly answer: Record<string, unknown>;
      }[];
      const token = exchanges.find(({ url, status }) => url.endsWith('/token') && status === 200);
      assert.equal(token?.answer['scope'], 'tool:list_orders');
      assert.equal(exchanges.at(-1)?.status, 200);
    }
    // What was said through the one is known to the other, and the one that stops is not missed.
    const get = (own: number, path: string): Promise<Response> => fetch(`http://127.0.0.1:${own}${path}`);
    const [first, second] = await Promise.all(brokerPorts.map(async (own) => (await get(own, '/jwks')).text()));
    assert.equal(first, second);
    await brokers[0]?.stop();
    await ask();
    const log = readFileSync(join(folder.path, 'access.log'), 'utf8');
    assert.match(log, /^127\.0\.0\.1 "POST \/token" 200/m);
    assert.doesNotMatch(log, /eyJ/, 'no token stands in the log');

    // Another name than ours, and the metrics, find no broker.
    const curl = (host: string, path: string): string =>
      execFileSync(
        'curl',
        [
          '-s',
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          '--cacert',
          ca,
          '--resolve',
          `${host}:${port}:127.0.0.1`,
          `https://${host}:${port}${path}`,
        ],
        { encoding: 'utf8' },
      );
    assert.equal(curl('countersign.internal', '/healthz'), '200');
    assert.equal(curl('countersign.internal', '/metrics'), '404');
    assert.equal(
      execFileSync('curl', ['-sk', '-o', '/dev/null', '-w', '%{http_code}', `https://127.0.0.1:${port}/healthz`], { encoding: 'utf8' }),
      '421',
    );

    // What is told to stop is Redis, and no shell before it.
    await redis.stop();
    await assert.rejects(listens(redisPort)());
  });
});
