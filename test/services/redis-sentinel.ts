/** A master, its replicas and the Sentinels that watch them: what remains of a commit when the master dies. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch, newFolder, newSecret, type Service, servicePort, until } from './program.ts';
import { pathOf } from './provision.ts';
import { type Redis, redisCli, startRedis } from './redis.ts';

export interface SentinelOptions {
  /** 2. */
  readonly replicas?: number;
  /** Without an answer for so long the master is down; 1000. */
  readonly downAfterMs?: number;
  /** everysec. */
  readonly appendfsync?: 'always' | 'everysec' | 'no';
  /** Lines of every server's configuration. */
  readonly config?: readonly string[];
}
export interface Sentinel extends AsyncDisposable {
  /** What clients ask the Sentinels for. */
  readonly name: string;
  /** For ioredis: `new Redis({ sentinels, name, password })`. The Sentinels have none of their own. */
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  readonly password: string;
  /** The master at the start first. */
  readonly nodes: readonly Redis[];
  /** The Sentinels' processes, in the order of their addresses. */
  readonly watchers: readonly Service[];
  /** The server that the first Sentinel that answers takes for the master now. */
  master(): Promise<Redis>;
  /** Resolves with the new master, once one has taken over and accepts writes. Errors: none within 20 s. */
  failedOver(from: Redis): Promise<Redis>;
  stop(): Promise<void>;
}
const NAME = 'countersign';
const HOST = '127.0.0.1';

/** Resolves when the replicas follow and every Sentinel knows them and the others, so that a failover can be had. */
export async function startSentinel(options: SentinelOptions = {}): Promise<Sentinel> {
  const { replicas = 2, downAfterMs = 1000, appendfsync = 'everysec', config = [] } = options;
  const password = newSecret();
  const running: (Redis | Service)[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(running.splice(0).map((one) => one.stop())));
  try {
    // Any of them may be the master whose replicas ask for all it has: without waiting for more of them to ask.
    const all = ['repl-diskless-sync-delay 0', ...config];
    const first = await startRedis({ password, appendfsync, config: all });
    running.push(first);
    const following = [...all, `replicaof ${HOST} ${first.port}`];
    const others = await Promise.all(Array.from({ length: replicas }, () => startRedis({ password, appendfsync, config: following })));
    running.push(...others);
    const nodes = [first, ...others];
    const follows = async (node: Redis): Promise<boolean> => ((await node.cli('ROLE')) as readonly unknown[])[3] === 'connected';
    await until(async () => (await Promise.all(others.map(follows))).every(Boolean), 'the replicas to follow');
    const sentinels = await Promise.all([0, 1, 2].map(async () => ({ host: HOST, port: await servicePort() })));
    const watchers: Service[] = [];
    for (const { port } of sentinels) {
      const watcher = await startWatcher({ port, of: first, password, downAfterMs });
      watchers.push(watcher);
      running.push(watcher);
    }
    const asked = sentinels.map(redisCli);
    const master = async (): Promise<Redis> => {
      const address = (await Promise.any(asked.map((cli) => cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)))) as readonly string[];
      const found = nodes.find((node) => String(node.port) === address[1]);
      if (!found) throw new Error('the Sentinels name a master that is not ours');
      return found;
    };
    await until(async () => {
      const seen = await Promise.all(asked.map((cli) => cli('SENTINEL', 'MASTER', NAME)));
      return seen.every((one) => {
        const about = one as Readonly<Record<string, string>>;
        return about['num-slaves'] === String(replicas) && about['num-other-sentinels'] === String(sentinels.length - 1);
      });
    }, 'the Sentinels to know of one another');
    return {
      name: NAME,
      sentinels,
      password,
      nodes,
      watchers,
      master,
      async failedOver(from) {
        let now = from;
        await until(async () => {
          now = await master();
          return now !== from && (await now.cli('ROLE').then((role) => (role as readonly unknown[])[0] === 'master'));
        }, 'another master');
        return now;
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (fault) {
    await stop();
    throw fault;
  }
}

interface Watching {
  readonly port: number;
  readonly of: Redis;
  readonly password: string;
  readonly downAfterMs: number;
}
/** A Sentinel writes into its own configuration what it learns. */
async function startWatcher({ port, of, password, downAfterMs }: Watching): Promise<Service> {
  const folder = newFolder('sentinel');
  const file = join(folder.path, 'sentinel.conf');
  const config = [
    `bind ${HOST}`,
    `port ${port}`,
    `dir ${folder.path}`,
    `sentinel monitor ${NAME} ${HOST} ${of.port} 2`,
    `sentinel auth-pass ${NAME} ${password}`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} 5000`,
  ];
  writeFileSync(file, `${config.join('\n')}\n`, { mode: 0o600 });
  const cli = redisCli({ host: HOST, port });
  const ready = async (): Promise<boolean> => (await cli('PING')) === 'PONG';
  return launch({ program: pathOf('redis'), args: [file, '--sentinel'], folder, ready });
}
