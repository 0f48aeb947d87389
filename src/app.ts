/** Composition root: Config → back ends → rooms → servers. The only importer of back ends. */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { openAgents } from './app-agents.ts';
import { openApproval } from './app-approve.ts';
import { credentials, openMinters, openStore, secretSource } from './app-backends.ts';
import { dayOf, inOrder, recordBundle } from './app-check.ts';
import { createStatus } from './app-health.ts';
import { ringOpener } from './app-keys.ts';
import { openLimits } from './app-limits.ts';
import { openLookout } from './app-lookout.ts';
import { openNotifiers, openNotify } from './app-notify.ts';
import { openSignals } from './app-signals.ts';
import { createAuthenticator } from './authenticate/authenticator.ts';
import { oidcIssuer } from './authenticate/issuer-oidc.ts';
import { nonces } from './authenticate/nonce.ts';
import { createBroker } from './broker.ts';
import type { Report } from './bundle/bundle.ts';
import { folderBundles } from './bundle/bundle-folder.ts';
import type { Config } from './config.ts';
import { cedarEngine } from './decide/policy-cedar.ts';
import { checkAddresses, closeServer, listenOnSocket } from './http/address.ts';
import { openSecret } from './keys/secret-file.ts';
import { LOGIN_LIFE_SECONDS, loginSigner } from './mint/login.ts';
import type { World } from './model.ts';
import { createBackends } from './operate/backends.ts';
import { localOperator } from './operate/operator.ts';
import { createRevoke } from './operate/revoke.ts';
import { createPlanning } from './plan.ts';
import { logReader } from './record/reader-log.ts';
import { createRecord, type Recorder } from './record/record.ts';
import { createRedeem, isRedeem } from './redeem.ts';
import { createSettle } from './settle.ts';
import { createFeed } from './settle-feed.ts';
import { createLeases } from './settle-leases.ts';
import type { Store } from './store/store.ts';
import { canonical } from './wire/digest.ts';
import { proofChecker } from './wire/dpop.ts';

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
  const operator = localOperator(userInfo().username);
  let recorder: Recorder | undefined;
  const bundles = await folderBundles({
    folder: config.policies,
    engine: cedarEngine(),
    credentials: credentials(config),
    today: () => dayOf(world),
    onReport: reported,
    // What comes before there is a ledger is recorded by `listen`, before the first request.
    enact: async (hash) => recorder && recordBundle(recorder, hash, operator.name),
  });
  held.push(() => bundles.close());
  await checkAddresses(config.listen, config.operator.socket);
  const notifiers = await openNotifiers(config, edge.environment);
  const secret = openSecret(secretSource(config, edge.environment), {
    // Brokers that share a store share its secret, so none of them may make one of its own.
    create: config.store.use === 'sqlite' && !existsSync(config.store.path),
  });
  // While another thread opens the store, this one loads what is needed only now.
  const [store, { createServer }, { createOperatorServer }, { meters }] = await Promise.all([
    openStore(config, edge.environment),
    import('./http/server.ts'),
    import('./http/operator.ts'),
    import('./record/reader-metrics.ts'),
  ]);
  held.push(() => store.close());
  if (store.repaired) log.warn({ ...store.repaired }, 'ledger repaired');
  if (store.broken) log.error({ ...store.broken }, 'ledger does not verify');
  const meter = meters({
    bundlePolicies: () => bundles.current().policy.size,
    bundleDegraded: () => !bundles.report().ok,
    leases: () => leases.counts(),
  });
  const faulted = (fault: unknown): void => {
    meter.fault();
    log.error(
      { fault: fault instanceof Error ? fault.message : 'unknown', stack: fault instanceof Error ? fault.stack : undefined },
      'fault',
    );
  };
  const limits = await openLimits(config, edge);
  held.push(() => limits.close());
  const readers = [meter.read, logReader(log)];
  const record = createRecord({ store, world, deadlineMs: config.deadlineMs, readers, alone: limits.alone, onFault: faulted });
  recorder = record;
  await inOrder(store, world);

  const openRing = ringOpener({ config, secret, store, record, world }, held);
  const tokens = await openRing('tokens', MAX_TOKEN_SECONDS);
  const { signer } = tokens;
  // Where there is no back end, nothing ever logs in at one.
  const logins = config.backends.length > 0 ? await openRing('backends', LOGIN_LIFE_SECONDS) : undefined;
  const minters = await openMinters(config, {
    signer,
    world,
    environment: edge.environment,
    bundle: bundles.current,
    ...(logins && { login: loginSigner({ issuer: config.issuer, signer: logins.signer }) }),
  });

  const leases = createLeases({ store, world, record, minters, secret, deadlineMs: config.deadlineMs, onFault: faulted });
  held.push(() => leases.close());

  const since = (): number => store.since ?? 0;
  const nonce = nonces({ mac: (text) => secret.mac('nonce', text), since });
  const authenticate = createAuthenticator({
    issuer: config.issuer,
    tokens: signer.keys,
    issuers: config.issuers.map((i) => oidcIssuer({ ...i, audience: config.issuer, now: world.now })),
    nonces: nonce,
    checkProof: proofChecker(),
    fingerprint: (args) => secret.mac('arguments', canonical(args)),
    retryMac: (text) => secret.mac('retry', text),
    maxActors: config.actors,
    ...(limits.perAgent && { pace: limits.perAgent }),
  });
  const lent = { commit: record.commit, now: world.now, leases };
  const rooms = { issuer: config.issuer, world, store, bundles, record, minters, authenticate, lent };
  const { approve, plans, withdraw, approvals, ...more } = openApproval(config, { ...rooms, secret, onFault: faulted }, held);
  const told = { ...rooms, secret, notifiers, log, notified: meter.notified, onFault: faulted };
  const notify = openNotify(config, told, held);
  readers.push(notify.read);
  const broker = createBroker({ ...rooms, approve });
  const redeem = createRedeem(rooms);
  const planning = createPlanning({ ...rooms, plans });
  const feed = createFeed({ ...rooms, signer });
  held.push(() => feed.close());
  const settle = createSettle({ issuer: config.issuer, store, bundles, authenticate, record, signer, leases, withdraw, since });

  function reported(report: Report): void {
    for (const p of [...report.problems, ...report.warnings])
      log.warn({ file: p.file, line: p.line, text: p.text, hint: p.hint }, 'bundle');
  }
  const watched = { ...rooms, signer, environment: edge.environment, log, readers, onFault: faulted, halts: () => operate.revoke.list() };
  const lookout = openLookout(config, watched, held);
  const status = createStatus({
    config,
    world,
    record,
    signers: logins ? [signer, logins.signer] : [signer],
    bundles,
    minters,
    broken: () => store.broken !== undefined,
    notify: notify.states,
  });
  const parts = { store, world, record, secret, environment: edge.environment };
  const people = config.console && (await import('./app-console.ts')).openConsole({ ...config, console: config.console }, parts);
  const revoke = createRevoke({ store, world, record, bundles, leases });
  const operate = {
    rings: { tokens: tokens.keys, ...(logins && { backends: logins.keys }) },
    leases: leases.list,
    verifiers: feed.verifiers,
    revoke,
    ...openAgents(config, { store, world, bundles, revoke, entries: lookout.entries }),
    approvals,
    ...more,
    fatigue: notify.fatigue,
    backends: createBackends({ ...rooms, leases, environment: edge.environment }),
    ...lookout,
    reload: () => bundles.reload(),
    ...(people && { tickets: people.tickets, people: people.names }),
    status: async () => ({ issuer: config.issuer, bundle: bundles.current().hash, report: bundles.report(), checks: await status() }),
  };
  const edges = { onRefused: meter.refused, onFault: faulted };
  const server = await createServer({
    issuer: config.issuer,
    exchange: (asked, from) => (isRedeem(asked) ? redeem(asked.value, from) : broker(asked, from)),
    limits: { ...(limits.perAddress && { perAddress: limits.perAddress }), pressureMs: config.limits.pressureMs },
    proxies: config.proxies,
    offered: config.backends.map(({ use }) => use),
    kinds: new Set(['aws', 'vault', ...config.backends.map(({ use }) => use)]),
    planning,
    settle,
    feed,
    ...openSignals(config, { record, world }),
    signer,
    ...(logins && { logins: logins.signer }),
    nonce: () => quietly(() => nonce.current(world.now())),
    health: { check: async () => (closing ? [{ name: 'process', state: 'down', detail: 'stopping' }] : status()) },
    ...(config.metrics === 'public' && { metrics: meter.registry }),
    ...(people && { people: people.routes({ operate, metrics: meter.registry }) }),
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
      await notify.begin();
      await listenOnSocket(local, config.operator.socket);
      await server.listen(config.listen);
      leases.begin();
    },
    reload: () => bundles.reload(),
    retire() {
      closing = true;
      feed.release();
      lookout.live.release();
      // RFC 9112 §9.6. Only from now on, so that nobody pays for it before.
      server.server.prependListener('request', (_, response) => response.setHeader('connection', 'close'));
    },
    async close() {
      closing = true;
      feed.release();
      lookout.live.release();
      await closeServer(server);
      await closeServer(local);
      await record.flush().catch(faulted);
      await letGo(held);
    },
  };
}

/** No token lives longer: decide.ts caps what policies ask for. */
const MAX_TOKEN_SECONDS = 300;

/** While the clock is in doubt there is no nonce: nothing is granted then either. */
function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
