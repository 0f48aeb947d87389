import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { type Result, refuse } from '../errors.ts';
import type { Presented } from '../request.ts';
import type { Settle } from '../settle.ts';
import { ok } from '../wire/result.ts';
import { noStore, refusal } from './answer.ts';
import { FORM, introspectDocs, JWT, receiptDocs, revokeDocs } from './documents.ts';
import { parseForm } from './form.ts';
import { addressOf } from './limits.ts';
import { headersOnce, presented } from './presented.ts';

/** /introspect (RFC 7662), /revoke (RFC 7009), /receipts (wire.md §7). */
export function settlementEndpoints(server: FastifyInstance, parts: { readonly issuer: string; readonly settle: Settle }): void {
  const { issuer, settle } = parts;
  server.post('/introspect', { schema: introspectDocs, config: { body: FORM } }, async (request, reply) => {
    const outcome = await settle.introspect(read(request.raw, request.body, `${issuer}/introspect`), () => addressOf(request));
    return outcome.ok ? noStore(reply).send(outcome.value) : refusal(reply, outcome.error);
  });
  server.post('/revoke', { schema: revokeDocs, config: { body: FORM } }, async (request, reply) => {
    const outcome = await settle.revoke(read(request.raw, request.body, `${issuer}/revoke`), () => addressOf(request));
    return outcome.ok ? noStore(reply).send() : refusal(reply, outcome.error);
  });
  server.post('/receipts', { schema: receiptDocs, config: { body: JWT } }, async (request, reply) => {
    const whole = headersOnce(request.raw) && typeof request.body === 'string';
    const outcome = await settle.receive(whole ? ok(request.body as string) : refuse('request_malformed'), () => addressOf(request));
    return outcome.ok ? noStore(reply).code(204).send() : refusal(reply, outcome.error);
  });
}

function read(raw: IncomingMessage, body: unknown, htu: string): Result<Presented & { readonly token: string }> {
  const form = parseForm(body);
  if (!form.ok) return form;
  const shown = presented(raw, form.value, htu);
  if (!shown.ok) return shown;
  const token = form.value.get('token');
  return token === undefined ? refuse('request_malformed', { detail: 'token' }) : ok({ ...shown.value, token });
}
