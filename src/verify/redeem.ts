/**
 * What a verified action brings of a back end (wire.md §6): the tool server exchanges the agent's token and proof, as itself, for the credential
 * that its tool needs. The agent never sees it, and nothing of it is kept past the action.
 *
 *     const redeemer = createRedeemer({ issuer, clientId: 'shop', key });
 *     server.registerTool('create_refund', { inputSchema }, async (args) => {
 *       const { credential } = await redeemer.redeem(currentAction(), 'vault');
 *       const db = new Client({ ...database, user: credential.username, password: credential.password });
 *       …
 */
import { setTimeout as pause } from 'node:timers/promises';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import {
  ACTION_CALL,
  CREDENTIAL_PREFIX,
  DETAILS_TYPE,
  GRANT_EXCHANGE,
  PARAM_ACTION_PROOF,
  PARAM_CREDENTIAL_REQUEST,
  TYPE_ACCESS_TOKEN,
} from '../wire/oauth.ts';
import type { Action } from './action.ts';
import { asClient, type ClientOptions } from './assertion.ts';
import { FORM, outgoing, type Posted } from './outgoing.ts';
import { RedeemError, type RedeemErrorFacts } from './redeem-error.ts';

export interface RedeemerOptions extends ClientOptions {
  /** The broker's issuer; actions of another are refused here. */
  readonly issuer: string;
  /** How often one redemption is tried where the broker cannot say. 4 unless told. */
  readonly attempts?: number;
  /** Epoch seconds. */
  readonly now?: () => number;
  readonly fetch?: typeof fetch;
  /** How a pause between tries passes. */
  readonly wait?: (ms: number) => Promise<unknown>;
}
export interface RedeemOptions {
  /** Sends the arguments along: the registration's template needs them. */
  readonly withArguments?: boolean;
  /** What only this server can bring: a certificate request, a public key. */
  readonly request?: JsonObject;
}
/** In the shape that `credential_process` prints, so that an AWS SDK or CLI takes it as it is. */
export interface AwsCredential extends JsonObject {
  readonly Version: 1;
  readonly AccessKeyId: string;
  readonly SecretAccessKey: string;
  readonly SessionToken: string;
  readonly Expiration: string;
}
/** By kind; `vault` and every other: the data of the lease as the back end gave it. */
export type CredentialOf<K extends string> = K extends 'aws' ? AwsCredential : JsonObject;
export interface Redeemed<K extends string = string> {
  readonly kind: K;
  /** A secret. Not enumerable, so that neither a log nor JSON shows it with the rest. */
  readonly credential: CredentialOf<K>;
  /** When it really stops working, epoch seconds. */
  readonly expiresAt: number;
  /** The action's: what the back end's own log names it by, where it can. */
  readonly txn: string;
}
export interface Redeemer {
  /**
   * The credential that this action's tool registers for `kind`; the action may be `currentAction()`. Asked for twice in one action it is the same one; each action redeems each
   * kind once. @throws RedeemError
   */
  redeem<K extends string>(action: Action | undefined, kind: K, options?: RedeemOptions): Promise<Redeemed<K>>;
}

/** The broker waits for a back end as long as it may, and then answers. */
const TIMEOUT_MS = 10_000;
const LONGEST_PAUSE_MS = 5_000;
const RETRIED: ReadonlySet<number> = new Set([409, 429, 502, 503, 504]);

/** @throws TypeError where the issuer is neither https nor loopback. */
export function createRedeemer(options: RedeemerOptions): Redeemer {
  const { issuer, attempts = 4 } = options;
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const wait = options.wait ?? ((ms) => pause(ms));
  const post = outgoing({ url: `${issuer.replace(/\/$/, '')}/token`, ...(options.fetch && { fetch: options.fetch }) });
  // Gone with the action. A second redemption would end the first one's credential while it is in use.
  const held = new WeakMap<Action, Map<string, Promise<Redeemed>>>();
  /** The broker's latest. */
  let nonce: string | undefined;

  async function ask(action: Action, kind: string, asked: RedeemOptions): Promise<Redeemed> {
    const form = formOf(action, kind, asked);
    // The same on every try, so that an answer that was lost leaves no credential behind that nobody holds.
    const headers = { 'idempotency-key': `"${action.txn}.${kind}"` };
    let facts: RedeemErrorFacts = {};
    let cause: unknown;
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const at = now();
      if (at >= action.exp) throw new RedeemError('ERR_REDEEM_ENDED', facts, cause);
      let answer: Posted | undefined;
      const named = nonce;
      const body = new URLSearchParams({ ...form, ...(await asClient(issuer, options, at, named)) }).toString();
      try {
        answer = await post(body, FORM, { headers, timeoutMs: TIMEOUT_MS });
      } catch (fault) {
        cause = fault;
      }
      nonce = nonceOf(answer) ?? nonce;
      if (answer && !RETRIED.has(answer.status)) return read(answer, action, kind, at);
      facts = answer ? factsOf(answer) : {};
      // What names a nonce that is newer than the broker's memory is known to be newer too, and need not wait.
      const isNewer = answer?.status === 503 && nonce !== named;
      if (attempt < attempts) await wait(isNewer ? 0 : pauseOf(attempt, answer));
    }
    throw new RedeemError('ERR_REDEEM_UNAVAILABLE', facts, cause);
  }

  return {
    async redeem<K extends string>(action: Action | undefined, kind: K, asked: RedeemOptions = {}): Promise<Redeemed<K>> {
      if (action?.issuer !== issuer) throw new RedeemError('ERR_REDEEM_ACTION');
      const mine = held.get(action) ?? new Map<string, Promise<Redeemed>>();
      held.set(action, mine);
      const name = JSON.stringify([kind, asked.withArguments ?? false, asked.request ?? null]);
      const known = mine.get(name);
      if (known && (await known).expiresAt > now()) return known as Promise<Redeemed<K>>;
      // Who comes first asks for all who wait; a failure is not kept.
      if (mine.get(name) === known) {
        const asking = ask(action, kind, asked);
        mine.set(name, asking);
        asking.catch(() => mine.delete(name));
      }
      return mine.get(name) as Promise<Redeemed<K>>;
    },
  };
}

