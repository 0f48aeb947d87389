/** A guard as Node middleware, for `node:http`, Express and all that speaks `(req, res, next)`. Knows HTTP; may not know an SDK. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { authInfo, type GuardedAuth } from './auth-info.ts';
import type { HttpRequest } from './credentials.ts';
import { checkMessage, MAX_BODY_BYTES, type MessageRequest } from './message.ts';
import { type Refuse, VerifyError } from './refusal.ts';
import { endRun, inRun, openRun } from './run.ts';
import type { Verifier } from './verify.ts';

/** `body` is set for what comes after, `auth` as the MCP SDK reads it. */
export type GuardedRequest = IncomingMessage & { body?: unknown; auth?: GuardedAuth; originalUrl?: string };
export interface McpGuardOptions {
  readonly verifier: Verifier;
  /** Where callers reach this endpoint, if a proxy changes its path. The resource's origin with the request's path unless told. */
  readonly url?: string;
}
export type Next = (fault?: unknown) => unknown;
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: Next) => Promise<void>;

/**
 * In front of a streamable HTTP transport (SDK v1: `transport.handleRequest(req, res, req.body)`). Serves the protected-resource document,
 * reads and checks the body itself, refuses with the status of wire.md §5, else calls `next` in the name of the action. Put it before any
 * body parser: what another parser has read is checked as the value it made.
 */
export function nodeGuard(options: McpGuardOptions): Middleware {
  const { verifier } = options;
  return async (req: GuardedRequest, res, next) => {
    if (servesMetadata(req, res, verifier)) return;
    try {
      const http = { ...httpOf(req, verifier.resource, verifier.refuse), ...(options.url !== undefined && { url: options.url }) };
      if (req.method !== 'POST') {
        const admitted = await verifier.admit(http);
        req.auth = authInfo({ kind: 'open', admitted, message: {} }, verifier) as GuardedAuth;
        await next();
        return;
      }
      const passed = await checkMessage(verifier, {
        body: await bodyOf(req, verifier.refuse),
        http: { ...http, mcpMethod: single(req, 'mcp-method', verifier.refuse), mcpName: single(req, 'mcp-name', verifier.refuse) },
      });
      req.body = passed.message;
      req.auth = authInfo(passed, verifier) as GuardedAuth;
      if (passed.kind === 'open') {
        await next();
        return;
      }
      const run = openRun(passed.action);
      res.once('close', () => endRun(run));
      await inRun(run, () => next());
    } catch (fault) {
      if (!(fault instanceof VerifyError)) throw fault;
      answer(res, fault.status, fault.rpc(), fault.headers);
    }
  };
}

/** The document belongs at its own well-known path; a guard mounted on the endpoint alone never sees it (`verifier.metadata`). */
export function servesMetadata(req: GuardedRequest, res: ServerResponse, verifier: Verifier): boolean {
  const { path, document } = verifier.metadata;
  if ((req.originalUrl ?? req.url) !== path || (req.method !== 'GET' && req.method !== 'HEAD')) return false;
  answer(res, 200, document, { 'access-control-allow-origin': '*' });
  return true;
}

export function answer(res: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  if (res.headersSent) return;
  const text = JSON.stringify(body);
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  res.end(text);
}

/**
 * What credentials the request holds. `htu` is the resource's origin with the request's own path: behind a proxy the Host header names
 * somebody else. @throws VerifyError where a header is repeated: Node drops one of them, a proxy may have read the other.
 */
export function httpOf(req: GuardedRequest, resource: string, refuse: Refuse): HttpRequest {
  const path = (req.originalUrl ?? req.url ?? '/').split('?', 1)[0] ?? '/';
  return {
    method: req.method ?? '',
    url: new URL(resource).origin + (path.startsWith('/') ? path : `/${path}`),
    authorization: single(req, 'authorization', refuse),
    dpop: single(req, 'dpop', refuse),
  };
}
function single(req: IncomingMessage, name: string, refuse: Refuse): string | undefined {
  const values = req.headersDistinct[name];
  if (values && values.length > 1) throw refuse('ERR_REQUEST_HEADERS');
  return values?.[0];
}

/** @throws VerifyError */
export async function bodyOf(req: GuardedRequest, refuse: Refuse): Promise<MessageRequest['body']> {
  if (!/^application\/json\s*(;|$)/i.test(req.headers['content-type'] ?? '')) throw refuse('ERR_REQUEST_TYPE');
  if (req.body !== undefined) return { value: req.body };
  if (req.headers['content-encoding'] !== undefined) throw refuse('ERR_REQUEST_TYPE');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw refuse('ERR_REQUEST_SIZE');
    chunks.push(chunk);
  }
  return { text: utf8(Buffer.concat(chunks), refuse) };
}
/** Bytes that are not UTF-8 would be read as something else. */
export function utf8(bytes: Uint8Array, refuse: Refuse): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refuse('ERR_REQUEST_FORM');
  }
}
