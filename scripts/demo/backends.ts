/** What a tool gets from real back ends for one action, and that nothing of it is left: Vault with PostgreSQL, and an STS with its S3. */
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { pino } from 'pino';
import { createAgent } from '../../src/agent/agent.ts';
import { createRedeemer, type Redeemed, type Redeemer } from '../../src/verify/verify.ts';
import { type Minio, type S3Credentials, startMinio } from '../../test/services/minio.ts';
import { type Login, type Postgres, startPostgres } from '../../test/services/postgres.ts';
import { servicePort } from '../../test/services/program.ts';
import { pathOf } from '../../test/services/provision.ts';
import { startVault, type Vault } from '../../test/services/vault.ts';
import { database, databaseRole, jwtAuth, jwtRole, policy } from '../../test/services/vault-setup.ts';
import { explainOffline } from '../explain.ts';
import { addBackEnds } from './bundle.ts';
import { fold } from './fold.ts';
import type { Narrator } from './narrator.ts';
import { recorder } from './recorder.ts';
import type { Outside } from './shop.ts';
import { setStage } from './stage.ts';

const SERVICES = ['vault', 'postgres', 'minio'] as const;
const REFUND = { payment_id: 'pay_8Qx2', amount_minor: 4250, currency: 'EUR' };

/** Starts all of it on this machine, in temporary folders. Answers what is missing and how it is had, where something is. */
export async function backEnds(tell: Narrator): Promise<readonly string[] | undefined> {
  const missing = SERVICES.filter((name) => !isHere(name));
  if (missing.length > 0)
    return [`Not here: ${missing.join(', ')}.`, `  node test/services/provision.ts --only ${missing.join(',')}   # some minutes, once`];
  const folder = mkdtempSync(join(tmpdir(), 'countersign-demo-'));
  const [vault, postgres, minioPort] = await Promise.all([startVault(), startPostgres(), servicePort()]);
  const held: { stop(): Promise<unknown> }[] = [vault, postgres, { stop: async () => rmSync(folder, { recursive: true, force: true }) }];
  try {
    await play({ tell, folder, vault, postgres, minioPort, held });
  } finally {
    for (const one of held.toReversed()) await one.stop();
  }
  return undefined;
}
interface Ground {
  readonly tell: Narrator;
  readonly folder: string;
  readonly vault: Vault;
  readonly postgres: Postgres;
  readonly minioPort: number;
  readonly held: { stop(): Promise<unknown> }[];
}

