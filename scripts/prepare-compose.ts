/**
 * Makes what docker/compose.yml must not hold: secrets, TLS keys under an authority of this folder alone, and a bundle with fresh keys, all in
 * docker/state. What is there already stays: run again it makes only what is missing.
 *
 * Exit codes: 0 done · 1 openssl is missing or failed · 3 usage.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { writeDemoBundle } from './demo/bundle.ts';
import type { DevFile } from './demo/dev-file.ts';
import { demoKey } from './demo/keys.ts';
import { AGENT_IDS } from './demo/stage.ts';

const ROOT = new URL('..', import.meta.url).pathname;
/** As docker/compose.yml names them. */
const NAMES = { broker: 'countersign.internal', shop: 'shop.internal' } as const;
/** Whom the image runs brokers as: the key file is that user's alone (keys/secret-file.ts). */
const BROKER_USER = 1000;
const CERTIFICATES = {
  front: Object.values(NAMES),
  redis: ['redis', 'localhost'],
  vault: ['vault', 'localhost'],
  minio: ['minio', 'localhost'],
} as const;

const command = new Command('npm run compose:prepare --')
  .description('Makes the secrets, certificates and bundle that docker/compose.yml mounts.')
  .option('--folder <path>', 'where', join(ROOT, 'docker', 'state'))
  .option('--port <number>', 'where the front listens, if compose.yml was changed', '8443')
  .exitOverride((stop) => process.exit(stop.exitCode === 0 ? 0 : 3))
  .parse();
const { folder, port } = command.opts<{ folder: string; port: string }>();
const ISSUER = `https://${NAMES.broker}:${port}`;
const RESOURCE = `https://${NAMES.shop}:${port}/mcp`;

// Nobody else on this machine gets past this folder, so what is in it may be readable to each container's own user.
mkdirSync(folder, { recursive: true, mode: 0o700 });
chmodSync(folder, 0o700);
for (const name of ['secrets', 'tls']) mkdirSync(join(folder, name), { recursive: true, mode: 0o755 });
const made: string[] = [];

function secret(name: string, text: string, mode = 0o444): string {
  const file = join(folder, 'secrets', name);
  if (!existsSync(file)) {
    writeFileSync(file, text, { mode });
    chmodSync(file, mode);
    made.push(`secrets/${name}`);
  }
  return file;
}
const word = (): string => randomBytes(24).toString('hex');

const key = secret('key', `${randomBytes(32).toString('base64url')}\n`, 0o600);
for (const name of ['redis', 'postgres', 'minio-password']) secret(name, word());
secret('minio-user', 'countersign');
try {
  certificates();
} catch {
  console.error('compose:prepare: openssl is missing, or could not make the certificates; install it and run this again');
  process.exit(1);
}
await bundle();

const uid = process.getuid?.();
if (uid === 0) chownSync(key, BROKER_USER, BROKER_USER);
for (const name of made) console.log(`made    ${name}`);
if (made.length === 0) console.log('nothing was missing');
if (statSync(key).uid !== BROKER_USER) console.log(`\nNow give the brokers their key:\n  sudo chown ${BROKER_USER}:${BROKER_USER} ${key}`);

/** One authority, whose key is gone when this ends, and a certificate for each name that TLS ends at. */
function certificates(): void {
  const tls = join(folder, 'tls');
  const names = Object.keys(CERTIFICATES).flatMap((name) => [`${name}.crt`, `${name}.key`]);
  if (['ca.crt', ...names].every((name) => existsSync(join(tls, name)))) return;
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { cwd: tls, stdio: 'ignore' });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  try {
    const authority = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'];
    openssl(
      'req',
      '-x509',
      ...curve,
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-days',
      '365',
      '-subj',
      '/CN=countersign compose',
      ...authority,
    );
    for (const [name, hosts] of Object.entries(CERTIFICATES)) {
      const request = ['-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${hosts[0]}`];
      openssl(
        'req',
        ...curve,
        ...request,
        '-addext',
        `subjectAltName=${[...hosts.map((host) => `DNS:${host}`), 'IP:127.0.0.1'].join(',')}`,
      );
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-days',
        '365',
        '-copy_extensions',
        'copy',
        '-out',
        `${name}.crt`,
      );
      chmodSync(join(tls, `${name}.key`), 0o444);
      made.push(`tls/${name}.crt`, `tls/${name}.key`);
    }
  } finally {
    for (const name of ['ca.key', ...Object.keys(CERTIFICATES).map((of) => `${of}.csr`)]) rmSync(join(tls, name), { force: true });
  }
}

/** The sample bundle, with agents whose keys somebody holds: `npm run ask -- … --file docker/state/agents.json`. */
async function bundle(): Promise<void> {
  if (existsSync(join(folder, 'agents.json'))) return;
  const agents = AGENT_IDS.map((id) => ({ id, ...demoKey(id) }));
  const server = demoKey('shop');
  rmSync(join(folder, 'secrets', 'shop'), { force: true });
  secret('shop', JSON.stringify(server.privateJwk));
  await writeDemoBundle({
    from: join(ROOT, 'policies'),
    to: join(folder, 'policies'),
    resource: RESOURCE,
    agentKeys: Object.fromEntries(agents.map(({ id, publicJwk }) => [id, publicJwk])),
    serverKeys: { shop: server.publicJwk },
  });
  const file: DevFile = {
    issuer: ISSUER,
    resource: RESOURCE,
    people: '',
    agents: Object.fromEntries(agents.map(({ id, privateJwk }) => [id, { client: `${id}-app`, key: privateJwk }])),
  };
  writeFileSync(join(folder, 'agents.json'), JSON.stringify(file, null, 2), { mode: 0o600 });
  made.push('policies', 'agents.json');
}
