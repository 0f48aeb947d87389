/** Stock MCP clients, without a line of ours: `private_key_jwt`, no DPoP. They list the tools; they cannot call one. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, PrivateKeyJwtProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { PrivateKeyJwtProvider as ProviderV1 } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type Demo, openDemo } from '../support/demo.ts';

let demo: Demo;
before(async () => {
  demo = await openDemo();
});
after(() => demo.close());

describe('a stock client', () => {
  const about = { name: 'nightly-report', version: '1.0.0' };
  const credentials = (): { clientId: string; privateKey: Record<string, unknown>; algorithm: string; expectedIssuer: string } => ({
    clientId: 'nightly-report',
    privateKey: { ...demo.agents['nightly-report'].privateJwk },
    algorithm: 'ES256',
    expectedIssuer: demo.issuer,
  });

  it('v2 lists the tools with a base token, and its call does not run', async () => {
    const client = new Client(about);
    await client.connect(
      new StreamableHTTPClientTransport(new URL(demo.shop.resource), { authProvider: new PrivateKeyJwtProvider(credentials()) }),
    );
    assert.equal((await client.listTools()).tools.length, 3);
    await assert.rejects(client.callTool({ name: 'list_orders', arguments: {} }));
    assert.equal(demo.shop.runs(), 0);
    await client.close();
  });

  it('v1 lists the tools with a base token, and its call does not run', async () => {
    // v1 takes the scope from its own settings alone, whatever the server's documents say.
    const client = new ClientV1(about);
    const transport = new TransportV1(new URL(demo.shop.resource), {
      authProvider: new ProviderV1(credentials()),
    });
    await client.connect(transport as Parameters<ClientV1['connect']>[0]);
    assert.equal((await client.listTools()).tools.length, 3);
    await assert.rejects(client.callTool({ name: 'list_orders', arguments: {} }));
    assert.equal(demo.shop.runs(), 0);
    await client.close();
  });
});
