/** Every way a call reaches a guarded tool: five adapters, two forms, HTTP and without. Each runs the same tool and answers the same. */
import type { RequestListener } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { InMemoryTransport as MemoryV1 } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer as ServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, InMemoryTransport as MemoryV2, McpServer as ServerV2 } from '@modelcontextprotocol/server';
import express from 'express';
import { fastify } from 'fastify';
import { z } from 'zod';
import * as forExpress from '../../src/verify/adapter-express.ts';
import * as forFastify from '../../src/verify/adapter-fastify.ts';
import * as v2 from '../../src/verify/adapter-mcp.ts';
import * as v1 from '../../src/verify/adapter-mcp-v1.ts';
import { type Verifier, VerifyError } from '../../src/verify/verify.ts';
import type { Json, JsonObject } from '../../src/wire/json.ts';
import { shop as bareShop, type Form, ISSUER, RESOURCE, TOOL } from '../unit/verify/issuer.ts';
import { baseFor, openShop, rpcCall, send } from '../unit/verify/shopfront.ts';

export interface Presented {
  readonly token: string;
  readonly proof: string | undefined;
  readonly args: Json;
  readonly tool: string;
}
export interface Answer {
  /** Absent where there is no HTTP. */
  readonly status?: number;
  readonly error: string | undefined;
  readonly code: string | undefined;
}
export interface Door {
  readonly resource: string;
  readonly issuer: string;
  /** What the tool was run with. */
  readonly ran: unknown[];
  call(presented: Presented): Promise<Answer>;
  close(): Promise<void>;
}
export interface Way {
  readonly name: string;
  readonly form: Form;
  /** One tool behind one address: a call of another tool is a call of this one. */
  readonly oneTool?: true;
  open(): Promise<Door>;
}

const done = { content: [{ type: 'text' as const, text: 'refunded' }] };
const loose = z.looseObject({});
const info = { name: 'shop', version: '1.0.0' };
function serverV1(ran: unknown[]): ServerV1 {
  const server = v1.guardTools(new ServerV1(info));
  for (const tool of [TOOL, 'delete_customer']) {
    server.registerTool(tool, { inputSchema: loose }, async (args) => {
      ran.push([tool, args]);
      return done;
    });
  }
  return server;
}
function serverV2(ran: unknown[]): ServerV2 {
  const server = v2.guardTools(new ServerV2(info));
  for (const tool of [TOOL, 'delete_customer']) {
    server.registerTool(tool, { inputSchema: loose }, async (args) => {
      ran.push([tool, args]);
      return done;
    });
  }
  return server;
}

type Serve = (verifier: Verifier, ran: JsonObject[]) => RequestListener;
const SERVE: Readonly<Record<string, Serve>> = {
  'MCP v2': (verifier, ran) => {
    const handle = toNodeHandler(
      v2.guard(
        createMcpHandler(() => serverV2(ran)),
        { verifier },
      ),
    );
    return (req, res) => void handle(req as never, res as never);
  },
  'MCP v1': (verifier, ran) => {
    const check = v1.guard({ verifier });
    return (req: v1.GuardedRequest, res) =>
      void check(req, res, async () => {
        const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
        await serverV1(ran).connect(transport as never);
        await transport.handleRequest(req as never, res, req.body);
      });
  },
  'MCP v1 in Express': (verifier, ran) => {
    const app = express();
    app.all('/mcp', forExpress.guardMcp({ verifier }), async (req, res) => {
      const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
      await serverV1(ran).connect(transport as never);
      await transport.handleRequest(req as never, res, req.body);
    });
    return app as unknown as RequestListener;
  },
  express: (verifier, ran) => {
    const app = express();
    app.post('/mcp', forExpress.guard({ verifier, tool: TOOL }), (req, res) => {
      ran.push(req.body);
      res.json({});
    });
    return app as unknown as RequestListener;
  },
  fastify: (verifier, ran) => {
    const app = fastify();
    app.register(forFastify.strictJson);
    app.post('/mcp', { ...forFastify.guard({ verifier, tool: TOOL }) }, async (request) => {
      ran.push(request.body as JsonObject);
      return {};
    });
    return (req, res) => void app.ready(() => app.routing(req, res));
  },
};
const plain = new Set(['express', 'fastify']);

