/** A question that stays open until there is news, and yet keeps no process alive: what `fetch` has open does. */
import type { IncomingMessage } from 'node:http';
import { guardedUrl } from '../wire/jwks-remote.ts';
import type { Post } from './outgoing.ts';

/** https, or loopback for trying things out; no redirects. Throws TypeError at once for any other URL; the post throws when unanswered. */
export function patient(options: { readonly url: string; readonly maxBytes: number }): Post {
  const { maxBytes } = options;
  const url = guardedUrl(options.url);
  if (!url) throw new TypeError('the issuer must be an https URL, or http on loopback');
  // Loaded when it is first needed: few processes that import this library ask anything.
  let open: Promise<ReturnType<typeof opened>> | undefined;
  const opened = ({ Agent, request }: Pick<typeof import('node:https'), 'Agent' | 'request'>) => ({
    request,
    agent: new Agent({ keepAlive: true, maxSockets: 1 }),
  });
  return async (body, contentType, { signal, headers, timeoutMs = 5_000 } = {}) => {
    open ??= (url.protocol === 'https:' ? import('node:https') : import('node:http')).then((from) => opened(from as never));
    const { request, agent } = await open;
    const timeout = AbortSignal.timeout(timeoutMs);
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request(url, {
        method: 'POST',
        agent,
        headers: { ...headers, 'content-type': contentType, 'content-length': Buffer.byteLength(body) },
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      })
        .once('socket', (socket) => socket.unref())
        .once('response', resolve)
        .once('error', reject)
        .end(body);
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size > maxBytes) throw new Error('the answer is too large'); // leaving the loop ends the connection
      chunks.push(chunk);
    }
    return { status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8'), headers: new Headers() };
  };
}
