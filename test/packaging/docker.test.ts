/** docker/ without an engine: the Dockerfile is held to rules and its steps are played in plain folders, and what comes of them is started. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { demoKey } from '../../scripts/demo/keys.ts';
import { freePort } from '../support/rig.ts';
import { lint, type Played, pathWithNode, play, type Rules, readStages } from './dockerfile.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const source = readFileSync(join(ROOT, 'docker', 'Dockerfile'), 'utf8');
const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> };
const rules: Rules = {
  base: `node:${devDependencies['node']}-slim`,
  ignore: readFileSync(join(ROOT, 'docker', 'Dockerfile.dockerignore'), 'utf8'),
  context: ROOT,
  runs: [/^npm ci( --omit=dev)? --ignore-scripts$/, /^npm run build$/, /^install -d( -m 0700)? -o 1000 -g 1000( \/\S+)+$/],
};

describe('the Dockerfile', () => {
  it('keeps the rules', () => assert.deepEqual(lint(readStages(source), rules), []));

  /** What is changed, into what, and what must be said of it. */
  const planted: readonly (readonly [string | RegExp, string, RegExp])[] = [
    [/slim AS broker/, 'slim AS broker\nADD https://example.com/x /x', /ADD is not used here/],
    [/FROM node:\S+ AS broker/, 'FROM node:latest AS broker', /from node:latest/],
    ['COPY src src', 'COPY . .', /the ignore file does not let \. through/],
    ['COPY src src', 'COPY src test ./', /does not let test through/],
    ['COPY src src', 'COPY src nothing ./', /nothing is not there/],
    ['--from=build', '--from=elsewhere', /elsewhere, which is no earlier stage/],
    ['npm ci --omit=dev --ignore-scripts', 'npm install', /runs what no rule knows/],
    [/(install -d .*)/, '$1 && curl https://example.com', /runs what no rule knows/],
    [/(AS broker)/, '$1\nRUN npm ci --omit=dev --ignore-scripts', /the last stage fetches or builds/],
    ['ENV NODE_ENV=production', 'ENV REDIS_PASSWORD=x', /no place for a secret/],
    [/USER 1000:1000\nEXPOSE/, 'EXPOSE', /runs as no user by number/],
    [/USER 1000:1000\nEXPOSE/, 'USER node\nEXPOSE', /runs as no user by number/],
    [/USER 1000:1000\nEXPOSE/, 'USER 0:0\nEXPOSE', /runs as no user by number/],
    ['EXPOSE 8080', 'EXPOSE 80', /below 1024/],
    ['ENTRYPOINT ["node", "dist/main.js"]', 'ENTRYPOINT node dist/main.js', /no ENTRYPOINT that signals reach/],
    [/HEALTHCHECK .*\\\n.*\n/, '', /no HEALTHCHECK/],
    ['WORKDIR /app\nCOPY LICENSE', 'WORKDIR app\nCOPY LICENSE', /named from the root/],
  ];
  for (const [what, into, said] of planted) {
    it(`would be caught with ${JSON.stringify(into)}`, () => {
      const changed = source.replace(what, into);
      assert.notEqual(changed, source);
      assert.match(lint(readStages(changed), rules).join('\n'), said);
    });
  }
});

const home = mkdtempSync(join(tmpdir(), 'countersign-docker-'));
const asRoot = process.getuid?.() === 0;
const children: ChildProcess[] = [];
let images: ReadonlyMap<string, Played>;
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(home, { recursive: true, force: true });
});
function image(name: string): Played {
  const one = images.get(name);
  if (!one) throw new Error(`no stage ${name}`);
  return one;
}
/** As the image starts it: its user, its folder, its environment. */
function start({ root, workdir, env, entrypoint, user }: Played, args: readonly string[], more: Record<string, string>): ChildProcess {
  const [program = '', ...rest] = entrypoint;
  const PATH = asRoot ? `${join(home, 'bin')}:${pathWithNode()}` : pathWithNode();
  const child = spawn(program, [...rest, ...args], {
    cwd: join(root, workdir),
    env: { PATH, ...env, ...more },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(asRoot && user),
  });
  children.push(child);
  return child;
}
async function answers(url: string, from: ChildProcess): Promise<Response> {
  let said = '';
  from.stderr?.on('data', (part: Buffer) => {
    said += part.toString();
  });
  for (let i = 0; i < 600; i++) {
    if (from.exitCode !== null) break;
    const answer = await fetch(url).catch(() => undefined);
    if (answer) return answer;
    await sleep(25);
  }
  throw new Error(`nobody answers: ${said}`);
}

