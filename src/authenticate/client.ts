import { type Result, refuse } from '../errors.ts';
import type { Agent, Bundle, Draft, ToolServer } from '../model.ts';
import type { Presented } from '../request.ts';
import { sha256 } from '../wire/digest.ts';
import { type CheckProof, PROOF_WINDOW_SECONDS, type Proof } from '../wire/dpop.ts';
import type { JsonObject } from '../wire/json.ts';
import { checkToken, type Expected, peek, SKEW_SECONDS } from '../wire/jws.ts';
import { TYP_CLIENT_ASSERTION, TYPE_JWT } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';
import type { Issuer } from './authenticate.ts';
import type { Nonces } from './nonce.ts';

/** Longest life of what a client signs itself: assertions and actor tokens (wire.md §2). */
export const ASSERTION_LIFE_SECONDS = 300;
export const ALGS: Expected['algs'] = ['ES256', 'RS256'];

/** How often an agent may ask. Milliseconds to wait when it is too often, else nothing. */
export interface Pace {
  /** Counts this one. */
  take(agent: string): number | undefined;
  /** Counts nothing. */
  look(agent: string): number | undefined;
}
export interface ClientCheck {
  readonly issuer: string;
  readonly issuers: ReadonlyMap<string, Issuer>;
  readonly nonces: Nonces;
  readonly checkProof: CheckProof;
  readonly pace?: Pace;
}
/** A client that proved itself, with the key it holds, if it showed one. */
export interface Authenticated {
  readonly client: Agent | ToolServer;
  readonly jkt?: string;
}
interface Proven {
  readonly client: Agent | ToolServer;
  /** Burns the assertion; `jkt` is what a workload token may return with. */
  spend(jkt: string | undefined): void;
}

/**
 * RFC 7523 §3 and RFC 9449 §4.3, in this order; only then whether the agent may go on. Errors: `client_unknown`, `client_unauthenticated`,
 * `limited`, `proof_bad`, `nonce_needed`, `client_suspended`, `owner_missing`, `unavailable`, `issuer_unavailable`.
 */
export async function authenticate(check: ClientCheck, request: Presented, bundle: Bundle, draft: Draft): Promise<Result<Authenticated>> {
  const { assertion } = request;
  if (assertion === undefined) return refuse('client_unauthenticated', { detail: 'assertion_absent' });
  const since = check.nonces.since();
  const claimed = peek(assertion);
  if (!claimed) return refuse('client_unauthenticated', { detail: 'token_form' });
  const workload = check.issuers.get(String(claimed['iss']));
  // Only what an agent has proved counts against it, so nobody can use up another's; but once it is over its limit nothing of it is looked at.
  const before = inTime(workload ? undefined : check.pace?.look(String(claimed['iss'])));
  if (!before.ok) return before;
  // A workload token may be bound to the proof's key, so the proof is read first; elsewhere no stranger makes us check one.
  const early = workload && (await readProof(check, request, draft));
  const proven =
    workload && early
      ? await federated(workload, assertion, early, request, bundle, draft)
      : await keyed(check, assertion, claimed, request, bundle, draft);
  if (!proven.ok) return proven;
  const counted = inTime(proven.value.client.kind === 'agent' ? check.pace?.take(proven.value.client.id) : undefined);
  if (!counted.ok) return counted;
  const proof = early ?? (await readProof(check, request, draft));
  const jkt = proof.ok ? proof.value?.jkt : undefined;

  const { client } = proven.value;
  draft.note({ client: client.id, ...(client.kind === 'agent' && { owner: client.owner }), ...(jkt !== undefined && { jkt }) });
  // A workload token is the only one its holder has until it expires: without its key's proof on record it is not burnt for a stale nonce.
  if (proof.ok || !workload) proven.value.spend(jkt);
  if (proof.ok && proof.value) {
    const { jti, iat } = proof.value;
    draft.spend({
      once: `proof/${proof.value.jkt}/${sha256(jti)}`,
      issued: Math.max(iat - PROOF_WINDOW_SECONDS, since),
      until: draft.now + 2 * PROOF_WINDOW_SECONDS + SKEW_SECONDS,
      else: 'proof_replayed',
    });
  }
  const standing = client.kind === 'agent' ? stands(client, 'client_suspended') : ok(undefined);
  if (!standing.ok) return standing;
  if (!proof.ok) return proof;
  return ok({ client, ...(jkt !== undefined && { jkt }) });
}

const inTime = (waitMs: number | undefined): Result<undefined> =>
  waitMs === undefined ? ok(undefined) : refuse('limited', { retryAfterSeconds: Math.ceil(waitMs / 1000) });

/** Authenticated, and still nobody: suspended, or its owner has left. */
export function stands(agent: Agent, suspended: 'client_suspended' | 'suspended'): Result<undefined> {
  if (agent.suspended) return refuse(suspended);
  return agent.owned ? ok(undefined) : refuse('owner_missing');
}

async function readProof(check: ClientCheck, { proof, htm, htu }: Presented, draft: Draft): Promise<Result<Proof | undefined>> {
  if (proof === undefined) return ok(undefined);
  const { now } = draft;
  const read = await draft.turn('proof', () =>
    check.checkProof(proof, { htm, htu, now, nonce: (nonce) => check.nonces.fresh(nonce, now) }),
  );
  if (read.ok) return read;
  return read.error === 'proof_nonce_needed' ? refuse('nonce_needed') : refuse('proof_bad', { detail: read.error });
}

