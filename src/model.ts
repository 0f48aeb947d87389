/** The vocabulary: who asks, what is asked, what is in force, what is given, what is said of it. */
import type { Reason, Remedy } from './errors.ts';
import type { EpochSeconds, Id } from './model-entry.ts';
import type { Claim as StoreClaim } from './store/store.ts';
import type { ToolCall } from './wire/details.ts';
import type { Json, JsonObject } from './wire/json.ts';
import type { KeySource, Turn } from './wire/jws.ts';
import type { CredentialKind } from './wire/oauth.ts';

export type { Draft, Entry, EntryKind, EpochSeconds, Facts, Id, Mark } from './model-entry.ts';
export type Claim = StoreClaim<Reason>;

/** Everything a run cannot repeat: made in main.ts, held by conductors, handed to rooms as values. */
export interface World {
  /** Wall clock, whole seconds; throws Unavailable('clock') while it disagrees with the monotonic one. */
  now(): EpochSeconds;
  /** Monotonic, milliseconds. */
  elapsed(): number;
  random(bytes: number): Uint8Array;
  /** Aborts after so long. */
  after(ms: number): AbortSignal;
  /** Runs work of one kind in a row, once a turn of the loop: the same code on warm caches costs two thirds. */
  readonly turn: Turn;
}

/** A principal proved by a trusted issuer. `issuer` is the registration's short id; on the wire it is `<issuer>:<subject>`. */
export interface Person {
  readonly kind: 'person' | 'service';
  readonly issuer: string;
  readonly subject: string;
  readonly exp: EpochSeconds; // the proof's own end
  /** What the issuer's registration lets policies read, by Cedar attribute name. */
  readonly attributes: JsonObject;
}
/** A principal's one name: `people:u_alice`, or the client id of an agent (disjoint: an id has no colon; RFC 9068 §5). */
export const nameOf = (who: Pick<Person, 'kind' | 'issuer' | 'subject'> | Pick<Agent, 'kind' | 'id'>): string =>
  who.kind === 'agent' ? who.id : `${who.issuer}:${who.subject}`;
export type Identity =
  | { readonly use: 'jwks'; readonly keys: KeySource }
  | { readonly use: 'federated'; readonly issuer: string; readonly subject: string };
