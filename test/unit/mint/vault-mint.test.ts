import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decodeJwt } from 'jose';
import type { JsonObject } from '../../../src/wire/json.ts';
import { CSR, hostName, ipAddress, mail, SSH_KEY, sshCertificate, uri, x509 } from './certificates.ts';
import { DATABASE, job, opened, PATH, registered, type Stage, stage, waiting } from './vault-world.ts';

async function mint({ minter, grant }: Stage, made = job(), seconds?: number) {
  const order = minter.prepare(made, grant(seconds));
  if (!order.ok) return order;
  return order.value.run(waiting());
}
async function minted(on: Stage, made = job(), seconds?: number) {
  const credential = await mint(on, made, seconds);
  assert.ok(credential.ok, credential.ok ? '' : credential.error.reason);
  return credential.value;
}

test('a mint is three calls and its release one', async () => {
  await using on = await stage();
  const { lease } = await minted(on);
  assert.deepEqual(on.vault.steps(), ['POST auth/jwt/login', 'POST auth/token/renew-self', `GET ${PATH}`]);
  assert.ok(lease);
  assert.deepEqual(await on.minter.revoke(lease, waiting()), { end: 'revoked' });
  assert.deepEqual(on.vault.steps().slice(3), ['POST auth/token/revoke-self']);
  assert.equal(on.vault.logins.size, 0);
});

test('one connection serves them all', async () => {
  await using on = await stage();
  for (let i = 0; i < 3; i++) await minted(on);
  assert.equal(on.vault.asked.length, 9);
  assert.equal(new Set(on.vault.asked.map(({ port }) => port)).size, 1);
});

test('the receiver gets the data of the lease, and never the login', async () => {
  await using on = await stage();
  const credential = await minted(on);
  assert.deepEqual(opened(credential.token), { username: 'v-refund', password: 'p-1' });
  const [token] = [...on.vault.logins.keys()];
  assert.ok(token && credential.lease?.handle?.endsWith(token));
  assert.equal(Buffer.from(credential.token, 'base64url').includes(token), false);
});

test('the login says what it is for, and stays one account for a tool', async () => {
  await using on = await stage();
  const order = on.minter.prepare(job(), on.grant());
  assert.ok(order.ok && order.value.lease);
  await order.value.run(waiting());
  const [login] = on.vault.asked;
  assert.equal(login?.body['role'], 'refunds');
  const { iat, exp, ...claims } = decodeJwt(String(login?.body['jwt']));
  assert.deepEqual(claims, {
    aud: 'vault',
    sub: 'shop:create_refund',
    jti: order.value.lease.id,
    txn: 'txn_1',
    tool: 'create_refund',
    server: 'shop',
    subject: 'people:u_alice',
    agent: 'refund-bot',
  });
  assert.deepEqual(login?.headers['x-vault-token'], undefined);
});

test('an agent that acts for itself is subject and agent', async () => {
  await using on = await stage();
  await minted(on, job(undefined, { subject: 'refund-bot', actors: [] }));
  const { agent, subject } = decodeJwt(String(on.vault.asked[0]?.body['jwt']));
  assert.deepEqual({ agent, subject }, { agent: 'refund-bot', subject: 'refund-bot' });
});

test('an order has its lease, with the cap and the name of its role, and no handle before it ran', async () => {
  await using on = await stage();
  const order = on.minter.prepare(job(registered(DATABASE, { cap: 7 })), on.grant());
  assert.ok(order.ok && order.value.lease);
  const { id, ...lease } = order.value.lease;
  assert.match(id, /^lea_[\w-]{22}$/);
  assert.deepEqual(lease, { txn: 'txn_1', kind: 'vault', where: `vault/${PATH}`, cap: 7, exp: on.world.now() + 120 });
  const ran = await order.value.run(waiting());
  assert.ok(ran.ok && ran.value.lease);
  assert.deepEqual({ id: ran.value.lease.id, name: ran.value.lease.name }, { id, name: [...on.vault.leases.keys()][0] });
});

