/** The harness itself: each service starts, does one real thing, and leaves no process and no folder. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { sign, type TestIdp, testIdp, testKey } from '../support/idp.ts';
import { startMinio } from './minio.ts';
import { startPostgres } from './postgres.ts';
import { type Service, until } from './program.ts';
import { skipUnless } from './provision.ts';
import { redisCli, startRedis } from './redis.ts';
import { startCluster } from './redis-cluster.ts';
import { startSentinel } from './redis-sentinel.ts';
import { startVault, type Vault } from './vault.ts';
import { database, databaseRole, jwtAuth, jwtRole, keyValue, pki, policy, sshCa } from './vault-setup.ts';

/** Alive, and not only waiting to be collected by whoever inherited it. */
function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\nState:\tZ/.test(existsSync('/proc/self/status') ? readFileSync(`/proc/${pid}/status`, 'utf8') : '');
  } catch {
    return false;
  }
}
/** Stops it, and looks for what it may have left. */
async function leavesNothing(service: Service): Promise<void> {
  const { folder } = service;
  const pid = service.pid();
  assert.ok(lives(pid) && existsSync(folder));
  await service.stop();
  assert.deepEqual({ lives: lives(pid), folder: existsSync(folder) }, { lives: false, folder: false });
}
/** An issuer that Vault and MinIO trust, in this process. */
async function issuer(): Promise<TestIdp> {
  const idp = await testIdp('/backends');
  idp.keys = [await testKey('ES256')];
  const discovery = {
    issuer: idp.issuer,
    jwks_uri: idp.jwksUri,
    authorization_endpoint: `${idp.issuer}/authorize`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256', 'RS256'],
  };
  idp.answers['/backends/.well-known/openid-configuration'] = { body: JSON.stringify(discovery) };
  return idp;
}
async function login(idp: TestIdp, audience: string, claims: object): Promise<string> {
  const [key] = idp.keys;
  assert.ok(key);
  const iat = Math.floor(Date.now() / 1000);
  return sign(key, { iss: idp.issuer, aud: audience, sub: 'refund-bot', iat, exp: iat + 60, jti: randomUUID(), ...claims });
}

suite('Redis', { skip: await skipUnless('redis') }, () => {
  test('keeps over a kill what was written through, and nothing when it is to be empty', async () => {
    const redis = await startRedis({ appendfsync: 'always' });
    assert.equal(await redis.cli('SET', 'a', '1'), 'OK');
    const before = redis.pid();
    await redis.kill();
    assert.equal(lives(before), false);
    await redis.restart();
    assert.equal(await redis.cli('GET', 'a'), '1');
    await redis.restartEmpty();
    assert.equal(await redis.cli('GET', 'a'), null);
    await leavesNothing(redis);
  });

  test('asks for its password', async () => {
    await using redis = await startRedis();
    await assert.rejects(redisCli({ host: redis.host, port: redis.port })('PING'), /NOAUTH/);
  });

  test('answers nothing while it is stopped, and what was asked once it goes on', async () => {
    const redis = await startRedis();
    redis.pause();
    const answer = redis.cli('PING');
    assert.equal(await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300, 'nothing'))]), 'nothing');
    redis.resume();
    assert.equal(await answer, 'PONG');
    redis.pause();
    await leavesNothing(redis);
  });

  for (const [death, code] of [
    ['killed', "process.kill(process.pid, 'SIGKILL')"],
    ['over, and nobody stopped it', ''],
  ] as const) {
    test(`goes when its test process is ${death}`, async () => {
      const module = new URL('./redis.ts', import.meta.url).href;
      const source = `const { startRedis } = await import('${module}'); const redis = await startRedis();
        redis.pause(); process.stdout.write(JSON.stringify({ pid: redis.pid(), folder: redis.folder }), () => { ${code} });`;
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (part: string) => {
        said += part;
      });
      await once(child, 'close');
      const { pid, folder } = JSON.parse(said) as { pid: number; folder: string };
      await until(() => !lives(pid) && !existsSync(folder), 'nothing to be left', { seconds: 10 });
    });
  }

  test('a start that fails says why, and leaves nothing', async () => {
    const fault = await startRedis({ config: ['no-such-setting yes'] }).then(
      () => undefined,
      (reason: unknown) => String(reason),
    );
    assert.match(fault ?? '', /no-such-setting/);
  });
});

