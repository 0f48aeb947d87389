/** Redis for tests: one server with a password, its data in a folder that outlives a kill. Sentinel and Cluster are in files of their own. */
import { chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Network } from './network.ts';
import { launch, newFolder, newSecret, output, type Service, servicePort } from './program.ts';
import { pathOf } from './provision.ts';

export interface RedisOptions {
  readonly port?: number;
  /** Generated where it is left out; the servers of one Sentinel or Cluster share theirs. */
  readonly password?: string;
  /** Whether the append-only file is written; true. */
  readonly appendonly?: boolean;
  /** everysec. */
  readonly appendfsync?: 'always' | 'everysec' | 'no';
  /** As Redis writes it: 64mb. Without, there is no limit. */
  readonly maxmemory?: string;
  /** noeviction. */
  readonly maxmemoryPolicy?: string;
  /** Lines of its configuration that stand after ours. */
  readonly config?: readonly string[];
  /** Where it lives, when that is a network of its own; its first way is the tests'. */
  readonly network?: Network;
}
export interface Redis extends Service {
  readonly host: string;
  readonly port: number;
  readonly password: string;
  /** `redis://default:password@host:port` */
  readonly url: string;
  /** One command by redis-cli, and its answer; the likes of INFO as text. Errors: it answers with an error, or not within 5 s. */
  cli(...command: readonly string[]): Promise<unknown>;
  /** Killed, and started with nothing of what it held. */
  restartEmpty(): Promise<void>;
}

export async function startRedis(options: RedisOptions = {}): Promise<Redis> {
  const { network } = options;
  const hosts = network?.ways.map((way) => way.host) ?? ['127.0.0.1'];
  const [host = ''] = hosts;
  const port = options.port ?? (await servicePort());
  const password = options.password ?? newSecret();
  const folder = newFolder('redis');
  const file = join(folder.path, 'redis.conf');
  const { appendonly = true, appendfsync = 'everysec', maxmemory, maxmemoryPolicy = 'noeviction' } = options;
  const config = [
    `bind ${hosts.join(' ')}`,
    `port ${port}`,
    `dir ${folder.path}`,
    // In the file, since what stands on a command line is everybody's to read.
    `requirepass ${password}`,
    `masterauth ${password}`,
    `appendonly ${appendonly ? 'yes' : 'no'}`,
    `appendfsync ${appendfsync}`,
    'save ""',
    ...(maxmemory === undefined ? [] : [`maxmemory ${maxmemory}`]),
    `maxmemory-policy ${maxmemoryPolicy}`,
    'enable-debug-command local',
    ...(options.config ?? []),
  ];
  writeFileSync(file, `${config.join('\n')}\n`, { mode: 0o600 });
  chmodSync(folder.path, 0o700);
  const cli = redisCli({ host, port, password });
  const ready = async (): Promise<boolean> => (await cli('PING')) === 'PONG';
  const [program = '', ...args] = [...(network?.wrapper ?? []), pathOf('redis'), file];
  const service = await launch({ program, args, folder, ready });
  return {
    ...service,
    host,
    port,
    password,
    url: `redis://default:${password}@${host}:${port}`,
    cli,
    async restartEmpty() {
      await service.kill();
      for (const name of readdirSync(folder.path)) {
        if (name.startsWith('appendonly') || name.endsWith('.rdb')) rmSync(join(folder.path, name), { recursive: true });
      }
      await service.restart();
    },
  };
}

/** Commands by redis-cli, each on a connection of its own. */
export function redisCli({ host, port, password }: { host: string; port: number; password?: string }): Redis['cli'] {
  return async (...command) => {
    const args = ['-h', host, '-p', String(port), '--json', '-e', ...command];
    const env = password === undefined ? {} : { REDISCLI_AUTH: password };
    return parse(await output(pathOf('redis', 'redis-cli'), args, { env, seconds: 5 }));
  };
}
/** The likes of INFO come as they are, the rest as JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
