/** Proves a request claim by claim, in the order of wire.md §3. Knows tokens and keys; may not know policy, nor write anything but notes and marks. */
import { type Result, refuse } from '../errors.ts';
import type { Agent, Asked, Bundle, Caller, Draft, EpochSeconds, Facts, Person, Retry, ToolServer } from '../model.ts';
import { nameOf } from '../model.ts';
import type { ExchangeRequest, Principals } from '../request.ts';
import { parsePlan } from '../wire/details.ts';
import { canonical, sha256 } from '../wire/digest.ts';
import type { CheckProof } from '../wire/dpop.ts';
import type { Json, JsonObject } from '../wire/json.ts';
import { type KeySource, peek } from '../wire/jws.ts';
import { TYPE_ACCESS_TOKEN, TYPE_ID_JAG, TYPE_ID_TOKEN, TYPE_JWT } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';
import { proveAction } from './action.ts';
import { type Actor, chain, proveActor } from './actors.ts';
import type { Anew, Authenticator, Issuer, Planned, Proved } from './authenticate.ts';
import { authenticate, type Pace } from './client.ts';
import type { Nonces } from './nonce.ts';
import { asksForList, noteTarget, readAction, readCall } from './target.ts';

export interface AuthenticatorOptions {
  /** The broker's own issuer: the one audience of what is shown to it. */
  readonly issuer: string;
  readonly issuers: readonly Issuer[];
  /** What our own tokens are signed with: they are redeemed here. */
  readonly tokens: KeySource;
  readonly nonces: Nonces;
  readonly checkProof: CheckProof;
  /** HMAC of the canonical arguments, for the ledger. */
  readonly fingerprint: (args: JsonObject) => string;
  /** HMAC under a key of its own: a request under an Idempotency-Key is remembered by it, arguments included. */
  readonly retryMac: (text: string) => string;
  /** Absent: as often as they like. */
  readonly pace?: Pace;
  /** Longest chain of agents behind one token, the client included. Default 3. */
  readonly maxActors?: number;
}
type Behalf = Principals & Pick<ExchangeRequest, 'grant'>;
/** On whose behalf, and what their token says of who may act. */
interface Subject {
  readonly who: Person | Agent;
  readonly until: EpochSeconds;
  readonly issuer?: Issuer;
  readonly proved?: Proved;
}

