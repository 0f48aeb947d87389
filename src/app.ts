/** Composition root: Config → back ends → rooms → servers. The only importer of back ends. */
import { existsSync, mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createApprove } from './approve/approve.ts';
import { createAuthenticator } from './authenticate/authenticator.ts';
import { oidcIssuer } from './authenticate/issuer-oidc.ts';
import { nonces } from './authenticate/nonce.ts';
import { createBroker } from './broker.ts';
import type { Report } from './bundle/bundle.ts';
import { folderBundles } from './bundle/bundle-folder.ts';
import type { Config } from './config.ts';
import { cedarEngine } from './decide/policy-cedar.ts';
import { ConfigError } from './errors.ts';
import { checkAddresses, closeServer, listenOnSocket } from './http/address.ts';
import type { Check } from './http/health.ts';
import { createOperatorServer } from './http/operator.ts';
import { createServer } from './http/server.ts';
import { openSecret } from './keys/secret-file.ts';
import { localSigner } from './keys/signer-local.ts';
import type { Minter, Minters } from './mint/minter.ts';
import { jwtMinter } from './mint/minter-jwt.ts';
import type { World } from './model.ts';
import { createKeys } from './operate/keys.ts';
import type { Operator } from './operate/operator.ts';
import { findStory, tell } from './operate/story.ts';
import { fromBody } from './record/entry.ts';
import { logReader } from './record/reader-log.ts';
import { meters } from './record/reader-metrics.ts';
import { createRecord, type Recorder } from './record/record.ts';
import { createSettle } from './settle.ts';
import type { Store } from './store/store.ts';
import { type SqliteStore, sqliteStore } from './store/store-sqlite.ts';
import { canonical } from './wire/digest.ts';
import { proofChecker } from './wire/dpop.ts';
import type { JsonObject } from './wire/json.ts';
import type { Alg } from './wire/jws.ts';

