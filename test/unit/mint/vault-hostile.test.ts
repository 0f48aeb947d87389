/** A Vault that is ill, slow or hostile: each step of a mint, the stated end within the deadline, and nothing left behind that could be ended. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Unavailable } from '../../../src/errors.ts';
import { vaultClient } from '../../../src/mint/minter-vault-client.ts';
import { type Answer, type Body, fakeVault } from './vault-fake.ts';
import { DATABASE, job, PATH, registered, type Stage, stage, waiting } from './vault-world.ts';

const json = { 'content-type': 'application/json' };
const raw =
  (status: number, headers: Record<string, string>, ...parts: (string | Buffer)[]): Answer =>
  (response) => {
    response.writeHead(status, headers);
    for (const part of parts) response.write(part);
    response.end();
  };
const cut: Answer = (response) => {
  response.writeHead(200, { ...json, 'content-length': '1000' }).write('{"auth":{"client_token":"hvs.half');
  setImmediate(() => response.destroy());
};
const drip: Answer = (response) => {
  response.writeHead(200, json);
  const timer = setInterval(() => response.write(' '), 20);
  response.once('close', () => clearInterval(timer));
};
/** What would do for any step, were it not for how it comes. */
const good =
  (headers: Record<string, string>, status = 200): Answer =>
  (response) => {
    const client_token = response.req.headers['x-vault-token'] ?? 'hvs.of-a-login';
    const body = { auth: { client_token, lease_duration: 60 }, lease_id: `${PATH}/x`, lease_duration: 60, data: {} };
    response.writeHead(status, headers).end(JSON.stringify(body));
  };
const errors: Body = { errors: ['canary: something with a secret in it'] };
const STEPS = { login: 'auth/jwt/login', renew: 'auth/token/renew-self', secret: PATH } as const;

/** What becomes of one mint: the reason of a refusal, or the code of a fault that is told as "vault unavailable". */
async function outcome({ minter, grant }: Stage, made = job(), ms?: number): Promise<string> {
  const order = minter.prepare(made, grant());
  if (!order.ok) return order.error.reason;
  try {
    const ran = await order.value.run(waiting(ms));
    return ran.ok ? 'minted' : ran.error.reason;
  } catch (fault) {
    assert.ok(fault instanceof Unavailable && fault.what === 'vault', String(fault));
    assert.doesNotMatch(`${fault.message} ${String(fault.cause)} ${fault.stack}`, /canary|hvs\./);
    return fault.message;
  }
}

const ILL: readonly (readonly [what: string, answer: Answer, ends: string])[] = [
  ['a redirect', raw(307, { location: 'http://127.0.0.1:9/v1/x' }), 'vault_redirect'],
  ['a redirect with a body', raw(302, { ...json, location: '/v1/sys/health' }, '{}'), 'vault_redirect'],
  ['nothing new', raw(304, {}), 'vault_redirect'],
  ['garbage', raw(200, json, Buffer.from([0xff, 0xfe, 0x00, 0x80])), 'vault_form'],
  ['JSON that is not strict', raw(200, json, '{"auth":{},"auth":{"client_token":"hvs.second","lease_duration":60}}'), 'vault_form'],
  ['a list', raw(200, json, '[]'), 'vault_form'],
  ['nothing', raw(200, json), 'vault_form'],
  ['HTML', raw(200, { 'content-type': 'text/html' }, '<html>login</html>'), 'vault_form'],
  ['HTML as an error', raw(403, { 'content-type': 'text/html' }, '<html>blocked</html>'), 'vault_form'],
  ['JSON that says it is text', good({ 'content-type': 'text/plain' }), 'vault_form'],
  ['something packed', good({ ...json, 'content-encoding': 'identity, gzip' }), 'vault_form'],
  ['a part', good(json, 206), 'vault_status'],
  ['10 MB', raw(200, json, ...Array<Buffer>(160).fill(Buffer.alloc(65_536, 0x20))), 'vault_size'],
  ['10 MB as an error', raw(500, json, ...Array<Buffer>(160).fill(Buffer.alloc(65_536, 0x20))), 'vault_size'],
  ['half a body', cut, 'vault_network'],
  ['a body without end', drip, 'vault_deadline'],
  ['silence', () => undefined, 'vault_deadline'],
  ['a cut connection', (response) => void response.destroy(), 'vault_network'],
  ['a wrong length', raw(200, { ...json, 'content-length': '5' }, '{"a":1}'), 'vault_form'],
  ['sealed', { status: 503, body: errors }, 'vault_status'],
  ['its own fault', { status: 500, body: errors }, 'vault_status'],
  ['a bad gateway', { status: 502, body: errors }, 'vault_status'],
  ['too many', { status: 429, body: errors }, 'mint_backpressure'],
  ['denied', { status: 403, body: errors }, 'mint_refused'],
  ['not understood', { status: 400, body: errors }, 'mint_refused'],
  ['not there', { status: 404, body: errors }, 'mint_refused'],
  ['an empty object', { body: {} }, 'vault_form'],
  ['nothing of what was asked', { body: { auth: null, data: null, lease_id: null } }, 'vault_form'],
];
for (const [step, path] of Object.entries(STEPS)) {
  suite(`at the ${step}`, () => {
    for (const [what, answer, ends] of ILL) {
      test(`${what}: ${ends}`, async () => {
        await using on = await stage({ timeoutMs: 500 });
        on.vault.answers.set(path, () => answer);
        const began = performance.now();
        assert.equal(await outcome(on), ends);
        assert.ok(performance.now() - began < 8_000);
        assert.equal(on.vault.logins.size, 0, 'a login that came to nothing is ended');
        // What it made before the answer was lost dies with its login: here the fake keeps leases apart, Vault does not.
        assert.equal(on.vault.steps().filter((one) => one.endsWith('revoke-self')).length, step === 'login' ? 0 : 1);
      });
    }
  });
}