suite('it ends with its grant, to the second', () => {
  for (const { what, seconds = 120, ttl, login, lease, passes = 0, end, increment } of [
    { what: 'a second early: this clock may be that much behind', end: 119, increment: 119 },
    { what: 'at the end that the registration sets', ttl: 30, end: 29, increment: 29 },
    { what: 'the registration cannot lengthen it', ttl: 300, end: 119, increment: 119 },
    { what: 'with a login that Vault lets live shorter', login: 60, end: 60, increment: 119 },
    { what: 'with a lease that Vault lets live shorter', lease: 20, end: 20, increment: 119 },
    { what: 'after time was lost at the login', passes: 15, end: 119, increment: 104 },
    { what: 'a life of two seconds', seconds: 2, end: 1, increment: 1 },
  ]) {
    test(what, async () => {
      await using on = await stage();
      on.vault.answers.set('auth/jwt/login', () => void on.world.pass(passes));
      on.vault.answers.set('auth/token/renew-self', ({ headers, body }) => {
        const client_token = headers['x-vault-token'];
        return { body: { auth: { client_token, lease_duration: login ?? body['increment'], renewable: true } } };
      });
      if (lease !== undefined)
        on.vault.answers.set(PATH, () => ({
          body: { lease_id: `${PATH}/x`, lease_duration: lease, data: { username: 'u', password: 'p' } },
        }));
      const begun = on.world.now();
      const credential = await minted(on, job(registered(DATABASE, ttl === undefined ? {} : { ttlSeconds: ttl })), seconds);
      assert.deepEqual(
        {
          end: credential.effectiveExpiry - begun,
          lease: (credential.lease?.exp ?? 0) - begun,
          increment: on.vault.asked[1]?.body['increment'],
        },
        { end, lease: end, increment },
      );
    });
  }

  test('nothing is begun that would be over', async () => {
    await using on = await stage();
    const order = on.minter.prepare(job(), on.grant(1));
    assert.equal(!order.ok && order.error.reason, 'deadline');
    const late = on.minter.prepare(job(), on.grant(10));
    on.world.pass(9);
    assert.ok(late.ok);
    const ran = await late.value.run(waiting());
    assert.equal(!ran.ok && ran.error.reason, 'deadline');
    assert.deepEqual(on.vault.steps(), []);
  });
});

const KV = { form: 'kv', role: 'reader', path: 'secret/data/shop/api' };
const PKI = { form: 'pki', role: 'certs', path: 'pki/sign/shop', commonName: 'shop.example', hosts: ['api.shop.example'] };
const SSH = {
  form: 'ssh',
  role: 'ssh',
  path: 'ssh/sign/deploy',
  principals: ['deploy'],
  extensions: ['permit-pty'],
  forceCommand: 'uptime',
};

test('a value that lives on ends as far as the action goes, and is registered as standing', async () => {
  await using on = await stage();
  on.vault.secrets.set(KV.path, { data: { key: 'k-1' }, metadata: { version: 3 } });
  assert.equal(registered(KV).standing, true);
  assert.equal(registered().standing, undefined);
  const { token, effectiveExpiry, lease } = await minted(on, job(registered(KV)));
  assert.deepEqual(opened(token), { key: 'k-1' });
  assert.equal(effectiveExpiry, on.world.now() + 119);
  assert.ok(lease);
  assert.deepEqual(await on.minter.revoke(lease, waiting()), { end: 'dies', at: effectiveExpiry });
  assert.equal(on.vault.logins.size, 0, 'its login has gone all the same');
});

test('wrapped: what fetches it once, from that path', async () => {
  await using on = await stage();
  const credential = await minted(on, job(registered({ ...DATABASE, wrap: true })));
  assert.equal(on.vault.asked[2]?.headers['x-vault-wrap-ttl'], '119');
  const info = { token: 'hvs.wrapped', ttl: 119, creation_time: '2026-11-20T12:00:00Z', creation_path: PATH };
  assert.deepEqual(opened(credential.token), { wrap_info: info });
  on.vault.answers.set(PATH, () => ({ body: { wrap_info: { ...info, creation_path: 'cubbyhole/response' } } }));
  await assert.rejects(mint(on, job(registered({ ...DATABASE, wrap: true }))), { message: 'vault_form' });
  on.vault.answers.set(PATH, () => ({ body: { lease_id: `${PATH}/x`, lease_duration: 60, data: { username: 'u' } } }));
  await assert.rejects(mint(on, job(registered({ ...DATABASE, wrap: true }))), { message: 'vault_form' }, 'not wrapped at all');
});

