/** What an operator does to a Vault before the broker mints with it: logins by JWT, and the engines credentials come from. Names are Vault's own. */
import type { Postgres } from './postgres.ts';
import type { Vault, VaultJson } from './vault.ts';

/** Paths and what may be done there. */
export async function policy(vault: Vault, name: string, paths: Readonly<Record<string, readonly string[]>>): Promise<void> {
  const rules = Object.entries(paths).map(([path, can]) => `path ${JSON.stringify(path)} { capabilities = ${JSON.stringify(can)} }`);
  await vault.write(`sys/policies/acl/${name}`, { policy: rules.join('\n') });
}

export interface JwtAuthOptions {
  /** Where it is mounted; jwt. */
  readonly path?: string;
  /** The back-end issuer, `<issuer>/backends`, and where its key set is. Vault fetches it now: it must answer. */
  readonly issuer: string;
  readonly jwksUrl: string;
}
/** Errors: the key set does not answer. */
export async function jwtAuth(vault: Vault, { path = 'jwt', issuer, jwksUrl }: JwtAuthOptions): Promise<void> {
  await vault.write(`sys/auth/${path}`, { type: 'jwt' });
  await vault.write(`auth/${path}/config`, { jwks_url: jwksUrl, bound_issuer: issuer, jwt_supported_algs: ['ES256', 'RS256'] });
}
export interface JwtRole {
  readonly path?: string;
  readonly audiences: readonly string[];
  readonly policies: readonly string[];
  /** Claims the login must bring with these values. */
  readonly claims?: Readonly<Record<string, string | readonly string[]>>;
  /** Claim to metadata: `{ txn: 'txn', tool: 'tool' }`. */
  readonly mappings?: Readonly<Record<string, string>>;
  /** sub. */
  readonly userClaim?: string;
  /** Of the token; 900. */
  readonly ttlSeconds?: number;
  /** What stands over the rest, by Vault's names. */
  readonly more?: VaultJson;
}
export async function jwtRole(vault: Vault, name: string, role: JwtRole): Promise<void> {
  await vault.write(`auth/${role.path ?? 'jwt'}/role/${name}`, {
    role_type: 'jwt',
    user_claim: role.userClaim ?? 'sub',
    bound_audiences: role.audiences,
    bound_claims: role.claims ?? {},
    claim_mappings: role.mappings ?? {},
    token_policies: role.policies,
    token_ttl: role.ttlSeconds ?? 900,
    token_max_ttl: role.ttlSeconds ?? 900,
    ...role.more,
  });
}

export interface DatabaseOptions {
  /** Where it is mounted; database. */
  readonly path?: string;
  /** The connection's name; orders. */
  readonly name?: string;
  readonly postgres: Postgres;
}
/** A connection to PostgreSQL that any role of this mount may use. */
export async function database(vault: Vault, { path = 'database', name = 'orders', postgres }: DatabaseOptions): Promise<void> {
  await vault.write(`sys/mounts/${path}`, { type: 'database' });
  await vault.write(`${path}/config/${name}`, {
    plugin_name: 'postgresql-database-plugin',
    allowed_roles: '*',
    connection_url: `postgresql://{{username}}:{{password}}@${postgres.host}:${postgres.port}/postgres?sslmode=disable`,
    username: postgres.admin.user,
    password: postgres.admin.password,
    max_open_connections: 16,
  });
}
export interface DatabaseRole {
  readonly path?: string;
  readonly database?: string;
  /** SQL after the role is made: `GRANT SELECT ON orders TO "{{name}}";` */
  readonly grants?: string;
  /** 600. */
  readonly ttlSeconds?: number;
}
/** Read it at `<path>/creds/<name>`. */
export async function databaseRole(vault: Vault, name: string, role: DatabaseRole = {}): Promise<void> {
  const { path = 'database', database: connection = 'orders', grants = '', ttlSeconds = 600 } = role;
  await vault.write(`${path}/roles/${name}`, {
    db_name: connection,
    creation_statements: [`CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; ${grants}`],
    // A role that still owns or holds something cannot be dropped, and a session lives on after its role.
    revocation_statements: [
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = \'{{name}}\'; DROP OWNED BY "{{name}}"; DROP ROLE IF EXISTS "{{name}}";',
    ],
    default_ttl: ttlSeconds,
    max_ttl: ttlSeconds,
  });
}

/** A certificate authority of its own. Returns the root's certificate in PEM; sign at `<path>/sign/<role>`. */
export async function pki(
  vault: Vault,
  { path = 'pki', role, more = {} }: { path?: string; role: string; more?: VaultJson },
): Promise<string> {
  await vault.write(`sys/mounts/${path}`, { type: 'pki', config: { max_lease_ttl: '24h' } });
  const root = await vault.write(`${path}/root/generate/internal`, { common_name: 'Tests', ttl: '24h', key_type: 'ec', key_bits: 256 });
  const usual = {
    allowed_domains: ['shop.example'],
    allow_subdomains: true,
    allow_bare_domains: true,
    key_type: 'any',
    ttl: '10m',
    max_ttl: '1h',
  };
  await vault.write(`${path}/roles/${role}`, { ...usual, ...more });
  return String(root['certificate']);
}

/** An authority for SSH certificates. Returns its public key, a line of authorized_keys; sign at `<path>/sign/<role>`. */
export async function sshCa(
  vault: Vault,
  { path = 'ssh', role, more = {} }: { path?: string; role: string; more?: VaultJson },
): Promise<string> {
  await vault.write(`sys/mounts/${path}`, { type: 'ssh' });
  const ca = await vault.write(`${path}/config/ca`, { generate_signing_key: true, key_type: 'ed25519' });
  const usual = {
    key_type: 'ca',
    allow_user_certificates: true,
    allowed_users: 'deploy',
    default_user: 'deploy',
    ttl: '10m',
    max_ttl: '1h',
  };
  await vault.write(`${path}/roles/${role}`, { ...usual, ...more });
  return String(ca['public_key']).trim();
}

/** A secret in version 2 of the key-value engine, mounted at `secret` from the start; read it at `secret/data/<path>`. */
export async function keyValue(vault: Vault, path: string, data: VaultJson): Promise<void> {
  await vault.write(`secret/data/${path}`, { data });
}