const KINDS: ReadonlyMap<string, Person['kind']> = new Map([
  [TYPE_ID_TOKEN, 'person'],
  [TYPE_ACCESS_TOKEN, 'person'],
  [TYPE_ID_JAG, 'person'],
  [TYPE_JWT, 'service'],
]);
/** An agent for itself brings no token whose end could bound the grant; policy does. */
const SELF_SECONDS = 24 * 3600;

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { issuer, fingerprint, retryMac, maxActors = 3 } = options;
  const issuers = new Map(options.issuers.map((i) => [i.issuer, i]));
  const own = new Set([issuer, `${issuer}/backends`]);
  const { nonces, checkProof, pace } = options;
  const clients = { issuer, issuers, nonces, checkProof, ...(pace && { pace }) };
  const actorCheck = { issuer, maxActors };
  const actionCheck = { issuer, keys: options.tokens, checkProof: options.checkProof, fingerprint };

  async function proveSubject(request: Behalf, caller: Caller, bundle: Bundle, draft: Draft): Promise<Result<Subject>> {
    const { client, jkt } = caller;
    const { subjectToken: token, subjectTokenType: type } = request;
    if (request.grant === 'client_credentials' || token === undefined || type === undefined) {
      draft.note({ subject: client.id, actors: [] });
      return ok({ who: client, until: draft.now + SELF_SECONDS });
    }
    const kind = KINDS.get(type);
    if (!kind) return refuse('type_unsupported', { detail: 'subject_token_type' });
    const iss = peek(token)?.['iss'];
    if (typeof iss !== 'string') return refuse('subject_bad', { detail: 'token_form' });
    if (own.has(iss)) return refuse('subject_bad', { detail: 'subject_is_ours' });
    const trusted = issuers.get(iss);
    if (!trusted) return refuse('subject_bad', { detail: 'token_issuer' });
    const proved = await trusted.prove({ token, type, agent: client.id, ...(jkt !== undefined && { jkt }) }, draft);
    if (!proved.ok) return proved;
    const who: Person = { kind, ...proved.value.who, exp: proved.value.exp };
    draft.note({ subject: nameOf(who) });
    // A principal is one kind only: what is pinned as an agent acts, and is nobody's subject but its own.
    if (bundle.agents.byIdentity(iss, who.subject)) return refuse('subject_bad', { detail: 'subject_is_agent' });
    return ok({ who, until: who.exp, issuer: trusted, proved: proved.value });
  }

  async function proveActors(
    request: Behalf,
    caller: Caller,
    subject: Subject,
    bundle: Bundle,
    draft: Draft,
  ): Promise<Result<{ readonly actors: readonly Agent[]; readonly actor?: Actor }>> {
    if (request.grant === 'client_credentials') return ok({ actors: [] });
    const actor = request.actorToken === undefined ? ok(undefined) : await proveActor(actorCheck, request.actorToken, bundle, draft);
    if (!actor.ok) return actor;
    if (actor.value) draft.note({ jkt: actor.value.jkt });
    const { act, mayAct } = subject.proved ?? {};
    const actors = chain(actorCheck, caller, actor.value, act as Json | undefined, bundle);
    if (!actors.ok) return actors;
    draft.note({ actors: actors.value.map((a) => a.id) });
    // RFC 8693 §4.4: a gate for the outermost actor, by the pair.
    if (mayAct && (mayAct.iss !== issuer || mayAct.sub !== actors.value[0]?.id)) return refuse('may_act_mismatch');
    return ok({ actors: actors.value, ...(actor.value && { actor: actor.value }) });
  }

  /** Every issuer that vouched for somebody here reaches this server. */
  function reached(server: ToolServer, subject: Subject, caller: Caller): boolean {
    const { identity } = caller.client;
    const vouched = [subject.issuer, identity.use === 'federated' ? issuers.get(identity.issuer) : undefined];
    return vouched.every((i) => !i?.servers || i.servers.has(server.id));
  }

  /** wire.md §3, Idempotency-Key: every parameter but assertion and tokens, whose principals stand for them. */
  const retryUnder = (client: string, key: string, compared: JsonObject): Retry => ({
    key: `retry/${client}/${sha256(key)}`,
    fingerprint: retryMac(canonical({ client, ...compared })),
  });
  function retryOf(request: ExchangeRequest, asked: Omit<Asked, 'retry'>): Retry | undefined {
    if (request.retry === undefined) return undefined;
    const { caller, subject, actors } = asked;
    return retryUnder(caller.client.id, request.retry, {
      subject: [subject.kind, nameOf(subject)],
      actors: actors.map((a) => a.id),
      jkt: [caller.jkt ?? null, asked.jkt ?? null],
      grant: request.grant,
      types: request.subjectTokenType ?? null,
      resource: request.resource,
      details: request.details ?? null,
      scope: request.scope ?? null,
      kind: request.kind,
      deferred: request.deferred,
      ...(request.plan !== undefined && { plan: request.plan }),
    });
  }
  async function principals(
    request: Behalf,
    caller: Caller,
    bundle: Bundle,
    draft: Draft,
  ): Promise<Result<Anew & { readonly reaches: (server: ToolServer) => boolean }>> {
    const subject = await proveSubject(request, caller, bundle, draft);
    if (!subject.ok) return subject;
    const acting = await proveActors(request, caller, subject.value, bundle, draft);
    if (!acting.ok) return acting;
    const { actors, actor } = acting.value;
    const jkt = actor?.jkt ?? caller.jkt;
    return ok({
      subject: subject.value.who,
      actors,
      ...(jkt !== undefined && { jkt }),
      until: Math.min(subject.value.until, actor?.exp ?? Number.POSITIVE_INFINITY),
      reaches: (server) => reached(server, subject.value, caller),
    });
  }

  return {
    async caller(request, bundle, draft) {
      const found = await authenticate(clients, request, bundle, draft);
      if (!found.ok) return found;
      const { client, jkt } = found.value;
      if (client.kind !== 'agent') return refuse('grant_refused', { detail: 'client_is_server' });
      return ok({ client, ...(jkt !== undefined && { jkt }) });
    },

    async client(request, bundle, draft) {
      const found = await authenticate(clients, request, bundle, draft);
      return found.ok ? ok(found.value.client) : found;
    },

    async asked(request, caller, bundle, draft) {
      noteTarget(request, draft);
      const server = bundle.servers.byResource(request.resource);
      const action = server && readAction(request, server, fingerprint, draft);
      const malformed = shapeFlaw(request);
      if (malformed) return refuse('request_malformed', { detail: malformed });
      // Without a key nothing can be bound: good for the list alone.
      if (request.details !== undefined && caller.jkt === undefined) return refuse('proof_bad', { detail: 'proof_absent' });

      const proved = await principals(request, caller, bundle, draft);
      if (!proved.ok) return proved;
      const { reaches, ...who } = proved.value;
      if (!server || !action) return refuse('resource_unknown');
      if (!reaches(server)) return refuse('resource_refused');
      if (!action.ok) return action;

      const { kind, deferred, plan } = request;
      const asked = { caller, ...who, server, action: action.value, kind, deferred, ...(plan !== undefined && { plan }) };
      const retry = retryOf(request, asked);
      return ok({ ...asked, ...(retry && { retry }) });
    },

    async steps(request, caller, bundle, draft) {
      draft.note({ credential: 'jwt' });
      const malformed = shapeFlaw(request);
      if (malformed) return refuse('request_malformed', { detail: malformed });
      if (caller.jkt === undefined) return refuse('proof_bad', { detail: 'proof_absent' });
      const proved = await principals(request, caller, bundle, draft);
      if (!proved.ok) return proved;
      const { reaches, ...who } = proved.value;
      const calls = parsePlan(request.details);
      if (!calls.ok) return refuse('details_bad', { detail: calls.error.flaw, ...atStep(calls.error.step) });
      const planned: Planned[] = [];
      for (const [step, call] of calls.value.entries()) {
        const facts: Facts = {};
        const notes = { note: (more: Facts): void => void Object.assign(facts, more) };
        noteTarget({ kind: 'jwt', resource: call.resource }, notes);
        const server = bundle.servers.byResource(call.resource);
        const action = !server
          ? refuse('resource_unknown')
          : reaches(server)
            ? readCall(call, server, fingerprint, notes)
            : refuse('resource_refused');
        if (!server || !action.ok) {
          draft.note(facts);
          const why = action.ok ? refuse('resource_unknown') : action;
          return refuse(why.error.reason, { ...why.error, step });
        }
        planned.push({ asked: { caller, ...who, server, action: action.value, kind: 'jwt', deferred: true }, facts });
      }
      return ok(planned);
    },

    async anew(request, caller, bundle, draft) {
      const { subjectToken, subjectTokenType, actorToken } = request;
      if (subjectToken === undefined && actorToken === undefined) return ok(undefined);
      if (subjectToken === undefined || subjectTokenType === undefined) return refuse('request_malformed', { detail: 'subject_token' });
      const proved = await principals({ ...request, grant: 'exchange' }, caller, bundle, draft);
      if (!proved.ok) return proved;
      const { reaches: _, ...who } = proved.value;
      return ok(who);
    },

    async action(request, server, bundle, draft) {
      noteTarget(request, draft);
      const brought = await proveAction(actionCheck, request, server, bundle, draft);
      if (!brought.ok || request.retry === undefined) return brought;
      const { grant, resource, kind, details = null, material = null } = request;
      // The token may have been signed again since; the action it is for is the same.
      const compared = { grant, txn: brought.value.txn, resource, kind, details, material };
      return ok({ ...brought.value, retry: retryUnder(server.id, request.retry, compared) });
    },
  };
}

/** The parameters that a grant must and must not have (RFC 8693 §2.1, wire.md §3). */
function shapeFlaw(request: Behalf & { readonly details?: string; readonly scope?: string }): string | undefined {
  const { grant, subjectToken, subjectTokenType, actorToken } = request;
  if (grant === 'exchange') {
    if (subjectToken === undefined) return 'subject_token';
    if (subjectTokenType === undefined) return 'subject_token_type';
  } else {
    if (subjectToken !== undefined || subjectTokenType !== undefined) return 'subject_token';
    if (actorToken !== undefined) return 'actor_token';
  }
  if (request.details === undefined && !asksForList(request)) return 'authorization_details';
  return undefined;
}
const atStep = (step: number | undefined): { readonly step?: number } => (step === undefined ? {} : { step });
