/** The authenticator with real keys, two small issuers and a bundle of a few agents: everything a request needs, each part changeable. */
import { createHmac } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import type { Authenticator } from '../../../src/authenticate/authenticate.ts';
import { createAuthenticator } from '../../../src/authenticate/authenticator.ts';
import { oidcIssuer } from '../../../src/authenticate/issuer-oidc.ts';
import { nonces } from '../../../src/authenticate/nonce.ts';
import type { Reason } from '../../../src/errors.ts';
import type { Agent, Bundle, Caller, Draft, Facts, Identity, Tool, ToolServer } from '../../../src/model.ts';
import type { ExchangeRequest, Presented } from '../../../src/request.ts';
import { canonical } from '../../../src/wire/digest.ts';
import { proofChecker } from '../../../src/wire/dpop.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { localKeys } from '../../../src/wire/jwks.ts';
import type { KeySource } from '../../../src/wire/jws.ts';
import { SCOPE_LIST, TYPE_ID_TOKEN } from '../../../src/wire/oauth.ts';
import { sign, type TestIdp, type TestKey, testIdp, testKey } from '../../support/idp.ts';

/** Claims as an attacker may write them. */
export type Wild = Readonly<Record<string, unknown>>;
export const NOW = 1_795_176_000;
export const BROKER = 'https://broker.example';
export const HTU = `${BROKER}/token`;
/** The issuer of workloads; its keys come from the small server. */
export const CI = 'https://ci.example';
export const SHOP = 'https://mcp.shop.example/mcp';
export const BANK = 'https://mcp.bank.example/mcp';
export const MAC = (purpose: string) => (text: string) => createHmac('sha256', purpose).update(text).digest('base64url');
export const fingerprint = (args: JsonObject): string => MAC('arguments')(canonical(args));

export interface Spent {
  readonly once: string;
  readonly issued: number;
  readonly until: number;
  readonly otherwise: Reason;
  readonly bound?: string;
}
export interface TestDraft extends Draft {
  readonly spent: readonly Spent[];
}
export function newDraft(now = NOW): TestDraft {
  let facts: Facts = {};
  const spent: Spent[] = [];
  return {
    id: 'exc_test',
    now,
    signal: new AbortController().signal,
    late: false,
    turn: async (_kind, work) => work(),
    spent,
    get facts() {
      return facts;
    },
    note(more) {
      facts = { ...facts, ...more };
    },
    spend({ else: otherwise, ...mark }) {
      spent.push({ ...mark, otherwise });
    },
  };
}

const names = ['refund-bot', 'lookup-bot', 'third-bot', 'fourth-bot', 'suspended-bot', 'orphan-bot', 'twin', 'shop'] as const;
export type Name = (typeof names)[number];
const made = await Promise.all([...names.map(() => testKey()), testKey(), testKey(), testKey()]);
const keyAt = (i: number): TestKey => made[i] as TestKey;
export const keys = Object.fromEntries(names.map((name, i) => [name, keyAt(i)])) as Readonly<Record<Name, TestKey>>;
/** Proof keys of the client and of a sub-agent. */
export const held = keyAt(names.length);
export const subHeld = keyAt(names.length + 1);
export const stranger = keyAt(names.length + 2);
export const jktOf = (key: TestKey): Promise<string> => calculateJwkThumbprint(key.jwk);
export const JKT = await jktOf(held);
export const SUB_JKT = await jktOf(subHeld);