suite('a certificate', () => {
  const certify = async (registration: JsonObject, material: JsonObject, data: (end: number) => JsonObject, end = 119) => {
    await using on = await stage();
    on.vault.secrets.set(String(registration['path']), data(on.world.now() + end));
    const credential = await minted(on, job(registered(registration), { material }));
    return { credential, asked: on.vault.asked[2]?.body, on: { now: on.world.now() } };
  };
  const pki = (more: object, end?: number) => certify(PKI, { csr: CSR }, (at) => ({ certificate: x509({ end: at, ...more }) }), end);
  const ssh = (more: object, end?: number) =>
    certify(
      SSH,
      { public_key: `${SSH_KEY} me@here` },
      (at) => ({ signed_key: sshCertificate({ end: at, critical: { 'force-command': 'uptime' }, ...more }) }),
      end,
    );

  test('PKI: names and life are the registration’s, its end is its own', async () => {
    const { credential, asked, on } = await pki({ names: [hostName('shop.example'), hostName('api.shop.example')] }, 100);
    assert.deepEqual(asked, { csr: CSR, common_name: 'shop.example', alt_names: 'api.shop.example', ttl: '119s', format: 'pem' });
    assert.equal(credential.effectiveExpiry, on.now + 100);
  });
  test('SSH: principals and life are the registration’s, the key goes without its comment', async () => {
    const { credential, asked, on } = await ssh({ extensions: ['permit-pty'] }, 90);
    assert.deepEqual(asked, {
      public_key: SSH_KEY,
      cert_type: 'user',
      valid_principals: 'deploy',
      extensions: { 'permit-pty': '' },
      critical_options: { 'force-command': 'uptime' },
      ttl: '119s',
    });
    assert.equal(credential.effectiveExpiry, on.now + 90);
  });

  for (const [what, make, code = 'vault_form'] of [
    ['PKI of another name', () => pki({ commonName: 'bank.example' })],
    ['PKI of no name', () => pki({ commonName: '' })],
    ['PKI with a further name', () => pki({ names: [hostName('shop.example'), hostName('bank.example')] })],
    ['PKI with a wildcard', () => pki({ names: [hostName('*.shop.example')] })],
    ['PKI with a name that reads like two', () => pki({ names: [hostName('shop.example, DNS:api.shop.example')] })],
    ['PKI with an address', () => pki({ names: [ipAddress(10, 0, 0, 1)] })],
    ['PKI with a URI', () => pki({ names: [uri('spiffe://shop.example/admin')] })],
    ['PKI with a name of another kind', () => pki({ names: [uri('shop.example')] })],
    ['PKI with a mail address', () => pki({ names: [mail('root@shop.example')] })],
    ['PKI of an authority', () => pki({ authority: true })],
    ['PKI that outlives its grant', () => pki({}, 121), 'vault_lifetime'],
    ['PKI that is over', () => pki({}, 0), 'vault_lifetime'],
    ['no PKI at all', () => certify(PKI, { csr: CSR }, () => ({ certificate: 'hello' }))],
    ['SSH for another principal', () => ssh({ principals: ['deploy', 'root'] })],
    ['SSH for every principal', () => ssh({ principals: [] })],
    ['SSH of a host', () => ssh({ kind: 2 })],
    ['SSH over another key', () => ssh({ key: Buffer.alloc(32, 8) })],
    ['SSH without its command', () => ssh({ critical: {} })],
    ['SSH with another command', () => ssh({ critical: { 'force-command': 'sh' } })],
    ['SSH with what nobody registered', () => ssh({ extensions: ['permit-pty', 'permit-port-forwarding'] })],
    ['SSH cut short', () => ssh({ cut: 32 })],
    ['SSH that outlives its grant', () => ssh({}, 121), 'vault_lifetime'],
    ['SSH for ever', () => ssh({}, 2 ** 52), 'vault_lifetime'],
  ] as const) {
    test(`is not handed out: ${what}`, async () => {
      await assert.rejects(make(), { message: code });
    });
  }

  test('lives on when its login has gone', async () => {
    await using on = await stage();
    on.vault.secrets.set(PKI.path, { certificate: x509({ end: on.world.now() + 60 }) });
    const { lease } = await minted(on, job(registered(PKI), { material: { csr: CSR } }));
    assert.ok(lease);
    assert.deepEqual(await on.minter.revoke(lease, waiting()), { end: 'dies', at: on.world.now() + 60 });
  });
});
