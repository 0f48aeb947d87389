/** The one way out: what this library sends to the broker, and how much it reads back. */
import { guardedUrl } from '../wire/jwks-remote.ts';

const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;

export type Post = (body: string, contentType: string, signal?: AbortSignal) => Promise<{ readonly status: number; readonly text: string }>;

/** https, or loopback for trying things out; no redirects, 5 s, 64 KB. Throws TypeError at once for any other URL; the post throws when unanswered. */
export function outgoing(options: { readonly url: string; readonly fetch?: typeof fetch }): Post {
  const send = options.fetch ?? fetch;
  if (!guardedUrl(options.url)) throw new TypeError('the issuer must be an https URL, or http on loopback');
  return async (body, contentType, signal) => {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const response = await send(options.url, {
      method: 'POST',
      headers: { 'content-type': contentType, accept: 'application/json' },
      body,
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return { status: response.status, text: await read(response) };
  };
}

async function read(response: Response): Promise<string> {
  if (!response.body) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
