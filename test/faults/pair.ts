/** Two whole brokers of one issuer on one Redis, each a process of its own with a way of its own to the server, and what outlives them. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigInput } from '../../src/config.ts';
import { type ChainReport, verifyChains } from '../../src/store/chains.ts';
import type { Place } from '../../src/store/store-redis-connect.ts';
import { openLedger } from '../../src/store/store-redis-ledger.ts';
import { addToBundle } from '../flow/front-door.ts';
import { type Lost, openNetwork, type Way } from '../services/network.ts';
import { BLACKHOLE, startProxy, type TcpProxy } from '../services/proxy.ts';
import { type Redis, startRedis } from '../services/redis.ts';
import { type Cluster, startCluster } from '../services/redis-cluster.ts';
import { type Sentinel, startSentinel } from '../services/redis-sentinel.ts';
import { type FakeBackend, fakeArm, fakeBackend, fakeProgram, registerFake } from '../support/fake-backend.ts';
import { freePort } from '../support/rig.ts';
import { UNLIMITED } from '../support/unlimited.ts';
import type { LedgerRow } from './checks.ts';
import { type Broker, eventually, type House, look, openHouse } from './harness.ts';
import { type Clients, createClients, launchOf } from './leasing.ts';
import { createLoad, type Load, said } from './load.ts';

/** One of the two. */
export interface Side {
  readonly door: string;
  readonly proxy: TcpProxy;
  readonly path: Path;
  /** What asks there. */
  readonly load: Load;
  /** What wants credentials of the back end there. */
  readonly clients: Clients;
  /** Undefined while it is down. */
  broker: Broker | undefined;
  /** With more in its environment: another clock. */
  start(env?: Readonly<Record<string, string>>): Promise<void>;
  /** Spawned, and not waited for. */
  spawn(env: Readonly<Record<string, string>>): ReturnType<House['spawn']>;
}
/** A broker's way to the server: of a network between them where the machine allows that, and through the proxy elsewhere. */
export interface Path {
  readonly by: 'network namespace' | 'proxy';
  cut(lost: Lost): Promise<void>;
  heal(): Promise<void>;
}
export interface Pair extends AsyncDisposable {
  readonly house: House;
  readonly back: FakeBackend;
  /** The server, where there is but one. */
  readonly redis: Redis;
  readonly sentinel: Sentinel | undefined;
  readonly cluster: Cluster | undefined;
  readonly sides: readonly [Side, Side];
  /** Where the ledger is read, past every proxy. */
  place(): Promise<{ readonly place: Place; readonly password: string }>;
}
export type Kind = 'one' | 'sentinel' | 'cluster';

/** What both sides may spend together on looks at orders; sums of refunds are counted and never full. */
export const LOOKS = 400;
const BUDGETS = `budgets:
  - id: looks
    title: Looks at orders of one agent
    on: { server: shop, tool: list_orders }
    per: [agent]
    limit: ${LOOKS}
    window: 24h
  - id: euros
    title: Refunds in EUR of one agent
    on: { server: shop, tool: create_refund }
    per: [agent]
    sum: amount_minor
    where: { currency: EUR }
    limit: 1000000000
    window: 24h
`;