function formOf(action: Action, kind: string, { withArguments, request }: RedeemOptions): Readonly<Record<string, string>> {
  const { token, proof, resource, tool } = action;
  const entry = { type: DETAILS_TYPE, locations: [resource], actions: [ACTION_CALL], identifier: tool, arguments: action.arguments };
  return {
    grant_type: GRANT_EXCHANGE,
    subject_token: token,
    subject_token_type: TYPE_ACCESS_TOKEN,
    [PARAM_ACTION_PROOF]: proof,
    resource,
    requested_token_type: `${CREDENTIAL_PREFIX}${kind}`,
    ...(withArguments && { authorization_details: JSON.stringify([entry]) }),
    ...(request && { [PARAM_CREDENTIAL_REQUEST]: JSON.stringify(request) }),
  };
}
function nonceOf(answer: Posted | undefined): string | undefined {
  const given = answer?.headers.get('dpop-nonce');
  return given && given.length <= 512 ? given : undefined;
}
/** The broker's own word where it gave one (RFC 9110 §10.2.3), else a little longer each time. */
function pauseOf(attempt: number, answer: Posted | undefined): number {
  const told = Number(answer?.headers.get('retry-after') ?? Number.NaN) * 1_000;
  return Math.min(Number.isFinite(told) && told >= 0 ? told : 200 * 2 ** attempt, LONGEST_PAUSE_MS);
}

function read(answer: Posted, { txn }: Action, kind: string, at: number): Redeemed {
  const facts = factsOf(answer);
  if (answer.status !== 200) throw refused(facts);
  const body = objectOf(answer.text);
  const { access_token: token, issued_token_type: type, expires_in: left } = body ?? {};
  const credential = typeof token === 'string' && /^[A-Za-z0-9_-]+$/.test(token) && objectOf(Buffer.from(token, 'base64url').toString());
  if (!credential || type !== `${CREDENTIAL_PREFIX}${kind}` || typeof left !== 'number')
    throw new RedeemError('ERR_REDEEM_PROTOCOL', { status: answer.status });
  return Object.defineProperty({ kind, expiresAt: at + left, txn }, 'credential', { value: credential }) as Redeemed;
}
/** wire.md §3.3, seen from the other side. */
function refused(facts: RedeemErrorFacts): RedeemError {
  switch (facts.error) {
    case 'server_error':
      return new RedeemError('ERR_REDEEM_UNAVAILABLE', facts);
    case 'invalid_client':
    case 'unauthorized_client':
      return new RedeemError('ERR_REDEEM_CLIENT', facts);
    case 'access_denied':
      return new RedeemError('ERR_REDEEM_DENIED', facts);
    case 'invalid_grant':
      return new RedeemError('ERR_REDEEM_ENDED', facts);
    case undefined:
      return new RedeemError('ERR_REDEEM_PROTOCOL', facts);
    default:
      return new RedeemError('ERR_REDEEM_REFUSED', facts);
  }
}
function factsOf({ status, text }: Posted): RedeemErrorFacts {
  const { error, decision_id: decisionId } = objectOf(text) ?? {};
  return { status, ...(typeof error === 'string' && { error }), ...(typeof decisionId === 'string' && { decisionId }) };
}
function objectOf(text: string): JsonObject | undefined {
  const parsed = parseJson(text);
  return parsed.ok && isObject(parsed.value) ? parsed.value : undefined;
}