const jwks = (key: TestKey): Identity => {
  const read = localKeys({ keys: [key.jwk] } as unknown as JsonObject);
  if (!read.ok) throw new Error(read.error);
  return { use: 'jwks', keys: read.value };
};
const agent = (id: string, identity: Identity, more: Partial<Agent> = {}): Agent => ({
  kind: 'agent',
  id,
  name: id,
  owner: 'people:u_owner',
  owned: true,
  purpose: 'test',
  review: '2027-01-01',
  suspended: false,
  identity,
  limits: {},
  ...more,
});
const tool = (name: string, more: Partial<Tool> = {}): Tool => ({
  name,
  description: name,
  schema: {},
  check: (args) => (typeof args['payment_id'] === 'string' ? undefined : 'schema_required'),
  fill: (args) => args,
  recordable: ['amount_minor', 'absent'],
  hidden: false,
  credentials: new Map(),
  ...more,
});
const server = (id: string, resource: string, identity?: Identity): ToolServer => ({
  kind: 'tool-server',
  id,
  name: id,
  resource,
  tools: new Map([tool('create_refund'), tool('write_note', { hidden: true })].map((t) => [t.name, t])),
  ...(identity && { identity }),
});
const dead: Identity = {
  use: 'jwks',
  keys: {
    find: async () => {
      throw new Error('dead');
    },
  },
};
const agents: readonly Agent[] = [
  ...(['refund-bot', 'lookup-bot', 'third-bot', 'fourth-bot', 'twin'] as const).map((id) => agent(id, jwks(keys[id]))),
  agent('suspended-bot', jwks(keys['suspended-bot']), { suspended: true }),
  agent('orphan-bot', jwks(keys['orphan-bot']), { owned: false }),
  agent('dead-bot', dead),
  agent('ci-bot', { use: 'federated', issuer: CI, subject: 'repo:shop' }),
  agent('torn-bot', { use: 'federated', issuer: CI, subject: 'repo:torn' }),
];
const servers: readonly ToolServer[] = [
  server('shop', SHOP, jwks(keys.shop)),
  server('bank', BANK),
  server('twin', 'https://mcp.twin.example/mcp', jwks(keys.twin)),
  server('runner', 'https://mcp.runner.example/mcp', { use: 'federated', issuer: CI, subject: 'repo:runner' }),
  server('torn', 'https://mcp.torn.example/mcp', { use: 'federated', issuer: CI, subject: 'repo:torn' }),
];
export const bundle: Bundle = {
  hash: 'h',
  agents: {
    all: agents,
    byClient: (id) => agents.find((a) => a.id === id),
    byIdentity: (issuer, subject) =>
      agents.find(({ identity: i }) => i.use === 'federated' && i.issuer === issuer && i.subject === subject),
  },
  servers: { all: servers, byId: (id) => servers.find((s) => s.id === id), byResource: (uri) => servers.find((s) => s.resource === uri) },
  budgets: [],
  policy: { size: 0, decide: () => ({ allow: false, cause: 'error', policies: [], code: 'unused' }) },
};

export const clock = { at: NOW };
/** Since when what was used up is remembered. */
export const memory = { since: 0 };
const nonce = nonces({ mac: MAC('nonce'), since: () => memory.since });
export const freshNonce = (): string => nonce.current(NOW);

let ids = 0;
export const nextId = (): string => `id-${++ids}`;
export const assertion = (by: Name, claims: Wild = {}, header = {}, key = keys[by]): Promise<string> =>
  sign(key, { iss: by, sub: by, aud: BROKER, iat: NOW, exp: NOW + 60, jti: nextId(), ...claims }, header);
export const proof = (claims: Wild = {}, key = held): Promise<string> => {
  const { kty, crv, x, y } = key.jwk;
  const header = { typ: 'dpop+jwt', kid: undefined, jwk: { kty, crv, x, y } };
  return sign(key, { htm: 'POST', htu: HTU, iat: NOW, jti: nextId(), nonce: freshNonce(), ...claims }, header);
};
export const actorToken = (by: Name, claims: Wild = {}, header = {}): Promise<string> =>
  assertion(by, { cnf: { jkt: SUB_JKT }, ...claims }, header);
export async function presented(by: Name = 'refund-bot', more: Partial<Presented> = {}): Promise<Presented> {
  return { htm: 'POST', htu: HTU, assertion: await assertion(by), proof: await proof(), ...more };
}