/** `config`: lines of Redis' own. `apart`: the one server is in a network of its own, and each broker has its own way there. */
export async function openPair(kind: Kind, options: { readonly config?: readonly string[]; readonly apart?: boolean } = {}): Promise<Pair> {
  const { config = [], apart = false } = options;
  const held = new AsyncDisposableStack();
  try {
    const back = held.use(await fakeBackend());
    const program = await fakeProgram();
    held.defer(() => program.remove());
    const sentinel = kind === 'sentinel' ? held.use(await startSentinel({ appendfsync: 'always', downAfterMs: 500, config })) : undefined;
    const cluster = kind === 'cluster' ? held.use(await startCluster({ config: ['appendfsync always', ...config] })) : undefined;
    const network = apart ? await openNetwork(3) : undefined;
    if (network) held.use(network);
    const redis =
      sentinel?.nodes[0] ??
      cluster?.nodes[0] ??
      held.use(await startRedis({ appendfsync: 'always', config: ['save ""', ...config], ...(network && { network }) }));
    const proxies = await Promise.all([0, 1].map(() => startProxy({ host: redis.host, port: redis.port })));
    for (const proxy of proxies) held.use(proxy);
    const storeOf = (i: 0 | 1, port: number): ConfigInput['store'] => ({
      use: 'redis',
      password: { env: 'REDIS' },
      ...(sentinel
        ? { sentinels: [...sentinel.sentinels], master: sentinel.name }
        : cluster
          ? { nodes: cluster.nodes.map((node) => ({ host: node.host, port: node.port })), replicas: 0 }
          : network
            ? { url: `redis://${network.ways[i + 1]?.host}:${redis.port}`, tls: 'none' }
            : { url: `redis://127.0.0.1:${port}` }),
    });
    const shared: Partial<ConfigInput> = {
      keys: { use: 'local', secret: { env: 'KEY' } },
      backends: [fakeArm(back, { listing: true })],
      deadlineMs: 2_000,
      limits: UNLIMITED,
    };
    const [one, two] = proxies as [TcpProxy, TcpProxy];
    const house = held.use(await openHouse({ config: { ...shared, store: storeOf(0, one.port) } }));
    await registerFake(house.policies, 50, 20);
    await addToBundle(house.policies, 'budgets.yaml', BUDGETS);
    const env = { KEY: randomBytes(32).toString('base64url'), REDIS: redis.password };
    const port = await freePort();
    const other = join(house.folder, 'other.json');
    const settings: Partial<ConfigInput> = {
      ...shared,
      issuer: house.issuer,
      policies: house.policies,
      issuers: [
        {
          use: 'oidc',
          id: 'people',
          issuer: house.people.issuer,
          vouches: ['person'],
          clients: { 'refund-bot': 'refund-bot-app', 'triage-bot': 'triage-bot-app' },
          attributes: { groups: 'groups' },
        },
      ],
      listen: { port },
      store: storeOf(1, two.port),
      operator: { socket: join(house.folder, 'other.sock') },
      log: 'warn',
    };
    writeFileSync(other, JSON.stringify(settings));
    const launches = [
      { ...launchOf(house, program), env, door: house.issuer },
      { program: [join(program.folder, 'src/main.ts'), '-c', other], env, door: `http://127.0.0.1:${port}` },
    ] as const;
    const side = (i: 0 | 1, proxy: TcpProxy): Side => {
      const { door } = launches[i];
      const launchWith = (more: object) => ({ ...launches[i], env: { ...env, ...more } });
      const made: Side = {
        door,
        proxy,
        path: pathOf(network?.ways[i + 1], proxy),
        load: createLoad(house, { door, inFlight: 4 }),
        clients: createClients(house, door),
        broker: undefined,
        async start(more = {}) {
          made.broker = await house.start(launchWith(more));
        },
        spawn: (more) => house.spawn(launchWith(more)),
      };
      return made;
    };
    const sides = [side(0, one), side(1, two)] as const;
    for (const each of sides) await each.start();
    const kept = held.move();
    return {
      house,
      back,
      redis,
      sentinel,
      cluster,
      sides,
      async place() {
        const { password } = redis;
        if (cluster) return { place: { nodes: cluster.nodes.map((node) => ({ host: node.host, port: node.port })) }, password };
        const { host, port: at } = (await sentinel?.master()) ?? redis;
        return { place: { url: `redis://${host}:${at}` }, password };
      },
      [Symbol.asyncDispose]: () => kept.disposeAsync(),
    };
  } catch (fault) {
    await held.disposeAsync();
    throw fault;
  }
}

function pathOf(way: Way | undefined, proxy: TcpProxy): Path {
  if (way) return { by: 'network namespace', cut: way.cut, heal: way.heal };
  let lost: Lost | undefined;
  return {
    by: 'proxy',
    async cut(what) {
      lost = what;
      proxy.set(what === 'both' ? BLACKHOLE : { [what === 'there' ? 'up' : 'down']: { hold: true } });
    },
    async heal() {
      // Whoever has waited in vain for an answer has gone.
      if (lost === 'back') proxy.cut();
      proxy.set();
    },
  };
}

/** As if the store had been there for long: what is brought just after it was made is not taken for older than it. Resolves when both grant. */
export async function settled(pair: Pair): Promise<void> {
  const { sentinel, cluster, redis } = pair;
  const server = cluster ? await cluster.ownerOf(await cluster.slotOf('{countersign}')) : ((await sentinel?.master()) ?? redis);
  await server.cli('HSET', '{countersign}:meta', 'since', '0');
  for (const { door, load } of pair.sides)
    if (!(await eventually(async () => said(await load.ask())[0] === 200))) throw new Error(`${door} grants nothing`);
}
/** Every entry, and whether their chains verify; all is sealed once the brokers have stopped. */
export async function readChains(pair: Pair): Promise<{ readonly rows: readonly LedgerRow[]; readonly report: ChainReport }> {
  const ledger = await openLedger({ ...(await pair.place()), timeoutMs: 5_000 });
  try {
    const rows: LedgerRow[] = [];
    const report = await verifyChains(ledger, { each: (body, { seq }) => rows.push({ ...(body as unknown as LedgerRow), seq }) });
    return { rows, report };
  } finally {
    ledger.close();
  }
}
/** Status and body of what a door says of itself. */
export const health = async (door: string): Promise<readonly [ready: number, alive: number]> => {
  const [ready, alive] = await Promise.all([look(`${door}/readyz`), look(`${door}/healthz`)]);
  return [ready.status, alive.status];
};
