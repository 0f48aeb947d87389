import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import type { Trial } from '../operate/backends.ts';
import type { Keys, StepOptions } from '../operate/keys.ts';
import { type Operate, type Operator, ROLES } from '../operate/operator.ts';
import { partOf } from '../operate/page.ts';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import { ok } from '../wire/result.ts';
import { JSON_TYPE } from './documents.ts';
import { type Metrics, metricsEndpoint } from './health.ts';
import { agentEndpoints } from './operator-agents.ts';
import { operatorRefusal } from './operator-answer.ts';
import { approvalEndpoints } from './operator-approvals.ts';
import { confirmationEndpoints } from './operator-confirmations.ts';
import { entryEndpoints, readQuery } from './operator-entries.ts';
import { fatigueEndpoints } from './operator-fatigue.ts';
import { guard, operatorOf, type Refused, type Who } from './operator-guard.ts';
import { liveEndpoints } from './operator-live.ts';
import { readPage } from './operator-page.ts';
import { passkeyEndpoints, passkeyResetEndpoint } from './operator-passkeys.ts';
import { peopleEndpoint } from './operator-people.ts';
import { playgroundEndpoints } from './operator-playground.ts';
import { revokeEndpoints } from './operator-revoke.ts';
import { similarEndpoint } from './operator-similar.ts';
import { ticketEndpoint } from './operator-tickets.ts';
import { verifierEndpoints } from './operator-verifiers.ts';
import { bare, described, type ServerParts } from './server.ts';

const STEPS = ['publish', 'activate', 'retire', 'emergency'] as const;
type Step = (typeof STEPS)[number];

export interface OperatorParts {
  readonly operate: Operate;
  readonly who: Who;
  readonly refused?: Refused;
  readonly metrics: Metrics;
  /** On the local socket alone: what hands out a credential. */
  readonly local: boolean;
}
/** The operator API on a Unix socket: who may open the file is the operator, and the entry names the system user it belongs to. */
export function createOperatorServer(
  parts: Pick<ServerParts, 'onRefused' | 'onFault'> & Pick<OperatorParts, 'operate' | 'metrics'> & { readonly operator: Operator },
): FastifyInstance {
  const server = bare(parts);
  let document: Promise<object> | undefined;
  endpoints(server, () => (document ??= described(parts, '/', (twin) => endpoints(twin, async () => ({})))));
  return server;

  function endpoints(on: FastifyInstance, told: () => Promise<object>): void {
    operatorEndpoints(on, { ...parts, who: () => ok(parts.operator), local: true });
    on.get('/openapi.json', everyone, told);
  }
}
const everyone = { config: { roles: ROLES } };
const deed = { config: { roles: ['operator'], body: JSON_TYPE } } as const;

/** The same for scripts and console: a scope of its own, guarded. */
export function operatorEndpoints(server: FastifyInstance, parts: OperatorParts): void {
  const { operate } = parts;
  guard(server, parts.who, parts.refused);
  server.get('/operator/status', everyone, async () => operate.status());
  server.get('/operator/leases', everyone, async (request, reply) => {
    const read = readPage(request.query);
    if (!read.ok) return operatorRefusal(reply, read.error);
    const { leases, ...told } = await operate.leases();
    const { rows, next } = partOf(leases, ({ overdue, id }) => `${overdue ? 0 : 1} ${id}`, read.value.page);
    return { ...told, leases: rows, ...(next !== undefined && { next }) };
  });
  server.post<{ Params: { id: string } }>('/operator/leases/:id/end', deed, async (request, reply) => {
    const outcome = await operate.backends.end(request.params.id, operatorOf(request));
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  server.get('/operator/backends', everyone, async () => operate.backends.status());
  if (parts.local)
    server.post('/operator/backends/mint', deed, async (request, reply) => {
      const body = parseJson(typeof request.body === 'string' ? request.body : '');
      const trial = body.ok && isObject(body.value) ? trialOf(body.value) : undefined;
      if (!trial) return operatorRefusal(reply, refuse('request_malformed').error);
      const outcome = await operate.backends.mint(trial, operatorOf(request));
      return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
    });
  server.get('/operator/keys', everyone, async (request, reply) => {
    const read = readQuery(request.query, ['ring']);
    if (!read.ok) return operatorRefusal(reply, read.error);
    const keys = ringOf(operate, read.value.ring);
    return keys ? { ...(await keys.status()) } : operatorRefusal(reply, refuse('not_found').error);
  });
  server.post<{ Params: { step: string } }>('/operator/keys/:step', deed, async (request, reply) => {
    const step = STEPS.find((s): s is Step => s === request.params.step);
    const body = parseJson(typeof request.body === 'string' ? request.body : '');
    if (!step) return operatorRefusal(reply, refuse('not_found').error);
    if (!body.ok || !isObject(body.value)) return operatorRefusal(reply, refuse('request_malformed').error);
    const { ring, ...rest } = body.value;
    const options = stepOptions(rest);
    if (!options) return operatorRefusal(reply, refuse('request_malformed').error);
    const keys = ringOf(operate, ring);
    if (!keys) return operatorRefusal(reply, refuse('not_found').error);
    const outcome = await keys.step(step, operatorOf(request), options);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  const story = { config: { roles: ['approver', 'operator', 'auditor'] } } as const;
  server.get<{ Params: { id: string } }>('/operator/explain/:id', story, async (request, reply) => {
    const told = await operate.explain(request.params.id);
    return told.story.length === 0 ? operatorRefusal(reply, refuse('not_found').error) : told;
  });
  server.post('/operator/bundle/reload', deed, async (request) => operate.reload(operatorOf(request)));
  revokeEndpoints(server, operate);
  verifierEndpoints(server, operate);
  agentEndpoints(server, operate);
  playgroundEndpoints(server, operate);
  approvalEndpoints(server, operate);
  entryEndpoints(server, operate);
  fatigueEndpoints(server, operate);
  liveEndpoints(server, { ...operate, who: parts.who });
  confirmationEndpoints(server, operate);
  if (operate.passkeys) (parts.local ? passkeyResetEndpoint : passkeyEndpoints)(server, operate.passkeys);
  similarEndpoint(server, operate);
  if (parts.local && operate.tickets) ticketEndpoint(server, operate.tickets);
  if (operate.people) peopleEndpoint(server, operate.people);
  metricsEndpoint(server, parts.metrics, { roles: ROLES, path: parts.local ? '/metrics' : '/operator/metrics' });
}

function ringOf({ rings }: Operate, name: unknown = 'tokens'): Keys | undefined {
  return name === 'tokens' || name === 'backends' ? rings[name] : undefined;
}
/** Closed: a rehearsal that is misspelt must not become the deed. */
function stepOptions({ dry_run: dryRun = false, version, ...rest }: JsonObject): StepOptions | undefined {
  if (typeof dryRun !== 'boolean' || Object.keys(rest).length > 0) return undefined;
  if (version === undefined) return { dryRun };
  return Number.isSafeInteger(version) ? { dryRun, expectedVersion: Number(version) } : undefined;
}

/** Closed, as above. */
function trialOf({ server, tool, kind, arguments: args, material, show = false, ...rest }: JsonObject): Trial | undefined {
  if (typeof server !== 'string' || typeof tool !== 'string' || typeof kind !== 'string' || Object.keys(rest).length > 0) return undefined;
  if (typeof show !== 'boolean' || (args !== undefined && !isObject(args)) || (material !== undefined && !isObject(material)))
    return undefined;
  return { server, tool, kind, show, ...(args && { arguments: args }), ...(material && { material }) };
}
