/** The company's other tool servers: real MCP servers, guarded as the shop is, whose tools do nothing but say so. */
import { createPrivateKey } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { localhostHostValidation, toNodeHandler } from '@modelcontextprotocol/node';
import { type CallToolResult, createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { guard, guardTools } from '../../src/verify/adapter-mcp.ts';
import { createVerifier, memoryConsumed, receipts } from '../../src/verify/verify.ts';
import type { DemoKey } from './keys.ts';

export interface Office {
  readonly resource: string;
  close(): Promise<void>;
}
export interface OfficeOptions {
  readonly id: string;
  readonly name: string;
  readonly tools: readonly string[];
  readonly issuer: string;
  readonly key: DemoKey;
  /** Tools that fail for these arguments. */
  readonly fails?: (tool: string, args: object) => boolean;
}

export async function startOffice({ id, name, tools, issuer, key, fails }: OfficeOptions): Promise<Office> {
  let serve: Parameters<typeof createServer>[1] = (_, response) => void response.writeHead(503).end();
  const http = createServer((request, response) => serve?.(request, response));
  await new Promise<void>((done, failed) => http.once('error', failed).listen(0, '127.0.0.1', done));
  const resource = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  const told = receipts({ issuer, clientId: id, key: createPrivateKey({ key: { ...key.privateJwk }, format: 'jwk' }), kid: key.kid });
  const verifier = createVerifier({ issuer, resource, consumed: memoryConsumed(), receipts: told, name, tools });
  const open = (): McpServer => {
    const server = guardTools(new McpServer({ name: id, version: '1.0.0' }));
    for (const tool of tools) {
      server.registerTool(tool, { description: tool, inputSchema: z.looseObject({}) }, (args): CallToolResult => {
        const failed = fails?.(tool, args) === true;
        return { ...(failed && { isError: true }), content: [{ type: 'text', text: failed ? 'There is no such thing.' : 'Done.' }] };
      });
    }
    return server;
  };
  const handler = toNodeHandler(guard(createMcpHandler(open), { verifier }));
  const known = localhostHostValidation();
  serve = (request, response) => {
    // The SDK's own structural type and exactOptionalPropertyTypes disagree on `undefined`.
    if (known(request, response)) void handler(request as Parameters<typeof handler>[0], response);
  };
  return {
    resource,
    async close() {
      await new Promise<void>((done) => {
        http.close(() => done());
        http.closeAllConnections();
      });
      await told.close();
    },
  };
}
