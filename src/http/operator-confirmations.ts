import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import type { Approvals } from '../operate/approvals.ts';
import { JSON_TYPE } from './documents.ts';
import { operatorRefusal } from './operator-answer.ts';
import { agreeingOf, ballotOf, isPlace, voterOf } from './operator-approvals.ts';
import { operatorOf } from './operator-guard.ts';
import { readPage } from './operator-page.ts';

/**
 * What waits for the own confirmation of whoever asks (`@confirm`), and their yes or no to it. For the console's page of one's own: everybody who
 * has logged in has the role, and sees and decides nothing but what is done on their own behalf.
 *
 * - GET /operator/confirmations (`?after=&limit=`) → `{ confirmations: ShownApproval[], next? }`, of other people's votes none;
 * - POST /operator/confirmations/:id `{ vote: "approve" | "deny", reason, assertion? }` → ShownApproval; 404 for whatever does not wait for them;
 * - POST /operator/confirmations/:id/challenge `{}` → what their passkey signs, where `demand.proof` wants it: as for a vote.
 *
 * On the local socket each names the person: `?as=` and `as`, as for a vote.
 */
export function confirmationEndpoints(server: FastifyInstance, { approvals }: { readonly approvals: Approvals }): void {
  const own = { config: { roles: ['self'] } } as const;
  const decided = { config: { roles: ['self'], body: JSON_TYPE } } as const;
  server.get('/operator/confirmations', own, async (request, reply) => {
    const read = readPage(request.query, ['as']);
    const voter = read.ok ? voterOf(operatorOf(request), read.value.said.as) : undefined;
    if (!read.ok || !voter || !isPlace(read.value.page)) return operatorRefusal(reply, refuse('request_malformed').error);
    const { rows, next } = await approvals.confirmations(voter.name, read.value.page);
    return { confirmations: rows, ...(next !== undefined && { next }) };
  });
  server.post<{ Params: { id: string } }>('/operator/confirmations/:id', decided, async (request, reply) => {
    const asked = ballotOf(request.body);
    const voter = asked && voterOf(operatorOf(request), asked.as);
    if (!asked || !voter) return operatorRefusal(reply, refuse('request_malformed').error);
    const { as: _, ...ballot } = asked;
    const outcome = await approvals.confirm(request.params.id, ballot, voter);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  server.post<{ Params: { id: string } }>('/operator/confirmations/:id/challenge', decided, async (request, reply) => {
    const asked = agreeingOf(request.body);
    const voter = asked && voterOf(operatorOf(request), asked.as);
    if (!asked || !voter) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await approvals.challenge(request.params.id, { ...asked.agreeing, confirms: true }, voter);
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
}
