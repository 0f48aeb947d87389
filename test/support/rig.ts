/** A whole broker in this process, on a real port, with an issuer of people beside it; asked through the front door. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { writeDemoBundle } from '../../scripts/demo/bundle.ts';
import { type App, createApp } from '../../src/app.ts';
import { type ConfigInput, parseConfig } from '../../src/config.ts';
import type { Entry, World } from '../../src/model.ts';
import { fromBody } from '../../src/record/entry.ts';
import type { Json, JsonObject } from '../../src/wire/json.ts';
import { createWorld } from '../../src/world.ts';
import { jwt, newKey, sha256, type TestKey } from './keys.ts';
import { issuerOf, LOGIN, type LoginIdp, PERSON } from './login-idp.ts';
import { UNLIMITED } from './unlimited.ts';

export const RESOURCE = 'http://127.0.0.1:9090/mcp';
export const DETAILS = 'urn:countersign:tool-call:v1';
export const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
export const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt';
export const REFUND: JsonObject = { payment_id: 'pay_8Qx2', amount_minor: 4250, currency: 'EUR' };

/** A JWT to be: what a change leaves alone is right. */
export interface Part {
  readonly header?: object;
  readonly claims?: object;
  readonly key?: TestKey;
  /** The whole string instead. */
  readonly token?: string;
}
export interface Asking {
  readonly assertion?: Part | null;
  readonly proof?: Part | null;
  readonly subject?: Part | null;
  readonly actor?: Part;
  readonly details?: Json | string | null;
  readonly args?: Json;
  /** Members of the one entry. */
  readonly entry?: JsonObject;
  /** Form members; null leaves one out. */
  readonly form?: Readonly<Record<string, string | null>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly nonce?: string | null;
  /** The form's text, last of all. */
  readonly body?: (form: string) => string;
  readonly method?: string;
}
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: JsonObject;
}
export interface Rig {
  readonly issuer: string;
  readonly app: App;
  readonly folder: string;
  readonly agent: TestKey;
  readonly agents: Readonly<Record<string, TestKey>>;
  readonly server: TestKey;
  readonly proofKey: TestKey;
  readonly idp: { readonly issuer: string; readonly key: TestKey; requests: number } & LoginIdp;
  /** Log lines so far. */
  readonly log: readonly string[];
  ask(asking?: Asking): Promise<Answer>;
  form(asking?: Asking): Promise<{ readonly body: string; readonly headers: Record<string, string> }>;
  nonce(): Promise<string>;
  entries(after?: number): Promise<readonly Entry[]>;
  count(): Promise<number>;
  now(): number;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface RigOptions {
  readonly config?: Partial<ConfigInput>;
  /** Console, where people log in at the rig's own issuer as `idp.person` says. */
  readonly console?: Partial<NonNullable<ConfigInput['console']>>;
  /** What this broker is called: browsers know passkeys of names, not of addresses. */
  readonly host?: 'localhost';
  readonly world?: World;
  readonly environment?: Readonly<Record<string, string>>;
  /** Another program than this one (toy.ts). */
  readonly program?: { readonly createApp: typeof createApp; readonly parseConfig: typeof parseConfig };
  /** What is done to the copy of the sample bundle before the broker first reads it. */
  readonly bundle?: (folder: string) => Promise<void>;
}
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  const people = newKey('people-1');
  const idp = { issuer: '', key: people, requests: 0, person: PERSON };
  const idpServer = await issuerOf(idp);
  const agents = { 'refund-bot': newKey(), 'triage-bot': newKey(), 'nightly-report': newKey() };
  const server = newKey();
  const policies = join(folder, 'policies');
  await writeDemoBundle({
    from: 'policies',
    to: policies,
    resource: RESOURCE,
    agentKeys: Object.fromEntries(Object.entries(agents).map(([id, key]) => [id, key.publicJwk])),
    serverKeys: { shop: server.publicJwk },
  });
  await options.bundle?.(policies);
  const issuer = `http://${options.host ?? '127.0.0.1'}:${await freePort()}`;
  const program = options.program ?? { createApp, parseConfig };
  const config = program.parseConfig({
    issuer,
    listen: { port: Number(new URL(issuer).port) },
    policies,
    store: { use: 'sqlite', path: join(folder, 'data', 'countersign.db') },
    keys: { use: 'local', secret: { file: join(folder, 'key') } },
    operator: { socket: join(folder, 'operator.sock') },
    limits: UNLIMITED,
    metrics: 'public',
    issuers: [
      {
        use: 'oidc',
        id: 'people',
        issuer: idp.issuer,
        vouches: ['person', 'service'],
        clients: { 'refund-bot': 'refund-bot-app', 'triage-bot': 'triage-bot-app' },
        attributes: { groups: 'groups' },
      },
    ],
    ...(options.console && { console: { login: LOGIN, ...options.console } }),
    ...options.config,
  });
  const log: string[] = [];
  const world = options.world ?? createWorld();
  const app = await program.createApp(config, {
    world,
    log: pino({ base: null }, { write: (line: string) => void log.push(line) }),
    environment: options.environment ?? {},
  });
  await app.listen();
  const proofKey = newKey();
  let nonce: string | undefined;
  const now = (): number => world.now();