/** private_key_jwt: the client's own signature, for this broker alone, once. A `nonce` of ours in it is no duty: it spares a wait (`issued`). */
async function keyed(
  { issuer, nonces }: ClientCheck,
  assertion: string,
  claimed: JsonObject,
  request: Presented,
  bundle: Bundle,
  draft: Draft,
): Promise<Result<Proven>> {
  const since = nonces.since();
  const id = claimed['iss'];
  if (typeof id !== 'string') return refuse('client_unauthenticated', { detail: 'token_issuer' });
  if (request.clientId !== undefined && request.clientId !== id) return refuse('client_unauthenticated', { detail: 'client_id' });
  const found = registered(bundle, id);
  if (!found.ok) return found;
  const client = found.value;
  if (client.identity?.use !== 'jwks') return refuse('client_unauthenticated', { detail: 'client_federated' });
  const checked = await checkToken(
    assertion,
    client.identity.keys,
    {
      typ: ['JWT', undefined, TYP_CLIENT_ASSERTION],
      algs: ALGS,
      issuer: id,
      audience: issuer, // RFC 7523bis §4: the issuer identifier and nothing else
      maxLifetimeSeconds: ASSERTION_LIFE_SECONDS,
      now: draft.now,
      required: ['jti'],
    },
    draft,
  );
  if (!checked.ok)
    return refuse(checked.error === 'keys_unavailable' ? 'unavailable' : 'client_unauthenticated', { detail: checked.error });
  const { sub, jti, iat, exp, nonce } = checked.value;
  // Its client's clock may be ahead; but what names our nonce was signed after that was given, whatever the clock said.
  const newer = typeof nonce === 'string' && nonces.fresh(nonce, draft.now) ? since : 0;
  if (sub !== id) return refuse('client_unauthenticated', { detail: 'token_claim' });
  // An actor token is signed by the same key for the same audience, and travels through another agent's hands.
  if ('cnf' in checked.value || 'act' in checked.value) return refuse('client_unauthenticated', { detail: 'assertion_is_actor' });
  return ok({
    client,
    spend: () =>
      draft.spend({
        once: `assertion/${id}/${sha256(String(jti))}`,
        issued: Math.max(iat - SKEW_SECONDS, newer),
        until: exp + SKEW_SECONDS,
        else: 'assertion_replayed',
      }),
  });
}

/** A workload token of a trusted issuer, pinned to a client by (`iss`, `sub`) as the bundle writes them. */
async function federated(
  issuer: Issuer,
  token: string,
  proof: Result<Proof | undefined>,
  request: Presented,
  bundle: Bundle,
  draft: Draft,
): Promise<Result<Proven>> {
  const jkt = proof.ok ? proof.value?.jkt : undefined;
  const proved = await issuer.prove({ token, type: TYPE_JWT, ...(jkt !== undefined && { jkt }) }, draft);
  if (!proved.ok) {
    const { reason, detail } = proved.error;
    if (reason === 'issuer_unavailable') return proved;
    // Unproven because the proof itself is at fault: that is what helps the client to come back.
    if (reason === 'subject_binding' && !proof.ok) return proof;
    return refuse('client_unauthenticated', { detail: detail ?? reason });
  }
  const { who, iat, exp, act } = proved.value;
  if (act !== undefined) return refuse('client_unauthenticated', { detail: 'assertion_is_actor' });
  const matches = pinned(bundle, issuer.issuer, who.subject);
  const client = matches[0];
  if (!client) return refuse('client_unknown');
  if (matches.length > 1 || !registered(bundle, client.id).ok) return refuse('client_unknown', { detail: 'client_ambiguous' });
  if (request.clientId !== undefined && request.clientId !== client.id) return refuse('client_unauthenticated', { detail: 'client_id' });
  // RFC 7515 §5.1: the signing input has one spelling, the signature has two.
  const mark = `workload/${sha256(token.slice(0, token.lastIndexOf('.')))}`;
  return ok({
    client,
    spend: (key) =>
      draft.spend({
        once: mark,
        issued: iat - SKEW_SECONDS,
        until: exp + SKEW_SECONDS,
        else: 'assertion_replayed',
        ...(key !== undefined && { bound: key }),
      }),
  });
}

function pinned(bundle: Bundle, issuer: string, subject: string): readonly (Agent | ToolServer)[] {
  const agent = bundle.agents.byIdentity(issuer, subject);
  const servers = bundle.servers.all.filter(
    ({ identity }) => identity?.use === 'federated' && identity.issuer === issuer && identity.subject === subject,
  );
  return agent ? [agent, ...servers] : servers;
}

/** One name, one client: where an agent and a tool server share an id, nobody has it. */
function registered(bundle: Bundle, id: string): Result<Agent | ToolServer> {
  const agent = bundle.agents.byClient(id);
  const server = bundle.servers.byId(id);
  const client = agent ?? (server?.identity ? server : undefined);
  if (!client) return refuse('client_unknown');
  return agent && server?.identity ? refuse('client_unknown', { detail: 'client_ambiguous' }) : ok(client);
}
