import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, InMemoryTransport, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { guard, guardTools } from '../../../src/verify/adapter-mcp.ts';
import { currentAction } from '../../../src/verify/verify.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { mcpSuite } from './mcp-suite.ts';

const inputSchema = z.object({
  payment_id: z.string(),
  amount_minor: z.number(),
  currency: z.string(),
  reason: z.string().default('none'),
});

function shopServer(ran: JsonObject[]): McpServer {
  const server = guardTools(new McpServer({ name: 'shop', version: '1.0.0' }));
  server.registerTool('create_refund', { inputSchema }, async (args, ctx) => {
    ran.push(args);
    const action = currentAction();
    assert.deepEqual(
      Object.keys(ctx.mcpReq._meta ?? {}).filter((name) => name.startsWith('countersign/')),
      [],
    );
    assert.equal(ctx.http?.authInfo?.extra?.['action'], action);
    assert.equal(ctx.http?.authInfo?.token, '');
    return { content: [{ type: 'text', text: `refunded for ${action?.subject} by ${action?.actors[0]?.sub}` }] };
  });
  server.registerTool('fail', {}, async () => {
    throw new Error('the till is stuck');
  });
  return server;
}
mcpSuite('MCP server of SDK v2', (verifier, ran) => {
  const handle = toNodeHandler(
    guard(
      createMcpHandler(() => shopServer(ran)),
      { verifier },
    ),
  );
  return (req, res) => void handle(req as never, res as never);
});
mcpSuite('MCP server of SDK v2 that streams', (verifier, ran) => {
  const handle = toNodeHandler(
    guard(
      createMcpHandler(() => shopServer(ran), { responseMode: 'sse' }),
      { verifier },
    ),
  );
  return (req, res) => void handle(req as never, res as never);
});

test('a guarded tool that is reached without a guard does not run', async () => {
  const ran: JsonObject[] = [];
  const [near, far] = InMemoryTransport.createLinkedPair();
  await shopServer(ran).connect(far);
  const answers: unknown[] = [];
  near.onmessage = (message) => answers.push(message);
  await near.start();
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
  await near.send({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
  await near.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  const args = { payment_id: 'p', amount_minor: 1, currency: 'EUR' };
  await near.send({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'create_refund', arguments: args } });
  for (let i = 0; i < 100 && answers.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.match(JSON.stringify(answers[1]), /"isError":true/);
  assert.deepEqual(ran, []);
});