suite('a Vault that lies', () => {
  const login = (auth: Body) => (on: Stage) => on.vault.answers.set(STEPS.login, () => ({ body: { auth } }));
  const renew = (more: Body) => (on: Stage) =>
    on.vault.answers.set(STEPS.renew, ({ headers, body }) => {
      const client_token = headers['x-vault-token'];
      return { body: { auth: { client_token, lease_duration: body['increment'], ...more } } };
    });
  const secret = (body: Body) => (on: Stage) => on.vault.answers.set(PATH, () => ({ body }));
  const data = { username: 'u', password: 'p' };
  for (const [what, lie, ends] of [
    ['a token that is no text', login({ client_token: 7, lease_duration: 60 }), 'vault_form'],
    ['a token of two header lines', login({ client_token: 'hvs.a\r\nx-vault-namespace: root', lease_duration: 60 }), 'vault_form'],
    ['a token of a page', login({ client_token: 'h'.repeat(2_000), lease_duration: 60 }), 'vault_form'],
    ['a life in words', login({ client_token: 'hvs.token', lease_duration: '1h' }), 'vault_form'],
    ['another token after renewal', renew({ client_token: 'hvs.of-somebody-else' }), 'vault_form'],
    ['a life it did not shorten', renew({ lease_duration: 900 }), 'vault_lifetime'],
    ['a life a second too long', renew({ lease_duration: 120 }), 'vault_lifetime'],
    ['a life without end', renew({ lease_duration: 0 }), 'vault_lifetime'],
    ['a life before now', renew({ lease_duration: -60 }), 'vault_lifetime'],
    ['a life of half seconds', renew({ lease_duration: 59.5 }), 'vault_form'],
    ['a secret without a lease', secret({ lease_id: '', lease_duration: 0, data }), 'vault_lifetime'],
    ['a secret without a lease that says it has a life', secret({ lease_id: '', lease_duration: 60, data }), 'vault_lifetime'],
    ['a lease of no length', secret({ lease_id: `${PATH}/x`, lease_duration: 0, data }), 'vault_lifetime'],
    ['a lease of another path', secret({ lease_id: 'database/creds/admin/x', lease_duration: 60, data }), 'vault_form'],
    ['a lease that begins alike', secret({ lease_id: `${PATH}-admin/x`, lease_duration: 60, data }), 'vault_form'],
    ['a lease of a number', secret({ lease_id: 7, lease_duration: 60, data }), 'vault_form'],
    ['no data', secret({ lease_id: `${PATH}/x`, lease_duration: 60, data: null }), 'vault_form'],
    ['data that is a list', secret({ lease_id: `${PATH}/x`, lease_duration: 60, data: [] }), 'vault_form'],
  ] as const) {
    test(`${what}: ${ends}`, async () => {
      await using on = await stage();
      lie(on);
      assert.equal(await outcome(on), ends);
      assert.equal(on.vault.logins.size, 0);
    });
  }
  test('longer than asked is right when less was asked', async () => {
    await using on = await stage();
    renew({ lease_duration: 60 })(on);
    assert.equal(await outcome(on), 'minted');
  });
});

test('denied because the login came to its end is no denial', async () => {
  await using on = await stage();
  on.vault.answers.set(PATH, () => {
    on.world.pass(121);
    return { status: 403, body: errors };
  });
  assert.equal(await outcome(on), 'vault_deadline');
});

