import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDemoBundle } from '../../scripts/demo/bundle.ts';
import type { ConfigInput } from '../../src/config.ts';
import { newKey } from '../support/keys.ts';
import { freePort, RESOURCE } from '../support/rig.ts';
import type { Order } from './child.ts';
import type { Scene } from './requests.ts';

export interface Measured {
  readonly cpu: number;
  readonly rss: number;
  readonly handles: number;
}
export interface Bench {
  readonly scene: () => Promise<Scene>;
  readonly port: number;
  readonly config: ConfigInput;
  readonly folder: string;
  tell(order: Order): Promise<object>;
  usage(): Promise<Measured>;
  stop(): Promise<void>;
}
/** A broker in a child process pinned to one core where `taskset` is there, its issuer of people here. */
export async function setScene(options: { readonly core?: number; readonly flags?: readonly string[] } = {}): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
  const people = newKey('people-1');
  let issuerOfPeople = '';
  const idp = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify(
        request.url === '/jwks' ? { keys: [people.publicJwk] } : { issuer: issuerOfPeople, jwks_uri: `${issuerOfPeople}/jwks` },
      ),
    );
  }).listen(0, '127.0.0.1');
  await new Promise((done) => idp.once('listening', done));
  issuerOfPeople = `http://127.0.0.1:${(idp.address() as AddressInfo).port}`;
  const agents = { 'refund-bot': newKey(), 'triage-bot': newKey(), 'nightly-report': newKey() };
  const policies = join(folder, 'policies');
  await writeDemoBundle({
    from: 'policies',
    to: policies,
    resource: RESOURCE,
    agentKeys: Object.fromEntries(Object.entries(agents).map(([id, key]) => [id, key.publicJwk])),
    serverKeys: { shop: newKey().publicJwk },
  });
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const config: ConfigInput = {
    issuer,
    listen: { port },
    policies,
    store: { use: 'sqlite', path: join(folder, 'data', 'countersign.db') },
    keys: { use: 'local', secret: { file: join(folder, 'key') } },
    operator: { socket: join(folder, 'operator.sock') },
    metrics: 'public',
    issuers: [
      {
        use: 'oidc',
        id: 'people',
        issuer: issuerOfPeople,
        vouches: ['person'],
        clients: { 'refund-bot': 'refund-bot-app' },
        attributes: { groups: 'groups' },
      },
    ],
  };
  const child = start(options);
  const tell = (order: Order): Promise<object> =>
    new Promise((resolve, reject) => {
      child.once('message', (answer) => resolve(answer as object));
      child.once('exit', () => reject(new Error('the measured process ended')));
      child.send(order);
    });
  const proofKeys = Array.from({ length: 20 }, () => newKey());
  return {
    port,
    config,
    folder,
    tell,
    usage: async () => (await tell({ ask: 'usage' })) as Measured,
    async scene() {
      const nonce =
        (
          await fetch(`${issuer}/token`, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=b' })
        ).headers.get('dpop-nonce') ?? '';
      return {
        issuer,
        resource: RESOURCE,
        people: { issuer: issuerOfPeople, key: people },
        agents: proofKeys.map((proofKey) => ({ id: 'refund-bot', client: 'refund-bot-app', key: agents['refund-bot'], proofKey })),
        nonce,
      };
    },
    async stop() {
      child.kill();
      idp.close();
      idp.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
function start(options: { readonly core?: number; readonly flags?: readonly string[] }): ChildProcess {
  const file = new URL('./child.ts', import.meta.url).pathname;
  const execArgv = ['--expose-gc', ...(options.flags ?? [])];
  return fork(file, { execArgv, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}
