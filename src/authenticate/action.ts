import { type Result, refuse } from '../errors.ts';
import type { Agent, Bundle, Draft, Job, Registration, ToolServer } from '../model.ts';
import type { RedeemRequest } from '../request.ts';
import { grantedDetails, parseDetails, type ToolCall } from '../wire/details.ts';
import { EMPTY_DIGEST, sha256 } from '../wire/digest.ts';
import { type CheckProof, PROOF_WINDOW_SECONDS } from '../wire/dpop.ts';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import { type Claims, checkToken, type KeySource, peek, SKEW_SECONDS } from '../wire/jws.ts';
import { ACTION_CALL, PARAM_CREDENTIAL_REQUEST, scopeOf, TYP_ACCESS_TOKEN } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';
import type { Brought } from './authenticate.ts';
import { ALGS, stands } from './client.ts';

export interface ActionCheck {
  /** The broker's own: whose tokens are redeemed here. */
  readonly issuer: string;
  readonly keys: KeySource;
  readonly checkProof: CheckProof;
  readonly fingerprint: (args: JsonObject) => string;
}
/** No action token lives longer. */
const ACTION_LIFE_SECONDS = 300;
/** What only the receiver can bring: a certificate request, a public key. */
const MAX_MATERIAL_BYTES = 16 * 1024;
const METHODS: ReadonlySet<unknown> = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']);

/**
 * wire.md §6: the action token, the agent's proof for it and the arguments it binds, in the hands of the tool server it was made for. Notes
 * what is proved as it is proved, and spends the proof for this action. Errors: `resource_unknown`, `resource_refused`, `subject_bad`,
 * `proof_bad`, `suspended`, `owner_missing`, `tool_unknown`, `mint_refused`, `details_bad`, `arguments_bad`, `request_malformed`, `unavailable`.
 */
export async function proveAction(
  check: ActionCheck,
  request: RedeemRequest,
  server: ToolServer,
  bundle: Bundle,
  draft: Draft,
): Promise<Result<Brought>> {
  if (!bundle.servers.byResource(request.resource)) return refuse('resource_unknown');
  // A token whose audience is another's is never redeemed, whoever brings it.
  if (request.resource !== server.resource) return refuse('resource_refused');
  const token = await ownToken(check, request.token, server, draft);
  if (!token.ok) return token;
  const { claims, call, jkt } = token.value;
  const { jti, txn } = claims;
  draft.note({ subject: claims.sub, tool: call.tool, txn, jkt });

  const acting = standing(check.issuer, claims, server, bundle, draft);
  if (!acting.ok) return acting;
  const proved = await proveHolder(check, request, token.value, server, draft);
  if (!proved.ok) return proved;
  const registration = registered(server, call.tool, request);
  if (!registration.ok) return registration;
  const bound = sameCall(check, request, server, call, draft);
  if (!bound.ok) return bound;
  const material = readMaterial(request.material);
  if (!material.ok) return material;

  const { actors, agents } = acting.value;
  const job: Job = {
    kind: request.kind,
    server,
    call: bound.value,
    registration: registration.value,
    subject: claims.sub,
    actors: actors.map(({ id }) => id),
    jkt,
    ...(material.value && { material: material.value }),
  };
  return ok({ job, registration: registration.value, agents, jti, txn, act: claims['act'], issued: claims.iat, until: claims.exp });
}

interface OwnToken {
  readonly claims: Claims & { readonly jti: string; readonly txn: string };
  readonly call: ToolCall;
  readonly jkt: string;
}
/** A token of ours for one action at this server; a base token opens no back end. */
async function ownToken(check: ActionCheck, token: string, server: ToolServer, draft: Draft): Promise<Result<OwnToken>> {
  const bad = (detail: string): ReturnType<typeof refuse> => refuse('subject_bad', { detail });
  const checked = await checkToken(
    token,
    check.keys,
    {
      typ: [TYP_ACCESS_TOKEN],
      algs: ALGS,
      issuer: check.issuer,
      audience: server.resource,
      maxLifetimeSeconds: ACTION_LIFE_SECONDS,
      now: draft.now,
      required: ['jti', 'txn', 'client_id', 'scope'],
    },
    draft,
  );
  if (!checked.ok) return checked.error === 'keys_unavailable' ? refuse('unavailable') : bad(checked.error);
  const claims = checked.value as OwnToken['claims'];
  if (claims['authorization_details'] === undefined) return bad('token_is_base');
  const call = grantedDetails(claims['authorization_details'], server.resource);
  if (!call.ok) return bad(call.error);
  if (claims['scope'] !== scopeOf(call.value.tool)) return bad('token_claim');
  const { cnf } = claims;
  const jkt = isObject(cnf) ? cnf['jkt'] : undefined;
  if (typeof jkt !== 'string') return bad('cnf_form');
  return ok({ claims, call: call.value, jkt });
}

