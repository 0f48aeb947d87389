import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import type { Trial } from '../operate/backends.ts';
import type { Keys, StepOptions } from '../operate/keys.ts';
import type { Operate, Operator } from '../operate/operator.ts';
import { isObject, type JsonObject, parseJson } from '../wire/json.ts';
import { JSON_TYPE } from './documents.ts';
import { type Metrics, metricsEndpoint } from './health.ts';
import { operatorRefusal } from './operator-answer.ts';
import { approvalEndpoints } from './operator-approvals.ts';
import { revokeEndpoints } from './operator-revoke.ts';
import { verifierEndpoints } from './operator-verifiers.ts';
import { bare, type ServerParts } from './server.ts';

const STEPS = ['publish', 'activate', 'retire', 'emergency'] as const;
type Step = (typeof STEPS)[number];

/**
 * The operator API on a Unix socket: who may open the file is the operator, and the entry names the system user it belongs to. Until
 * people can log in there is no other way in.
 */
export function createOperatorServer(
  parts: Pick<ServerParts, 'onRefused' | 'onFault'> & { readonly operate: Operate; readonly operator: Operator; readonly metrics: Metrics },
): FastifyInstance {
  const { operate, operator } = parts;
  const server = bare(parts);
  server.get('/operator/status', async () => operate.status());
  server.get('/operator/leases', async () => operate.leases());
  server.post<{ Params: { id: string } }>('/operator/leases/:id/end', { config: { body: JSON_TYPE } }, async (request, reply) => {
    const outcome = await operate.backends.end(request.params.id, operator);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  server.get('/operator/backends', async () => operate.backends.status());
  server.post('/operator/backends/mint', { config: { body: JSON_TYPE } }, async (request, reply) => {
    const body = parseJson(typeof request.body === 'string' ? request.body : '');
    const trial = body.ok && isObject(body.value) ? trialOf(body.value) : undefined;
    if (!trial) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await operate.backends.mint(trial, operator);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  server.get<{ Querystring: { ring?: unknown } }>('/operator/keys', async (request, reply) => {
    const keys = ringOf(operate, request.query.ring);
    return keys ? { ...(await keys.status()) } : operatorRefusal(reply, refuse('not_found').error);
  });
  server.post<{ Params: { step: string } }>('/operator/keys/:step', { config: { body: JSON_TYPE } }, async (request, reply) => {
    const step = STEPS.find((s): s is Step => s === request.params.step);
    const body = parseJson(typeof request.body === 'string' ? request.body : '');
    if (!step) return operatorRefusal(reply, refuse('not_found').error);
    if (!body.ok || !isObject(body.value)) return operatorRefusal(reply, refuse('request_malformed').error);
    const { ring, ...rest } = body.value;
    const options = stepOptions(rest);
    if (!options) return operatorRefusal(reply, refuse('request_malformed').error);
    const keys = ringOf(operate, ring);
    if (!keys) return operatorRefusal(reply, refuse('not_found').error);
    const outcome = await keys.step(step, operator, options);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  server.get<{ Params: { id: string } }>('/operator/explain/:id', async (request, reply) => {
    const told = await operate.explain(request.params.id);
    return told.story.length === 0 ? operatorRefusal(reply, refuse('not_found').error) : told;
  });
  server.post('/operator/bundle/reload', { config: { body: JSON_TYPE } }, async () => operate.reload(operator));
  revokeEndpoints(server, { revoke: operate.revoke, operator });
  verifierEndpoints(server, operate);
  approvalEndpoints(server, { approvals: operate.approvals, operator });
  metricsEndpoint(server, parts.metrics);
  return server;
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
