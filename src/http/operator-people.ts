import type { FastifyInstance } from 'fastify';
import { type ListCalled, ROLES } from '../operate/operator.ts';
import { operatorRefusal } from './operator-answer.ts';
import { readPage } from './operator-page.ts';

/** GET /operator/people (`?after=&limit=`): what those who logged in lately are called there, where there is a console. */
export function peopleEndpoint(server: FastifyInstance, list: ListCalled): void {
  server.get('/operator/people', { config: { roles: ROLES } }, async (request, reply) => {
    const read = readPage(request.query);
    if (!read.ok) return operatorRefusal(reply, read.error);
    const { rows, next } = await list(read.value.page);
    return { people: rows, ...(next !== undefined && { next }) };
  });
}