/** Client and actors as the bundle in force knows them: each still stands, and none of them is the one who redeems. */
function standing(
  issuer: string,
  claims: OwnToken['claims'],
  server: ToolServer,
  bundle: Bundle,
  draft: Draft,
): Result<Pick<Brought, 'agents'> & { readonly actors: readonly Agent[] }> {
  const actors: Agent[] = [];
  for (let act = claims['act']; act !== undefined; act = act['act']) {
    if (!isObject(act)) return refuse('subject_bad', { detail: 'act_form' });
    if (act['sub'] === server.id) return refuse('subject_bad', { detail: 'redeemer_acts' });
    const agent = act['iss'] === issuer ? bundle.agents.byClient(String(act['sub'])) : undefined;
    if (!agent) return refuse('subject_bad', { detail: 'actor_unknown' });
    actors.push(agent);
  }
  draft.note({ actors: actors.map(({ id }) => id) });
  if (claims['client_id'] === server.id) return refuse('subject_bad', { detail: 'redeemer_acts' });
  const client = bundle.agents.byClient(String(claims['client_id']));
  if (!client) return refuse('subject_bad', { detail: 'actor_unknown' });
  const agents = [...new Set([client, ...actors])];
  for (const agent of agents) {
    const stood = stands(agent, 'suspended');
    if (!stood.ok) return stood;
  }
  return ok({ actors, agents });
}

/**
 * The proof that the agent gave the tool server with this token, in either form of wire.md §5. It is as old as the tool call, so its time is
 * held against the token's life: no earlier than its making and no later than now, but for the window that clocks may differ by. It may come
 * again for this action alone: a tool may need credentials of two kinds, and ask again for each.
 */
async function proveHolder(
  { checkProof }: ActionCheck,
  { actionProof, token }: RedeemRequest,
  { claims, jkt }: OwnToken,
  server: ToolServer,
  draft: Draft,
): Promise<Result<undefined>> {
  const said = peek(actionProof) ?? {};
  const { iat, htm, htu } = said;
  if (typeof iat !== 'number') return refuse('proof_bad', { detail: 'proof_claim' });
  const target = targetOf(htm, htu, server.resource);
  if (!target) return refuse('proof_bad', { detail: METHODS.has(htm) || htm === ACTION_CALL ? 'proof_htu' : 'proof_htm' });
  const proved = await draft.turn('proof', () => checkProof(actionProof, { ...target, now: iat, token }));
  if (!proved.ok) return refuse('proof_bad', { detail: proved.error });
  if (iat < claims.iat - PROOF_WINDOW_SECONDS || iat > draft.now + PROOF_WINDOW_SECONDS)
    return refuse('proof_bad', { detail: 'proof_iat' });
  if (proved.value.jkt !== jkt) return refuse('proof_bad', { detail: 'proof_binding' });
  draft.spend({
    once: `action-proof/${jkt}/${sha256(proved.value.jti)}`,
    issued: claims.iat, // the token's, which it names: it cannot be older
    until: claims.exp + SKEW_SECONDS,
    else: 'proof_replayed',
    bound: claims.txn,
  });
  return ok(undefined);
}
/** Inside a call the resource alone; over HTTP also what lies beneath it: a server of plain HTTP tools has a path for each. */
function targetOf(htm: unknown, htu: unknown, resource: string): { readonly htm: string; readonly htu: string } | undefined {
  if (typeof htu !== 'string') return undefined;
  if (htm === ACTION_CALL) return { htm, htu: resource };
  if (typeof htm !== 'string' || !METHODS.has(htm)) return undefined;
  const [at, own] = [URL.parse(htu), new URL(resource)];
  const beneath = own.pathname.endsWith('/') ? own.pathname : `${own.pathname}/`;
  if (at?.origin !== own.origin || !`${at.pathname}/`.startsWith(beneath)) return undefined;
  return { htm, htu: at.origin + at.pathname };
}

/** Kind, path and role are fixed by (server, tool), as the bundle in force registers them. */
function registered(server: ToolServer, name: string, { kind }: RedeemRequest): Result<Registration> {
  const tool = server.tools.get(name);
  if (!tool) return refuse('tool_unknown');
  const registration = tool.credentials.get(kind);
  // What is for the agent is not for its tool too: one action, one holder.
  return registration?.deliver === 'tool-server' ? ok(registration) : refuse('mint_refused');
}

/** The same details once more, with the arguments: what their digest binds may fill a registration's template. */
function sameCall(
  { fingerprint }: ActionCheck,
  { details }: RedeemRequest,
  server: ToolServer,
  granted: ToolCall,
  draft: Draft,
): Result<ToolCall> {
  if (details === undefined) return ok(granted.digest === EMPTY_DIGEST ? { ...granted, arguments: {} } : granted);
  const read = parseDetails(details, server.resource);
  if (!read.ok) return refuse('details_bad', { detail: read.error });
  const { tool, digest, arguments: args } = read.value;
  if (tool !== granted.tool) return refuse('details_bad', { detail: 'details_tool' });
  if (digest !== granted.digest) return refuse('details_bad', { detail: 'digest_mismatch' });
  if (!args) return ok(granted);
  draft.note({ arguments: fingerprint(args) });
  // The schema may have changed since the token was made.
  const offence = server.tools.get(tool)?.check(args);
  return offence === undefined ? ok({ ...granted, arguments: args }) : refuse('arguments_bad', { detail: offence });
}

function readMaterial(text: string | undefined): Result<JsonObject | undefined> {
  if (text === undefined) return ok(undefined);
  const parsed = parseJson(text, MAX_MATERIAL_BYTES);
  return parsed.ok && isObject(parsed.value) ? ok(parsed.value) : refuse('request_malformed', { detail: PARAM_CREDENTIAL_REQUEST });
}