export interface Agent {
  readonly kind: 'agent';
  /** Its client id. */
  readonly id: string;
  readonly name: string;
  /** A person, as `<issuer id>:<sub>`. */
  readonly owner: string;
  /** False once the owner has left `people` in agents.yaml: then every exchange is refused. */
  readonly owned: boolean;
  readonly sponsor?: string;
  readonly purpose: string;
  /** ISO date by which a person looks at this mandate again. */
  readonly review: string;
  readonly suspended: boolean;
  readonly identity: Identity;
  readonly limits: { readonly maxTtlSeconds?: number };
}
export interface ToolServer {
  readonly kind: 'tool-server';
  readonly id: string; // short; the Cedar namespace of its tools
  readonly name: string;
  readonly resource: string; // its URI: the `aud` of every token for it
  readonly identity?: Identity; // how it proves itself at /introspect and /receipts
  readonly tools: ReadonlyMap<string, Tool>;
}
export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of its arguments, as registered. */
  readonly schema: JsonObject;
  /** The arguments' first offence against the schema, or undefined. Closed unless the schema says otherwise. */
  readonly check: (args: JsonObject) => string | undefined;
  /** The arguments with the schema's defaults filled in: for the decision, never for the digest. */
  readonly fill: (args: JsonObject) => JsonObject;
  readonly recordable: readonly string[]; // top-level arguments that the ledger may hold in clear
  readonly hidden: boolean; // registered `arguments: hidden`: only the digest is ever sent
  /** What a back end may be asked for it, by kind; absent: an action token is all there is. */
  readonly credentials: ReadonlyMap<CredentialKind, Registration>;
}
/** How a back end serves a tool (wire.md §6): path and role come from here alone, never from a request. */
export interface Registration {
  readonly kind: CredentialKind;
  /** Who gets it: the tool server, unless this says `agent` by name. */
  readonly deliver: 'tool-server' | 'agent';
  /** What leases are counted, capped and swept by: the same role of the same back end has the same name. */
  readonly where: string;
  readonly cap: number; // outstanding at most under `where`
  readonly ttlSeconds?: number;
  readonly settings: unknown; // as the minter of this kind has read it; nobody else looks inside
  readonly standing?: true; // what is handed out was there before, and lives on after the action: no back end ends it
}
/** Who holds the key on this connection. Without `jkt` no proof was shown: good for a base token only. */
export interface Caller {
  readonly client: Agent;
  readonly jkt?: string;
}
export type Action = { readonly kind: 'call'; readonly call: ToolCall; readonly tool: Tool } | { readonly kind: 'list' };
/** A request whose every claim has been proved. */
export interface Asked {
  readonly caller: Caller;
  /** On whose behalf; an agent that acts for itself is its own subject. */
  readonly subject: Person | Agent;
  /** Who acts, outermost first (RFC 8693 §4.1); empty when an agent acts for itself. */
  readonly actors: readonly Agent[];
  readonly jkt?: string; // the key the token is bound to: the caller's, or the sub-agent's
  readonly server: ToolServer; // the registration, from the bundle of this exchange; never stored
  readonly action: Action;
  readonly kind: CredentialKind;
  readonly until: EpochSeconds; // min of the proofs' ends
  readonly retry?: Retry;
  readonly agreed?: Agreed;
  readonly deferred: boolean;
  readonly plan?: string; // code of the plan that this is a step of
}
/** Asking again is the same asking: what it is remembered by, and what must be equal (wire.md §3, Idempotency-Key). */
export interface Retry {
  readonly key: string;
  readonly fingerprint: string;
}
/** A person has agreed: what to, so that deciding again can hold it against the demand. */
export interface Agreed {
  readonly id: Id<'apr'>;
  readonly story?: Id<'apr'>; // the action's own, and so its `txn`; a step of a plan has its exchange's
  readonly demand: Demand;
  readonly by: readonly string[];
  readonly until: EpochSeconds;
  readonly spend: readonly Claim[];
}

// ── the bundle: one immutable value, taken once per exchange ──
export interface Bundle {
  readonly hash: string; // SHA-256 over the manifest, which names every file and its content
  readonly agents: Agents;
  readonly servers: Servers;
  readonly policy: Policy;
  readonly budgets: readonly Budget[];
}
/** What may be spent within a sliding window, in calls or in an argument's sum. */
export interface Budget {
  readonly id: string;
  readonly title: string; // for the remedy of a refusal
  readonly on: { readonly server: string; readonly tool?: string }; // absent: every tool of the server
  readonly per: readonly ('agent' | 'subject' | 'owner' | 'tool' | 'server')[]; // each combination has its own
  readonly sum?: string; // an integer argument, never below zero; absent: calls are counted
  readonly where: Readonly<Record<string, string | number | boolean>>; // only where these arguments are so
  readonly limit: number;
  readonly windowSeconds: number;
}
export interface Agents {
  byClient(id: string): Agent | undefined;
  byIdentity(issuer: string, subject: string): Agent | undefined;
  readonly all: readonly Agent[];
}
export interface Servers {
  byResource(uri: string): ToolServer | undefined;
  byId(id: string): ToolServer | undefined;
  readonly all: readonly ToolServer[];
}
/** Decides one principal's question. Pure; never throws: whatever is not a clean allow is a no. */
export interface Policy {
  decide(question: Question): Verdict;
  /** Subject and actor at once, where both are allowed and one call can tell; undefined: ask one after the other. */
  both?(subject: Question, actor: Question): readonly [Verdict, Verdict] | undefined;
  readonly size: number;
  /** What it is made of, as people read it; absent where there is no text behind it. */
  readonly rules?: readonly StatedRule[];
}
/** One policy as it is written. What its scope does not name it leaves open: absent is anybody, any tool, any server. */
export interface StatedRule {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly file: string;
  readonly line: number;
  readonly lastLine: number;
  readonly text: string;
  readonly principal?: { readonly type: string; readonly id?: string };
  readonly tools?: readonly { readonly server: string; readonly tool: string }[];
  readonly server?: string;
  readonly ttlSeconds?: number;
  readonly code?: string;
  readonly remedy?: Remedy;
  readonly approval?: Demand;
  /** From then on it grants nothing. */
  readonly ends?: EpochSeconds;
  /** It grants nothing by itself: beside one of these, what they demand does not count. */
  readonly insteadOf?: readonly string[];
  /** Its `@owner`, its conditions in plain words, and what they compare with. */
  said(): { readonly owner?: string; readonly conditions: readonly string[]; readonly compared: readonly Compared[] };
}
/** A value that a policy names. `member`: looked for in a list; without `path` it is part of a reckoning. */
export interface Compared {
  readonly path?: readonly string[];
  readonly as: 'value' | 'member';
  readonly value: Json;
}
export interface Question {
  /** A subject (may they?) or an actor (may this agent, for them?). An agent for itself is asked about as a subject. */
  readonly principal: { readonly as: 'subject'; readonly who: Person | Agent } | { readonly as: 'actor'; readonly who: Agent };
  readonly asked: Asked;
  readonly now: EpochSeconds;
  readonly budgets?: JsonObject; // by id: limit and what is left
}
export type Verdict =
  | { readonly allow: true; readonly policies: readonly string[]; readonly ttlSeconds?: number; readonly approval?: Demand }
  | {
      readonly allow: false;
      /** `denied`: a rule's no, or no rule; `input`: a rule needed what is absent; `error`: the engine could not answer. */
      readonly cause: 'denied' | 'input' | 'error';
      readonly policies: readonly string[];
      /** The deciding policy's `@reason`, or `no_permit`. */
      readonly code: string;
      readonly remedy?: Remedy;
    };
