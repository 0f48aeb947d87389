/** A Cluster of masters, without replicas unless asked for, and slots that move between them while they are used. */
import { newSecret, output, servicePort, until } from './program.ts';
import { pathOf } from './provision.ts';
import { type Redis, startRedis } from './redis.ts';

export interface ClusterOptions {
  /** 3, and not fewer. */
  readonly masters?: number;
  /** Of each master; 0. */
  readonly replicas?: number;
  /** Without an answer for so long a node is failing; 2000. */
  readonly nodeTimeoutMs?: number;
  readonly config?: readonly string[];
}
/** A move that has begun: the slot is answered by two nodes, with redirections, until it is done. */
export interface Moving {
  readonly from: Redis;
  readonly to: Redis;
  /** Takes the keys over and tells every node. */
  finish(): Promise<void>;
}
export interface Cluster extends AsyncDisposable {
  /** For ioredis: `new Cluster(nodes, { redisOptions: { password } })`. */
  readonly nodes: readonly Redis[];
  readonly password: string;
  /** The slot of a key, by its hash tag if it has one. */
  slotOf(key: string): Promise<number>;
  /** The master that has the slot, as the first node that answers has it. */
  ownerOf(slot: number): Promise<Redis>;
  /** Begins to move a slot to another master: keys still there are answered, others with ASK. */
  move(slot: number, to: Redis): Promise<Moving>;
  stop(): Promise<void>;
}
const SLOTS = 16_384;

/** Resolves when every node says that all slots are served. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { masters = 3, replicas = 0, nodeTimeoutMs = 2000, config = [] } = options;
  const password = newSecret();
  const nodes: Redis[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(nodes.splice(0).map((node) => node.stop())));
  try {
    for (let i = 0; i < masters * (1 + replicas); i++) {
      // Its bus is ten thousand above its port unless it is told: that may be taken.
      const bus = await servicePort();
      const own = ['cluster-enabled yes', `cluster-port ${bus}`, `cluster-node-timeout ${nodeTimeoutMs}`, ...config];
      nodes.push(await startRedis({ password, config: own }));
    }
    const addresses = nodes.map(({ host, port }) => `${host}:${port}`);
    const create = ['--cluster', 'create', ...addresses, '--cluster-replicas', String(replicas), '--cluster-yes'];
    await output(pathOf('redis', 'redis-cli'), create, { env: { REDISCLI_AUTH: password } });
    const whole = async (node: Redis): Promise<boolean> => /cluster_state:ok/.test(String(await node.cli('CLUSTER', 'INFO')));
    await until(async () => (await Promise.all(nodes.map(whole))).every(Boolean), 'the Cluster to serve every slot');
    const ask = (...command: readonly string[]): Promise<unknown> => Promise.any(nodes.map((node) => node.cli(...command)));
    const ownerOf: Cluster['ownerOf'] = async (slot) => {
      const ranges = (await ask('CLUSTER', 'SLOTS')) as readonly (readonly [number, number, readonly [string, number]])[];
      const range = ranges.find(([first, last]) => slot >= first && slot <= last);
      const owner = nodes.find((node) => node.port === range?.[2][1]);
      if (!owner || slot >= SLOTS) throw new Error('no node has this slot');
      return owner;
    };
    return {
      nodes,
      password,
      slotOf: async (key) => Number(await ask('CLUSTER', 'KEYSLOT', key)),
      ownerOf,
      async move(slot, to) {
        const from = await ownerOf(slot);
        const [fromId, toId] = (await Promise.all([from, to].map((node) => node.cli('CLUSTER', 'MYID')))) as [string, string];
        await to.cli('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', fromId);
        await from.cli('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', toId);
        return { from, to, finish: () => finish({ slot, from, to, toId, password, nodes }) };
      },
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (fault) {
    await stop();
    throw fault;
  }
}

interface Finish {
  readonly slot: number;
  readonly from: Redis;
  readonly to: Redis;
  readonly toId: string;
  readonly password: string;
  readonly nodes: readonly Redis[];
}
async function finish({ slot, from, to, toId, password, nodes }: Finish): Promise<void> {
  for (;;) {
    const keys = (await from.cli('CLUSTER', 'GETKEYSINSLOT', String(slot), '100')) as readonly string[];
    if (keys.length === 0) break;
    await from.cli('MIGRATE', to.host, String(to.port), '', '0', '5000', 'REPLACE', 'AUTH', password, 'KEYS', ...keys);
  }
  // The new owner first: a slot that nobody claims is refused by all.
  const told = [to, from, ...nodes.filter((node) => node !== to && node !== from)];
  for (const node of told) await node.cli('CLUSTER', 'SETSLOT', String(slot), 'NODE', toId).catch(ignoreReplica);
}
/** A replica learns it from its master. */
function ignoreReplica(fault: unknown): void {
  if (!String(fault).includes('only with masters')) throw fault;
}
