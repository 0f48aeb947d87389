/**
 * `countersign/verify`: what a tool server checks before it acts (wire.md §5). Knows tokens, proofs and one resource; may not know the broker,
 * policies or any SDK. An MCP server of SDK v2 is equipped so:
 *
 *     import { createVerifier, folderQueue, receipts, sqliteConsumed } from 'countersign/verify';
 *     import { guard, guardTools } from 'countersign/verify/mcp';
 *
 *     const issuer = 'https://broker.example';
 *     const told = receipts({ issuer, clientId: 'shop', key, queue: folderQueue('./receipts') });
 *     const consumed = sqliteConsumed({ path: './consumed.db' });
 *     const verifier = createVerifier({ issuer, resource: 'https://mcp.shop.example/mcp', consumed, receipts: told });
 *     const handler = createMcpHandler(() => {
 *       const server = guardTools(new McpServer({ name: 'shop', version: '1.0.0' }));
 *       server.registerTool('create_refund', { inputSchema }, async (args) => refund(args));
 *       return server;
 *     });
 *     createServer(toNodeHandler(guard(handler, { verifier }))).listen(3000);
 *
 * With `revocations: followRevocations({ issuer, resource, clientId: 'shop', key })` what is revoked is refused within a second.
 * `/mcp-v1`, `/fastify` and `/express` do the same for SDK v1 and for plain HTTP tools; any other server calls `verify` itself.
 */
import { type DetailsFlaw, grantedDetails, TOOL_NAME } from '../wire/details.ts';
import { canonical, digest, sha256 } from '../wire/digest.ts';
import { proofChecker } from '../wire/dpop.ts';
import { flawOf, isObject, type Json, MAX_JSON_BYTES } from '../wire/json.ts';
import { type Claims, type KeySource, SKEW_SECONDS } from '../wire/jws.ts';
import { SCOPE_LIST, scopeOf } from '../wire/oauth.ts';
import { type Action, actorsOf, makeAction } from './action.ts';
import { issuerKeys } from './broker-keys.ts';
import type { Consumed } from './consumed.ts';
import { type CredentialRules, code, type Held, type HttpRequest, hold, inHeader, inMeta, isBase, spend } from './credentials.ts';
import { type Introspect, type IntrospectOptions, introspector } from './introspect.ts';
import { type ResourceMetadata, resourceMetadata } from './metadata.ts';
import type { Nonces } from './nonces.ts';
import type { Receipts } from './receipts.ts';
import { type Refuse, refusals, VerifyError } from './refusal.ts';
import type { Revocations } from './revocations.ts';

export type { Action, Actor } from './action.ts';
export { type Consumed, memoryConsumed } from './consumed.ts';
export { sqliteConsumed } from './consumed-sqlite.ts';
export type { HttpRequest } from './credentials.ts';
export type { IntrospectOptions } from './introspect.ts';
export { type ResourceMetadata, resourceMetadata } from './metadata.ts';
export { type Nonces, nonces } from './nonces.ts';
export {
  type Amounts,
  memoryQueue,
  type Outcome,
  type QueuedReceipt,
  type Receipt,
  type ReceiptQueue,
  type Receipts,
  type ReceiptsOptions,
  receipts,
} from './receipts.ts';
export { folderQueue } from './receipts-folder.ts';
export { type AwsCredential, createRedeemer, type Redeemed, type Redeemer, type RedeemerOptions, type RedeemOptions } from './redeem.ts';
export { type RedeemCode, RedeemError } from './redeem-error.ts';
export { type OAuthError, type VerifyCode, VerifyError } from './refusal.ts';
export { followRevocations, type Revocations, type RevocationsOptions } from './revocations.ts';
export { currentAction } from './run.ts';

