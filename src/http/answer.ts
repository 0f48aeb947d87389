import type { FastifyReply } from 'fastify';
import { type Refusal, toWire } from '../errors.ts';
import type { JsonObject } from '../wire/json.ts';

/** One form for every no (RFC 6749 §5.2), constant but for ids of ours and what a policy's own annotations say. */
export function refusal(reply: FastifyReply, no: Refusal): FastifyReply {
  const { status, error, text, retryAfterSeconds } = toWire(no.reason);
  const retry = no.retryAfterSeconds ?? retryAfterSeconds;
  if (retry !== undefined) reply.header('retry-after', String(retry));
  const body: JsonObject = {
    error,
    error_description: text,
    ...(status === 403 && { reason: no.code ?? no.reason }),
    ...(no.remedy && { remedy: no.remedy as unknown as JsonObject }),
    ...(no.deferral && { deferral_code: no.deferral.code, interval: no.deferral.interval, expires_in: no.deferral.expiresIn }),
    ...(no.decision !== undefined && { decision_id: no.decision }),
  };
  return noStore(reply).code(status).send(body);
}
export const noStore = (reply: FastifyReply): FastifyReply => reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
