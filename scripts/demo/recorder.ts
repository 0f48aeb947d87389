import type { Fetch } from '../../src/agent/agent.ts';
import type { JsonObject } from '../../src/wire/json.ts';

/** One HTTP exchange as it went over the wire. */
export interface Recorded {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly status: number;
  readonly answer: string;
}
export interface Recorder {
  readonly fetch: Fetch;
  /** What went by since the last look. */
  take(): readonly Recorded[];
}

/** A `fetch` that remembers; streams that stay open are passed through unread. */
export function recorder(): Recorder {
  let seen: Recorded[] = [];
  return {
    async fetch(input, init = {}) {
      const response = await fetch(input, init);
      const method = (init.method ?? 'GET').toUpperCase();
      const answer =
        method === 'GET' && (response.headers.get('content-type') ?? '').startsWith('text/event-stream')
          ? ''
          : await response.clone().text();
      const headers = Object.fromEntries(new Headers(init.headers).entries());
      seen.push({
        method,
        url: String(input),
        headers,
        body: typeof init.body === 'string' ? init.body : String(init.body ?? ''),
        status: response.status,
        answer,
      });
      return response;
    },
    take() {
      const taken = seen;
      seen = [];
      return taken;
    },
  };
}

/** The JSON of an answer, out of an event stream where it came in one. */
export function jsonOf(text: string): JsonObject {
  const data = text.split('\n').find((line) => line.startsWith('data: {'));
  try {
    return JSON.parse(data ? data.slice('data: '.length) : text) as JsonObject;
  } catch {
    return {};
  }
}
export const payloadOf = (token: string): JsonObject =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as JsonObject;