suite('Redis with Sentinels, and as a Cluster', { skip: await skipUnless('redis') }, () => {
  test('a replica takes over when its master dies, and has what was waited for', async () => {
    const sentinel = await startSentinel();
    const first = await sentinel.master();
    assert.equal(first, sentinel.nodes[0]);
    await first.cli('SET', 'a', '1');
    assert.equal(await first.cli('WAIT', '2', '2000'), 2);
    await first.kill();
    const next = await sentinel.failedOver(first);
    assert.notEqual(next.port, first.port);
    assert.equal(await next.cli('GET', 'a'), '1');
    assert.equal(await next.cli('SET', 'a', '2'), 'OK');
    const left = [...sentinel.nodes, ...sentinel.watchers].map((one) => one.folder);
    await sentinel.stop();
    assert.deepEqual(left.filter(existsSync), []);
  });

  test('a slot moves while it is asked for', async () => {
    await using cluster = await startCluster();
    const slot = await cluster.slotOf('{shop}a');
    assert.equal(await cluster.slotOf('{shop}b'), slot);
    const from = await cluster.ownerOf(slot);
    const to = cluster.nodes.find((node) => node !== from);
    assert.ok(to);
    await from.cli('SET', '{shop}a', '1');
    await assert.rejects(to.cli('GET', '{shop}a'), /MOVED/);
    const moving = await cluster.move(slot, to);
    assert.equal(await from.cli('GET', '{shop}a'), '1');
    await assert.rejects(from.cli('GET', '{shop}b'), /ASK/);
    await moving.finish();
    assert.equal(await cluster.ownerOf(slot), to);
    assert.equal(await to.cli('GET', '{shop}a'), '1');
    await assert.rejects(from.cli('GET', '{shop}a'), /MOVED/);
  });
});

suite('PostgreSQL', { skip: await skipUnless('postgres') }, () => {
  test('answers its administrator and nobody else, and keeps what it was told over a crash', async () => {
    const postgres = await startPostgres();
    await postgres.query("CREATE TABLE orders (id int, note text); INSERT INTO orders VALUES (1, E'two\nlines'), (2, '')");
    const rows = [
      ['1', 'two\nlines'],
      ['2', ''],
    ];
    assert.deepEqual(await postgres.query('SELECT * FROM orders ORDER BY id'), rows);
    assert.deepEqual(await postgres.query('SELECT 1 WHERE false'), []);
    await assert.rejects(postgres.query('SELECT 1', { ...postgres.admin, password: 'another' }), /password authentication failed/);
    await assert.rejects(postgres.query('SELECT 1/0'), /division by zero/);
    await postgres.kill();
    await assert.rejects(postgres.query('SELECT 1'), /Connection refused/);
    await postgres.restart();
    assert.deepEqual(await postgres.query('SELECT count(*) FROM orders'), [['2']]);
    await leavesNothing(postgres);
  });
});

