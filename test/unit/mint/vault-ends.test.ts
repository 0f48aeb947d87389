/** How leases end: by name, by what no lease names; and how Vault is. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decodeJwt } from 'jose';
import type { Lease } from '../../../src/model.ts';
import type { Answer } from './vault-fake.ts';
import { DATABASE, job, PATH, registered, type Stage, stage, waiting } from './vault-world.ts';

async function minted({ minter, grant }: Stage): Promise<Lease> {
  const order = minter.prepare(job(), grant());
  assert.ok(order.ok);
  const ran = await order.value.run(waiting());
  assert.ok(ran.ok && ran.value.lease);
  return ran.value.lease;
}
const json = { 'content-type': 'application/json' };

suite('to revoke', () => {
  const REVOKE = 'auth/token/revoke-self';
  for (const [what, answer, end] of [
    ['what lives', undefined, 'revoked'],
    ['what has gone', { status: 403, body: { errors: ['permission denied'] } }, 'revoked'],
    ['at a sealed Vault', { status: 503, body: { errors: ['sealed'] } }, 'unknown'],
    ['at a busy Vault', { status: 429, body: { errors: ['busy'] } }, 'unknown'],
    ['at one that is not found', { status: 404, body: { errors: [] } }, 'unknown'],
    ['behind a wall', (response) => response.writeHead(403, { 'content-type': 'text/html' }).end('<html>'), 'unknown'],
    ['through a redirect', (response) => response.writeHead(307, { ...json, location: '/' }).end('{}'), 'unknown'],
    ['in silence', () => undefined, 'unknown'],
  ] as const satisfies readonly (readonly [string, Answer, string])[]) {
    test(`${what}: ${end}`, async () => {
      await using on = await stage({ timeoutMs: 500 });
      const lease = await minted(on);
      on.vault.answers.set(REVOKE, () => answer);
      assert.deepEqual(await on.minter.revoke(lease, waiting()), { end });
    });
  }
  test('twice is once', async () => {
    await using on = await stage();
    const lease = await minted(on);
    for (let i = 0; i < 2; i++) assert.deepEqual(await on.minter.revoke(lease, waiting()), { end: 'revoked' });
  });
  test('at nobody’s port: unknown', async () => {
    const on = await stage();
    const lease = await minted(on);
    await on.vault[Symbol.asyncDispose]();
    assert.deepEqual(await on.minter.revoke(lease, waiting()), { end: 'unknown' });
  });
  test('what never answered dies at its end, and Vault is not asked', async () => {
    await using on = await stage();
    const { handle: _, ...lease } = await minted(on);
    on.vault.asked.length = 0;
    assert.deepEqual(await on.minter.revoke(lease, waiting()), { end: 'dies', at: lease.exp });
    assert.deepEqual(on.vault.asked, []);
  });
});

suite('what no lease names', () => {
  const sweeping = { sweep: { role: 'sweeper' } };
  test('cannot be looked for unless the operator lets us', async () => {
    await using on = await stage();
    assert.equal(on.minter.strays, undefined);
  });
  test('is ended if it is old enough; what is named or young, or of others, is left alone', async () => {
    await using on = await stage({ ...sweeping, registered: () => [registered(), registered({ ...DATABASE, role: 'others' })] });
    const { name = '' } = await minted(on);
    const now = on.world.now();
    on.vault.leases.set(name, now - 600);
    on.vault.leases.set(`${PATH}/old`, now - 60);
    on.vault.leases.set(`${PATH}/older`, now - 600);
    on.vault.leases.set(`${PATH}/young`, now - 10);
    on.vault.leases.set(`${PATH}-admin/old`, now - 600);
    on.vault.leases.set('rabbitmq/creds/x/old', now - 600);
    on.vault.asked.length = 0;
    const logins = [...on.vault.logins.keys()];
    assert.deepEqual(await on.minter.strays?.(new Set([name]), now - 30, waiting()), { ended: 2, left: 0 });
    assert.deepEqual([...on.vault.leases.keys()], [name, `${PATH}/young`, `${PATH}-admin/old`, 'rabbitmq/creds/x/old']);
    assert.deepEqual([...on.vault.logins.keys()], logins, 'its own login is ended');
    const [login] = on.vault.asked;
    const { sub, txn } = decodeJwt(String(login?.body['jwt']));
    assert.deepEqual({ role: login?.body['role'], sub, txn }, { role: 'sweeper', sub: 'sweep', txn: undefined });
    assert.equal(on.vault.steps().filter((step) => step === `GET sys/leases/lookup/${PATH}?list=1`).length, 1, 'a path is listed once');
  });
  test('is not asked for where nothing leases', async () => {
    await using on = await stage({ ...sweeping, registered: () => [registered({ form: 'kv', role: 'r', path: 'secret/data/x' })] });
    assert.deepEqual(await on.minter.strays?.(new Set(), on.world.now(), waiting()), { ended: 0, left: 0 });
    assert.deepEqual(on.vault.asked, []);
  });
  for (const order of [
    [registered(), registered({ ...DATABASE, wrap: true })],
    [registered({ ...DATABASE, wrap: true }), registered()],
  ]) {
    test('is left where it cannot be told from what lives: wrapped leases have no name', async () => {
      await using on = await stage({ ...sweeping, registered: () => order });
      on.vault.leases.set(`${PATH}/of-one-that-lives`, on.world.now() - 60);
      assert.deepEqual(await on.minter.strays?.(new Set(), on.world.now(), waiting()), { ended: 0, left: 1 });
      assert.equal(on.vault.leases.size, 1);
    });
  }
  test('is ended 200 at a time', async () => {
    await using on = await stage(sweeping);
    for (let i = 0; i < 450; i++) on.vault.leases.set(`${PATH}/${i}`, on.world.now() - 600);
    const pass = () => on.minter.strays?.(new Set(), on.world.now(), waiting(20_000));
    assert.deepEqual(await pass(), { ended: 200, left: 250 });
    assert.deepEqual(await pass(), { ended: 200, left: 50 });
    assert.deepEqual(await pass(), { ended: 50, left: 0 });
  });
  for (const [what, path, answer, outcome] of [
    ['of no known age', 'sys/leases/lookup', { body: { data: { issue_time: 'once' } } }, { ended: 0, left: 1 }],
    ['that has gone meanwhile', 'sys/leases/lookup', { status: 400, body: { errors: ['invalid lease'] } }, { ended: 0, left: 0 }],
    ['that may not be ended', 'sys/leases/revoke', { status: 403, body: { errors: [] } }, { ended: 0, left: 1 }],
    ['whose engine is away', 'sys/leases/revoke', { status: 400, body: { errors: ['failed to revoke'] } }, { ended: 0, left: 1 }],
    ['that does not let go', 'sys/leases/revoke', { status: 500, body: { errors: [] } }, { ended: 0, left: 1 }],
    ['that may not be listed', `sys/leases/lookup/${PATH}?list=1`, { status: 403, body: { errors: [] } }, 'vault_status'],
    ['in a list that is none', `sys/leases/lookup/${PATH}?list=1`, { body: { data: { keys: [7] } } }, 'vault_form'],
    ['where the role may not log in', 'auth/jwt/login', { status: 400, body: { errors: [] } }, 'vault_status'],
    ['in silence', 'sys/leases/lookup', () => undefined, 'vault_deadline'],
  ] as const satisfies readonly (readonly [string, string, Answer, unknown])[]) {
    test(`${what}: ${JSON.stringify(outcome)}`, async () => {
      await using on = await stage({ ...sweeping, timeoutMs: 500 });
      on.vault.leases.set(`${PATH}/old`, on.world.now() - 600);
      on.vault.answers.set(path, () => answer);
      const pass = on.minter.strays?.(new Set(), on.world.now(), waiting()) ?? Promise.resolve();
      if (typeof outcome === 'string') await assert.rejects(pass, { what: 'vault', message: outcome });
      else assert.deepEqual(await pass, outcome);
      assert.equal(on.vault.logins.size, 0);
    });
  }
});

suite('how Vault is', () => {
  const said = (initialized: boolean, sealed: boolean, standby: boolean, status = 200): Answer => ({
    status,
    body: { initialized, sealed, standby },
  });
  for (const [what, answer, health] of [
    ['well', undefined, { ready: true, detail: 'vault answers' }],
    ['sealed', said(true, true, true, 503), { ready: false, detail: 'vault is sealed' }],
    ['new', said(false, true, true, 501), { ready: false, detail: 'vault is not initialized' }],
    ['standing by', said(true, false, true, 429), { ready: false, detail: 'vault stands by' }],
    ['of few words', { body: {} }, { ready: false, detail: 'vault is not initialized' }],
    [
      'a web page',
      (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      { ready: false, detail: 'vault cannot be reached' },
    ],
    ['elsewhere', (response) => response.writeHead(302, { location: '/' }).end(), { ready: false, detail: 'vault cannot be reached' }],
    ['silent', () => undefined, { ready: false, detail: 'vault is slow' }],
  ] as const satisfies readonly (readonly [string, Answer, unknown])[]) {
    test(what, async () => {
      await using on = await stage({ timeoutMs: 10_000, namespace: 'team-a' });
      on.vault.answers.set('sys/health', () => answer);
      const began = performance.now();
      assert.deepEqual(await on.minter.describe(waiting()), health);
      assert.ok(performance.now() - began < 8_000);
      const [asked] = on.vault.asked;
      // Vault answers for itself in the root namespace alone, and to anybody.
      assert.deepEqual([asked?.headers['x-vault-namespace'], asked?.headers['x-vault-token']], [undefined, undefined]);
    });
  }
  test('a namespace goes with every other call', async () => {
    await using on = await stage({ namespace: 'team-a/shop' });
    await on.minter.revoke(await minted(on), waiting());
    assert.deepEqual(new Set(on.vault.asked.map(({ headers }) => headers['x-vault-namespace'])), new Set(['team-a/shop']));
  });
});
