/** A minter over the fake Vault, with a clock that stands: what a conductor would hand to it. */
import { generateKeyPairSync } from 'node:crypto';
import type { Minter } from '../../../src/mint/minter.ts';
import { type VaultMinterOptions, vaultMinter } from '../../../src/mint/minter-vault.ts';
import { readVaultRegistration } from '../../../src/mint/minter-vault-registration.ts';
import type { Grant, Job, Registration } from '../../../src/model.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { jwt } from '../../support/keys.ts';
import { type TestWorld, testWorld } from '../../support/test-world.ts';
import { type FakeVault, fakeVault } from './vault-fake.ts';

export const PATH = 'database/creds/refund-writer';
export const DATABASE = { form: 'database', role: 'refunds', path: PATH };
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** As the bundle would have it. Errors: it would not come into force. */
export function registered(settings: JsonObject = DATABASE, more: Partial<Registration> = {}): Registration {
  const of = { server: 'shop', tool: { name: 'create_refund', schema: {}, hidden: false } };
  const read = readVaultRegistration(settings, of);
  if (!read.ok) throw new Error(read.error.join('; '));
  return { kind: 'vault', deliver: 'tool-server', cap: 100, ...read.value, ...more };
}
export function job(registration: Registration = registered(), more: Partial<Job> = {}): Job {
  return {
    kind: 'vault',
    server: { id: 'shop', resource: 'https://mcp.shop.example/mcp' },
    call: {
      resource: 'https://mcp.shop.example/mcp',
      tool: 'create_refund',
      digest: 'sha-256:RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o',
    },
    registration,
    subject: 'people:u_alice',
    actors: ['refund-bot'],
    ...more,
  } as Job;
}
export interface Stage extends AsyncDisposable {
  readonly vault: FakeVault;
  readonly world: TestWorld;
  readonly minter: Minter;
  grant(seconds?: number): Grant;
}
export async function stage(more: Partial<VaultMinterOptions> = {}): Promise<Stage> {
  const vault = await fakeVault();
  vault.secrets.set(PATH, { username: 'v-refund', password: 'p-1' });
  const world = testWorld();
  const minter = vaultMinter({
    address: vault.address,
    mount: 'jwt',
    audience: 'vault',
    timeoutMs: 1_000,
    now: world.now,
    random: world.random,
    registered: () => [registered()],
    login: ({ audience, subject, id, now, claims }) =>
      jwt(
        { private: privateKey },
        { alg: 'ES256', typ: 'JWT' },
        { ...claims, aud: audience, sub: subject, jti: id, iat: now, exp: now + 60 },
      ),
    ...more,
  });
  return {
    vault,
    world,
    minter,
    grant(seconds = 120) {
      const iat = world.now();
      return { jti: 'tok_1', txn: 'txn_1', iat, exp: iat + seconds, scope: 'tool:create_refund', claims: {}, policies: [] };
    },
    [Symbol.asyncDispose]: () => vault[Symbol.asyncDispose](),
  };
}
export const waiting = (ms = 5_000): { readonly signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) });
/** What a receiver reads. */
export const opened = (token: string): unknown => JSON.parse(Buffer.from(token, 'base64url').toString());