describe('the steps of the Dockerfile, played', () => {
  before(
    async () => {
      // Whoever the image runs as has to get in, and may have no way to where this runs.
      chmodSync(home, 0o755);
      if (asRoot) cpSync(process.execPath, join(home, 'bin', 'node'));
      images = await play(readStages(source), ROOT, home);
    },
    { timeout: 300_000 },
  );

  it('leave in the image what runs, and nothing that builds', () => {
    const { root } = image('broker');
    const app = (path: string): boolean => existsSync(join(root, 'app', path));
    for (const path of ['dist/main.js', 'node_modules/fastify', 'LICENSE']) assert.ok(app(path), path);
    for (const path of ['node_modules/typescript', 'node_modules/@biomejs', 'node_modules/node', 'src', 'test', 'docker', '.git', '.npmrc'])
      assert.equal(app(path), false, path);
  });

  it('make a broker that runs as its user with nothing to write but its data, says how it is, and drains', async () => {
    const { root, workdir, healthcheck, env } = image('broker');
    const port = await freePort();
    const inside = (path: string): string => join(root, path);
    const file = inside('countersign.yaml');
    cpSync(join(ROOT, 'policies'), inside('etc/countersign/policies'), { recursive: true });
    const config = {
      issuer: `http://127.0.0.1:${port}`,
      listen: { port },
      policies: inside('etc/countersign/policies'),
      store: { use: 'sqlite', path: inside('var/lib/countersign/countersign.db') },
      keys: { use: 'local', secret: { file: inside('var/lib/countersign/key') }, algorithms: ['ES256'] },
      operator: { socket: inside('run/countersign/operator.sock') },
    };
    writeFileSync(file, JSON.stringify(config));
    if (!asRoot) spawnSync('chmod', ['-R', 'a-w', join(root, workdir)]);
    const healthy = (): number | null => {
      const [program = '', ...args] = healthcheck;
      return spawnSync(program, args, { env: { PATH: pathWithNode(), COUNTERSIGN_HEALTH: `http://127.0.0.1:${port}/healthz` } }).status;
    };
    assert.equal(env['COUNTERSIGN_HEALTH'], 'http://127.0.0.1:8080/healthz');
    assert.equal(healthy(), 1);

    const broker = start(image('broker'), [], { COUNTERSIGN_CONFIG: file });
    const health = await answers(`http://127.0.0.1:${port}/healthz`, broker);
    assert.deepEqual([health.status, await health.json()], [200, { status: 'ok' }]);
    const ready = (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as { status: string };
    assert.equal(ready.status, 'ready');
    assert.equal(healthy(), 0);

    broker.kill('SIGTERM');
    assert.deepEqual(await once(broker, 'exit'), [0, null]);
    if (!asRoot) spawnSync('chmod', ['-R', 'u+w', join(root, workdir)]);
  });

  it('make a shop that tells whose tokens it takes', async () => {
    const port = await freePort();
    const key = join(home, 'shop.json');
    writeFileSync(key, JSON.stringify(demoKey('shop').privateJwk), { mode: 0o400 });
    const tools = image('tools');
    if (asRoot && tools.user) chownSync(key, tools.user.uid, tools.user.gid);
    const shop = start(tools, ['scripts/demo/shop-server.ts'], {
      SHOP_ISSUER: 'https://countersign.internal:8443',
      SHOP_RESOURCE: 'https://shop.internal:8443/mcp',
      SHOP_LISTEN: `127.0.0.1:${port}`,
      SHOP_KEY_FILE: key,
    });
    const wrong = await answers(`http://127.0.0.1:${port}/mcp`, shop);
    assert.equal(wrong.status, 403, 'another Host than its own');
    const told = await fetchAs('shop.internal:8443', port, '/.well-known/oauth-protected-resource/mcp');
    assert.deepEqual(
      [told['resource'], told['authorization_servers']],
      ['https://shop.internal:8443/mcp', ['https://countersign.internal:8443']],
    );
    shop.kill('SIGTERM');
    assert.deepEqual(await once(shop, 'exit'), [0, null]);
  });
});

/** `fetch` does not let a program choose the Host. */
async function fetchAs(host: string, port: number, path: string): Promise<Record<string, unknown>> {
  const { stdout } = spawnSync(
    process.execPath,
    ['-e', `require('node:http').get({ port: ${port}, path: '${path}', headers: { host: '${host}' } }, (a) => a.pipe(process.stdout))`],
    { encoding: 'utf8' },
  );
  return JSON.parse(stdout) as Record<string, unknown>;
}
