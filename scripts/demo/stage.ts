/** Everything an agent's one action needs, started in this process: broker, identity provider, shop. Knows how they are wired, not what is done with them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type App, createApp } from '../../src/app.ts';
import { type Config, type ConfigInput, parseConfig } from '../../src/config.ts';
import { createWorld } from '../../src/world.ts';
import { writeDemoBundle } from './bundle.ts';
import { CONSOLE_CLIENT, CONSOLE_ROLES, type IdentityProvider, startIdentityProvider } from './identity-provider.ts';
import { type DemoKey, demoKey } from './keys.ts';
import { type Shop, type ShopOptions, startShop } from './shop.ts';

export const AGENT_IDS = ['refund-bot', 'triage-bot', 'nightly-report'] as const;
export type AgentId = (typeof AGENT_IDS)[number];
export interface Stage {
  readonly app: App;
  readonly config: Config;
  readonly people: IdentityProvider;
  readonly shop: Shop;
  readonly agents: Readonly<Record<AgentId, DemoKey>>;
  /** Keys of those that were asked for beside. */
  readonly more: Readonly<Record<string, DemoKey>>;
  /** What the shop proves itself by. */
  readonly shopKey: DemoKey;
  /** The bundle in force: a copy of the sample with this run's keys. */
  readonly policies: string;
  readonly ledger: string;
  close(): Promise<void>;
}
export interface StageOptions {
  /** Everything that is written goes here. */
  readonly folder: string;
  readonly log: Logger;
  readonly shop?: Pick<ShopOptions, 'introspect' | 'dataFolder' | 'outside'>;
  readonly backends?: ConfigInput['backends'];
  /** What is done to this run's copy of the bundle before it is read. */
  readonly bundle?: (folder: string, made: { readonly issuer: string; readonly keys: Readonly<Record<string, DemoKey>> }) => Promise<void>;
  /** Agents beside the sample's; `bundle` adds them there. */
  readonly more?: readonly string[];
  /** What the broker is called: passkeys want a name, no number. */
  readonly host?: 'localhost' | '127.0.0.1';
  /** 0 or absent: any free port. */
  readonly ports?: { readonly broker?: number; readonly people?: number; readonly shop?: number };
}

export async function setStage({
  folder,
  log,
  shop: shopOptions,
  ports = {},
  backends = [],
  bundle,
  more: others = [],
  host = '127.0.0.1',
}: StageOptions): Promise<Stage> {
  const port = ports.broker || (await freePort());
  const issuer = `http://${host}:${port}`;
  const agents = { 'refund-bot': demoKey('refund-bot'), 'triage-bot': demoKey('triage-bot'), 'nightly-report': demoKey('nightly-report') };
  const more = Object.fromEntries(others.map((id) => [id, demoKey(id)]));
  const all = [...AGENT_IDS, ...others];
  const serverKey = demoKey('shop');
  const clientOf = (agent: string): string => `${agent}-app`;
  const [people, shop] = await Promise.all([
    startIdentityProvider({ audience: issuer, clients: all.map(clientOf), ...(ports.people && { port: ports.people }) }),
    startShop({ issuer, serverKey, ...shopOptions, ...(ports.shop && { port: ports.shop }) }),
  ]);
  const policies = join(folder, 'policies');
  await writeDemoBundle({
    from: new URL('../../policies', import.meta.url).pathname,
    to: policies,
    resource: shop.resource,
    agentKeys: Object.fromEntries(AGENT_IDS.map((id) => [id, agents[id].publicJwk])),
    serverKeys: { shop: serverKey.publicJwk },
  });
  await bundle?.(policies, { issuer, keys: more });
  const ledger = join(folder, 'countersign.db');
  const config = parseConfig({
    issuer,
    listen: { port },
    policies,
    store: { use: 'sqlite', path: ledger },
    keys: { use: 'local', secret: { file: join(folder, 'key') } },
    operator: { socket: join(folder, 'operator.sock') },
    metrics: 'public',
    backends,
    issuers: [
      {
        use: 'oidc',
        id: 'people',
        issuer: people.issuer,
        vouches: ['person'],
        clients: Object.fromEntries(all.map((id) => [id, clientOf(id)])),
        attributes: { groups: 'groups' },
      },
    ],
    console: { login: { issuer: 'people', clientId: CONSOLE_CLIENT, scopes: 'openid profile', roles: CONSOLE_ROLES } },
  });
  const app = await createApp(config, { world: createWorld(), log, environment: {} });
  await app.listen();
  return {
    app,
    config,
    people,
    shop,
    agents,
    more,
    shopKey: serverKey,
    policies,
    ledger,
    async close() {
      await shop.close();
      await app.close();
      await people.close();
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}
