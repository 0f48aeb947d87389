/** Back ends by configuration: a new one is one line here. */
import type { Credentials } from './bundle/bundle.ts';
import type { Config } from './config.ts';
import { ConfigError } from './errors.ts';
import type { Signer } from './keys/signer.ts';
import type { SignLogin } from './mint/login.ts';
import type { Minter, Minters } from './mint/minter.ts';
import { jwtMinter } from './mint/minter-jwt.ts';
import { type SqliteStore, sqliteStore } from './store/store-sqlite.ts';
import type { Alg } from './wire/jws.ts';

export const openStore = (config: Pick<Config, 'store'>): Promise<SqliteStore> => sqliteStore({ path: config.store.path });

/** How the bundle's registrations are read, whether or not a back end of the kind is configured here. */
const readers: Credentials['readers'] = new Map([]);
export const credentials = (config?: Pick<Config, 'backends'>): Credentials => ({
  readers,
  reserved: new Set((config?.backends ?? []).map(({ audience }) => audience)),
});

type BackEnd = Config['backends'][number];
export function openMinters(config: Pick<Config, 'backends'>, parts: { readonly signer: Signer; readonly login?: SignLogin }): Minters {
  const { signer, login } = parts;
  const all: readonly Minter[] = [jwtMinter({ signer }), ...(login ? config.backends.map((backEnd) => openMinter(backEnd, login)) : [])];
  return new Map(all.map((minter) => [minter.kind, minter]));
}
function openMinter(_backEnd: BackEnd, _login: SignLogin): Minter {
  throw new ConfigError(['backends: there is no minter of this kind yet']);
}

export function algorithms(config: Config): readonly [Alg, ...Alg[]] {
  const [first = 'ES256', ...rest] = config.keys.algorithms;
  return [first, ...rest];
}
/** Throws ConfigError. */
export function secretSource(
  config: Config,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly file: string } | { readonly value: string } {
  const { secret } = config.keys;
  if ('file' in secret) return secret;
  const value = environment[secret.env];
  if (value === undefined) throw new ConfigError(['keys.secret: the environment has no variable of this name']);
  return { value };
}
