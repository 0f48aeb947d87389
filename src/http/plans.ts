import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Result, refuse } from '../errors.ts';
import type { Planning } from '../plan.ts';
import type { PlanRequest, PlanStatusRequest } from '../request.ts';
import { COMPLETION_DEFERRED, PARAM_COMPLETION_MODE, PARAM_DEFERRAL_CODE } from '../wire/deferred.ts';
import { formatDetails } from '../wire/details.ts';
import type { JsonObject } from '../wire/json.ts';
import { GRANT_CLIENT, GRANT_EXCHANGE, TYPE_ACCESS_TOKEN } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';
import { deferred, noStore, refusal } from './answer.ts';
import { FORM, planDocs, planStatusDocs } from './documents.ts';
import { parseForm } from './form.ts';
import { addressOf } from './limits.ts';
import { presented } from './presented.ts';
import { principalsOf } from './token-request.ts';

export interface PlanParts {
  readonly issuer: string;
  readonly planning: Planning;
  readonly nonce: () => string | undefined;
}
/** POST /plans and /plans/status (wire.md §3.4). A plan is withdrawn at /revoke, by its code. */
export function planEndpoints(server: FastifyInstance, { issuer, planning, nonce }: PlanParts): void {
  const withNonce = (reply: FastifyReply): FastifyReply => {
    const fresh = nonce();
    return fresh === undefined ? reply : reply.header('dpop-nonce', fresh);
  };
  server.post('/plans', { schema: planDocs, config: { body: FORM } }, async (request, reply) => {
    const outcome = await planning.submit(readPlan(request.raw, request.body, `${issuer}/plans`), () => addressOf(request));
    withNonce(reply);
    if (!outcome.ok) return refusal(reply, outcome.error);
    const { state, deferral, asks } = outcome.value;
    return noStore(reply).send({ state, ...deferred(deferral), steps: asks.map((one) => ({ needs_approval: one })) });
  });
  server.post('/plans/status', { schema: planStatusDocs, config: { body: FORM } }, async (request, reply) => {
    const outcome = await planning.status(readStatus(request.raw, request.body, `${issuer}/plans/status`), () => addressOf(request));
    withNonce(reply);
    if (!outcome.ok) return refusal(reply, outcome.error);
    const { state, ordered, steps, deferral } = outcome.value;
    const told = steps.map(({ state: of, asks, call, txn }) => ({
      state: of,
      needs_approval: asks,
      authorization_details: formatDetails(call),
      ...(txn !== undefined && { txn }),
    }));
    return noStore(reply).send({ state, ordered, ...deferred(deferral), steps: told } as JsonObject);
  });
}

const malformed = (detail: string): ReturnType<typeof refuse> => refuse('request_malformed', { detail });

/** Strict, as /token is: what has no meaning here is refused. The entries of the details name their resources. */
function readPlan(raw: IncomingMessage, body: unknown, htu: string): Result<PlanRequest> {
  const form = parseForm(body);
  if (!form.ok) return form;
  const shown = presented(raw, form.value, htu);
  if (!shown.ok) return shown;
  const get = (name: string): string | undefined => form.value.get(name);
  for (const name of ['resource', 'audience', 'scope', 'plan', PARAM_DEFERRAL_CODE]) if (get(name) !== undefined) return malformed(name);
  const grant = get('grant_type');
  if (grant === undefined) return malformed('grant_type');
  if (grant !== GRANT_EXCHANGE && grant !== GRANT_CLIENT) return refuse('grant_unsupported');
  if ((get('requested_token_type') ?? TYPE_ACCESS_TOKEN) !== TYPE_ACCESS_TOKEN)
    return refuse('type_unsupported', { detail: 'requested_token_type' });
  if ((get(PARAM_COMPLETION_MODE) ?? COMPLETION_DEFERRED) !== COMPLETION_DEFERRED) return malformed(PARAM_COMPLETION_MODE);
  const ordered = get('ordered') ?? 'false';
  if (ordered !== 'true' && ordered !== 'false') return malformed('ordered');
  const principals = principalsOf(form.value);
  if (!principals.ok) return principals;
  const details = get('authorization_details');
  if (details === undefined) return malformed('authorization_details');
  return ok({
    ...shown.value,
    ...principals.value,
    grant: grant === GRANT_EXCHANGE ? 'exchange' : 'client_credentials',
    details,
    ordered: ordered === 'true',
  });
}

function readStatus(raw: IncomingMessage, body: unknown, htu: string): Result<PlanStatusRequest> {
  const form = parseForm(body);
  if (!form.ok) return form;
  const shown = presented(raw, form.value, htu);
  if (!shown.ok) return shown;
  const code = form.value.get(PARAM_DEFERRAL_CODE);
  return code === undefined ? malformed(PARAM_DEFERRAL_CODE) : ok({ ...shown.value, code });
}
