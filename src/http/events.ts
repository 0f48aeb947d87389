import type { FastifyInstance } from 'fastify';
import { SIGNAL_FLAWS } from '../authenticate/signals.ts';
import { type Refusal, refuse, toWire } from '../errors.ts';
import type { Signals } from '../settle-signals.ts';
import { ok } from '../wire/result.ts';
import { noStore, refusal } from './answer.ts';
import { eventsDocs, SECEVENT } from './documents.ts';
import { addressOf } from './limits.ts';
import { headersOnce } from './presented.ts';

/** POST /events: shared signals (RFC 8935). Answers once what follows from it is durable. */
export function eventEndpoint(server: FastifyInstance, { signals }: { readonly signals: Signals }): void {
  server.post('/events', { schema: eventsDocs, config: { body: SECEVENT } }, async (request, reply) => {
    const { raw, body } = request;
    const whole = headersOnce(raw) && typeof body === 'string';
    const outcome = await signals.receive(whole ? ok(body) : refuse('request_malformed', { detail: 'signal_request' }), () =>
      addressOf(request),
    );
    if (outcome.ok) return noStore(reply).code(202).send();
    const err = errOf(outcome.error);
    // RFC 8935 §2.4 has a form of its own; what is no fault of the token is said as everywhere.
    return err === undefined
      ? refusal(reply, outcome.error)
      : noStore(reply)
          .code(400)
          .send({ err, description: toWire('request_malformed').text });
  });
}
const errOf = ({ detail }: Refusal): string | undefined => Object.entries(SIGNAL_FLAWS).find(([flaw]) => flaw === detail)?.[1];
