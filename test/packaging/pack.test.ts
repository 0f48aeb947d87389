/** What is published, as a stranger gets it: packed, installed in another folder, and used from plain JavaScript and from TypeScript. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { freePort, proofFor, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';

const ROOT = new URL('../..', import.meta.url).pathname.replace(/\/$/, '');
const home = mkdtempSync(join(tmpdir(), 'countersign-pack-'));
const source = join(home, 'source');
const consumer = join(home, 'consumer');
const installed = join(consumer, 'node_modules', 'countersign');
const exec = promisify(execFile);
interface Said {
  readonly stdout: string;
  readonly stderr: string;
}
/** Fails with what was said. */
async function run(cwd: string, program: string, ...args: readonly string[]): Promise<Said> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: homedir() };
  return exec(program, [...args], { cwd, env, maxBuffer: 16 * 1024 * 1024 }).catch((fault: Said & Error) => {
    throw new Error(`${program} ${args.join(' ')}\n${fault.stdout}${fault.stderr}`);
  });
}
/** Of what was packed. */
let packed: { readonly filename: string; readonly files: readonly { readonly path: string; readonly mode: number }[] };
let rig: Rig;

before(async () => {
  // A copy is packed, with all that must not come along: nothing is built where other tests run.
  mkdirSync(source);
  for (const name of readdirSync(ROOT))
    if (!['node_modules', 'dist', 'data', '.git'].includes(name)) cpSync(join(ROOT, name), join(source, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(source, 'node_modules'));
  const { stdout } = await run(source, 'npm', 'pack', '--json', '--pack-destination', home);
  [packed] = JSON.parse(stdout.slice(stdout.indexOf('[\n'))) as [typeof packed];

  mkdirSync(consumer);
  writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { devDependencies: Record<string, string> };
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel', 'error'];
  await run(consumer, 'npm', 'install', ...quiet, join(home, packed.filename), `@types/node@${devDependencies['@types/node']}`);
  rig = await startRig();
});
after(async () => {
  await rig?.stop();
  rmSync(home, { recursive: true, force: true });
});

describe('the tarball', () => {
  it('holds what runs and what is read, and nothing of the workshop', () => {
    const paths = packed.files.map((file) => file.path);
    for (const path of [
      'package.json',
      'LICENSE',
      'SECURITY.md',
      'dist/main.js',
      'dist/verify/verify.js',
      'dist/verify/verify.d.ts',
      'dist/agent/agent.d.ts',
      'policies/manifest.json',
    ])
      assert.ok(paths.includes(path), path);
    for (const path of paths) {
      assert.match(path, /^(dist|policies)\/|^(package\.json|LICENSE|README\.md|SECURITY\.md)$/);
      assert.doesNotMatch(path, /(?<!\.d)\.ts$|\.map$|\.test\.|\.db$|(^|\/)\./);
    }
  });

  it('names no place of the machine that made it', () => {
    const texts = readdirSync(installed, { recursive: true, encoding: 'utf8' }).map((path) => join(installed, path));
    const places = [ROOT, home, homedir() === '/root' ? '/root/' : homedir(), 'file:///'];
    for (const file of texts.filter((path) => statSync(path).isFile())) {
      const text = readFileSync(file, 'utf8');
      for (const place of places) assert.equal(text.includes(place), false, `${file} names ${place}`);
    }
  });

  it('leads every entry of its exports to a file, and imports no source', () => {
    const { exports, bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      exports: Record<string, string | Record<string, string>>;
      bin: Record<string, string>;
    };
    const targets = Object.values(exports).flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)));
    for (const target of [...targets, ...Object.values(bin)]) assert.ok(existsSync(join(installed, target)), target);
    for (const { path } of packed.files.filter((file) => file.path.endsWith('.js')))
      assert.doesNotMatch(readFileSync(join(installed, path), 'utf8'), /(from|import\(|new URL\() ?['"]\.[^'"]*\.ts['"]/, path);
  });
});

/** What a tool server and an agent of a stranger do, in plain JavaScript. */
const SCRIPT = `
import { createPrivateKey } from 'node:crypto';
import { createAgent } from 'countersign/agent';
import { createVerifier, memoryConsumed, VerifyError } from 'countersign/verify';
const { issuer, resource, key, subject, granted } = JSON.parse(process.argv[2]);
const verifier = createVerifier({ issuer, resource, consumed: memoryConsumed({ now: () => 0 }) });
const said = [];
const call = async (http, args) => {
  try {
    const action = await verifier.verify({ tool: 'create_refund', arguments: args, http });
    said.push(['ran', action.subject, action.clientId]);
  } catch (fault) {
    if (!(fault instanceof VerifyError)) throw fault;
    said.push([fault.status, fault.code]);
  }
};
await call(granted.http, granted.arguments);
await call(granted.http, granted.arguments);
const agent = createAgent({ issuer, clientId: 'refund-bot', key: createPrivateKey({ key, format: 'jwk' }), subject: { token: subject, type: 'id_token' } });
const own = await agent.authorize({ resource, tool: 'create_refund', arguments: granted.arguments });
const http = { method: 'POST', authorization: own.headers.authorization, dpop: own.headers.dpop };
await call(http, { ...granted.arguments, amount_minor: 1 });
await call(http, granted.arguments);
console.log(JSON.stringify(said));
`;
/** Node of this run, and the machine's own where there is another. */
function nodes(): readonly string[] {
  const own = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .map((folder) => join(folder, 'node'))
    .find((file) => existsSync(file));
  return own === undefined ? [process.execPath] : [process.execPath, own];
}