export interface VerifierOptions {
  /** Whose tokens count: the broker's issuer, or several. */
  readonly issuer: string | readonly string[];
  /** This server's resource URI, as registered with the broker: the `aud` of its tokens and, for MCP, the URL of its endpoint. */
  readonly resource: string;
  /** The tools that exist here. A call of another is refused before its token is spent. Left out: any name goes on to the token's checks. */
  readonly tools?: readonly string[];
  /** What has been used: `sqliteConsumed`, `memoryConsumed` or your own. */
  readonly consumed: Consumed;
  /** Where the issuer's keys come from; by default its metadata names them and they are fetched with care. */
  readonly keys?: KeySource;
  /** Epoch seconds. */
  readonly now?: () => number;
  /** JSON-RPC methods that a base token opens beside the listing ones, for example `resources/list`. */
  readonly methods?: readonly string[];
  /** A longer-lived action token is refused. 300 unless told. */
  readonly maxLifetimeSeconds?: number;
  /** The same for base tokens. 3600 unless told. */
  readonly maxBaseLifetimeSeconds?: number;
  /** Ask proofs for a nonce of ours (`nonces()`). */
  readonly nonce?: Nonces;
  /** Ask the broker about every action token: sees a revocation at once. The first issuer is asked. */
  readonly introspect?: IntrospectOptions;
  /** What was revoked, as the broker tells it within a second (`followRevocations`): its issuer's tokens are held against it. */
  readonly revocations?: Revocations;
  /** Where the outcome of actions is told (`receipts()`). */
  readonly receipts?: Receipts;
  /** For the protected-resource document (RFC 9728). */
  readonly name?: string;
  readonly documentation?: string;
}
/** One call, by either delivery: the header's token with its proof, or both in `_meta`. */
export interface CallRequest {
  readonly tool: string;
  /** Raw: before schema defaults and coercion. Absent is `{}`. */
  readonly arguments?: Json | undefined;
  /** Left out where the transport is not HTTP. */
  readonly http?: HttpRequest;
  /** `params._meta` of the call. */
  readonly meta?: Json | undefined;
}
/** Who lists tools. */
export interface Admitted {
  readonly issuer: string;
  readonly subject: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly exp: number;
}
export interface Verifier {
  readonly resource: string;
  /** The RFC 9728 document and where it is served. */
  readonly metadata: ResourceMetadata;
  /** JSON-RPC methods that a base token opens. `notifications/` stands for all of them. */
  readonly methods: ReadonlySet<string>;
  /**
   * Proves one call and uses it up: after this returns, run the effect, once. Every check of wire.md §5 in its order.
   * @throws VerifyError; nothing was used up unless the code is ERR_ACTION_CONSUMED, or unknown after ERR_STORE_UNAVAILABLE.
   */
  verify(request: CallRequest): Promise<Action>;
  /** Proves a base token: opens listing, never a call. @throws VerifyError */
  admit(http: HttpRequest): Promise<Admitted>;
  /** A refusal of this server with its challenge. */
  readonly refuse: Refuse;
}

/** Open to base tokens: looking, never acting (wire.md §1). */
const OPEN = ['initialize', 'server/discover', 'ping', 'tools/list'];
const LIFETIMES = { maxLifetimeSeconds: 300, maxBaseLifetimeSeconds: 3_600 };

