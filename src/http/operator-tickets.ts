import type { FastifyInstance } from 'fastify';
import type { MintTicket } from '../operate/operator.ts';
import { JSON_TYPE } from './documents.ts';
import { operatorRefusal } from './operator-answer.ts';
import { operatorOf } from './operator-guard.ts';

/** POST /operator/tickets, on the local socket alone: a one-time link to the console, where there is one. */
export function ticketEndpoint(server: FastifyInstance, mint: MintTicket): void {
  server.post('/operator/tickets', { config: { roles: ['operator'], body: JSON_TYPE } }, async (request, reply) => {
    const made = await mint(operatorOf(request));
    return made.ok ? made.value : operatorRefusal(reply, made.error);
  });
}
