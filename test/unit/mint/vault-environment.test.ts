/** What stands in the environment weakens nothing and prints nothing: each in a process of its own, where node-vault reads it as it loads. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { openMinters } from '../../../src/app-backends.ts';
import { ConfigSchema } from '../../../src/config.ts';
import { ConfigError } from '../../../src/errors.ts';
import { testWorld } from '../../support/test-world.ts';
import { fakeVault } from './vault-fake.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-vault-tls-'));
after(() => rmSync(folder, { recursive: true }));
/** A certificate for 127.0.0.1 that nobody vouches for but itself. */
function tls(): { key: string; cert: string } | undefined {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const of = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=127.0.0.1',
    '-addext',
    'subjectAltName=IP:127.0.0.1',
  ];
  try {
    execFileSync('openssl', ['req', '-x509', ...of, '-days', '2', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}
const pair = tls();

const CALLS = `
const { vaultClient } = await import('${new URL('../../../src/mint/minter-vault-client.ts', import.meta.url)}');
const { address, ca } = JSON.parse(process.argv[1]);
const client = vaultClient({ address, mount: 'jwt', timeoutMs: 3000, ...(ca && { ca }) });
const waiting = { signal: AbortSignal.timeout(5000) };
try {
  const login = await client.login('refunds', 'canary-jwt', waiting);
  await client.renew(login, 60, waiting);
  await client.ask('database/creds/canary-path', { token: login.token }, waiting).catch(() => undefined);
  await client.revoke(login.token, waiting);
  process.stdout.write('done');
} catch (fault) {
  process.stdout.write(fault.message);
}`;
interface Told {
  readonly said: string;
  readonly complaints: string;
}
const calls = (given: object, env: Readonly<Record<string, string>>): Promise<Told> =>
  new Promise((resolve) => {
    const args = ['--input-type=module', '-e', CALLS, JSON.stringify(given)];
    execFile(process.execPath, args, { env: { PATH: process.env['PATH'] ?? '', ...env } }, (_, said, complaints) =>
      resolve({ said, complaints }),
    );
  });

test('DEBUG prints neither token nor body', async () => {
  await using vault = await fakeVault();
  vault.secrets.set('database/creds/canary-path', { password: 'canary-password' });
  const { said, complaints } = await calls({ address: vault.address }, { DEBUG: '*,node-vault', DEBUG_COLORS: 'no' });
  assert.deepEqual({ said, complaints }, { said: 'done', complaints: '' });
  assert.equal(vault.asked.length, 4);
});

test('VAULT_TOKEN, VAULT_NAMESPACE, VAULT_PREFIX, VAULT_ADDR and a proxy are nothing to us', async () => {
  await using vault = await fakeVault();
  await using elsewhere = await fakeVault();
  vault.secrets.set('database/creds/canary-path', { password: 'p' });
  const { said } = await calls(
    { address: vault.address },
    {
      VAULT_TOKEN: 'hvs.canary-of-the-environment',
      VAULT_NAMESPACE: 'canary',
      VAULT_PREFIX: '/canary',
      VAULT_ADDR: elsewhere.address,
      HTTP_PROXY: elsewhere.address,
      HTTPS_PROXY: elsewhere.address,
      http_proxy: elsewhere.address,
      NODE_USE_ENV_PROXY: '1',
    },
  );
  assert.equal(said, 'done');
  assert.deepEqual(elsewhere.asked, []);
  assert.doesNotMatch(JSON.stringify(vault.asked.map(({ headers }) => headers)), /canary/);
  assert.deepEqual(vault.steps().slice(0, 3), ['POST auth/jwt/login', 'POST auth/token/renew-self', 'GET database/creds/canary-path']);
});

suite('a certificate that nobody vouches for', { skip: pair ? false : 'openssl is not here: apt-get install openssl' }, () => {
  if (!pair) return;
  for (const env of [
    {},
    { VAULT_SKIP_VERIFY: '1' },
    { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    { VAULT_SKIP_VERIFY: 'true', NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  ]) {
    test(`is refused with ${Object.keys(env).join(' and ') || 'nothing'} set`, async () => {
      await using vault = await fakeVault({ tls: pair });
      assert.equal((await calls({ address: vault.address }, env)).said, 'vault_network');
      assert.deepEqual(vault.asked, []);
    });
  }
  test('is accepted when the operator names it, and only by its own name', async () => {
    await using vault = await fakeVault({ tls: pair });
    assert.equal((await calls({ address: vault.address, ca: pair.cert }, {})).said, 'done');
    const byName = vault.address.replace('127.0.0.1', 'localhost');
    vault.asked.length = 0;
    assert.equal((await calls({ address: byName, ca: pair.cert }, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })).said, 'vault_network');
    assert.deepEqual(vault.asked, []);
  });
});

test('an authority that cannot be read is no start, and its path is not repeated', async () => {
  const parts = { signer: {}, login: async () => '', world: testWorld(), environment: {}, bundle: () => ({}) };
  const backends = ConfigSchema.shape.backends.parse([{ use: 'vault', address: 'https://vault.example', ca: join(folder, 'canary.pem') }]);
  await assert.rejects(
    async () => openMinters({ backends }, parts as unknown as Parameters<typeof openMinters>[1]),
    (fault: unknown) => fault instanceof ConfigError && !fault.message.includes('canary'),
  );
});
