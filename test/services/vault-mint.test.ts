/** What Vault lends for one action, used by those it is for: psql, openssl, ssh-keygen. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { output, until } from './program.ts';
import { skipUnless } from './provision.ts';
import type { VaultJson } from './vault.ts';
import { DATABASE, grantOf, jobOf, KEY, KV, loginOf, mint, now, PKI, SSH, type VaultStage, vaultStage, waiting } from './vault-stage.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-vault-mint-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, content?: string): string => {
  const path = join(folder, name);
  if (content !== undefined) writeFileSync(path, content, { mode: 0o600 });
  return path;
};

suite('Vault lends', { skip: await skipUnless('vault', 'postgres', 'openssl', 'ssh') }, () => {
  let on: VaultStage;
  before(async () => {
    on = await vaultStage();
  });
  after(() => on[Symbol.asyncDispose]());

  test('a database role that reads its table and no other, and is gone when it is revoked', async () => {
    const given = await mint(on.minter, DATABASE);
    const login = loginOf(given);
    assert.deepEqual(await on.postgres.query('SELECT id FROM orders', login), [['7']]);
    await assert.rejects(on.postgres.query('DELETE FROM orders', login), /permission denied/);
    await assert.rejects(on.postgres.query('CREATE ROLE intruder', login), /permission denied/);
    assert.ok(given.credential.lease);
    assert.deepEqual(await on.minter.revoke(given.credential.lease, waiting()), { end: 'revoked' });
    // Vault ends the login at once, and what it made a moment later.
    await until(async () => (await on.vault.leases('database/creds/refund-writer')).length === 0, 'its end', { seconds: 5 });
    await assert.rejects(on.postgres.query('SELECT 1', login), /authentication failed|does not exist/);
    assert.deepEqual(await on.minter.revoke(given.credential.lease, waiting()), { end: 'revoked' }, 'twice is once');
  });

  test('a session that is open when its role is revoked ends with it', async () => {
    const given = await mint(on.minter, DATABASE);
    const sleeping = on.postgres.query('SELECT pg_sleep(30)', loginOf(given)).then(
      () => 'slept',
      (fault: unknown) => String(fault),
    );
    const running = async () =>
      (await on.postgres.query(`SELECT 1 FROM pg_stat_activity WHERE usename = '${given.data['username']}' AND query LIKE '%pg_sleep%'`))
        .length > 0;
    await until(running, 'its query to run');
    assert.ok(given.credential.lease);
    await on.minter.revoke(given.credential.lease, waiting());
    assert.match(await sleeping, /terminat|connection/);
  });

  test('by three calls, and takes back by one', async () => {
    const before = on.vault.audit().length;
    const { credential } = await mint(on.minter, DATABASE);
    const paths = () =>
      on.vault
        .audit()
        .slice(before)
        .filter(({ type }) => type === 'request')
        .map((entry) => (entry['request'] as VaultJson)['path']);
    assert.deepEqual(paths(), ['auth/jwt/login', 'auth/token/renew-self', 'database/creds/refund-writer']);
    assert.ok(credential.lease);
    await on.minter.revoke(credential.lease, waiting());
    assert.deepEqual(paths().slice(3), ['auth/token/revoke-self']);
  });

  test('and its own records say for which action, by whom, for whom', async () => {
    const { credential, grant } = await mint(on.minter, DATABASE);
    const token = credential.lease?.handle?.slice(1) ?? '';
    const { data } = await on.vault.call('GET', 'auth/token/lookup-self', undefined, token);
    const { role, ...meta } = data['meta'] as VaultJson;
    const told = { txn: grant.txn, tool: 'create_refund', server: 'shop', agent: 'refund-bot', subject: 'people:u_alice' };
    assert.deepEqual({ role, ...meta }, { role: 'refunds', ...told });
    const mine = on.vault
      .audit()
      .filter(({ auth }) => ((auth as VaultJson | undefined)?.['metadata'] as VaultJson | undefined)?.['txn'] === grant.txn);
    assert.ok(mine.some(({ request }) => (request as VaultJson)['path'] === 'database/creds/refund-writer'));
    // One entity for the tool, however many actions.
    const other = await mint(on.minter, DATABASE);
    const again = await on.vault.call('GET', 'auth/token/lookup-self', undefined, other.credential.lease?.handle?.slice(1));
    assert.equal(again.data['entity_id'], data['entity_id']);
    assert.ok(data['entity_id']);
  });

  test('nothing but its path to a login, and no login to what is no login of ours', async () => {
    const { credential } = await mint(on.minter, DATABASE);
    const token = credential.lease?.handle?.slice(1);
    for (const [method, path] of [
      ['GET', 'secret/data/shop/stripe'],
      ['GET', 'database/roles/refund-writer'],
      ['POST', 'auth/token/create'],
      ['LIST', 'sys/leases/lookup/database/creds/refund-writer'],
      ['GET', 'sys/policies/acl/refunds'],
    ] as const)
      assert.equal((await on.vault.call(method, path, method === 'POST' ? {} : undefined, token)).status, 403, path);
    const enter = async (claims: VaultJson) => {
      const jwt = await on.jwt(claims as Parameters<VaultStage['jwt']>[0]);
      return (await on.vault.call('POST', 'auth/jwt/login', { role: 'refunds', jwt }, null)).status;
    };
    assert.equal(await enter({ server: 'shop', tool: 'export_orders' }), 400, 'of another tool');
    assert.equal(await enter({ server: 'bank', tool: 'create_refund' }), 400, 'of another server');
    assert.equal(await enter({}), 400, 'of no tool');
  });

  test('a certificate over the key of the receiver, which openssl verifies', async () => {
    const key = file('tls.key');
    const of = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key];
    const csr = await output('openssl', ['req', ...of, '-subj', '/CN=shop.example']);
    const begun = now();
    const { data, credential } = await mint(on.minter, PKI, { seconds: 90, material: { csr } });
    const [cert, root] = [file('cert.pem', String(data['certificate'])), file('root.pem', on.root)];
    assert.match(await output('openssl', ['verify', '-CAfile', root, cert]), /: OK/);
    assert.match(await output('openssl', ['x509', '-in', cert, '-noout', '-subject']), /CN ?= ?shop\.example/);
    const publicOf = async (...args: string[]) => (await output('openssl', args)).trim();
    assert.equal(await publicOf('x509', '-in', cert, '-noout', '-pubkey'), await publicOf('pkey', '-in', key, '-pubout'));
    const end = await output('openssl', ['x509', '-in', cert, '-noout', '-enddate']);
    assert.equal(Date.parse(end.replace('notAfter=', '')) / 1000, credential.effectiveExpiry);
    assert.ok(credential.effectiveExpiry <= begun + 91 && credential.effectiveExpiry >= begun + 87);
    // Past its end nobody takes it.
    const late = ['verify', '-attime', String(credential.effectiveExpiry + 1), '-CAfile', root, cert];
    await assert.rejects(output('openssl', late), /expired/);
  });

  test('no certificate for a name that stands in the request alone', async () => {
    const of = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('other.key')];
    for (const asked of [
      ['-subj', '/CN=bank.shop.example'],
      ['-subj', '/CN=shop.example', '-addext', 'subjectAltName=DNS:bank.shop.example'],
    ]) {
      // Vault's role takes names from the request, within its domains: it would sign this.
      const csr = await output('openssl', ['req', ...of, ...asked]);
      await assert.rejects(mint(on.minter, PKI, { material: { csr } }), { message: 'vault_form' });
    }
  });

  for (const type of ['ed25519', 'ecdsa', 'rsa']) {
    test(`an SSH certificate over the receiver's ${type} key, which ssh-keygen reads`, async () => {
      const key = file(`id_${type}`);
      await output('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'me@here', '-f', key]);
      const { data, credential } = await mint(on.minter, SSH, { material: { public_key: readFileSync(`${key}.pub`, 'utf8') } });
      const told = await output('ssh-keygen', ['-L', '-f', file(`${type}-cert.pub`, String(data['signed_key']))], { env: { TZ: 'UTC' } });
      assert.match(told, /Type: \S+ user certificate/);
      assert.match(told, /Principals: \s+deploy\s+Critical Options: \(none\)\s+Extensions: \s+permit-pty\s*$/);
      const end = /Valid: from \S+ to (\S+)/.exec(told)?.[1];
      assert.equal(Date.parse(`${end}Z`) / 1000, credential.effectiveExpiry);
      assert.ok(credential.effectiveExpiry <= now() + 60);
    });
  }

  test('a value that stands, read and not kept', async () => {
    const { data, credential } = await mint(on.minter, KV);
    assert.deepEqual(data, { key: KEY });
    assert.ok(credential.lease);
    assert.deepEqual(await on.minter.revoke(credential.lease, waiting()), { end: 'dies', at: credential.effectiveExpiry });
  });

  test('wrapped: unwrapped once and not twice', async () => {
    for (const settings of [
      { ...DATABASE, wrap: true },
      { ...KV, wrap: true },
    ]) {
      const { data } = await mint(on.minter, settings);
      const { token, creation_path } = data['wrap_info'] as unknown as Record<string, string>;
      assert.equal(creation_path, settings['path' as keyof typeof settings]);
      const unwrap = () => on.vault.call('POST', 'sys/wrapping/unwrap', {}, token);
      const first = await unwrap();
      assert.equal(first.status, 200);
      assert.match(JSON.stringify(first.data), /password|canary-of-the-shop/);
      assert.equal((await unwrap()).status, 400);
    }
  });

  test('nothing it is not set up for', async () => {
    for (const [settings, detail] of [
      [{ ...DATABASE, role: 'nobody' }, /mint_refused vault_login_denied/],
      [{ ...DATABASE, role: 'values' }, /mint_refused vault_denied/],
      [{ ...DATABASE, path: 'database/creds/other' }, /mint_refused vault_denied/],
      [{ ...DATABASE, role: 'sweeper' }, /mint_refused vault_login_denied/],
    ] as const)
      await assert.rejects(mint(on.minter, settings), detail);
    const order = on.minterWith({ audience: 'elsewhere' }).prepare(jobOf(DATABASE), grantOf(60));
    assert.ok(order.ok);
    const ran = await order.value.run(waiting());
    assert.equal(!ran.ok && ran.error.detail, 'vault_login_denied', 'a login for somebody else');
  });
});
