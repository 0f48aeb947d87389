/**
 * `countersign/verify/mcp`: MCP servers of SDK v2 (`@modelcontextprotocol/server`). `guard` stands in front of `createMcpHandler`, `guardTools`
 * around its tools, `guardTransport` in front of stdio. Needs the SDK's types alone.
 */
import type { McpHandlerRequestOptions, McpServer, Transport } from '@modelcontextprotocol/server';
import { authInfo } from './auth-info.ts';
import type { HttpRequest } from './credentials.ts';
import { type McpGuardOptions, utf8 } from './guard-node.ts';
import { guardTools as guardAnyTools } from './guard-tools.ts';
import { guardTransport as guardAnyTransport, type TransportLike } from './guard-transport.ts';
import { checkMessage, MAX_BODY_BYTES, type MessageRequest, type Passed } from './message.ts';
import { type Refuse, VerifyError } from './refusal.ts';
import { endRun, inRun, openRun, type Run } from './run.ts';
import type { Verifier } from './verify.ts';

/** The face of `createMcpHandler(…)` that matters, and what `toNodeHandler` of `@modelcontextprotocol/node` takes. */
export interface FetchHandler {
  fetch: (request: Request, options?: McpHandlerRequestOptions) => Promise<Response>;
}

/**
 * Checks every request before `handler` sees it: base tokens for listing, an action token for each `tools/call`, in both forms; serves the
 * protected-resource document (RFC 9728); answers with the status of wire.md §5. Let no body parser come before it: a body parsed
 * elsewhere is checked as the value it made.
 */
export function guard(handler: FetchHandler, options: McpGuardOptions): FetchHandler {
  const { verifier } = options;
  const { path, document } = verifier.metadata;
  return {
    async fetch(request, rest) {
      const url = new URL(request.url);
      if (request.method === 'GET' && url.pathname + url.search === path) {
        return Response.json(document, { headers: { 'access-control-allow-origin': '*' } });
      }
      try {
        const passed = await check(request, rest?.parsedBody, options);
        const known = { ...rest, authInfo: authInfo(passed, verifier), ...(request.method === 'POST' && { parsedBody: passed.message }) };
        if (passed.kind === 'open') return await handler.fetch(request, known as McpHandlerRequestOptions);
        const run = openRun(passed.action);
        const response = await inRun(run, () => handler.fetch(request, known as McpHandlerRequestOptions));
        return whenRead(response, run);
      } catch (fault) {
        if (!(fault instanceof VerifyError)) throw fault;
        return Response.json(fault.rpc(), { status: fault.status, headers: { 'cache-control': 'no-store', ...fault.headers } });
      }
    },
  };
}

/** Around each tool registered after it: runs in a verified action of its name alone, once, and tells how it ended. Call it first. */
export const guardTools = (server: McpServer): McpServer => guardAnyTools(server);

/** For stdio: `serveStdio(factory, { transport: guardTransport(new StdioServerTransport(), { verifier }) })`; calls bring tokens in `_meta`. */
export const guardTransport = (transport: Transport, options: { readonly verifier: Verifier }): Transport =>
  guardAnyTransport(transport as TransportLike, options) as Transport;

async function check(request: Request, parsedBody: unknown, { verifier, url }: McpGuardOptions): Promise<Passed> {
  const { refuse, resource } = verifier;
  const header = (name: string): string | undefined => request.headers.get(name) ?? undefined;
  const http: HttpRequest = {
    method: request.method,
    url: url ?? new URL(resource).origin + new URL(request.url).pathname,
    authorization: header('authorization'),
    dpop: header('dpop'),
  };
  if (request.method !== 'POST') return { kind: 'open', admitted: await verifier.admit(http), message: {} };
  const body = await bodyOf(request, parsedBody, refuse);
  return checkMessage(verifier, { body, http: { ...http, mcpMethod: header('mcp-method'), mcpName: header('mcp-name') } });
}

async function bodyOf(request: Request, parsedBody: unknown, refuse: Refuse): Promise<MessageRequest['body']> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get('content-type') ?? '')) throw refuse('ERR_REQUEST_TYPE');
  if (parsedBody !== undefined) return { value: parsedBody };
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > MAX_BODY_BYTES) throw refuse('ERR_REQUEST_SIZE');
    chunks.push(chunk);
  }
  return { text: utf8(Buffer.concat(chunks), refuse) };
}

/** A stream ends after its tool; a whole answer is there after it. */
function whenRead(response: Response, run: Run): Response {
  if (!response.body || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
    endRun(run);
    return response;
  }
  const watched = response.body.pipeThrough(new TransformStream({ flush: () => endRun(run) }));
  return new Response(watched, { status: response.status, statusText: response.statusText, headers: response.headers });
}