/** @throws TypeError naming what is wrong with the options, no values. */
export function createVerifier(options: VerifierOptions): Verifier {
  const { resource, consumed, receipts, revocations } = options;
  const issuers = typeof options.issuer === 'string' ? [options.issuer] : options.issuer;
  const [first] = issuers;
  if (!first || issuers.some((issuer) => !URL.canParse(issuer))) throw new TypeError('issuer: must be a URL');
  if (!URL.canParse(resource) || resource.includes('#')) throw new TypeError('resource: must be an absolute URI without fragment');
  if (revocations && (revocations.resource !== resource || !issuers.includes(revocations.issuer)))
    throw new TypeError('revocations: must be of this resource and an issuer of this verifier');
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const { name, documentation } = options;
  const metadata = resourceMetadata({
    resource,
    authorizationServers: issuers,
    ...(name !== undefined && { name }),
    ...(documentation !== undefined && { documentation }),
  });
  const refuse = refusals({ metadataUrl: metadata.url, ...(options.nonce && { nonce: options.nonce.issue }) });
  const introspect = options.introspect && introspector(first, options.introspect, now);
  const tools = options.tools && new Set(options.tools);
  const rules: CredentialRules = {
    ...LIFETIMES,
    ...(options.maxLifetimeSeconds !== undefined && { maxLifetimeSeconds: options.maxLifetimeSeconds }),
    ...(options.maxBaseLifetimeSeconds !== undefined && { maxBaseLifetimeSeconds: options.maxBaseLifetimeSeconds }),
    ...(options.nonce && { nonces: options.nonce }),
    issuers: new Map(
      issuers.map((issuer) => [issuer, options.keys ?? (revocations?.issuer === issuer ? revocations.keys : issuerKeys(issuer, now))]),
    ),
    checkProof: proofChecker(),
    resource,
    consumed,
    now,
    refuse,
  };

  /** The action token among what was presented, proved; a base token beside it is proved too. */
  async function presented({ http, meta, tool }: CallRequest): Promise<Held> {
    const header = inHeader(http, resource);
    const inside = inMeta(meta, resource, refuse);
    if (!header && !inside) throw refuse('ERR_TOKEN_MISSING');
    const outer = header && (await hold(header, rules));
    if (!inside) {
      if (!outer?.isAction) throw refuse('ERR_SCOPE_INSUFFICIENT', tool);
      return outer;
    }
    const inner = await hold(inside, rules);
    if (!inner.isAction) throw refuse('ERR_SCOPE_INSUFFICIENT', tool);
    if (outer && outer.token !== inner.token && !(isBase(outer) && sameClient(outer, inner))) throw refuse('ERR_TOKEN_CONFLICT');
    return inner;
  }

  async function verify(request: CallRequest): Promise<Action> {
    const { tool } = request;
    if (!TOOL_NAME.test(tool) || (tools && !tools.has(tool))) throw refuse('ERR_TOOL_UNKNOWN');
    const held = await presented(request);
    const { claims, token, jkt, proof } = held;
    // An action without a key would be anybody's.
    if (jkt === undefined || proof === undefined) throw refuse('ERR_TOKEN_SCHEME');
    const actors = actorsOf(claims['act']);
    if (!actors) throw refuse('ERR_TOKEN_CLAIM');
    if (!held.scopes.includes(scopeOf(tool))) throw refuse('ERR_SCOPE_INSUFFICIENT', tool);

    const granted = grantedDetails(claims['authorization_details'], resource);
    if (!granted.ok) throw refuse(isDetailsFlaw(granted.error) ? code(granted.error) : 'ERR_DETAILS_DIGEST');
    if (granted.value.tool !== tool) throw refuse('ERR_DETAILS_TOOL');
    const args = request.arguments ?? {};
    if (!isObject(args) || flawOf(args)) throw refuse('ERR_ARGUMENTS_FORM');
    if (canonical(args).length > MAX_JSON_BYTES) throw refuse('ERR_REQUEST_SIZE');
    if (digest(args) !== granted.value.digest) throw refuse('ERR_ARGUMENTS_DIGEST');

    await unrevoked(claims, tool);
    if (introspect && !(await stands(introspect, token, String(claims['jti'])))) throw refuse('ERR_TOKEN_REVOKED');
    // What a memory that began later has forgotten may have run: the same answer as a second use.
    if (consumed.since !== undefined && claims.iat < consumed.since) throw refuse('ERR_ACTION_TOO_OLD');
    const id = `action:${sha256(JSON.stringify([claims.iss, claims['txn']]))}`;
    if (!(await spend(consumed, id, claims.exp + SKEW_SECONDS, refuse))) throw refuse('ERR_ACTION_CONSUMED');
    const known = { claims, actors, resource, tool, digest: granted.value.digest, arguments: args, jkt, token, proof };
    return makeAction({ ...known, ...(receipts && { receipts }) });
  }

  async function unrevoked(claims: Claims, tool?: string): Promise<void> {
    const said = await revocations?.check(claims, tool);
    if (said === 'revoked') throw refuse('ERR_TOKEN_REVOKED');
    if (said === 'stale') throw refuse('ERR_REVOCATIONS_STALE');
  }
  async function stands(ask: Introspect, token: string, jti: string): Promise<boolean> {
    try {
      return await ask(token, jti);
    } catch (fault) {
      throw fault instanceof VerifyError ? fault : refuse('ERR_INTROSPECTION_UNAVAILABLE');
    }
  }

  return {
    resource,
    metadata,
    methods: new Set([...OPEN, ...(options.methods ?? []).filter((method) => method !== 'tools/call')]),
    refuse,
    verify,
    async admit(http) {
      const header = inHeader(http, resource);
      if (!header) throw refuse('ERR_TOKEN_MISSING');
      const held = await hold(header, rules);
      if (!isBase(held)) throw refuse('ERR_SCOPE_INSUFFICIENT');
      await unrevoked(held.claims);
      const { iss, sub, exp, client_id: clientId } = held.claims;
      return { issuer: iss, subject: sub, clientId: String(clientId), scopes: [SCOPE_LIST], exp };
    },
  };
}

const isDetailsFlaw = (flaw: DetailsFlaw): flaw is Extract<DetailsFlaw, `details_${string}`> => flaw.startsWith('details_');
const sameClient = (a: Held, b: Held): boolean => a.claims.iss === b.claims.iss && a.claims['client_id'] === b.claims['client_id'];
