import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import type { Fatigue } from '../operate/fatigue.ts';
import { isObject, parseJson } from '../wire/json.ts';
import { JSON_TYPE } from './documents.ts';
import { operatorRefusal } from './operator-answer.ts';
import { operatorOf } from './operator-guard.ts';
import { readPage } from './operator-page.ts';

/**
 * GET /operator/fatigue: how fast each approver decides, for operators and auditors; an approver sees their own row. What is always agreed to, and
 * the rule that could take its place. POST /operator/approvals/:id/seen: whoever asks has it before them now.
 */
export function fatigueEndpoints(server: FastifyInstance, { fatigue }: { readonly fatigue: Fatigue }): void {
  const read = { config: { roles: ['approver', 'operator', 'auditor'] } } as const;
  const deed = { config: { roles: ['approver'], body: JSON_TYPE } } as const;
  server.get('/operator/fatigue', read, async (request, reply) => {
    const asked = readPage(request.query);
    if (!asked.ok) return operatorRefusal(reply, asked.error);
    const { roles, name } = operatorOf(request);
    return fatigue.list(roles.has('operator') || roles.has('auditor') ? undefined : name, asked.value.page);
  });
  server.post<{ Params: { id: string } }>('/operator/approvals/:id/seen', deed, async (request, reply) => {
    const body = parseJson(typeof request.body === 'string' ? request.body : '');
    const { as, ...rest } = body.ok && isObject(body.value) ? body.value : { malformed: true };
    const operator = operatorOf(request);
    // As with votes: who opened the socket says who looks, who has logged in looks for themselves.
    const local = operator.via === 'socket';
    const sound = Object.keys(rest).length === 0 && local === (typeof as === 'string') && (as === undefined || String(as).length <= 512);
    if (!sound) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await fatigue.seen(request.params.id, local ? String(as) : operator.name);
    return outcome.ok ? { ok: true } : operatorRefusal(reply, outcome.error);
  });
}
