import type { FastifyInstance } from 'fastify';
import type { Approvals, ShownApproval } from '../operate/approvals.ts';
import { MOST_ROWS } from '../operate/page.ts';
import { operatorRefusal } from './operator-answer.ts';

/** Most often the last one is among the first. */
const PAGE = 100;

/** GET /operator/approvals/:id/similar: the newest other one of this agent with this tool that people agreed to, `{}` where there is none. */
export function similarEndpoint(server: FastifyInstance, { approvals }: { readonly approvals: Pick<Approvals, 'show' | 'list'> }): void {
  const seen = { config: { roles: ['approver', 'operator', 'auditor'] } } as const;
  server.get<{ Params: { id: string } }>('/operator/approvals/:id/similar', seen, async (request, reply) => {
    const found = await approvals.show(request.params.id);
    if (!found.ok) return operatorRefusal(reply, found.error);
    const { id, client, resource, tool } = found.value;
    const alike = (one: ShownApproval): boolean =>
      one.id !== id && one.client === client && one.resource === resource && one.tool === tool && one.steps === undefined;
    const both = await Promise.all([latest('approved'), latest('redeemed')]);
    const last = both.filter((one) => one !== undefined).sort((a, b) => b.made - a.made)[0];
    return last ? { approval: last } : {};

    async function latest(state: 'approved' | 'redeemed'): Promise<ShownApproval | undefined> {
      let after: string | undefined;
      for (let left = MOST_ROWS; left > 0; left -= PAGE) {
        const { rows, next } = await approvals.list({ state, limit: PAGE, ...(after !== undefined && { after }) });
        const one = rows.find(alike);
        if (one || next === undefined) return one;
        after = next;
      }
      return undefined;
    }
  });
}
