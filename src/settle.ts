/** How a grant ends: receipt, revocation, and what introspection says of it. The other half of broker.ts. */
import type { Withdraw } from './approve/withdraw.ts';
import type { Authenticator } from './authenticate/authenticate.ts';
import type { Bundles } from './bundle/bundle.ts';
import { settle as settleBudgets } from './decide/budgets.ts';
import { haltKeys } from './decide/halts.ts';
import { type Result, refuse } from './errors.ts';
import type { Signer } from './keys/signer.ts';
import { revokedClaim, revokedKey } from './mint/grant.ts';
import type { Agent, Bundle, Claim, Draft, Entry, EpochSeconds, Facts, ToolServer } from './model.ts';
import { fromBody, termOf } from './record/entry.ts';
import type { Recorder } from './record/record.ts';
import type { Presented } from './request.ts';
import type { LeaseDesk } from './settle-leases.ts';
import type { Store } from './store/store.ts';
import { sha256 } from './wire/digest.ts';
import { isObject, type JsonObject } from './wire/json.ts';
import { type Claims, checkToken, peek } from './wire/jws.ts';
import { TYP_ACCESS_TOKEN, TYP_RECEIPT } from './wire/oauth.ts';
import { no, ok } from './wire/result.ts';

export interface Settle {
  /** RFC 7662: what a tool server may know of a token of its audience. Inactive is a value. */
  introspect(request: Result<Presented & { readonly token: string }>, from?: From): Promise<Result<JsonObject>>;
  /** RFC 7009: the client ends its token, or by a deferral code what waits for people. Unknown and expired ones are ended already. */
  revoke(request: Result<Presented & { readonly token: string }>, from?: From): Promise<Result<void>>;
  /** A tool server tells what really happened: once for an action. */
  receive(receipt: Result<string>, from?: From): Promise<Result<void>>;
}
/** The address that it came from. */
type From = () => string;
export interface SettleRooms {
  readonly issuer: string;
  readonly store: Store;
  readonly bundles: Bundles;
  readonly authenticate: Authenticator;
  readonly record: Recorder;
  readonly signer: Signer;
  readonly leases: Pick<LeaseDesk, 'endOf' | 'wake'>;
  /** Where the store's memory may begin anew: since when it is whole. */
  readonly since: () => EpochSeconds;
  readonly withdraw: Withdraw;
}
const OUTCOMES: ReadonlySet<unknown> = new Set(['done', 'failed', 'not_run']);
const RECEIPT_LIFE_SECONDS = 7 * 24 * 3600;
const INACTIVE: JsonObject = { active: false };
/** Longest life of a token of ours, with room: older ones need no look at their revocation. */
const TOKEN_LIFE_SECONDS = 3600;