  const rig: Rig = {
    issuer,
    app,
    folder,
    agent: agents['refund-bot'],
    agents,
    server,
    proofKey,
    idp,
    log,
    now,
    async nonce() {
      nonce ??=
        (
          await fetch(`${issuer}/token`, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: '' })
        ).headers.get('dpop-nonce') ?? '';
      return nonce;
    },
    async form(asking = {}) {
      const at = now();
      const { assertion = {}, proof = {}, subject = {}, actor } = asking;
      const form: Record<string, string | null> = { grant_type: GRANT, resource: RESOURCE };
      if (assertion !== null) {
        form['client_assertion_type'] = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
        form['client_assertion'] = await part(
          assertion,
          agents['refund-bot'],
          { typ: 'client-authentication+jwt' },
          { iss: 'refund-bot', sub: 'refund-bot', aud: issuer, iat: at, exp: at + 60, jti: randomUUID() },
        );
      }
      if (subject !== null) {
        form['subject_token_type'] = ID_TOKEN;
        form['subject_token'] = await part(
          subject,
          people,
          { typ: 'JWT', kid: people.kid },
          { iss: idp.issuer, sub: 'u_bob', aud: 'refund-bot-app', iat: at, exp: at + 600, groups: ['support'] },
        );
      }
      if (actor) {
        form['actor_token_type'] = JWT_TYPE;
        form['actor_token'] = await part(
          actor,
          agents['triage-bot'],
          { typ: 'JWT' },
          { iss: 'triage-bot', sub: 'triage-bot', aud: issuer, iat: at, exp: at + 60, jti: randomUUID(), cnf: { jkt: proofKey.jkt } },
        );
      }
      const entry = {
        type: DETAILS,
        locations: [RESOURCE],
        actions: ['tools/call'],
        identifier: 'create_refund',
        arguments: asking.args ?? REFUND,
        purpose: 'refund duplicate charge, ticket 4711',
        ...asking.entry,
      };
      const details = asking.details === undefined ? [entry] : asking.details;
      if (details !== null) form['authorization_details'] = typeof details === 'string' ? details : JSON.stringify(details);
      Object.assign(form, asking.form);
      const text = Object.entries(form)
        .filter((pair): pair is [string, string] => pair[1] !== null)
        .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
        .join('&');
      const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
      if (proof !== null) {
        const nonceNow = asking.nonce === undefined ? await rig.nonce() : asking.nonce;
        const { key = proofKey } = proof;
        headers['dpop'] = await part(
          proof,
          key,
          { typ: 'dpop+jwt', jwk: bareJwk(key) },
          { htm: 'POST', htu: `${issuer}/token`, iat: at, jti: randomUUID(), ...(nonceNow !== null && { nonce: nonceNow }) },
        );
      }
      return { body: asking.body ? asking.body(text) : text, headers: { ...headers, ...asking.headers } };
    },
    async ask(asking = {}) {
      const { body, headers } = await rig.form(asking);
      const method = asking.method ?? 'POST';
      return answerOf(await fetch(`${issuer}/token`, { method, headers, redirect: 'manual', ...(method !== 'GET' && { body }) }));
    },
    async entries(after = 0) {
      const rows = await app.store.scan({
        term: 'entry',
        limit: 10_000,
        ...(after > 0 && { after: `entry/${String(after).padStart(16, '0')}` }),
      });
      return rows.map((row) => fromBody(row.value as JsonObject));
    },
    async count() {
      const [last] = await app.store.scan({ term: 'entry', limit: 1, newestFirst: true });
      return last ? Number(last.key.slice('entry/'.length)) : 0;
    },
    async stop() {
      await app.close();
      await new Promise((resolve) => {
        idpServer.close(resolve);
        idpServer.closeAllConnections();
      });
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await rig.nonce();
  return rig;
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  let body: JsonObject = {};
  try {
    body = JSON.parse(text) as JsonObject;
  } catch {
    // Not every answer is JSON; the text is looked at then.
  }
  return { status: response.status, headers: response.headers, text, body };
}
/** A proof for a request at the tool server. */
export function proofFor(
  key: TestKey,
  claims: { readonly htm: string; readonly htu: string; readonly token: string; readonly nonce?: string },
  at: number,
): Promise<string> {
  const { token, ...rest } = claims;
  return jwt(key, { typ: 'dpop+jwt', alg: 'ES256', jwk: bareJwk(key) }, { ...rest, iat: at, jti: randomUUID(), ath: sha256(token) });
}
export function bareJwk(key: TestKey): JsonObject {
  const { kty, crv, x, y, n, e } = key.publicJwk;
  return JSON.parse(JSON.stringify({ kty, crv, x, y, n, e })) as JsonObject;
}

async function part(change: Part, key: TestKey, header: object, claims: object): Promise<string> {
  if (change.token !== undefined) return change.token;
  const signer = change.key ?? key;
  return jwt(signer, { alg: signer.alg, ...header, ...change.header }, { ...claims, ...change.claims });
}