const metaOf = ({ token, proof }: Presented): JsonObject => ({
  'countersign/action-token': token,
  ...(proof !== undefined && { 'countersign/action-proof': proof }),
});
function overHttp(name: string, form: Form): Way {
  const serve = SERVE[name] as Serve;
  return {
    name: `${name}, ${form}`,
    form,
    ...(plain.has(name) && { oneTool: true }),
    async open() {
      const shop = await openShop(serve);
      const base = await baseFor(shop);
      return {
        resource: shop.resource,
        issuer: shop.issuer,
        ran: shop.ran,
        async call(presented) {
          const { token, proof, args, tool } = presented;
          const inHeader = form === 'header';
          const params = { name: tool, arguments: args, ...(!inHeader && { _meta: metaOf(presented) }) };
          const body = plain.has(name) ? (args as object) : { ...rpcCall({}), params };
          const headers = inHeader
            ? { authorization: `DPoP ${token}`, ...(proof !== undefined && { dpop: proof }) }
            : { authorization: base };
          const { status, code, text } = await send(shop, body, headers);
          return { status, code, error: /"error":"([a-z_]+)"/.exec(text)?.[1] };
        },
        close: () => shop.close(),
      };
    },
  };
}
function bare(form: Form): Way {
  return {
    name: `bare verify, ${form}`,
    form,
    async open() {
      const verifier = bareShop();
      const ran: unknown[] = [];
      return {
        resource: RESOURCE,
        issuer: ISSUER,
        ran,
        async call(presented) {
          const { token, proof, args, tool } = presented;
          const http = { method: 'POST', url: RESOURCE, authorization: `DPoP ${token}`, dpop: proof };
          try {
            const action = await verifier.verify({
              tool,
              arguments: args,
              ...(form === 'header' ? { http } : { meta: metaOf(presented) }),
            });
            ran.push(action.arguments);
            return { status: 200, error: undefined, code: undefined };
          } catch (fault) {
            if (!(fault instanceof VerifyError)) throw fault;
            return { status: fault.status, error: fault.error, code: fault.code };
          }
        },
        async close() {},
      };
    },
  };
}
/** Over a pipe: there is no status, and listing needs no token. */
function piped(kind: 'MCP v1' | 'MCP v2'): Way {
  return {
    name: `${kind} without HTTP, meta`,
    form: 'meta',
    async open() {
      const verifier = bareShop();
      const ran: unknown[] = [];
      const [near, far] = kind === 'MCP v1' ? MemoryV1.createLinkedPair() : MemoryV2.createLinkedPair();
      if (kind === 'MCP v1') await serverV1(ran).connect(v1.guardTransport(far as never, { verifier }));
      else await serverV2(ran).connect(v2.guardTransport(far as never, { verifier }));
      const waiting = new Map<number, (message: JsonObject) => void>();
      near.onmessage = (message: unknown) => waiting.get(Number((message as JsonObject)['id']))?.(message as JsonObject);
      await near.start();
      let id = 0;
      const ask = (method: string, params: Json): Promise<JsonObject> => {
        id += 1;
        const answer = new Promise<JsonObject>((resolve) => waiting.set(id, resolve));
        return near.send({ jsonrpc: '2.0', id, method, params } as never).then(() => answer);
      };
      await ask('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: info });
      await near.send({ jsonrpc: '2.0', method: 'notifications/initialized' } as never);
      return {
        resource: RESOURCE,
        issuer: ISSUER,
        ran,
        async call(presented) {
          const answer = await ask('tools/call', { name: presented.tool, arguments: presented.args, _meta: metaOf(presented) });
          const { error, code } = ((answer['error'] as JsonObject | undefined)?.['data'] ?? {}) as { error?: string; code?: string };
          return { error, code };
        },
        close: () => near.close(),
      };
    },
  };
}

export const WAYS: readonly Way[] = [
  bare('header'),
  bare('meta'),
  overHttp('MCP v2', 'header'),
  overHttp('MCP v2', 'meta'),
  piped('MCP v2'),
  overHttp('MCP v1', 'header'),
  overHttp('MCP v1', 'meta'),
  piped('MCP v1'),
  overHttp('MCP v1 in Express', 'header'),
  overHttp('MCP v1 in Express', 'meta'),
  overHttp('express', 'header'),
  overHttp('fastify', 'header'),
];
