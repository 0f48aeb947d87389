import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport as MemoryV1 } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer as ServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { InMemoryTransport as MemoryV2, McpServer as ServerV2 } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { z } from 'zod';
import * as v2 from '../../../src/verify/adapter-mcp.ts';
import * as v1 from '../../../src/verify/adapter-mcp-v1.ts';
import type { Receipts, Verifier } from '../../../src/verify/verify.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { ARGS, actionToken, call, proof, shop, TOOL, thief } from './issuer.ts';

const info = { name: 'shop', version: '1.0.0' };
const shape = { payment_id: z.string(), amount_minor: z.number(), currency: z.string(), reason: z.string().default('none') };
interface Caller {
  callTool(call: object): Promise<unknown>;
  listTools(): Promise<{ tools: readonly unknown[] }>;
  ping?(): Promise<unknown>;
}
type Connect = (verifier: Verifier, ran: JsonObject[]) => Promise<Caller>;
const done = { content: [{ type: 'text' as const, text: 'refunded' }] };

const KINDS: readonly (readonly [string, Connect])[] = [
  [
    'SDK v1',
    async (verifier, ran) => {
      const server = v1.guardTools(new ServerV1(info));
      server.registerTool(TOOL, { inputSchema: shape }, async (args) => {
        ran.push(args);
        return done;
      });
      const [near, far] = MemoryV1.createLinkedPair();
      await server.connect(v1.guardTransport(far, { verifier }));
      const client = new ClientV1(info);
      await client.connect(near);
      return client;
    },
  ],
  [
    'SDK v2, serveStdio',
    async (verifier, ran) => {
      const [near, far] = MemoryV2.createLinkedPair();
      const factory = () => {
        const server = v2.guardTools(new ServerV2(info));
        server.registerTool(TOOL, { inputSchema: z.object(shape) }, async (args) => {
          ran.push(args);
          return done;
        });
        return server;
      };
      serveStdio(factory, { transport: v2.guardTransport(far, { verifier }) });
      const client = new ClientV2(info, { versionNegotiation: { mode: 'auto' } });
      await client.connect(near as never);
      return client as unknown as Caller;
    },
  ],
];
const metaOf = async (args: Parameters<typeof actionToken>[0] = {}, proving: Parameters<typeof proof>[2] = {}) => {
  const token = await actionToken(args);
  return call('meta', token, await proof(token, 'meta', proving)).meta;
};

for (const [kind, connect] of KINDS) {
  describe(`without HTTP: ${kind}`, () => {
    test('listing is open, a call brings its token, and runs once', async () => {
      const ran: JsonObject[] = [];
      const told: string[] = [];
      const receipts = { add: async (receipt: { outcome: string }) => void told.push(receipt.outcome) } as unknown as Receipts;
      const client = await connect(shop({ receipts }), ran);
      assert.equal((await client.listTools()).tools.length, 1);
      const request = { name: TOOL, arguments: ARGS, _meta: await metaOf() };
      await client.callTool(request);
      assert.deepEqual(ran, [{ ...ARGS, reason: 'none' }]);
      assert.deepEqual(told, ['done']);
      await assert.rejects(client.callTool(request), /This action token has been used/);
      assert.equal(ran.length, 1);
    });
    test('no token, other arguments, a thief: a readable no', async () => {
      const ran: JsonObject[] = [];
      const client = await connect(shop(), ran);
      const refused = (request: object, why: RegExp) => assert.rejects(client.callTool({ name: TOOL, arguments: ARGS, ...request }), why);
      await refused({}, /A token of the authorization server is needed/);
      await refused({ _meta: await metaOf({ args: {} }) }, /The token is for other arguments/);
      await refused({ _meta: await metaOf({}, { key: thief }) }, /DPoP proof was not accepted/);
      await refused({ name: 'delete_customer', _meta: await metaOf() }, /Every tools\/call needs an action token/);
      assert.deepEqual(ran, []);
    });
  });
}

describe('the guarded transport itself', () => {
  async function pair(verifier: Verifier = shop()) {
    const [near, far] = MemoryV1.createLinkedPair();
    const guarded = v1.guardTransport(far, { verifier });
    const inside: JsonObject[] = [];
    const answers: JsonObject[] = [];
    guarded.onmessage = (message) => void inside.push(message as unknown as JsonObject);
    near.onmessage = (message) => void answers.push(message as unknown as JsonObject);
    await guarded.start();
    await near.start();
    return { near, inside, answers, closed: guarded };
  }
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

  test('only listing goes in without a token; answers and other methods do not', async () => {
    const { near, inside, answers } = await pair();
    for (const method of ['initialize', 'ping', 'tools/list', 'notifications/progress', 'resources/read', 'sampling/createMessage']) {
      await near.send({ jsonrpc: '2.0', id: method, method } as never);
    }
    await near.send({ jsonrpc: '2.0', id: 1, result: {} });
    await near.send({ jsonrpc: '2.0', method: 'tools/call', params: { name: TOOL } });
    await settled();
    assert.deepEqual(
      inside.map((message) => message['method']),
      ['initialize', 'ping', 'tools/list', 'notifications/progress'],
    );
    assert.deepEqual(
      answers.map((message) => [message['id'], (message['error'] as JsonObject)['data']]),
      ['resources/read', 'sampling/createMessage'].map((id) => [id, { error: 'access_denied', code: 'ERR_METHOD_REFUSED' }]),
    );
  });
  test('no option opens tools/call', async () => {
    const { near, inside, answers } = await pair(shop({ methods: ['tools/call', 'resources/list'] }));
    await near.send({ jsonrpc: '2.0', method: 'tools/call', params: { name: TOOL } });
    await near.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: TOOL } });
    await near.send({ jsonrpc: '2.0', id: 2, method: 'resources/list' });
    await settled();
    assert.deepEqual([inside.map((message) => message['method']), answers.map((message) => message['id'])], [['resources/list'], [1]]);
  });
  test('a call that was cancelled while it was checked does not run', async () => {
    let release: (first: boolean) => void = () => {};
    const told: string[] = [];
    const receipts = { add: async (receipt: { outcome: string }) => void told.push(receipt.outcome) } as unknown as Receipts;
    const consumed = { consume: () => new Promise<boolean>((resolve) => (release = resolve)) };
    const { near, inside, answers } = await pair(shop({ consumed, receipts }));
    const params = { name: TOOL, arguments: ARGS, _meta: await metaOf() };
    await near.send({ jsonrpc: '2.0', id: 5, method: 'tools/call', params } as never);
    await settled();
    await near.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5 } });
    release(true);
    await settled();
    assert.deepEqual(
      inside.map((message) => message['method']),
      ['notifications/cancelled'],
    );
    assert.deepEqual([told, answers], [['not_run'], []]);
  });
  test('the token and its proof do not go on', async () => {
    const { near, inside } = await pair();
    const params = { name: TOOL, arguments: ARGS, _meta: { ...((await metaOf()) as object), progressToken: 1 } };
    await near.send({ jsonrpc: '2.0', id: 5, method: 'tools/call', params } as never);
    await settled();
    assert.deepEqual(inside, [{ jsonrpc: '2.0', id: 5, method: 'tools/call', params: { ...params, _meta: { progressToken: 1 } } }]);
  });
  test('closing passes both ways', async () => {
    const { near, closed } = await pair();
    let ended = 0;
    closed.onclose = () => ended++;
    await near.close();
    assert.equal(ended, 1);
  });
});
