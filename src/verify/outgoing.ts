/** The one way out: what this library sends to the broker, and how much it reads back. */
import { guardedUrl } from '../wire/jwks-remote.ts';

const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;
export const FORM = 'application/x-www-form-urlencoded';

export interface PostOptions {
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
  /** More than the 5 s that any answer gets. */
  readonly timeoutMs?: number;
}
export interface Posted {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}
export type Post = (body: string, contentType: string, options?: PostOptions) => Promise<Posted>;

/** https, or loopback for trying things out; no redirects, 5 s, 64 KB unless told. Throws TypeError at once for any other URL; the post throws when unanswered. */
export function outgoing(options: { readonly url: string; readonly fetch?: typeof fetch; readonly maxBytes?: number }): Post {
  const { maxBytes = MAX_ANSWER_BYTES } = options;
  const send = options.fetch ?? fetch;
  if (!guardedUrl(options.url)) throw new TypeError('the issuer must be an https URL, or http on loopback');
  return async (body, contentType, { signal, headers, timeoutMs = TIMEOUT_MS } = {}) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const response = await send(options.url, {
      method: 'POST',
      headers: { ...headers, 'content-type': contentType, accept: 'application/json' },
      body,
      redirect: 'error',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
    return { status: response.status, text: await read(response, maxBytes), headers: response.headers };
  };
}

async function read(response: Response, maxBytes: number): Promise<string> {
  if (!response.body) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > maxBytes) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