suite('Vault', { skip: await skipUnless('vault', 'postgres') }, () => {
  test('lends a database role to whom a JWT of ours names, until the login is revoked', async () => {
    await using idp = await issuer();
    await using postgres = await startPostgres();
    const vault = await startVault();
    await postgres.query('CREATE TABLE orders (id int); INSERT INTO orders VALUES (7)');
    await jwtAuth(vault, { issuer: idp.issuer, jwksUrl: idp.jwksUri });
    await policy(vault, 'orders', { 'database/creds/orders': ['read'] });
    const mappings = { txn: 'txn', tool: 'tool' };
    await jwtRole(vault, 'orders', { audiences: ['vault'], policies: ['orders'], claims: { tool: 'create_refund' }, mappings });
    await database(vault, { postgres });
    await databaseRole(vault, 'orders', { grants: 'GRANT SELECT ON orders TO "{{name}}";' });
    const enter = (jwt: string) => vault.call('POST', 'auth/jwt/login', { role: 'orders', jwt }, null);

    assert.equal((await enter(await login(idp, 'another', { tool: 'create_refund' }))).status, 400);
    assert.equal((await enter(await login(idp, 'vault', { tool: 'export_orders' }))).status, 400);
    const { body } = await enter(await login(idp, 'vault', { tool: 'create_refund', txn: 'txn_1' }));
    const { client_token: token } = body['auth'] as { client_token: string };
    const lent = await vault.call('GET', 'database/creds/orders', undefined, token);
    const role = { user: String(lent.data['username']), password: String(lent.data['password']) };
    assert.deepEqual(await postgres.query('SELECT id FROM orders', role), [['7']]);
    await assert.rejects(postgres.query('DELETE FROM orders', role), /permission denied/);
    assert.deepEqual(await vault.leases('database/creds/orders'), [lent.body['lease_id']]);
    assert.equal((await vault.call('GET', 'secret/data/other', undefined, token)).status, 403);

    assert.equal((await vault.call('POST', 'auth/token/revoke-self', {}, token)).status, 204);
    await until(async () => (await vault.leases('database/creds/orders')).length === 0, 'the lease to end');
    await assert.rejects(postgres.query('SELECT id FROM orders', role), /password authentication failed/);
    const metadata = vault.audit().map((entry) => (entry['auth'] as { metadata?: { txn?: string } } | undefined)?.metadata?.txn);
    assert.ok(metadata.includes('txn_1'));
    await leavesNothing(vault);
  });

  test('signs certificates, keeps secrets, and neither while it is sealed or started anew', async () => {
    await using vault = await startVault();
    assert.match(await pki(vault, { role: 'shop' }), /BEGIN CERTIFICATE/);
    assert.match(await sshCa(vault, { role: 'deploy' }), /^ssh-ed25519 /);
    await keyValue(vault, 'shop/stripe', { key: 'canary' });
    const kept = async (on: Vault): Promise<unknown> => (await on.read('secret/data/shop/stripe'))['data'];
    assert.deepEqual(await kept(vault), { key: 'canary' });
    await vault.seal();
    assert.equal((await vault.call('GET', 'secret/data/shop/stripe')).status, 503);
    await vault.unseal();
    assert.deepEqual(await kept(vault), { key: 'canary' });
    await vault.kill();
    await vault.restart();
    assert.equal((await vault.call('GET', 'secret/data/shop/stripe')).status, 404);
  });
});

suite('MinIO', { skip: await skipUnless('minio') }, () => {
  test('gives what a JWT and a session policy allow, both', async () => {
    await using idp = await issuer();
    const configUrl = `${idp.issuer}/.well-known/openid-configuration`;
    const minio = await startMinio({ openid: { configUrl, clientId: 'minio' }, buckets: ['orders'] });
    await minio.put('orders/2026/a', 'this year');
    await minio.put('orders/2025/a', 'last year');
    const statement = { Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::orders/2026/*'] };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    const ask = (WebIdentityToken: string) =>
      minio.sts({ Action: 'AssumeRoleWithWebIdentity', DurationSeconds: '900', Policy, WebIdentityToken });

    assert.equal((await ask(await login(idp, 'another', { policy: 'readwrite' }))).status, 400);
    const { credentials } = await ask(await login(idp, 'minio', { policy: 'readwrite' }));
    assert.ok(credentials);
    assert.equal((await minio.s3('GET', 'orders/2026/a', undefined, credentials)).text, 'this year');
    assert.equal((await minio.s3('GET', 'orders/2025/a', undefined, credentials)).code, 'AccessDenied');
    assert.equal((await minio.s3('PUT', 'orders/2026/b', 'new', credentials)).code, 'AccessDenied');
    assert.equal(
      (await minio.s3('GET', 'orders/2026/a', undefined, { ...credentials, secretAccessKey: 'x' })).code,
      'SignatureDoesNotMatch',
    );
    await minio.kill();
    await minio.restart();
    assert.equal((await minio.s3('GET', 'orders/2025/a')).text, 'last year');
    await leavesNothing(minio);
  });
});
