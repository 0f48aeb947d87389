import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { type Result, refuse } from '../errors.ts';
import type { Feed, FeedRequest } from '../settle-feed.ts';
import { ok } from '../wire/result.ts';
import { MAX_WAIT_SECONDS } from '../wire/revocations.ts';
import { noStore, refusal } from './answer.ts';
import { FORM, JWT, revocationsDocs } from './documents.ts';
import { parseForm } from './form.ts';
import { addressOf } from './limits.ts';
import { presented } from './presented.ts';

/** POST /revocations (wire.md §7): a long poll of a tool server. */
export function revocationEndpoint(server: FastifyInstance, parts: { readonly issuer: string; readonly feed: Feed }): void {
  const { issuer, feed } = parts;
  server.post('/revocations', { schema: revocationsDocs, config: { body: FORM } }, async (request, reply) => {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const outcome = await feed.poll(read(request.raw, request.body, `${issuer}/revocations`), gone.signal, () => addressOf(request));
    return outcome.ok ? noStore(reply).type(JWT).send(outcome.value) : refusal(reply, outcome.error);
  });
}

function read(raw: IncomingMessage, body: unknown, htu: string): Result<FeedRequest> {
  const form = parseForm(body);
  if (!form.ok) return form;
  const shown = presented(raw, form.value, htu);
  if (!shown.ok) return shown;
  const after = numberOf(form.value.get('after'), Number.MAX_SAFE_INTEGER);
  const wait = numberOf(form.value.get('wait'), MAX_WAIT_SECONDS);
  const held = form.value.get('held');
  const nonce = form.value.get('nonce');
  const flaw = !after.ok ? 'after' : !wait.ok ? 'wait' : !isWord(held) ? 'held' : !isWord(nonce) ? 'nonce' : undefined;
  if (!after.ok || !wait.ok || flaw !== undefined) return refuse('request_malformed', { detail: flaw ?? 'form' });
  return ok({
    ...shown.value,
    ...(after.value !== undefined && { after: after.value }),
    ...(held !== undefined && { held }),
    ...(nonce !== undefined && { nonce }),
    waitSeconds: wait.value ?? 0,
  });
}
/** Decimal, in its one spelling. */
function numberOf(text: string | undefined, most: number): Result<number | undefined> {
  if (text === undefined) return ok(undefined);
  return /^(0|[1-9]\d{0,15})$/.test(text) && Number(text) <= most ? ok(Number(text)) : refuse('request_malformed');
}
const isWord = (text: string | undefined): boolean => text === undefined || /^[A-Za-z0-9_-]{1,64}$/.test(text);