describe('installed elsewhere', () => {
  for (const node of nodes()) {
    it(`countersign/verify and countersign/agent work with ${node === process.execPath ? 'this Node' : 'the machine’s own Node'}`, async (t) => {
      const version = (await run(consumer, node, '--version')).stdout.trim().slice(1);
      const { engines } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { engines: { node: string } };
      if (!satisfies(version, engines.node)) {
        t.skip(`Node ${version} is not ${engines.node}`);
        return;
      }
      const script = join(consumer, 'use.js');
      writeFileSync(script, SCRIPT);
      const subject = new URLSearchParams((await rig.form()).body).get('subject_token');
      const key = rig.agent.private.export({ format: 'jwk' });
      const given = { issuer: rig.issuer, resource: RESOURCE, key, subject, granted: await granted() };
      const { stdout } = await run(consumer, node, script, JSON.stringify(given));
      assert.deepEqual(JSON.parse(stdout), [
        ['ran', 'people:u_bob', 'refund-bot'],
        [409, 'ERR_ACTION_CONSUMED'],
        [401, 'ERR_ARGUMENTS_DIGEST'],
        ['ran', 'people:u_bob', 'refund-bot'],
      ]);
    });
  }

  it('needs none of the SDKs that its adapters are for', () => {
    for (const name of ['@modelcontextprotocol', 'express', 'oidc-provider', 'typescript'])
      assert.equal(existsSync(join(consumer, 'node_modules', name)), false, name);
  });

  it('has types that a strict TypeScript program resolves', async () => {
    writeFileSync(
      join(consumer, 'consumer.ts'),
      `import { createAgent, type Agent } from 'countersign/agent';
import { createVerifier, memoryConsumed, type Verifier } from 'countersign/verify';
import { guard } from 'countersign/verify/fastify';
export const verifier: Verifier = createVerifier({ issuer: 'https://b.example', resource: 'https://s.example/mcp', consumed: memoryConsumed() });
export const agent: Agent = createAgent({ issuer: 'https://b.example', clientId: 'a', key: { kty: 'EC' } });
export const adapter: unknown = guard;
// @ts-expect-error: an option that does not exist
createVerifier({ issuer: 'https://b.example', resource: 'https://s.example/mcp', consumed: memoryConsumed(), trust: true });
`,
    );
    const options = {
      module: 'nodenext',
      moduleResolution: 'nodenext',
      target: 'es2024',
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      types: ['node'],
    };
    writeFileSync(
      join(consumer, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: { ...options, skipLibCheck: false }, files: ['consumer.ts'] }),
    );
    const { stdout } = await run(consumer, process.execPath, join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', '.');
    assert.equal(stdout, '');
  });

  it('npx countersign checks a configuration, and starts a broker that stops', async () => {
    const port = await freePort();
    const config = {
      issuer: `http://127.0.0.1:${port}`,
      listen: { port },
      policies: './node_modules/countersign/policies',
      store: { use: 'sqlite', path: './data/countersign.db' },
      keys: { use: 'local', secret: { file: './data/key' }, algorithms: ['ES256'] },
      operator: { socket: './operator.sock' },
      console: {},
    };
    writeFileSync(join(consumer, 'broker.yaml'), JSON.stringify(config));
    const checked = await run(consumer, 'npx', '--no-install', 'countersign', '-c', 'broker.yaml', '--check');
    assert.match(checked.stdout, /configuration: good\nbundle: good — 3 agents/);
    assert.equal(existsSync(join(consumer, 'data')), false);

    const child = exec(process.execPath, [join(installed, 'dist', 'main.js'), '-c', 'broker.yaml'], { cwd: consumer });
    try {
      const answer = await until(() =>
        fetch(`http://127.0.0.1:${port}/readyz`).then((response) => response.json() as Promise<{ status: string }>),
      );
      assert.equal(answer.status, 'ready');
      const page = await (await fetch(`http://127.0.0.1:${port}/console`)).text();
      const linked = [...page.matchAll(/(?:src|href)="(\/console\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
      assert.ok(linked.some((path) => path.endsWith('/theme.js')) && linked.some((path) => path.endsWith('.css')), page);
      // The modules that pages load, as far as each names another.
      const seen = new Set([...linked, '/console/assets/main.js']);
      for (const path of seen) {
        const asset = await fetch(`http://127.0.0.1:${port}${path}`);
        const text = await asset.text();
        assert.equal(asset.status, 200, path);
        if (path.endsWith('theme.js')) assert.doesNotMatch(text, /export/);
        for (const [, next = ''] of text.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
          assert.match(next, /^\.\.?\//, `${path}: ${next}`);
          seen.add(new URL(next, `http://x${path}`).pathname);
        }
      }
      assert.ok(seen.size > 30, String(seen.size));
    } finally {
      child.child.kill('SIGTERM');
    }
    await child;
  });
});

async function granted(): Promise<{ readonly http: object; readonly arguments: object }> {
  const token = String((await rig.ask()).body['access_token']);
  const dpop = await proofFor(rig.proofKey, { htm: 'POST', htu: RESOURCE, token }, rig.now());
  return { http: { method: 'POST', authorization: `DPoP ${token}`, dpop }, arguments: REFUND };
}
async function until<T>(attempt: () => Promise<T>): Promise<T> {
  for (let i = 0; ; i++) {
    try {
      return await attempt();
    } catch (fault) {
      if (i > 400) throw fault;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}
/** `>=22.18`, as package.json says it. */
function satisfies(version: string, range: string): boolean {
  const [, major = '0', minor = '0'] = /^>=(\d+)(?:\.(\d+))?/.exec(range) ?? [];
  const [own = 0, its = 0] = version.split('.').map(Number);
  return own > Number(major) || (own === Number(major) && its >= Number(minor));
}
