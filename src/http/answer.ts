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
    ...(no.deferral && deferred(no.deferral)),
    ...(no.step !== undefined && { step: no.step }),
    ...(no.decision !== undefined && { decision_id: no.decision }),
  };
  return noStore(reply).code(status).send(body);
}
export const deferred = ({ code, interval, expiresIn, uri }: NonNullable<Refusal['deferral']>): JsonObject => ({
  deferral_code: code,
  interval,
  expires_in: expiresIn,
  ...(uri !== undefined && { approval_uri: uri }),
});
export const noStore = (reply: FastifyReply): FastifyReply => reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