export function createSettle(rooms: SettleRooms): Settle {
  const { issuer, store, bundles, authenticate, record, signer, leases, withdraw, since } = rooms;

  /** One request, one draft; a no and a fault are recorded as everywhere. */
  async function conduct<I, T>(
    name: string,
    input: Result<I>,
    from: From | undefined,
    work: (input: I, bundle: Bundle, draft: Draft) => Promise<Result<T>>,
  ): Promise<Result<T>> {
    const draft = record.open(name, from);
    try {
      if (!input.ok) return no(await record.refuse(draft, input.error));
      const bundle = bundles.current();
      draft.note({ bundle: bundle.hash });
      const outcome = await work(input.value, bundle, draft);
      return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
    } catch (fault) {
      return no(await record.fault(draft, fault));
    }
  }
  const own = async (token: string, audience: string, draft: Draft): Promise<Claims | undefined> => {
    const checked = await checkToken(
      token,
      signer.keys,
      {
        typ: [TYP_ACCESS_TOKEN],
        algs: ['ES256', 'RS256'],
        issuer,
        audience,
        maxLifetimeSeconds: TOKEN_LIFE_SECONDS,
        now: draft.now,
        required: ['jti', 'txn', 'client_id'],
      },
      draft,
    );
    return checked.ok ? checked.value : undefined;
  };

  return {
    introspect: (request, from) =>
      conduct('introspect', request, from, async (input, bundle, draft) => {
        const caller = await authenticate.client(input, bundle, draft);
        if (!caller.ok) return caller;
        const marked = await record.mark(draft);
        if (!marked.ok) return marked;
        if (caller.value.kind !== 'tool-server') return ok(INACTIVE);
        const claims = await own(input.token, caller.value.resource, draft);
        return ok(claims && (await stands(claims, caller.value, bundle)) ? active(claims) : INACTIVE);
      }),

    revoke: (request, from) =>
      conduct('revoke', request, from, async (input, bundle, draft) => {
        const caller = await authenticate.client(input, bundle, draft);
        if (!caller.ok) return caller;
        const aud = peek(input.token)?.['aud'];
        const claims = typeof aud === 'string' ? await own(input.token, aud, draft) : undefined;
        if (!claims) {
          const open = await withdraw(input.token, caller.value.id, draft);
          if (!open.ok) return open;
          return open.value ? record.commit(draft, 'cancelled', open.value) : record.mark(draft);
        }
        if (caller.value.kind !== 'agent' || !holders(claims).includes(caller.value.id)) return refuse('grant_refused');
        const { jti, txn, exp } = claims as Claims & { jti: string; txn: string };
        draft.note({ jti, txn, subject: claims.sub, resource: aud as string });
        return commitEnd(draft, 'revoked', txn, [revokedClaim({ jti, txn, aud: aud as string, exp })]);
      }),

    receive: (receipt, from) =>
      conduct('receipt', receipt, from, async (token, bundle, draft) => {
        const server = bundle.servers.byId(String(peek(token)?.['iss'] ?? ''));
        if (server?.identity?.use !== 'jwks') return refuse('client_unauthenticated');
        const checked = await checkToken(
          token,
          server.identity.keys,
          {
            typ: [TYP_RECEIPT],
            algs: ['ES256', 'RS256'],
            issuer: server.id,
            audience: issuer,
            maxLifetimeSeconds: RECEIPT_LIFE_SECONDS,
            now: draft.now,
            required: ['jti', 'txn'],
          },
          draft,
        );
        if (!checked.ok) return refuse('receipt_bad', { detail: checked.error });
        draft.note({ client: server.id, resource: server.resource });
        return settleReceipt(checked.value, server, bundle, draft);
      }),
  };

  /** The action is over, so whatever was made under it ends (wire.md §6). A lease that moves meanwhile is looked at again. */
  async function commitEnd(draft: Draft, kind: 'receipt' | 'revoked', txn: string, claims: readonly Claim[]): Promise<Result<void>> {
    for (let tries = 1; ; tries++) {
      const ends = await leases.endOf(txn, kind);
      const done = await record.commit(draft, kind, [...claims, ...ends]);
      if (done.ok && ends.length > 0) leases.wake();
      if (done.ok || done.error.reason !== 'state_conflict' || tries === 3) return done;
    }
  }

  async function settleReceipt(claims: Claims, server: ToolServer, bundle: Bundle, draft: Draft): Promise<Result<void>> {
    const txn = String(claims['txn']);
    const outcome = claims['outcome'];
    if (!OUTCOMES.has(outcome)) return refuse('receipt_bad', { detail: 'outcome' });
    const story = await store.scan({ term: termOf(txn), limit: 50 });
    const entries = story.map((row) => fromBody(row.value as JsonObject));
    const minted = entries.find((entry) => entry.kind === 'minted' && entry.txn === txn && entry.resource === server.resource);
    if (!minted) return refuse('receipt_bad', { detail: 'txn' });
    draft.note(sameStory(minted));
    if (entries.some((entry) => entry.kind === 'receipt')) return refuse('receipt_replayed');
    const proof = claims['proof'];
    const real = amounts(claims['amounts']);
    draft.note({
      txn,
      outcome: String(outcome),
      ...real,
      ...(typeof proof === 'string' && { proof: sha256(proof) }),
    });
    const first: Claim = {
      key: `receipt/${txn}`,
      version: 0,
      value: 1,
      until: draft.now + 2 * RECEIPT_LIFE_SECONDS,
      else: 'receipt_replayed',
    };
    const { reserved, at } = minted;
    const spent = { reserved, txn, at, outcome: String(outcome), amounts: real.recorded ?? {} };
    return commitEnd(draft, 'receipt', txn, [first, ...settleBudgets(spent, bundle, draft.now)]);
  }

  /** Not revoked, and everyone it speaks of still stands: asked anew each time. */
  async function stands(claims: Claims, server: ToolServer, bundle: Bundle): Promise<boolean> {
    // Whether it was revoked before the store was emptied or promoted, nobody knows.
    if (Number(claims['iat']) < since()) return false;
    const agents = holders(claims).map((id) => bundle.agents.byClient(id));
    if (agents.some((agent) => !agent || agent.suspended || !agent.owned)) return false;
    const keys = [
      revokedKey(String(claims['jti'])),
      ...haltKeys({ agents: agents as readonly Agent[], subject: claims.sub, server: server.id, tool: toolOf(claims) }),
    ];
    const { found } = await store.look(keys);
    return found.every((hit) => hit === undefined);
  }
}

/** RFC 9396: a base token has no details. */
const toolOf = (claims: Claims): string | undefined => {
  const scope = String(claims['scope']);
  return claims['authorization_details'] === undefined ? undefined : scope.slice(scope.indexOf(':') + 1);
};
/** The client and every actor. */
function holders(claims: Claims): readonly string[] {
  const ids = [String(claims['client_id'])];
  for (let act = claims['act']; isObject(act); act = act['act']) ids.push(String(act['sub']));
  return [...new Set(ids)];
}
function active(claims: Claims): JsonObject {
  const { iss, sub, aud, client_id, iat, exp, jti, txn, scope, act, cnf, authorization_details } = claims;
  return JSON.parse(
    JSON.stringify({
      active: true,
      token_type: cnf ? 'DPoP' : 'Bearer',
      iss,
      sub,
      aud,
      client_id,
      iat,
      exp,
      jti,
      txn,
      scope,
      act,
      cnf,
      authorization_details,
    }),
  ) as JsonObject;
}
function sameStory(minted: Entry): Facts {
  const { owner, subject, actors, tool, arguments: args, txn, jti } = minted;
  return JSON.parse(JSON.stringify({ owner, subject, actors, tool, arguments: args, txn, jti })) as Facts;
}
/** Numbers alone: what was really spent, as the registration's recordable fields. */
function amounts(value: unknown): Facts {
  if (!isObject(value)) return {};
  const numbers = Object.entries(value).filter(([, amount]) => typeof amount === 'number');
  return numbers.length === 0 ? {} : { recorded: Object.fromEntries(numbers) as JsonObject };
}
