import type { FastifyReply } from 'fastify';
import { type Refusal, toWire } from '../errors.ts';

/** As elsewhere, and with the detail: the one who asks at the operator API may know it. */
export function operatorRefusal(reply: FastifyReply, no: Refusal): FastifyReply {
  const { status, error, text } = toWire(no.reason);
  const { detail, decision } = no;
  return reply.code(status).send({
    error,
    error_description: text,
    ...(detail !== undefined && { detail }),
    ...(decision !== undefined && { decision_id: decision }),
  });
}
