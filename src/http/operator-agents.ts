import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import { type Agents, UNUSED_DAYS } from '../operate/agents.ts';
import { ROLES } from '../operate/operator.ts';
import { operatorRefusal } from './operator-answer.ts';
import { readQuery } from './operator-entries.ts';
import { readPage } from './operator-page.ts';

const MAX_DAYS = 3_650;

/** GET /operator/agents (`?after=&limit=`) and /operator/agents/:id (of both `?days=`: how long a right stands unused before it counts as such). */
export function agentEndpoints(server: FastifyInstance, { agents }: { readonly agents: Agents }): void {
  const everyone = { config: { roles: ROLES } };
  server.get('/operator/agents', everyone, async (request, reply) => {
    const read = readPage(request.query, ['days']);
    const days = read.ok ? daysOf(read.value.said.days) : undefined;
    if (!read.ok || days === undefined) return operatorRefusal(reply, refuse('request_malformed').error);
    return agents.list(days, read.value.page);
  });
  server.get<{ Params: { id: string } }>('/operator/agents/:id', everyone, async (request, reply) => {
    const read = readQuery(request.query, ['days']);
    const days = read.ok ? daysOf(read.value.days) : undefined;
    if (days === undefined) return operatorRefusal(reply, refuse('request_malformed').error);
    const found = await agents.show(request.params.id, days);
    return found.ok ? found.value : operatorRefusal(reply, found.error);
  });
}
function daysOf(said = String(UNUSED_DAYS)): number | undefined {
  const days = /^[1-9]\d{0,3}$/.test(said) ? Number(said) : Number.NaN;
  return days <= MAX_DAYS ? days : undefined;
}
