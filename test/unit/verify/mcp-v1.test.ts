import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import express from 'express';
import { z } from 'zod';
import { guardMcp, metadata } from '../../../src/verify/adapter-express.ts';
import { type GuardedRequest, guard, guardTools } from '../../../src/verify/adapter-mcp-v1.ts';
import { currentAction } from '../../../src/verify/verify.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { mcpSuite } from './mcp-suite.ts';

const inputSchema = { payment_id: z.string(), amount_minor: z.number(), currency: z.string(), reason: z.string().default('none') };

function shopServer(ran: JsonObject[]): McpServer {
  const server = guardTools(new McpServer({ name: 'shop', version: '1.0.0' }));
  server.registerTool('create_refund', { inputSchema }, async (args, extra) => {
    ran.push(args);
    const action = currentAction();
    assert.deepEqual(
      Object.keys(extra._meta ?? {}).filter((name) => name.startsWith('countersign/')),
      [],
    );
    assert.equal(extra.authInfo?.extra?.['action'], action);
    return { content: [{ type: 'text', text: `refunded for ${action?.subject} by ${action?.actors[0]?.sub}` }] };
  });
  // The older way to register is guarded too.
  server.tool('fail', async () => {
    throw new Error('the till is stuck');
  });
  return server;
}

mcpSuite('MCP server of SDK v1 on node:http, stateless', (verifier, ran) => {
  const check = guard({ verifier });
  return (req: GuardedRequest, res) => {
    void check(req, res, async () => {
      const transport = new StreamableHTTPServerTransport({});
      await shopServer(ran).connect(transport as never);
      await transport.handleRequest(req as never, res, req.body);
    });
  };
});

mcpSuite('MCP server of SDK v1 in Express, with JSON answers', (verifier, ran) => {
  const app = express();
  app.use(metadata(verifier));
  app.all('/mcp', guardMcp({ verifier }), async (req, res) => {
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    await shopServer(ran).connect(transport as never);
    await transport.handleRequest(req as never, res, req.body);
  });
  return app as unknown as RequestListener;
});

mcpSuite(
  'MCP server of SDK v1 with sessions',
  (verifier, ran) => {
    const check = guard({ verifier });
    const sessions = new Map<string, StreamableHTTPServerTransport>();
    return (req: GuardedRequest, res) => {
      void check(req, res, async () => {
        const id = String(req.headers['mcp-session-id'] ?? '');
        let transport = sessions.get(id);
        if (!transport) {
          // A call without a session, as the bare requests of the suite make, is served by itself.
          const lasting = isInitializeRequest(req.body);
          transport = new StreamableHTTPServerTransport(
            lasting
              ? { sessionIdGenerator: () => randomUUID(), onsessioninitialized: (made) => void sessions.set(made, transport as never) }
              : {},
          );
          await shopServer(ran).connect(transport as never);
        }
        await transport.handleRequest(req as never, res, req.body);
      });
    };
  },
  // A server that outlives the call cannot say for certain that a tool did not run.
  { unreached: [] },
);
