/** Vault and PostgreSQL set up as an operator would for the broker, and a minter over them whose logins are signed here. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { SignLogin } from '../../src/mint/login.ts';
import type { Minter } from '../../src/mint/minter.ts';
import { type VaultMinterOptions, vaultMinter } from '../../src/mint/minter-vault.ts';
import { readVaultRegistration } from '../../src/mint/minter-vault-registration.ts';
import type { Credential, Grant, Job, Registration } from '../../src/model.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { sign, testIdp, testKey } from '../support/idp.ts';
import { type Login, type Postgres, startPostgres } from './postgres.ts';
import { startVault, type Vault } from './vault.ts';
import { database, databaseRole, jwtAuth, jwtRole, keyValue, pki, policy, sshCa } from './vault-setup.ts';

export const DATABASE: JsonObject = { form: 'database', role: 'refunds', path: 'database/creds/refund-writer' };
export const PKI: JsonObject = { form: 'pki', role: 'certificates', path: 'pki/sign/shop', commonName: 'shop.example' };
export const SSH: JsonObject = { form: 'ssh', role: 'shells', path: 'ssh/sign/deploy', principals: ['deploy'], extensions: ['permit-pty'] };
export const KV: JsonObject = { form: 'kv', role: 'values', path: 'secret/data/shop/stripe' };
export const KEY = 'canary-of-the-shop';

export interface VaultStage extends AsyncDisposable {
  readonly vault: Vault;
  readonly postgres: Postgres;
  readonly minter: Minter;
  /** For a minter of another kind of caution. */
  minterWith(more: Partial<VaultMinterOptions>): Minter;
  readonly options: VaultMinterOptions;
  /** What vouches for the certificates. */
  readonly root: string;
  readonly issuer: string;
  /** A login that anybody may try. */
  jwt(claims: JsonObject): Promise<string>;
}
export const now = (): number => Math.floor(Date.now() / 1000);

export async function vaultStage(): Promise<VaultStage> {
  const idp = await testIdp('/backends');
  const key = await testKey('ES256');
  idp.keys = [key];
  const [vault, postgres] = await Promise.all([startVault(), startPostgres()]);
  await postgres.query('CREATE TABLE orders (id int); INSERT INTO orders VALUES (7)');
  await jwtAuth(vault, { issuer: idp.issuer, jwksUrl: idp.jwksUri });
  await database(vault, { postgres });
  await databaseRole(vault, 'refund-writer', { grants: 'GRANT SELECT ON orders TO "{{name}}";' });
  const root = await pki(vault, { role: 'shop' });
  await sshCa(vault, { role: 'deploy', more: { default_extensions: {}, allowed_extensions: 'permit-pty' } });
  await keyValue(vault, 'shop/stripe', { key: KEY });
  const mappings = { txn: 'txn', tool: 'tool', server: 'server', agent: 'agent', subject: 'subject' };
  const claims = { server: 'shop', tool: 'create_refund' };
  for (const [role, path, capability] of [
    ['refunds', 'database/creds/refund-writer', 'read'],
    ['certificates', 'pki/sign/shop', 'update'],
    ['shells', 'ssh/sign/deploy', 'update'],
    ['values', 'secret/data/shop/stripe', 'read'],
  ] as const) {
    await policy(vault, role, { [path]: [capability] });
    await jwtRole(vault, role, { audiences: ['vault'], policies: [role], claims, mappings, ttlSeconds: 300 });
  }
  await policy(vault, 'sweeper', {
    'sys/leases/lookup/database/creds/refund-writer': ['list', 'sudo'],
    'sys/leases/lookup': ['update'],
    'sys/leases/revoke': ['update'],
  });
  await jwtRole(vault, 'sweeper', { audiences: ['vault'], policies: ['sweeper'], claims: { sub: 'sweep' }, ttlSeconds: 60 });
  const login: SignLogin = ({ audience, subject, id, now: iat, claims: more }) =>
    sign(key, { ...more, iss: idp.issuer, aud: audience, sub: subject, iat, nbf: iat, exp: iat + 60, jti: id });
  const options: VaultMinterOptions = {
    address: vault.address,
    mount: 'jwt',
    audience: 'vault',
    timeoutMs: 3_000,
    login,
    now,
    random: randomBytes,
    registered: () => [registered(DATABASE)],
  };
  const minterWith = (more: Partial<VaultMinterOptions>): Minter => vaultMinter({ ...options, ...more });
  return {
    vault,
    postgres,
    root,
    options,
    issuer: idp.issuer,
    minter: minterWith({}),
    minterWith,
    jwt: (more) => login({ audience: 'vault', subject: 'shop:create_refund', id: randomUUID(), now: now(), claims: more }),
    async [Symbol.asyncDispose]() {
      await vault.stop();
      await postgres.stop();
      await idp[Symbol.asyncDispose]();
    },
  };
}
/** As a bundle would have it. */
export function registered(settings: JsonObject): Registration {
  const read = readVaultRegistration(settings, { server: 'shop', tool: { name: 'create_refund', schema: {}, hidden: false } });
  if (!read.ok) throw new Error(read.error.join('; '));
  return { kind: 'vault', deliver: 'tool-server', cap: 100, ...read.value };
}
const RESOURCE = 'https://mcp.shop.example/mcp';
export function jobOf(settings: JsonObject, material?: JsonObject): Job {
  return {
    kind: 'vault',
    server: { id: 'shop', resource: RESOURCE },
    call: { resource: RESOURCE, tool: 'create_refund', digest: 'sha-256:RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o' } as NonNullable<
      Job['call']
    >,
    registration: registered(settings),
    subject: 'people:u_alice',
    actors: ['refund-bot'],
    ...(material && { material }),
  };
}
export function grantOf(seconds: number): Grant {
  const root = randomUUID();
  const iat = now();
  return { jti: `tok_${root}`, txn: `txn_${root}`, iat, exp: iat + seconds, scope: 'tool:create_refund', claims: {}, policies: [] };
}
export interface Given {
  readonly credential: Credential;
  readonly data: Readonly<Record<string, string>>;
  readonly grant: Grant;
}
/** Errors: it was refused. */
export async function mint(
  minter: Minter,
  settings: JsonObject,
  { seconds = 60, material }: { seconds?: number; material?: JsonObject } = {},
): Promise<Given> {
  const grant = grantOf(seconds);
  const order = minter.prepare(jobOf(settings, material), grant);
  if (!order.ok) throw new Error(order.error.reason);
  const ran = await order.value.run(waiting());
  if (!ran.ok) throw new Error(`${ran.error.reason} ${ran.error.detail}`);
  return { credential: ran.value, data: JSON.parse(Buffer.from(ran.value.token, 'base64url').toString()), grant };
}
export const waiting = (): { readonly signal: AbortSignal } => ({ signal: AbortSignal.timeout(10_000) });
export const loginOf = ({ data }: Given): Login => ({ user: data['username'] ?? '', password: data['password'] ?? '' });