/** Who must agree: others, by name or team (four eyes), and the person acted for, by their own confirmation. */
export interface Demand {
  readonly who: readonly string[];
  /** So many different people, none of them the person acted for; 0 where only a confirmation is demanded. */
  readonly quorum: number;
  readonly ttlSeconds: number;
  readonly confirm?: true;
  readonly proof?: 'passkey';
}

export interface Decision {
  readonly ttlSeconds: number;
  readonly policies: readonly string[];
  readonly approval?: Demand;
  readonly claims: readonly Claim[];
}
/** What a minter may know of an action: never who was proved, or how. */
export interface Job {
  readonly kind: CredentialKind;
  readonly server: Pick<ToolServer, 'id' | 'resource'>;
  readonly call?: ToolCall; // absent: a base token
  readonly registration?: Registration; // absent: signed here
  readonly subject: string;
  /** Who acts, outermost first. */
  readonly actors: readonly string[];
  readonly jkt?: string; // the key a token is bound to
  /** What only the receiver can bring: a certificate request, a public key. */
  readonly material?: JsonObject;
}
/** What is remembered of a grant: enough to sign it again, no argument, no token. */
export interface Grant {
  readonly jti: string;
  readonly txn: string;
  readonly iat: EpochSeconds;
  readonly exp: EpochSeconds;
  readonly scope: string;
  /** The token's claims (wire.md §3.2) but for `iss`, which the minter adds. */
  readonly claims: JsonObject;
  readonly policies: readonly string[];
}
export interface Credential {
  readonly kind: CredentialKind;
  readonly token: string;
  readonly effectiveExpiry: EpochSeconds; // when it really stops working
  readonly lease?: Lease;
}
export interface Lease {
  readonly id: Id<'lea'>;
  readonly txn: string;
  readonly kind: CredentialKind;
  readonly where: string;
  readonly handle?: string; // what revoking needs: a secret
  readonly name?: string; // what the back end lists it by, so that what no lease names can be found; no secret
  readonly exp: EpochSeconds;
}
export interface Issued {
  readonly job: Job;
  readonly grant: Grant;
  readonly credential: Credential;
  readonly expiresIn: number; // seconds left at the time of the answer
}
