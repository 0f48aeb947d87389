/** The demo's four parties in one process, on real ports: broker, identity provider, shop, and the keys of the agents. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { writeDemoBundle } from '../../scripts/demo/bundle.ts';
import { type IdentityProvider, startIdentityProvider } from '../../scripts/demo/identity-provider.ts';
import { type DemoKey, demoKey } from '../../scripts/demo/keys.ts';
import { type Shop, type ShopOptions, startShop } from '../../scripts/demo/shop.ts';
import { type App, createApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { createWorld } from '../../src/world.ts';

export interface Demo {
  readonly issuer: string;
  readonly app: App;
  readonly idp: IdentityProvider;
  readonly shop: Shop;
  readonly agents: Readonly<Record<'refund-bot' | 'triage-bot' | 'nightly-report', DemoKey>>;
  readonly policies: string;
  close(): Promise<void>;
}

export async function openDemo(options: { readonly shop?: Partial<ShopOptions> } = {}): Promise<Demo> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  const issuer = `http://127.0.0.1:${await freePort()}`;
  const agents = { 'refund-bot': demoKey('refund-bot'), 'triage-bot': demoKey('triage-bot'), 'nightly-report': demoKey('nightly-report') };
  const serverKey = demoKey('shop');
  const idp = await startIdentityProvider({ audience: issuer, clients: ['refund-bot-app', 'triage-bot-app'] });
  const shop = await startShop({ issuer, serverKey, ...options.shop });
  const policies = join(folder, 'policies');
  await writeDemoBundle({
    from: new URL('../../policies', import.meta.url).pathname,
    to: policies,
    resource: shop.resource,
    agentKeys: Object.fromEntries(Object.entries(agents).map(([id, key]) => [id, key.publicJwk])),
    serverKeys: { shop: serverKey.publicJwk },
  });
  const config = parseConfig({
    issuer,
    listen: { port: Number(new URL(issuer).port) },
    policies,
    store: { use: 'sqlite', path: join(folder, 'data', 'countersign.db') },
    keys: { use: 'local', secret: { file: join(folder, 'key') } },
    operator: { socket: join(folder, 'operator.sock') },
    issuers: [
      {
        use: 'oidc',
        id: 'people',
        issuer: idp.issuer,
        vouches: ['person'],
        clients: { 'refund-bot': 'refund-bot-app', 'triage-bot': 'triage-bot-app' },
        attributes: { groups: 'groups' },
      },
    ],
  });
  const app = await createApp(config, { world: createWorld(), log: pino({ level: 'silent' }), environment: {} });
  await app.listen();
  return {
    issuer,
    app,
    idp,
    shop,
    agents,
    policies,
    async close() {
      await shop.close();
      await app.close();
      await idp.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
  const { port } = probe.address() as AddressInfo;
  await new Promise((done) => probe.close(done));
  return port;
}
