/**
 * `countersign/verify/mcp-v1`: MCP servers of SDK v1 (`@modelcontextprotocol/sdk`).
 *
 *     app.all('/mcp', guard({ verifier }), (req, res) => transport.handleRequest(req, res, req.body));
 *     app.get(verifier.metadata.path, (req, res) => res.json(verifier.metadata.document));
 *
 * `guardTools` goes around its tools, `guardTransport` in front of stdio. Needs the SDK's types alone.
 */
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { guardTools as guardAnyTools } from './guard-tools.ts';
import { guardTransport as guardAnyTransport, type TransportLike } from './guard-transport.ts';
import type { Verifier } from './verify.ts';

export { type GuardedRequest, type McpGuardOptions, type Middleware, nodeGuard as guard } from './guard-node.ts';

/** Around each tool registered after it: runs in a verified action of its name alone, once, and tells how it ended. Call it first. */
export const guardTools = (server: McpServer): McpServer => guardAnyTools(server);

/** For stdio: `server.connect(guardTransport(new StdioServerTransport(), { verifier }))`; calls bring tokens in `_meta`. */
export const guardTransport = (transport: Transport, options: { readonly verifier: Verifier }): Transport =>
  guardAnyTransport(transport as TransportLike, options) as Transport;
