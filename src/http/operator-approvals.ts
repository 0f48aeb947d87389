import type { FastifyInstance } from 'fastify';
import { type Result, refuse } from '../errors.ts';
import { type Approvals, type Ballot, type ListAsked, STATES, type Voter } from '../operate/approvals.ts';
import { assertionOf } from '../operate/approvals-proof.ts';
import type { Operator } from '../operate/operator.ts';
import type { PageAsked } from '../operate/page.ts';
import { MAX_STEPS } from '../wire/details.ts';
import { isObject, type Json, parseJson } from '../wire/json.ts';
import { ok } from '../wire/result.ts';
import { JSON_TYPE } from './documents.ts';
import { operatorRefusal } from './operator-answer.ts';
import { operatorOf } from './operator-guard.ts';
import { readPage } from './operator-page.ts';

const MAX_REASON = 500;

/**
 * GET /operator/approvals (`?state=&first=oldest&after=&limit=`), GET and POST /operator/approvals/:id; POST /operator/approvals/:id/challenge: what the voter's passkey signs
 * to agree (of a plan to these `steps`), which the vote then carries as `assertion`, as the browser made it.
 */
export function approvalEndpoints(server: FastifyInstance, { approvals }: { readonly approvals: Approvals }): void {
  const seen = { config: { roles: ['approver', 'operator', 'auditor'] } } as const;
  const decided = { config: { roles: ['approver'], body: JSON_TYPE } } as const;
  server.get('/operator/approvals', seen, async (request, reply) => {
    const read = readPage(request.query, ['state', 'first']);
    const asked = read.ok ? listOf(read.value) : read;
    if (!asked.ok) return operatorRefusal(reply, asked.error);
    const { rows, next } = await approvals.list(asked.value);
    return { approvals: rows, ...(next !== undefined && { next }) };
  });
  server.get<{ Params: { id: string } }>('/operator/approvals/:id', seen, async (request, reply) => {
    const found = await approvals.show(request.params.id);
    return found.ok ? found.value : operatorRefusal(reply, found.error);
  });
  server.post<{ Params: { id: string } }>('/operator/approvals/:id', decided, async (request, reply) => {
    const asked = ballotOf(request.body);
    if (!asked) return operatorRefusal(reply, refuse('request_malformed').error);
    const { as, ...ballot } = asked;
    const voter = voterOf(operatorOf(request), as);
    if (!voter) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await approvals.vote(request.params.id, ballot, voter);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  server.post<{ Params: { id: string } }>('/operator/approvals/:id/challenge', decided, async (request, reply) => {
    const asked = agreeingOf(request.body);
    const voter = asked && voterOf(operatorOf(request), asked.as);
    if (!asked || !voter) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await approvals.challenge(request.params.id, { ...asked.agreeing, confirms: false }, voter);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
}
function listOf({ page, said }: Read): Result<ListAsked> {
  const { state, first } = said;
  const known = STATES.find((one) => one === state);
  if ((state !== undefined && !known) || (first !== undefined && first !== 'oldest') || !isPlace(page)) return refuse('request_malformed');
  return ok({ ...page, ...(known && { state: known }), ...(first && { first }) });
}
type Read = { readonly page: PageAsked; readonly said: { readonly state?: string; readonly first?: string } };
/** The last one of the part before. */
export const isPlace = ({ after }: PageAsked): boolean => after === undefined || /^apr_[0-9a-f]{32}$/.test(after);
/** Whoever may open the socket says who decided, and of which team they are; who has logged in decides for themselves alone. */
export function voterOf(operator: Operator, as: string | undefined): Voter | undefined {
  const local = operator.via === 'socket';
  if (local === (as === undefined)) return undefined;
  return { name: as ?? operator.name, isOf: operator.isOf, via: local ? operator.name : 'console' };
}
/** What is to be signed: closed, as a vote is. */
export function agreeingOf(body: unknown): { readonly as?: string; readonly agreeing: { readonly steps?: readonly number[] } } | undefined {
  const parsed = parseJson(typeof body === 'string' ? body : '');
  if (!parsed.ok || !isObject(parsed.value)) return undefined;
  const { as, steps, ...rest } = parsed.value;
  if ((as !== undefined && !isName(as)) || (steps !== undefined && !isSteps(steps)) || Object.keys(rest).length > 0) return undefined;
  return { ...(as !== undefined && { as }), agreeing: steps === undefined ? {} : { steps } };
}
const isName = (value: Json): value is string => typeof value === 'string' && value.length <= 512;

/** Closed: what is misspelt is not a vote. */
export function ballotOf(body: unknown): (Ballot & { readonly as?: string }) | undefined {
  const parsed = parseJson(typeof body === 'string' ? body : '');
  if (!parsed.ok || !isObject(parsed.value)) return undefined;
  const { vote, as, reason, steps, assertion: signed, ...rest } = parsed.value;
  if ((vote !== 'approve' && vote !== 'deny') || (as !== undefined && !isName(as)) || Object.keys(rest).length > 0) return undefined;
  const assertion = assertionOf(signed);
  if (signed !== undefined && !assertion) return undefined;
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > MAX_REASON) return undefined;
  if (steps !== undefined && !isSteps(steps)) return undefined;
  return { vote, reason, ...(as !== undefined && { as }), ...(steps !== undefined && { steps }), ...(assertion && { assertion }) };
}
/** Places in a plan, from 0. */
const isSteps = (value: Json): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && value.length <= MAX_STEPS && value.every((at) => Number.isSafeInteger(at) && Number(at) >= 0);
