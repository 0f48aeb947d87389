/** What the service suites test against, and how each is had: from Debian by apt, or built by Go out of the public modules. */
export type ServiceName =
  | 'redis'
  | 'postgres'
  | 'vault'
  | 'minio'
  | 'chromium'
  | 'nginx'
  | 'haproxy'
  | 'ssh'
  | 'openssl'
  | 'faketime'
  | 'toxiproxy';

export interface AptRecipe {
  readonly by: 'apt';
  readonly packages: readonly string[];
  /** All of them have to be found, in one folder; the first is what `need` answers with. */
  readonly binaries: readonly string[];
  /** Other names that the first one goes by, on other systems. */
  readonly aliases?: readonly string[];
  /** Where Debian puts them when it is not on the path; `*` is one folder of any name, the last in order wins. */
  readonly folders?: readonly string[];
}
export interface GoRecipe {
  readonly by: 'go';
  readonly version: string;
  readonly binary: string;
  readonly takes: string;
  /** Compiled as it is published; else `main` over the modules of `mod`. */
  readonly install?: string;
  readonly source?: { readonly main: string; readonly mod: string };
}
export type Recipe = AptRecipe | GoRecipe;

const VAULT_MAIN = `package main

import (
	"os"

	"github.com/hashicorp/vault/command"
)

func main() { os.Exit(command.Run(os.Args[1:])) }
`;
/** The two replaced modules are gone from where Vault's own go.mod looks for them. */
const VAULT_MOD = `module countersign-tests/vault

go 1.25.1

require github.com/hashicorp/vault v1.21.0

replace github.com/99designs/keyring => github.com/Jeffail/keyring v1.2.3

replace github.com/ma314smith/signedxml v1.1.1 => github.com/moov-io/signedxml v1.1.1
`;
const MINIO = 'v0.0.0-20260212201848-7aac2a2c5b7c';
const TOXIPROXY = 'v2.5.0';

export const RECIPES: Readonly<Record<ServiceName, Recipe>> = {
  redis: { by: 'apt', packages: ['redis-server'], binaries: ['redis-server', 'redis-cli'] },
  postgres: { by: 'apt', packages: ['postgresql'], binaries: ['postgres', 'initdb', 'psql'], folders: ['/usr/lib/postgresql/*/bin'] },
  ssh: { by: 'apt', packages: ['openssh-client'], binaries: ['ssh-keygen'] },
  openssl: { by: 'apt', packages: ['openssl'], binaries: ['openssl'] },
  chromium: { by: 'apt', packages: ['chromium'], binaries: ['chromium'], aliases: ['chromium-browser', 'google-chrome'] },
  faketime: { by: 'apt', packages: ['faketime'], binaries: ['faketime'] },
  nginx: { by: 'apt', packages: ['nginx-light'], binaries: ['nginx'], folders: ['/usr/sbin'] },
  haproxy: { by: 'apt', packages: ['haproxy'], binaries: ['haproxy'], folders: ['/usr/sbin'] },
  minio: { by: 'go', version: '20260212', binary: 'minio', takes: '2 minutes', install: `github.com/minio/minio@${MINIO}` },
  vault: { by: 'go', version: '1.21.0', binary: 'vault', takes: '4 minutes', source: { main: VAULT_MAIN, mod: VAULT_MOD } },
  toxiproxy: {
    by: 'go',
    version: '2.5.0',
    binary: 'server',
    takes: '20 seconds',
    install: `github.com/Shopify/toxiproxy/v2/cmd/server@${TOXIPROXY}`,
  },
};
/** What is not built unless it is asked for by name: the suites have a proxy of their own. */
export const ON_DEMAND: readonly ServiceName[] = ['toxiproxy'];
export const SERVICES = Object.keys(RECIPES) as readonly ServiceName[];
export const isService = (name: string): name is ServiceName => Object.hasOwn(RECIPES, name);
