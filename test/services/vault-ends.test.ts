/** How what Vault has lent ends: at its time with nobody there to end it, after a crash, and while Vault or the database is away. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import type { Vault } from './vault.ts';
import { jwtRole } from './vault-setup.ts';
import { DATABASE, type Given, KV, loginOf, mint, now, registered, type VaultStage, vaultStage, waiting } from './vault-stage.ts';

const PATH = 'database/creds/refund-writer';

suite('What Vault has lent', { skip: await skipUnless('vault', 'postgres') }, () => {
  let on: VaultStage;
  before(async () => {
    on = await vaultStage();
  });
  after(() => on[Symbol.asyncDispose]());
  const works = (given: Given): Promise<boolean> =>
    on.postgres.query('SELECT id FROM orders', loginOf(given)).then(
      () => true,
      () => false,
    );
  const failure = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'minted',
      (fault: Error) => fault.message,
    );

  test('ends at the granted end, to the second, with every broker dead', async () => {
    const { options, issuer } = on;
    const child = spawn(process.execPath, [new URL('./vault-child.ts', import.meta.url).pathname, options.address], {
      stdio: ['pipe', 'pipe', 'inherit', 'ipc'],
    });
    assert.ok(child.stdout);
    // The child has no key: it asks for its login as the broker asks its signer.
    child.on('message', async (claims: { subject: string }) => child.send(await on.jwt(claims as never)));
    const [said] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string];
    const { given, granted, died } = { ...(JSON.parse(said) as { given: Given; granted: number }), died: once(child, 'exit') };
    child.kill('SIGKILL');
    await died;
    assert.ok(issuer);
    assert.ok(await works(given));
    const { effectiveExpiry } = given.credential;
    assert.ok(effectiveExpiry <= granted && effectiveExpiry >= granted - 1);
    while (Date.now() < effectiveExpiry * 1000 - 100) {
      assert.ok(await works(given), 'it works until then');
      await sleep(100);
    }
    await until(async () => !(await works(given)), 'its end', { seconds: 5 });
    assert.ok(Date.now() < (granted + 1) * 1000, `over at ${Date.now() / 1000 - granted} s after the granted end`);
    assert.deepEqual(await on.vault.leases(PATH), []);
    assert.ok(given.credential.lease);
    assert.deepEqual(await on.minter.revoke(given.credential.lease, waiting()), { end: 'revoked' }, 'what has ended is ended');
  });

  test('lives no longer by a role that would renew it for ever', async () => {
    const more = { token_period: 3600, token_max_ttl: 0, token_ttl: 0 };
    await jwtRole(on.vault, 'periodic', { audiences: ['vault'], policies: ['refunds'], more });
    assert.equal(await failure(mint(on.minter, { ...DATABASE, role: 'periodic' })), 'vault_lifetime');
    await jwtRole(on.vault, 'batch', { audiences: ['vault'], policies: ['refunds'], more: { token_type: 'batch' } });
    assert.match(await failure(mint(on.minter, { ...DATABASE, role: 'batch' })), /mint_refused vault_denied/);
    assert.deepEqual(await on.vault.leases(PATH), []);
  });

  test('after a crash is found and ended where we may list, and what is named stays', async () => {
    const sweeper = on.minterWith({ sweep: { role: 'sweeper' } });
    const [named, lost] = [await mint(on.minter, DATABASE), await mint(on.minter, DATABASE)];
    const names = new Set([named.credential.lease?.name ?? '']);
    assert.deepEqual(await sweeper.strays?.(names, now() - 30, waiting()), { ended: 0, left: 0 }, 'it may be on its way into the ledger');
    assert.ok(await works(lost));
    assert.deepEqual(await sweeper.strays?.(names, now() + 1, waiting()), { ended: 1, left: 0 });
    assert.deepEqual([await works(named), await works(lost)], [true, false]);
    assert.deepEqual(await sweeper.strays?.(new Set(), now() + 1, waiting()), { ended: 1, left: 0 });
    // A wrapped lease has no name that we could know: it would be a stray while its action runs.
    const { data, credential } = await mint(on.minter, { ...DATABASE, wrap: true });
    assert.ok(data['wrap_info'] && credential.lease && !credential.lease.name);
    const careful = on.minterWith({ sweep: { role: 'sweeper' }, registered: () => [registered({ ...DATABASE, wrap: true })] });
    assert.deepEqual(await careful.strays?.(new Set(), now() + 1, waiting()), { ended: 0, left: 2 }, 'it, and what holds it');
    assert.deepEqual(await on.minter.revoke(credential.lease, waiting()), { end: 'revoked' });
    // What holds it is a lease of its own there, which unwrapping ends.
    const { token } = data['wrap_info'] as unknown as { token: string };
    await on.vault.call('POST', 'sys/wrapping/unwrap', {}, token);
    const denied = on.minterWith({ sweep: { role: 'refunds' } });
    assert.equal(await failure(denied.strays?.(new Set(), now(), waiting()) ?? Promise.resolve()), 'vault_status');
  });

  test('is not said to be gone for good while the database is away: the next look finds it', async () => {
    const sweeper = on.minterWith({ sweep: { role: 'sweeper' } });
    const given = await mint(on.minter, DATABASE);
    await on.postgres.kill();
    assert.ok(given.credential.lease);
    // Vault answers as if it were done, and goes on trying by itself.
    assert.deepEqual(await on.minter.revoke(given.credential.lease, waiting()), { end: 'revoked' });
    assert.deepEqual(await sweeper.strays?.(new Set(), now() + 1, waiting()), { ended: 0, left: 1 });
    await on.postgres.restart();
    assert.ok(await works(given));
    await until(async () => (await sweeper.strays?.(new Set(), now() + 1, waiting()))?.left === 0, 'Vault to let go', { seconds: 10 });
    assert.equal(await works(given), false);
  });

  test('the database away: the stated fault, and no login left', async () => {
    await on.postgres.kill();
    const began = performance.now();
    assert.match(await failure(mint(on.minterWith({ timeoutMs: 1_000 }), DATABASE)), /^vault_(status|deadline)$/);
    assert.ok(performance.now() - began < 8_000);
    assert.deepEqual(await on.minter.describe(waiting()), { ready: true, detail: 'vault answers' });
    // Other secrets come all the same.
    await mint(on.minter, KV);
    await on.postgres.restart();
  });

  test('busy: backpressure', async () => {
    await on.vault.write('sys/quotas/rate-limit/tests', { rate: 1, interval: '60s', path: 'auth/jwt' });
    await failure(mint(on.minter, DATABASE));
    assert.match(await failure(mint(on.minter, DATABASE)), /^mint_backpressure vault_busy$/);
    await on.vault.call('DELETE', 'sys/quotas/rate-limit/tests');
  });

  for (const [what, ill, well, fault, health] of [
    ['sealed', (vault: Vault) => vault.seal(), (vault: Vault) => vault.unseal(), 'vault_status', 'vault is sealed'],
    ['stopped', async (vault: Vault) => vault.pause(), async (vault: Vault) => vault.resume(), 'vault_deadline', 'vault is slow'],
  ] as const) {
    test(`${what}: the stated fault in time, what lives is not said to be revoked, and all is well again after`, async () => {
      const minter = on.minterWith({ timeoutMs: 500 });
      const given = await mint(minter, DATABASE);
      await ill(on.vault);
      await until(async () => !(await minter.describe(waiting())).ready, 'it to be so');
      const began = performance.now();
      assert.equal(await failure(mint(minter, DATABASE)), fault);
      assert.ok(given.credential.lease);
      assert.deepEqual(await minter.revoke(given.credential.lease, waiting()), { end: 'unknown' });
      assert.deepEqual(await minter.describe(waiting()), { ready: false, detail: health });
      assert.ok(performance.now() - began < 8_000);
      await well(on.vault);
      await until(async () => (await minter.describe(waiting())).ready, 'Vault to be well');
      assert.deepEqual(await minter.revoke(given.credential.lease, waiting()), { end: 'revoked' });
      // Vault ends the login at once, and what it made a moment later.
      await until(async () => !(await works(given)), 'its end', { seconds: 5 });
      const again = await mint(minter, DATABASE);
      assert.ok(await works(again));
    });
  }

  test('gone altogether: said at once', async () => {
    await on.vault.kill();
    assert.equal(await failure(mint(on.minter, DATABASE)), 'vault_network');
    assert.deepEqual(await on.minter.describe(waiting()), { ready: false, detail: 'vault cannot be reached' });
  });
});
