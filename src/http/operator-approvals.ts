import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import { type Approvals, type Ballot, STATES } from '../operate/approvals.ts';
import { MAX_STEPS } from '../wire/details.ts';
import { isObject, type Json, parseJson } from '../wire/json.ts';
import { JSON_TYPE } from './documents.ts';
import { operatorRefusal } from './operator-answer.ts';
import { operatorOf } from './operator-guard.ts';

const MAX_REASON = 500;

/** GET /operator/approvals (`?state=`), GET and POST /operator/approvals/:id. */
export function approvalEndpoints(server: FastifyInstance, { approvals }: { readonly approvals: Approvals }): void {
  const seen = { config: { roles: ['approver', 'operator', 'auditor'] } } as const;
  const decided = { config: { roles: ['approver'], body: JSON_TYPE } } as const;
  server.get<{ Querystring: { state?: unknown } }>('/operator/approvals', seen, async (request, reply) => {
    const { state } = request.query;
    const known = STATES.find((one) => one === state);
    if (state !== undefined && !known) return operatorRefusal(reply, refuse('request_malformed').error);
    return { approvals: await approvals.list(known) };
  });
  server.get<{ Params: { id: string } }>('/operator/approvals/:id', seen, async (request, reply) => {
    const found = await approvals.show(request.params.id);
    return found.ok ? found.value : operatorRefusal(reply, found.error);
  });
  server.post<{ Params: { id: string } }>('/operator/approvals/:id', decided, async (request, reply) => {
    const asked = ballotOf(request.body);
    if (!asked) return operatorRefusal(reply, refuse('request_malformed').error);
    const { as, ...ballot } = asked;
    const operator = operatorOf(request);
    // Whoever may open the socket says who decided, and of which team they are; who has logged in decides for themselves alone.
    const local = operator.via === 'socket';
    if (local === (as === undefined)) return operatorRefusal(reply, refuse('request_malformed').error);
    const voter = { name: as ?? operator.name, isOf: operator.isOf, via: local ? operator.name : 'console' };
    const outcome = await approvals.vote(request.params.id, ballot, voter);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
}

/** Closed: what is misspelt is not a vote. */
export function ballotOf(body: unknown): (Ballot & { readonly as?: string }) | undefined {
  const parsed = parseJson(typeof body === 'string' ? body : '');
  if (!parsed.ok || !isObject(parsed.value)) return undefined;
  const { vote, as, reason, steps, ...rest } = parsed.value;
  if (
    (vote !== 'approve' && vote !== 'deny') ||
    (as !== undefined && (typeof as !== 'string' || as.length > 512)) ||
    Object.keys(rest).length > 0
  )
    return undefined;
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > MAX_REASON) return undefined;
  if (steps !== undefined && !isSteps(steps)) return undefined;
  return { vote, reason, ...(as !== undefined && { as }), ...(steps !== undefined && { steps }) };
}
/** Places in a plan, from 0. */
const isSteps = (value: Json): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && value.length <= MAX_STEPS && value.every((at) => Number.isSafeInteger(at) && Number(at) >= 0);
