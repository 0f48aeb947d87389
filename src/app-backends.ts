/** Back ends by configuration: a new one is one line here. What is not configured is not loaded: some bring much with them. */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Credentials } from './bundle/bundle.ts';
import type { Config } from './config.ts';
import { ConfigError } from './errors.ts';
import type { Signer } from './keys/signer.ts';
import type { SignLogin } from './mint/login.ts';
import type { Minter, Minters } from './mint/minter.ts';
import { readAwsRegistration } from './mint/minter-aws-registration.ts';
import type { StandingKeys } from './mint/minter-aws-sts.ts';
import { jwtMinter } from './mint/minter-jwt.ts';
import { readVaultRegistration } from './mint/minter-vault-registration.ts';
import type { Bundle, Registration, World } from './model.ts';
import type { Store } from './store/store.ts';
import type { Access, Place } from './store/store-redis-connect.ts';
import { sqliteStore } from './store/store-sqlite.ts';
import type { Alg } from './wire/jws.ts';

/** A store, and what it has found in its ledger. */
export interface OpenedStore extends Store {
  readonly repaired?: { readonly firstBad: number; readonly lost: number; readonly reason: string } | undefined;
  readonly broken: { readonly seq: number; readonly why: string } | undefined;
  /** Where a memory may begin anew: since when, epoch seconds, it is whole. */
  readonly since?: number;
}
/** Throws ConfigError and StoreRefused. */
export async function openStore({ store }: Pick<Config, 'store'>, environment: Environment = {}): Promise<OpenedStore> {
  if (store.use === 'sqlite') {
    mkdirSync(dirname(store.path), { recursive: true, mode: 0o700 });
    return sqliteStore({ path: store.path });
  }
  const { redisStore } = await import('./store/store-redis.ts');
  const { persistence, replicas } = store;
  return redisStore({ ...redisAccess(store, environment), persistence, ...(replicas !== undefined && { replicas }) });
}
type RedisConfig = Extract<Config['store'], { readonly use: 'redis' }>;
/** How its server is reached. Throws ConfigError. */
export function redisAccess(store: RedisConfig, environment: Environment): Required<Omit<Access, 'tag'>> & { readonly name: string } {
  const secret = (ref: SecretRef | undefined): string | undefined => ref && readSecret(ref, 'store', environment);
  return {
    name: store.name,
    place: placeOf(store),
    username: store.username,
    password: secret(store.password),
    sentinelPassword: secret(store.sentinelPassword),
    tls:
      store.tls === undefined || store.tls === 'none'
        ? undefined
        : { ...(store.tls.ca !== undefined && { ca: fileOf(store.tls.ca, 'store') }) },
    timeoutMs: store.timeoutMs,
  };
}
function placeOf({ url, sentinels, master, nodes }: RedisConfig): Place {
  if (sentinels && master !== undefined) return { sentinels, master };
  return nodes ? { nodes } : { url: url ?? '' };
}

/** How the bundle's registrations are read, whether or not a back end of the kind is configured here. */
const readers: Credentials['readers'] = new Map([
  ['aws', readAwsRegistration],
  ['vault', readVaultRegistration],
]);
export const credentials = (config?: Pick<Config, 'backends'>): Credentials => ({
  readers,
  reserved: new Set((config?.backends ?? []).map(({ audience }) => audience)),
});

type BackEnd = Config['backends'][number];
type Environment = Readonly<Record<string, string | undefined>>;
interface Parts {
  readonly signer: Signer;
  /** Absent where no back end is configured. */
  readonly login?: SignLogin;
  readonly world: World;
  readonly environment: Environment;
  /** The one in force now. */
  readonly bundle: () => Bundle;
}
/** Throws ConfigError. */
export async function openMinters(config: Pick<Config, 'backends'>, parts: Parts): Promise<Minters> {
  const { signer, login } = parts;
  const all: readonly Minter[] = [
    jwtMinter({ signer }),
    ...(login ? await Promise.all(config.backends.map((backEnd) => openMinter(backEnd, { ...parts, login }))) : []),
  ];
  return new Map(all.map((minter) => [minter.kind, minter]));
}
async function openMinter(backEnd: BackEnd, parts: Parts & { readonly login: SignLogin }): Promise<Minter> {
  const { login, world, bundle, environment } = parts;
  const { now, random, after } = world;
  switch (backEnd.use) {
    case 'vault': {
      const { use, namespace, ca, sweep, ...rest } = backEnd;
      const given = {
        ...(namespace !== undefined && { namespace }),
        ...(sweep && { sweep }),
        ...(ca !== undefined && { ca: fileOf(ca, 'backends') }),
      };
      const { vaultMinter } = await import('./mint/minter-vault.ts');
      return vaultMinter({ ...rest, ...given, login, now, random, registered: () => registered(bundle(), use) });
    }
    case 'aws': {
      const { awsMinter } = await import('./mint/minter-aws.ts');
      return awsMinter({ ...backEnd, keys: standing(backEnd.keys, environment), login, now, random, after });
    }
    default:
      return backEnd satisfies never;
  }
}
const registered = ({ servers }: Bundle, kind: string): readonly Registration[] =>
  servers.all.flatMap(({ tools }) => [...tools.values()].flatMap(({ credentials }) => credentials.get(kind) ?? []));
type StandingRefs = Extract<BackEnd, { readonly use: 'aws' }>['keys'];
function standing(keys: StandingRefs, environment: Environment): StandingKeys | 'default-chain' | undefined {
  if (keys === undefined || keys === 'default-chain') return keys;
  const read = (ref: SecretRef): string => readSecret(ref, 'backends', environment);
  const { accessKeyId, secretAccessKey, sessionToken } = keys;
  return {
    accessKeyId: read(accessKeyId),
    secretAccessKey: read(secretAccessKey),
    ...(sessionToken && { sessionToken: read(sessionToken) }),
  };
}
export type SecretRef = { readonly file: string } | { readonly env: string };
/** Throws ConfigError. */
export function readSecret(ref: SecretRef, of: string, environment: Environment): string {
  const text = 'file' in ref ? fileOf(ref.file, of) : environment[ref.env];
  if (text === undefined) throw new ConfigError([`${of}: the environment has no variable of a name that stands there`]);
  return text.replace(/\r?\n$/, '');
}
/** Throws ConfigError. */
export function fileOf(path: string, of: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new ConfigError([`${of}: a file that is named there cannot be read`]);
  }
}

export function algorithms(config: Config): readonly [Alg, ...Alg[]] {
  const [first = 'ES256', ...rest] = config.keys.algorithms;
  return [first, ...rest];
}
/** Throws ConfigError. */
export function secretSource(config: Config, environment: Environment): { readonly file: string } | { readonly value: string } {
  const { secret } = config.keys;
  if ('file' in secret) return secret;
  const value = environment[secret.env];
  if (value === undefined) throw new ConfigError(['keys.secret: the environment has no variable of this name']);
  return { value };
}
