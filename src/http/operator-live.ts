import type { FastifyInstance, FastifyRequest } from 'fastify';
import { refuse } from '../errors.ts';
import type { Listener, Live, LiveEvent } from '../operate/live.ts';
import { ROLES } from '../operate/operator.ts';
import { MINUTES, type Overview } from '../operate/overview.ts';
import { operatorRefusal } from './operator-answer.ts';
import { readQuery, wholeNumber } from './operator-entries.ts';
import type { Who } from './operator-guard.ts';

/** What may wait for somebody who reads slowly. Then they are let go: they can come again, and are told from where they were. */
const MOST_WAITING_BYTES = 256 * 1024;
/** A word now and then: whoever stands between keeps the line, and a session that has ended is seen. */
const ALIVE_MS = 15_000;
/** From the end of the stream to the end of a connection whose other side does not hear it. */
const LINGER_MS = 1_000;

export interface LiveParts {
  readonly live: Live;
  readonly overview: (minutes: number) => Promise<Overview>;
  readonly who: Who;
}
/**
 * GET /operator/overview (`?minutes=`) and GET /operator/live: server-sent events `entry` and `skipped`, each entry under its number as id;
 * `Last-Event-ID`, or `?after=`, goes on from there. Ends when the session does, and when the broker stops.
 */
export function liveEndpoints(server: FastifyInstance, { live, overview, who }: LiveParts): void {
  const { after } = live;
  const everyone = { config: { roles: ROLES } };
  server.get('/operator/overview', everyone, async (request, reply) => {
    const read = readQuery(request.query, ['minutes']);
    const back = read.ok ? wholeNumber(read.value.minutes ?? String(MINUTES.default)) : undefined;
    if (back === undefined || back < 1 || back > MINUTES.most) return operatorRefusal(reply, refuse('request_malformed').error);
    return overview(back);
  });
  server.get('/operator/live', everyone, async (request, reply) => {
    const read = readQuery(request.query, ['after']);
    // A connection that a browser makes anew by itself knows better than the address it was given.
    const heard = request.headers['last-event-id'] ?? (read.ok ? read.value.after : undefined);
    const from = wholeNumber(typeof heard === 'string' ? heard : undefined);
    if (!read.ok || (heard !== undefined && from === undefined)) return operatorRefusal(reply, refuse('request_malformed').error);
    const { raw } = reply;
    // Until it is known that there is room, what is told waits here.
    const first: string[] = [];
    let say = (text: string): void => void first.push(text);
    let ended = false;
    const end = (): void => {
      if (ended) return;
      ended = true;
      live.leave(listener);
      raw.end();
      after(LINGER_MS).addEventListener('abort', () => raw.destroy(), { once: true });
    };
    const listener: Listener = { take: (event) => say(textOf(event)), end };
    if (!(await live.listen(listener, from))) return operatorRefusal(reply, refuse('limited').error);
    reply.hijack();
    raw.on('close', () => {
      ended = true;
      live.leave(listener);
    });
    raw.writeHead(200, { ...(reply.getHeaders() as Record<string, string>), ...HEADERS });
    say = (text) => {
      if (ended) return;
      raw.write(text);
      if (raw.writableLength <= MOST_WAITING_BYTES) return;
      ended = true;
      live.leave(listener);
      raw.destroy();
    };
    say(`retry: 2000\n\n${first.join('')}`);
    beat(request);
    return reply;

    function beat(asking: FastifyRequest): void {
      after(ALIVE_MS).addEventListener(
        'abort',
        async () => {
          if (ended) return;
          const known = await Promise.resolve(who(asking)).catch(() => undefined);
          if (!known?.ok || !ROLES.some((role) => known.value.roles.has(role))) return end();
          say(': still here\n\n');
          beat(asking);
        },
        { once: true },
      );
    }
  });
}
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // nginx would wait until it has a buffer full.
  'x-accel-buffering': 'no',
} as const;
/** JSON has no line break of its own, so no entry can end an event or begin another. */
const textOf = (event: LiveEvent): string =>
  'entry' in event
    ? `id: ${event.entry.seq}\nevent: entry\ndata: ${JSON.stringify(event.entry)}\n\n`
    : `event: skipped\ndata: ${JSON.stringify(event)}\n\n`;
