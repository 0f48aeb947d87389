/** What every minter must do, on Vault: each form that leaves something to end. */
import { after, before, suite } from 'node:test';
import type { Credential } from '../../src/model.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { type MinterMade, minterContract } from '../contract/minter.ts';
import { CSR, SSH_KEY } from '../unit/mint/certificates.ts';
import { output, until } from './program.ts';
import { skipUnless } from './provision.ts';
import { DATABASE, jobOf, now, PKI, SSH, type VaultStage, vaultStage } from './vault-stage.ts';

const FORMS: Readonly<Record<string, readonly [JsonObject, () => Promise<JsonObject | undefined>]>> = {
  database: [DATABASE, async () => undefined],
  PKI: [
    PKI,
    async () => {
      const of = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', '/dev/null', '-subj', '/CN=shop.example'];
      return { csr: await output('openssl', ['req', ...of]) };
    },
  ],
  SSH: [SSH, async () => ({ public_key: SSH_KEY })],
};

suite('Vault', { skip: await skipUnless('vault', 'postgres', 'openssl') }, () => {
  let on: VaultStage;
  before(async () => {
    on = await vaultStage();
  });
  after(() => on[Symbol.asyncDispose]());
  for (const [name, [settings, bring]] of Object.entries(FORMS)) minterContract(`Vault, ${name}`, () => made(on, settings, bring));
});

async function made(on: VaultStage, settings: JsonObject, bring: () => Promise<JsonObject | undefined>): Promise<MinterMade> {
  const job = jobOf(settings, await bring());
  const { registration: _, ...bare } = job;
  const { call: __, ...listing } = job;
  return {
    minter: on.minterWith({ timeoutMs: 1_000 }),
    job,
    refused: {
      'no registration': [bare, 'mint_refused'],
      'no action': [listing, 'mint_refused'],
      'what it has no place for': [{ ...job, material: { ...job.material, path: 'sys/raw' } }, 'request_malformed'],
      'what another form needs': [{ ...job, material: settings === SSH ? { csr: CSR } : { public_key: SSH_KEY } }, 'request_malformed'],
    },
    now,
    calls: () => on.vault.audit().length,
    ...(settings === DATABASE && { works: (credential: Credential) => works(on, credential) }),
    hang(hangs) {
      if (hangs) on.vault.pause();
      else on.vault.resume();
      // A program of many threads takes a moment to stand still.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    },
    close: async () => undefined,
  };
}
async function works(on: VaultStage, { token }: Credential): Promise<boolean> {
  // Vault ends a login at once, and what it made a moment later.
  await until(
    async () => !(await Promise.all((await on.vault.leases(String(DATABASE['path']))).map((id) => over(on, id)))).includes(true),
    'Vault to end what is over',
  );
  const { username, password } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<string, string>;
  try {
    await on.postgres.query('SELECT id FROM orders', { user: username ?? '', password: password ?? '' });
    return true;
  } catch {
    return false;
  }
}
async function over({ vault }: VaultStage, lease_id: string): Promise<boolean> {
  const { status, data } = await vault.call('POST', 'sys/leases/lookup', { lease_id });
  return status === 200 && data['ttl'] === 0;
}