async function play({ tell, folder, vault, postgres, minioPort, held }: Ground): Promise<void> {
  // The tool server's half: it redeems, uses, and keeps nothing. `seen` is for this demo alone.
  const seen: { vault?: Redeemed<'vault'> | undefined; aws?: Redeemed<'aws'> | undefined } = {};
  let redeemer: Redeemer | undefined;
  let minio: Minio | undefined;
  const outside: Outside = {
    async book({ id, payment_id, amount_minor, currency }, action) {
      seen.vault = await redeemer?.redeem(action, 'vault');
      // psql has no parameters: only what cannot be SQL goes on.
      if (!/^[A-Za-z0-9_]+$/.test(payment_id)) throw new Error('not a payment');
      await postgres.query(`INSERT INTO refunds VALUES ('${id}', '${payment_id}', ${amount_minor}, '${currency}')`, loginOf(seen.vault));
    },
    async exports(customer, action) {
      seen.aws = await redeemer?.redeem(action, 'aws', { withArguments: true });
      const listed = await minio?.s3('GET', `exports?list-type=2&prefix=${customer}/`, undefined, sessionOf(seen.aws));
      return [...(listed?.text.matchAll(/<Key>([^<]+)</g) ?? [])].map(([, key = '']) => key);
    },
  };
  const stage = await setStage({
    folder,
    log: pino({ level: 'silent' }),
    shop: { outside },
    bundle: addBackEnds,
    backends: [
      { use: 'vault', address: vault.address },
      { use: 'aws', region: 'us-east-1', endpoint: `http://127.0.0.1:${minioPort}`, audience: 'exports' },
    ],
  });
  held.push({ stop: () => stage.close() });
  const { issuer } = stage.app;
  redeemer = createRedeemer({
    issuer,
    clientId: 'shop',
    key: createPrivateKey({ key: { ...stage.shopKey.privateJwk }, format: 'jwk' }),
    kid: stage.shopKey.kid,
  });
  await prepare(vault, postgres, issuer);
  const openid = { configUrl: `${issuer}/backends/.well-known/openid-configuration`, clientId: 'exports' };
  minio = await startMinio({ port: minioPort, openid, buckets: ['exports'] });
  held.push(minio);
  for (const customer of ['cus_anna', 'cus_ben']) await minio.put(`exports/${customer}/2026-11.csv`, 'order,amount\n');

  tell.step('On stage');
  tell.facts('all of it on this machine, in temporary folders', [
    ['broker', issuer, 'and the issuer of its logins, …/backends'],
    ['Vault', vault.address, 'with PostgreSQL behind it; the broker has no token for it'],
    ['MinIO', minio.address, 'S3 and an STS; the broker has no key for it'],
    ['shop', stage.shop.resource, 'create_refund books in PostgreSQL, export_orders reads S3'],
  ]);
  const wire = recorder();
  const bob = await stage.people.signIn('bob', 'refund-bot-app');
  const key = stage.agents['refund-bot'].privateJwk;
  const agent = createAgent({ issuer, clientId: 'refund-bot', key, fetch: wire.fetch, subject: { token: bob.idToken, type: 'id_token' } });
  const client = new Client({ name: 'refund-bot', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(stage.shop.resource), { fetch: agent.fetch }));
  wire.take();
  const call = async (name: string, args: Record<string, unknown>) => {
    const result = await client.callTool({ name, arguments: args });
    for (const exchange of wire.take().filter(({ method }) => method === 'POST')) tell.exchange(fold(exchange));
    return result;
  };

  tell.step('A refund is booked by a database role that lives for one action');
  tell.say('The agent gets its action token and nothing else. The shop redeems it, as itself, for what this one tool needs.');
  const booked = await call('create_refund', REFUND);
  const role = String(seen.vault?.credential['username'] ?? '');
  const rows = await postgres.query('SELECT * FROM refunds');
  tell.facts('what the shop got for it', [
    ['role', role, 'made by Vault for this action'],
    ['ends', `${(seen.vault?.expiresAt ?? 0) - Math.floor(Date.now() / 1000)} s from now`, 'or with the receipt'],
    ['txn', seen.vault?.txn ?? '', 'the same in the ledger, in Vault’s metadata and its audit log'],
  ]);
  tell.check('the refund is in PostgreSQL', booked.isError !== true && rows.length === 1 && rows[0]?.[1] === REFUND.payment_id);
  tell.check('Vault’s own audit log names the action', JSON.stringify(vault.audit()).includes(seen.vault?.txn ?? '-'));
  await stage.shop.receipts.flush();
  tell.check(
    'with the receipt the role is gone: it cannot log in any more',
    await within(5_000, async () => !(await canLogIn(postgres, seen.vault))),
  );
  tell.check(
    'and Vault holds no lease',
    await within(5_000, async () => (await vault.leases('database/creds/refund-writer')).length === 0),
  );

  tell.step('An export reads one prefix of a bucket, for seconds');
  tell.say('STS gives no session under 900 s. The session’s own policy ends with the action, and names one customer’s prefix.');
  const exported = await call('export_orders', { customer_id: 'cus_anna' });
  const session = sessionOf(seen.aws);
  const get = async (path: string): Promise<number> => (await minio.s3('GET', path, undefined, session)).status;
  tell.check('it listed what is Anna’s', exported.isError !== true && JSON.stringify(exported.content).includes('cus_anna/2026-11.csv'));
  tell.check('the same session reads Anna’s file', (await get('exports/cus_anna/2026-11.csv')) === 200);
  tell.check('and not Ben’s', (await get('exports/cus_ben/2026-11.csv')) === 403);
  tell.check('nor can it write', (await minio.s3('PUT', 'exports/cus_anna/2026-11.csv', 'x', session)).status === 403);
  const left = (seen.aws?.expiresAt ?? 0) * 1000 - Date.now();
  tell.say(`Waiting ${Math.max(0, Math.ceil(left / 1000))} s for its end …`);
  await sleep(Math.max(0, left) + 1_000);
  tell.check('it is dead, though STS said 900 s', (await get('exports/cus_anna/2026-11.csv')) === 403);

  tell.step('What the ledger says');
  const { words } = await explainOffline(stage.ledger, seen.vault?.txn ?? '');
  tell.quote(words);
  tell.check(
    'one story, from request to the end of the role',
    words.some((line) => /ended/.test(line)),
  );
  await client.close();
}

/** What an operator does once: who may log in as what, and what that login may read. */
async function prepare(vault: Vault, postgres: Postgres, issuer: string): Promise<void> {
  await postgres.query('CREATE TABLE refunds (id text, payment_id text, amount_minor int, currency text)');
  await jwtAuth(vault, { issuer: `${issuer}/backends`, jwksUrl: `${issuer}/backends/jwks` });
  await database(vault, { postgres });
  await databaseRole(vault, 'refund-writer', { grants: 'GRANT INSERT ON refunds TO "{{name}}";' });
  await policy(vault, 'refunds', { 'database/creds/refund-writer': ['read'] });
  const claims = { server: 'shop', tool: 'create_refund' };
  const mappings = { txn: 'txn', tool: 'tool', agent: 'agent', subject: 'subject' };
  await jwtRole(vault, 'refunds', { audiences: ['vault'], policies: ['refunds'], claims, mappings, ttlSeconds: 300 });
}
function isHere(name: (typeof SERVICES)[number]): boolean {
  try {
    return pathOf(name) !== '';
  } catch {
    return false;
  }
}
const loginOf = (redeemed: Redeemed<'vault'> | undefined): Login => ({
  user: String(redeemed?.credential['username'] ?? ''),
  password: String(redeemed?.credential['password'] ?? ''),
});
const sessionOf = (redeemed: Redeemed<'aws'> | undefined): S3Credentials => ({
  accessKeyId: redeemed?.credential.AccessKeyId ?? '',
  secretAccessKey: redeemed?.credential.SecretAccessKey ?? '',
  sessionToken: redeemed?.credential.SessionToken ?? '',
});
async function canLogIn(postgres: Postgres, redeemed: Redeemed<'vault'> | undefined): Promise<boolean> {
  try {
    await postgres.query('SELECT 1', loginOf(redeemed));
    return true;
  } catch {
    return false;
  }
}
async function within(ms: number, so: () => Promise<boolean>): Promise<boolean> {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(100)) if (await so()) return true;
  return so();
}