export interface App {
  readonly issuer: string;
  readonly server: FastifyInstance;
  readonly store: Store;
  /** Both addresses answer once this resolves. */
  listen(): Promise<void>;
  reload(): Promise<Report>;
  /** Not ready any more, and each answer ends its connection: clients and whoever routes to us go elsewhere, and lose nothing. */
  retire(): void;
  /** Refuses new requests, answers those in flight, then lets go of store and socket. */
  close(): Promise<void>;
}
export interface Edge {
  readonly world: World;
  readonly log: Logger;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Errors at start: ConfigError, StoreRefused. Nothing is written before the configuration, the bundle and the key file are good. */
export async function createApp(config: Config, edge: Edge): Promise<App> {
  const held: Held[] = [];
  try {
    return await compose(config, edge, held);
  } catch (fault) {
    await letGo(held);
    throw fault;
  }
}
/** What must be given back, latest first: when the broker stops, and when it cannot start. */
type Held = () => void | Promise<void>;
async function letGo(held: readonly Held[]): Promise<void> {
  for (const release of held.toReversed()) await release();
}

async function compose(config: Config, edge: Edge, held: Held[]): Promise<App> {
  const { world, log } = edge;
  const operator: Operator = { name: `local:${userInfo().username}`, via: 'socket' };
  let recorder: Recorder | undefined;
  const bundles = await folderBundles({
    folder: config.policies,
    engine: cedarEngine(),
    today: () => dayOf(world),
    onReport: reported,
    // What comes before there is a ledger is recorded by `listen`, before the first request.
    enact: async (hash) => recorder && recordBundle(recorder, hash, operator.name),
  });
  held.push(() => bundles.close());
  await checkAddresses(config.listen, config.operator.socket);
  const secret = openSecret(secretSource(config, edge), { create: !existsSync(config.store.path) });
  mkdirSync(dirname(config.store.path), { recursive: true, mode: 0o700 });
  const store = await openStore(config);
  held.push(() => store.close());
  if (store.repaired) log.warn({ ...store.repaired }, 'ledger repaired');
  if (store.broken) log.error({ ...store.broken }, 'ledger does not verify');
  const meter = meters({ bundlePolicies: () => bundles.current().policy.size, bundleDegraded: () => !bundles.report().ok });
  const faulted = (fault: unknown): void => {
    meter.fault();
    log.error(
      { fault: fault instanceof Error ? fault.message : 'unknown', stack: fault instanceof Error ? fault.stack : undefined },
      'fault',
    );
  };
  const record = createRecord({ store, world, deadlineMs: config.deadlineMs, readers: [meter.read, logReader(log)], onFault: faulted });
  recorder = record;
  await inOrder(store, world);

  const { maxAgeSeconds } = config.keys;
  const signer = await localSigner({
    store,
    secret,
    algs: algorithms(config),
    timing: { maxAgeSeconds, maxTokenSeconds: MAX_TOKEN_SECONDS, skewSeconds: SKEW_SECONDS },
    world,
  });
  held.push(() => signer.close());
  const keys = createKeys({ keeper: signer, record, world });
  const begun = await keys.begin();
  if (!begun.ok) throw new ConfigError(['keys: the first signing keys could not be made; another broker may be starting on this store']);

  const nonce = nonces({ mac: (text) => secret.mac('nonce', text) });
  const authenticate = createAuthenticator({
    issuer: config.issuer,
    issuers: config.issuers.map((i) => oidcIssuer({ ...i, audience: config.issuer, now: world.now })),
    nonces: nonce,
    checkProof: proofChecker(),
    fingerprint: (args) => secret.mac('arguments', canonical(args)),
    retryMac: (text) => secret.mac('retry', text),
    maxActors: config.actors,
  });
  const minters: Minters = new Map([jwtMinter({ signer })].map((m): [Minter['kind'], Minter] => [m.kind, m]));
  const exchange = createBroker({ issuer: config.issuer, world, store, bundles, record, minters, authenticate, approve: createApprove() });
  const settle = createSettle({ issuer: config.issuer, store, bundles, authenticate, record, signer });

  function reported(report: Report): void {
    for (const p of [...report.problems, ...report.warnings])
      log.warn({ file: p.file, line: p.line, text: p.text, hint: p.hint }, 'bundle');
  }
  const recordable = atMostEvery(PROBE_MS, world, () => record.probe());
  const status = async (): Promise<readonly Check[]> => [
    await probe('clock', async () => void world.now()),
    await probe('store', recordable),
    await probe('keys', async () => void signer.published()),
    await probe('policy', async () => void bundles.current()),
    store.broken
      ? { name: 'ledger', state: 'degraded', detail: 'it does not verify; run `npm run verify-ledger`' }
      : { name: 'ledger', state: 'ok' },
    bundles.report().ok
      ? { name: 'bundle', state: 'ok' }
      : { name: 'bundle', state: 'degraded', detail: 'a newer bundle was refused; run `npm run policies`' },
    ...keyFile(config),
  ];
  const operate = {
    keys,
    explain: async (id: string) => {
      const story = await findStory(store, id);
      return { story, words: tell(story) };
    },
    reload: () => bundles.reload(),
    status: async () => ({ issuer: config.issuer, bundle: bundles.current().hash, report: bundles.report(), checks: await status() }),
  };
  const edges = { onRefused: meter.refused, onFault: faulted };
  const server = await createServer({
    issuer: config.issuer,
    exchange,
    settle,
    signer,
    nonce: () => quietly(() => nonce.current(world.now())),
    health: { check: async () => (closing ? [{ name: 'process', state: 'down', detail: 'stopping' }] : status()) },
    ...(config.metrics === 'public' && { metrics: meter.registry }),
    ...edges,
  });
  const local = createOperatorServer({ operate, operator, metrics: meter.registry, ...edges });
  let closing = false;

  return {
    issuer: config.issuer,
    server,
    store,
    async listen() {
      await recordBundle(record, bundles.report().hash, operator.name);
      await listenOnSocket(local, config.operator.socket);
      await server.listen(config.listen);
    },
    reload: () => bundles.reload(),
    retire() {
      closing = true;
      // RFC 9112 §9.6. Only from now on, so that nobody pays for it before.
      server.server.prependListener('request', (_, response) => response.setHeader('connection', 'close'));
    },
    async close() {
      closing = true;
      await closeServer(server);
      await closeServer(local);
      await letGo(held);
    },
  };
}

export const openStore = (config: Pick<Config, 'store'>): Promise<SqliteStore> => sqliteStore({ path: config.store.path });

/** Validates configuration, key source and bundle; writes nothing. What is good is said in a line each. */
export async function checkApp(config: Config, edge: Pick<Edge, 'world' | 'environment'>): Promise<readonly string[]> {
  const bundles = await folderBundles({ folder: config.policies, engine: cedarEngine(), today: () => dayOf(edge.world), watch: false });
  try {
    const { agents, servers, policy } = bundles.current();
    if ('env' in config.keys.secret) openSecret(secretSource(config, edge));
    const { hash, warnings } = bundles.report();
    return [
      'configuration: good',
      `bundle: good — ${agents.all.length} agents, ${servers.all.length} servers, ${policy.size} policies, ${hash}`,
      ...warnings.map((w) => `warning: ${w.file}${w.line === undefined ? '' : `:${w.line}`}: ${w.text}`),
    ];
  } finally {
    bundles.close();
  }
}

const dayOf = (world: World): string => new Date(world.now() * 1000).toISOString().slice(0, 10);

/** No token lives longer: decide.ts caps what policies ask for. */
const MAX_TOKEN_SECONDS = 300;
const SKEW_SECONDS = 10;

/** What was used up is forgotten once its time has passed: begun again at an earlier time, it would work again. Throws ConfigError. */
async function inOrder(store: Store, world: World): Promise<void> {
  const [last] = await store.scan({ term: 'entry', limit: 1, newestFirst: true });
  if (last && world.now() < fromBody(last.value as JsonObject).at - REMEMBERED_SECONDS)
    throw new ConfigError([
      "clock: this machine's clock is behind the ledger's last entry; set it right, or wait until that time has passed",
    ]);
}
/** What has ended is remembered as much longer (store.ts), so that a small step back of the clock is no matter. */
const REMEMBERED_SECONDS = 60;
/** The secret is held in memory since the start: grants go on, but not after the next one. */
function keyFile({ keys }: Config): readonly Check[] {
  if (!('file' in keys.secret)) return [];
  const there = existsSync(keys.secret.file);
  return [
    { name: 'key_file', ...(there ? { state: 'ok' } : { state: 'degraded', detail: 'it is gone; put it back before the next start' }) },
  ];
}
/** Anybody may ask whether we are ready; that must not be a way to make us write. */
const PROBE_MS = 1_000;
function atMostEvery<T>(ms: number, world: World, work: () => Promise<T>): () => Promise<T> {
  let last: { readonly at: number; readonly answer: Promise<T> } | undefined;
  return () => {
    const at = world.elapsed();
    if (!last || at - last.at >= ms) last = { at, answer: work() };
    return last.answer;
  };
}
/** While the clock is in doubt there is no nonce: nothing is granted then either. */
function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
/** What is in force is part of the story: each bundle that comes into force is an entry. */
async function recordBundle(record: Recorder, bundle: string, by: string): Promise<void> {
  const draft = record.open('bundle');
  draft.note({ bundle, by });
  await record.commit(draft, 'bundle', []);
}
async function probe(name: string, work: () => Promise<void>): Promise<Check> {
  try {
    await work();
    return { name, state: 'ok' };
  } catch {
    return { name, state: 'down' };
  }
}
function algorithms(config: Config): readonly [Alg, ...Alg[]] {
  const [first = 'ES256', ...rest] = config.keys.algorithms;
  return [first, ...rest];
}
function secretSource(config: Config, edge: Pick<Edge, 'environment'>): { readonly file: string } | { readonly value: string } {
  const { secret } = config.keys;
  if ('file' in secret) return secret;
  const value = edge.environment[secret.env];
  if (value === undefined) throw new ConfigError(['keys.secret: the environment has no variable of this name']);
  return { value };
}
