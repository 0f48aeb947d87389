/** Vault for tests: a development server, in memory and unsealed, and calls to it. What is set up in it is in vault-setup.ts. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, newFolder, newSecret, type Service, servicePort, until } from './program.ts';
import { pathOf } from './provision.ts';

export type VaultJson = Readonly<Record<string, unknown>>;
export interface VaultAnswer {
  readonly status: number;
  /** All of it: `data`, `auth`, `lease_id`, `errors`. */
  readonly body: VaultJson;
  readonly data: VaultJson;
}
export interface VaultOptions {
  /** Whether the file audit device is on, which `audit` reads; true. */
  readonly audit?: boolean;
  readonly logLevel?: 'debug' | 'info' | 'warn';
}
/** `restart` gives an empty Vault with the same root token: a development server forgets. */
export interface Vault extends Service {
  /** http://127.0.0.1:port */
  readonly address: string;
  readonly rootToken: string;
  /** One request whatever its answer: `LIST` too, the path without `/v1/`, as root unless another token, or none, is given. */
  call(method: string, path: string, body?: VaultJson, token?: string | null): Promise<VaultAnswer>;
  /** As root. Errors: any answer of 400 and above. */
  write(path: string, body?: VaultJson): Promise<VaultJson>;
  read(path: string): Promise<VaultJson>;
  /** Names below a path, none if it is not there. */
  list(path: string): Promise<readonly string[]>;
  /** Lease ids below `database/creds/role`, as Vault lists them. */
  leases(prefix: string): Promise<readonly string[]>;
  /** What the audit device has written. */
  audit(): readonly VaultJson[];
  seal(): Promise<void>;
  unseal(): Promise<void>;
}

export async function startVault({ audit = true, logLevel = 'warn' }: VaultOptions = {}): Promise<Vault> {
  const port = await servicePort();
  const address = `http://127.0.0.1:${port}`;
  const rootToken = newSecret();
  const folder = newFolder('vault');
  const auditFile = join(folder.path, 'audit.log');
  const call: Vault['call'] = async (method, path, body, token = rootToken) => {
    const response = await fetch(`${address}/v1/${path}`, {
      method,
      headers: token === null ? {} : { 'x-vault-token': token },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    const parsed = text === '' ? {} : (JSON.parse(text) as VaultJson);
    return { status: response.status, body: parsed, data: (parsed['data'] ?? {}) as VaultJson };
  };
  const must = async (method: string, path: string, body?: VaultJson): Promise<VaultAnswer> => {
    const answer = await call(method, path, body);
    if (answer.status < 400) return answer;
    throw new Error(`Vault answers ${answer.status} to ${method} ${path}: ${JSON.stringify(answer.body)}`);
  };
  const list: Vault['list'] = async (path) => {
    const { status, data, body } = await call('LIST', path);
    if (status !== 200 && status !== 404) throw new Error(`Vault answers ${status} to LIST ${path}: ${JSON.stringify(body)}`);
    return status === 404 ? [] : (data['keys'] as readonly string[]);
  };
  const service = await launch({
    program: pathOf('vault'),
    args: ['server', '-dev', '-dev-no-store-token', `-log-level=${logLevel}`],
    folder,
    env: { VAULT_DEV_LISTEN_ADDRESS: `127.0.0.1:${port}`, VAULT_DEV_ROOT_TOKEN_ID: rootToken },
    // Ready is unsealed and the root token made, which is later than the first answer.
    ready: async () => (await call('GET', 'auth/token/lookup-self')).status === 200,
    seconds: 60,
  });
  const begin = async (): Promise<void> => {
    if (audit) await must('PUT', 'sys/audit/file', { type: 'file', options: { file_path: auditFile } });
  };
  await begin();
  return {
    ...service,
    address,
    rootToken,
    call,
    write: async (path, body = {}) => (await must('POST', path, body)).data,
    read: async (path) => (await must('GET', path)).data,
    list,
    leases: async (prefix) => (await list(`sys/leases/lookup/${prefix}`)).map((id) => `${prefix}/${id}`),
    audit: () => (existsSync(auditFile) ? linesOf(auditFile) : []),
    seal: async () => void (await must('PUT', 'sys/seal')),
    async unseal() {
      // The last: each start says one.
      const key = [...service.log().matchAll(/^Unseal Key: (\S+)$/gm)].at(-1)?.[1] ?? '';
      await must('PUT', 'sys/unseal', { key });
      await until(async () => (await call('GET', 'auth/token/lookup-self')).status === 200, 'Vault to be unsealed');
    },
    async restart() {
      await service.restart();
      await begin();
    },
  };
}

/** The last line may still be being written. */
function linesOf(file: string): readonly VaultJson[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as VaultJson);
}
