/** Who is asking, and on whose behalf? Knows tokens and keys; may not know policy, approvals or how anything is minted. */
import type { Result } from '../errors.ts';
import type { Agent, Asked, Bundle, Caller, Draft, EpochSeconds, Facts, Job, Person, Registration, Retry, ToolServer } from '../model.ts';
import type { DeferredRequest, ExchangeRequest, PlanRequest, Presented, RedeemRequest } from '../request.ts';
import type { Json } from '../wire/json.ts';

export interface Authenticator {
  /** Client assertion, then proof of possession (wire.md §3): spends both ids. A request without proof passes without `jkt`. */
  caller(request: Presented, bundle: Bundle, draft: Draft): Promise<Result<Caller>>;
  /** Client assertion alone, of an agent or a tool server: /introspect, /revoke. Spends it. */
  client(request: Presented, bundle: Bundle, draft: Draft): Promise<Result<Agent | ToolServer>>;
  /** Subject, actor chain, `may_act`, resource, details, strict arguments; notes all of it. */
  asked(request: ExchangeRequest, caller: Caller, bundle: Bundle, draft: Draft): Promise<Result<Asked>>;
  /** The same of each entry of a plan, in its order; notes who asks for whom. A refusal says which `step` it is about. */
  steps(request: PlanRequest, caller: Caller, bundle: Bundle, draft: Draft): Promise<Result<readonly Planned[]>>;
  /** The principals of the tokens that a poll brings, proved anew; undefined where it brings none. */
  anew(request: DeferredRequest, caller: Caller, bundle: Bundle, draft: Draft): Promise<Result<Anew | undefined>>;
  /** The action that a tool server brings for redemption: our token, the agent's proof for it, the arguments it binds; notes all of it. */
  action(request: RedeemRequest, server: ToolServer, bundle: Bundle, draft: Draft): Promise<Result<Brought>>;
}
/** A step of a plan as it was proved, and what an entry says of it alone. */
export interface Planned {
  readonly asked: Asked;
  readonly facts: Facts;
}
export type Anew = Pick<Asked, 'subject' | 'actors' | 'jkt' | 'until'>;
/** An action whose token, holder and details are proved, and what is to be made for it (wire.md §6). */
export interface Brought {
  readonly job: Job;
  readonly registration: Registration;
  /** The client and every actor, as the bundle in force knows them. */
  readonly agents: readonly Agent[];
  readonly txn: string;
  /** The token's own: revoking it ends this too. */
  readonly jti: string;
  readonly act: Json | undefined;
  /** The token's `iat`, and its end. */
  readonly issued: EpochSeconds;
  readonly until: EpochSeconds;
  readonly retry?: Retry;
}
/** Proves a token of one configured issuer. Back ends: `issuer-<use>.ts`. */
export interface Issuer {
  /** Short id: the first half of a principal's name. */
  readonly id: string;
  /** The `iss` of its tokens. */
  readonly issuer: string;
  readonly vouches: ReadonlySet<'person' | 'service' | 'agent'>;
  /** The servers it reaches, by id; absent: all. */
  readonly servers?: ReadonlySet<string>;
  /** The client id that a registered agent has there. */
  clientId(agent: string): string | undefined;
  prove(proof: Shown, draft: Draft): Promise<Result<Proved>>;
}
/** A subject token, or a workload token shown as client assertion, and what it must fit. */
export interface Shown {
  readonly token: string;
  /** A `TYPE_…` of wire/oauth.ts. */
  readonly type: string;
  /** The authenticated client, where there is one already. */
  readonly agent?: string;
  /** Thumbprint proven by this request: a `cnf` in the token must be it. */
  readonly jkt?: string;
}
export interface Proved {
  readonly who: Pick<Person, 'issuer' | 'subject' | 'attributes'>;
  readonly iat: number;
  readonly exp: number;
  readonly jti?: string;
  /** `may_act` (RFC 8693 §4.4) and `act` as they stand in the token. */
  readonly mayAct?: { readonly iss?: string; readonly sub?: string };
  readonly act?: unknown;
}