export const ARGS = { payment_id: 'pay_8Qx2', amount_minor: 4250 };
export const details = (change: Readonly<Record<string, unknown>> = {}, resource = SHOP): string =>
  JSON.stringify([
    {
      type: 'urn:countersign:tool-call:v1',
      locations: [resource],
      actions: ['tools/call'],
      identifier: 'create_refund',
      arguments: ARGS,
      ...change,
    },
  ]);

export interface Room extends AsyncDisposable {
  readonly authenticate: Authenticator;
  readonly people: TestIdp;
  readonly ci: TestIdp;
  readonly signer: TestKey;
  idToken(claims?: Wild, header?: object): Promise<string>;
  workload(claims?: Wild, header?: object): Promise<string>;
  /** The caller that `refund-bot` is once it has proved itself. */
  readonly caller: Caller;
  /** A whole exchange by refund-bot for u_alice; without `details` where that is set to undefined. */
  exchange(more?: { readonly [K in keyof ExchangeRequest]?: ExchangeRequest[K] | undefined }): Promise<ExchangeRequest>;
}
interface RoomOptions {
  readonly maxActors?: number;
  readonly accessTokenTyp?: string;
  /** Keys of the broker's own tokens; none unless told. */
  readonly tokens?: KeySource;
}
export async function openRoom(options: RoomOptions = {}): Promise<Room> {
  const [people, ci, signer] = [await testIdp(), await testIdp('/ci'), await testKey('RS256')];
  people.keys = [signer];
  ci.keys = [signer];
  const shared = { audience: BROKER, now: () => clock.at };
  const issuers = [
    oidcIssuer({
      ...shared,
      id: 'people',
      issuer: people.issuer,
      vouches: ['person'],
      clients: { 'refund-bot': 'rb-there', 'lookup-bot': 'lb-there' },
      attributes: { email: 'email', groups: 'groups', missing: 'nope' },
      ...(options.accessTokenTyp !== undefined && { accessTokenTyp: options.accessTokenTyp }),
    }),
    oidcIssuer({
      ...shared,
      id: 'ci',
      issuer: CI,
      vouches: ['service', 'agent'],
      clients: {},
      servers: ['shop'],
      jwksUri: ci.jwksUri,
    }),
  ];
  const idToken: Room['idToken'] = (claims = {}, header = {}) =>
    sign(
      signer,
      { iss: people.issuer, sub: 'u_alice', aud: 'rb-there', iat: NOW - 10, exp: NOW + 600, email: 'alice@shop.example', ...claims },
      { ...header },
    );
  return {
    authenticate: createAuthenticator({
      issuer: BROKER,
      tokens: options.tokens ?? { find: async () => undefined },
      issuers,
      nonces: nonce,
      checkProof: proofChecker(),
      fingerprint,
      retryMac: MAC('retry'),
      ...(options.maxActors !== undefined && { maxActors: options.maxActors }),
    }),
    people,
    ci,
    signer,
    caller: { client: agents[0] as Agent, jkt: JKT },
    idToken,
    workload: (claims = {}, header = {}) =>
      sign(signer, { iss: CI, sub: 'repo:shop', aud: BROKER, iat: NOW - 10, exp: NOW + 600, ...claims }, { ...header }),
    async exchange(more = {}) {
      const whole = {
        ...(await presented()),
        grant: 'exchange',
        subjectToken: await idToken(),
        subjectTokenType: TYPE_ID_TOKEN,
        resource: SHOP,
        details: details(),
        kind: 'jwt',
        deferred: false,
        ...more,
      };
      return Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined)) as unknown as ExchangeRequest;
    },
    async [Symbol.asyncDispose]() {
      await people[Symbol.asyncDispose]();
      await ci[Symbol.asyncDispose]();
    },
  };
}
export const LIST = { details: undefined, scope: `openid ${SCOPE_LIST}` } as const;
/** `reason/detail` of a no, or `ok`. */
export const outcome = (
  result: { readonly ok: true } | { readonly ok: false; readonly error: { readonly reason: string; readonly detail?: string } },
): string => (result.ok ? 'ok' : [result.error.reason, result.error.detail].filter(Boolean).join('/'));