test('a deadline that passes while Vault is silent is kept, and the login ended all the same', async () => {
  await using on = await stage({ timeoutMs: 5_000 });
  on.vault.answers.set(PATH, () => () => undefined);
  const began = performance.now();
  assert.equal(await outcome(on, job(), 200), 'vault_deadline');
  assert.ok(performance.now() - began < 4_000);
  for (let i = 0; i < 100 && on.vault.logins.size > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(on.vault.logins.size, 0);
});

test('a redirect takes no token to another host', async () => {
  await using other = await fakeVault();
  await using on = await stage();
  for (const path of [...Object.values(STEPS), 'auth/token/revoke-self', 'sys/health'])
    on.vault.answers.set(path, () => raw(307, { location: `${other.address}/v1/${path}` }));
  assert.equal(await outcome(on), 'vault_redirect');
  on.vault.answers.delete(STEPS.login);
  assert.equal(await outcome(on), 'vault_redirect');
  assert.equal((await on.minter.describe(waiting())).ready, false);
  assert.deepEqual(other.asked, []);
});

suite('a path is sent as it stands or not at all', () => {
  for (const path of [
    'database/creds/../../sys/policies/acl/root',
    '../sys/health',
    'database/creds/%2e%2e/x',
    'database\\creds',
    'database//creds',
    'database/creds/x?list=1',
    'database/creds/x#',
    'database/creds/x&#x2F;..&#x2F;y',
    '@127.0.0.1:9/x',
    '',
  ]) {
    test(JSON.stringify(path), async () => {
      await using vault = await fakeVault();
      const client = vaultClient({ address: vault.address, mount: 'jwt', timeoutMs: 500 });
      // Reading and listing may end in `?list=1`, which is ours; posting may not.
      await assert.rejects(client.ask(path, { token: 'hvs.canary00', body: {} }, waiting()), { message: 'vault_path' });
      await assert.rejects(client.list(path, 'hvs.canary00', waiting()), { message: 'vault_path' });
      assert.deepEqual(vault.asked, []);
    });
  }
});

suite('what cannot be made is refused before anything is sent', () => {
  const csr = { csr: '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n' };
  const pki = registered({ form: 'pki', role: 'r', path: 'pki/sign/shop', commonName: 'shop.example' });
  const ssh = registered({ form: 'ssh', role: 'r', path: 'ssh/sign/x', principals: ['deploy'] });
  for (const [what, made, reason] of [
    ['nothing registered', { ...job(), registration: undefined }, 'mint_refused'],
    ['another kind', job(registered(DATABASE, { kind: 'aws' })), 'mint_refused'],
    ['a base token’s action', { ...job(), call: undefined }, 'mint_refused'],
    ['material that nothing needs', job(registered(), { material: { path: 'sys/raw' } }), 'request_malformed'],
    ['no certificate request', job(pki), 'request_malformed'],
    ['a certificate', job(pki, { material: { csr: csr.csr.replaceAll(' REQUEST', '') } }), 'request_malformed'],
    ['two requests', job(pki, { material: { csr: csr.csr + csr.csr } }), 'request_malformed'],
    ['a request and a name', job(pki, { material: { ...csr, common_name: 'bank.example' } }), 'request_malformed'],
    ['a request and a lifetime', job(pki, { material: { ...csr, ttl: '24h' } }), 'request_malformed'],
    ['a request of a page', job(pki, { material: { csr: csr.csr.replace('AAAA', 'AAAA\n'.repeat(400)) } }), 'request_malformed'],
    ['a list of requests', job(pki, { material: { csr: [csr.csr] } }), 'request_malformed'],
    ['no key', job(ssh), 'request_malformed'],
    ['a key of a kind nobody signs', job(ssh, { material: { public_key: `ssh-dss ${'A'.repeat(60)}` } }), 'request_malformed'],
    ['a key that says it is another', job(ssh, { material: { public_key: `ssh-rsa ${'A'.repeat(60)}` } }), 'request_malformed'],
    ['a key with options', job(ssh, { material: { public_key: `command="sh" ssh-ed25519 ${'A'.repeat(60)}` } }), 'request_malformed'],
    ['a key and a principal', job(ssh, { material: { public_key: 'x', valid_principals: 'root' } }), 'request_malformed'],
  ] as const) {
    test(what, async () => {
      await using on = await stage();
      assert.equal(await outcome(on, made as ReturnType<typeof job>), reason);
      assert.deepEqual(on.vault.asked, []);
    });
  }
});
