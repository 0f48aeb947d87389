/** What a verified call is: one action, in the hands of the one tool it was made for. */
import type { Digest } from '../wire/digest.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import type { Claims } from '../wire/jws.ts';
import type { Amounts, Outcome, Receipts } from './receipts.ts';

/** Who acts (RFC 8693 §4.1). */
export interface Actor {
  readonly sub: string;
  readonly iss?: string;
}
export interface Action {
  readonly issuer: string;
  /** One per intended action; its single use is what was consumed. */
  readonly txn: string;
  /** One per issuance. */
  readonly jti: string;
  readonly resource: string;
  readonly tool: string;
  /** On whose behalf: `<issuer id>:<sub>`, or an agent's client id when it acts for itself. */
  readonly subject: string;
  /** Outermost first; empty when an agent acts for itself. */
  readonly actors: readonly Actor[];
  readonly clientId: string;
  readonly scope: string;
  readonly iat: number;
  readonly exp: number;
  /** Thumbprint of the key that proved possession. */
  readonly jkt: string;
  readonly digest: Digest;
  /** Exactly what the digest covers: before schema defaults. */
  readonly arguments: JsonObject;
  /** Not enumerable, so neither is printed with the action. Together they redeem the action at the broker (wire.md §6). */
  readonly token: string;
  readonly proof: string;
  /**
   * Says what happened; the first word counts. Resolves when the receipt is queued (durably, where the queue is a folder), and at once
   * where the verifier has no `receipts`. Guarded tools say `done`, `failed` or `not_run` by themselves; call it to add typed amounts.
   */
  receipt(outcome: Outcome, amounts?: Amounts): Promise<void>;
}

const MAX_ACTORS = 8;
/** The `act` chain, or undefined where it is not one. */
export function actorsOf(act: Json | undefined): readonly Actor[] | undefined {
  const actors: Actor[] = [];
  for (let next = act; next !== undefined; next = next['act']) {
    if (!isObject(next) || actors.length === MAX_ACTORS) return undefined;
    const { sub, iss } = next;
    if (typeof sub !== 'string' || sub === '' || (iss !== undefined && typeof iss !== 'string')) return undefined;
    actors.push({ sub, ...(iss !== undefined && { iss }) });
  }
  return actors;
}

export function makeAction(known: {
  readonly claims: Claims;
  readonly actors: readonly Actor[];
  readonly resource: string;
  readonly tool: string;
  readonly digest: Digest;
  readonly arguments: JsonObject;
  readonly jkt: string;
  readonly token: string;
  readonly proof: string;
  readonly receipts?: Receipts;
}): Action {
  const { claims, receipts, token, proof, ...rest } = known;
  const txn = String(claims['txn']);
  const jti = String(claims['jti']);
  let said: Promise<void> | undefined;
  const action = {
    ...rest,
    issuer: claims.iss,
    txn,
    jti,
    subject: claims.sub,
    clientId: String(claims['client_id']),
    scope: String(claims['scope']),
    iat: claims.iat,
    exp: claims.exp,
  };
  const hidden = {
    token: { value: token },
    proof: { value: proof },
    receipt: {
      value: (outcome: Outcome, amounts?: Amounts) => {
        said ??= receipts?.add({ txn, token_jti: jti, outcome, proof, ...(amounts && { amounts }) }) ?? Promise.resolve();
        return said;
      },
    },
  };
  return Object.defineProperties(action, hidden) as Action;
}
