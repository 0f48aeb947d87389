/** What must hold of a guarded MCP server over HTTP, whichever SDK it is made with. */
import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { Client, PrivateKeyJwtProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { PrivateKeyJwtProvider as ProviderV1 } from '@modelcontextprotocol/sdk/client/auth-extensions.js';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Verifier } from '../../../src/verify/verify.ts';
import type { Json, JsonObject } from '../../../src/wire/json.ts';
import { ARGS, agent, TOOL, thief } from './issuer.ts';
import { agentFetch, baseFor, headersFor, metaFor, openShop, rpcCall, type Shop, send, until } from './shopfront.ts';

const info = { name: 'refund-bot', version: '1.0.0' };
const pem = agent.private.export({ type: 'pkcs8', format: 'pem' }) as string;
const provider = { clientId: 'refund-bot', privateKey: pem, algorithm: 'ES256' };
type Caller = {
  callTool(call: object): Promise<unknown>;
  listTools(): Promise<{ tools: readonly { name: string }[] }>;
  close(): Promise<void>;
};
type Fetch = typeof fetch;

/** Both generations of the official client; `fetch` is the agent's, or none: then it is a stock client with its own login. */
const CLIENTS: readonly (readonly [string, (shop: Shop, fetch?: Fetch) => Promise<Caller>])[] = [
  [
    'v2 client',
    async (shop, fetch) => {
      const client = new Client(info);
      const auth = fetch ? { fetch } : { authProvider: new PrivateKeyJwtProvider({ ...provider, expectedIssuer: shop.issuer }) };
      await client.connect(new StreamableHTTPClientTransport(new URL(shop.resource), auth));
      return client as unknown as Caller;
    },
  ],
  [
    'v2 client, modern protocol',
    async (shop, fetch) => {
      const client = new Client(info, { versionNegotiation: { mode: 'auto' } });
      const auth = fetch ? { fetch } : { authProvider: new PrivateKeyJwtProvider({ ...provider, expectedIssuer: shop.issuer }) };
      await client.connect(new StreamableHTTPClientTransport(new URL(shop.resource), auth));
      return client as unknown as Caller;
    },
  ],
  [
    'v1 client',
    async (shop, fetch) => {
      const client = new ClientV1(info);
      const auth = fetch ? { fetch } : { authProvider: new ProviderV1({ ...provider, expectedIssuer: shop.issuer }) };
      await client.connect(new TransportV1(new URL(shop.resource), auth) as never);
      return client as unknown as Caller;
    },
  ],
];

export function mcpSuite(
  name: string,
  serve: (verifier: Verifier, ran: JsonObject[]) => RequestListener,
  { unreached = ['not_run'] }: { readonly unreached?: readonly string[] } = {},
): void {
  describe(name, () => {
    let shop: Shop;
    before(async () => {
      shop = await openShop(serve);
    });
    after(() => shop.close());
    const forget = (): void => {
      shop.ran.length = 0;
      shop.told.length = 0;
    };
    const argsOf = (message: JsonObject): Json => ((message['params'] as JsonObject)['arguments'] ?? {}) as Json;

    for (const [kind, connect] of CLIENTS) {
      test(`${kind}: a call with its token runs once and is told`, async () => {
        forget();
        const client = await connect(
          shop,
          agentFetch(shop, (message) => headersFor(shop, { args: argsOf(message) })),
        );
        const tools = (await client.listTools()).tools.map((tool) => tool.name);
        assert.ok(tools.includes(TOOL));
        const result = (await client.callTool({ name: TOOL, arguments: ARGS })) as { content: { text: string }[]; isError?: boolean };
        assert.equal(result.isError, undefined);
        // The tool has its default; the digest was taken without it.
        assert.deepEqual(shop.ran, [{ ...ARGS, reason: 'none' }]);
        assert.match(result.content[0]?.text ?? '', /^refunded for people:u_5b2f61 by refund-bot$/);
        await until(() => shop.told.length === 1);
        assert.deepEqual(shop.outcomes(), ['done']);
        assert.match(shop.told[0]?.proof ?? '', /^ey/);
        await client.close();
      });
      test(`${kind}: the second form, in _meta`, async () => {
        forget();
        const client = await connect(
          shop,
          agentFetch(shop, async () => ({ authorization: await baseFor(shop) })),
        );
        const _meta = await metaFor(shop);
        await client.callTool({ name: TOOL, arguments: ARGS, _meta });
        assert.equal(shop.ran.length, 1);
        await assert.rejects(client.callTool({ name: TOOL, arguments: ARGS, _meta }), /This action token has been used/);
        const swapped = await metaFor(shop, {}, { key: thief });
        await assert.rejects(client.callTool({ name: TOOL, arguments: ARGS, _meta: swapped }), /DPoP proof was not accepted/);
        assert.equal(shop.ran.length, 1);
        await client.close();
      });
      test(`${kind}: a second use, another argument, a thief's key: a readable no, and nothing runs`, async () => {
        forget();
        const once = await headersFor(shop);
        const client = await connect(
          shop,
          agentFetch(shop, async () => once),
        );
        await assert.rejects(client.callTool({ name: TOOL, arguments: { ...ARGS, amount_minor: 9 } }), /The token is for other arguments/);
        await client.callTool({ name: TOOL, arguments: ARGS });
        await assert.rejects(client.callTool({ name: TOOL, arguments: ARGS }), /This action token has been used/);
        assert.equal(shop.ran.length, 1);
        const robbed = await connect(
          shop,
          agentFetch(shop, () => headersFor(shop, {}, { key: thief })),
        );
        await assert.rejects(robbed.callTool({ name: TOOL, arguments: ARGS }), /DPoP proof was not accepted/);
        assert.equal(shop.ran.length, 1);
        await client.close();
        await robbed.close();
      });
      test(`${kind}, stock: lists with a base token, and is told readably that a call needs more`, async () => {
        forget();
        const client = await connect(shop);
        assert.ok((await client.listTools()).tools.length >= 2);
        await assert.rejects(client.callTool({ name: TOOL, arguments: ARGS }), /403|insufficient_scope/);
        assert.deepEqual(shop.ran, []);
        await client.close();
      });
      test(`${kind}: a tool that fails, and one that was never reached`, async () => {
        forget();
        const client = await connect(
          shop,
          agentFetch(shop, (message) =>
            headersFor(shop, { args: argsOf(message), tool: String((message['params'] as JsonObject)['name']) }),
          ),
        );
        const failed = (await client.callTool({ name: 'fail', arguments: {} })) as { isError?: boolean };
        assert.equal(failed.isError, true);
        await until(() => shop.told.length === 1);
        assert.deepEqual(shop.outcomes(), ['failed']);
        // The token is good, the tool's own schema is not met.
        await client.callTool({ name: TOOL, arguments: { payment_id: 7 } }).catch(() => {});
        await until(() => shop.told.length === 1 + unreached.length);
        assert.deepEqual(shop.outcomes(), ['failed', ...unreached]);
        assert.deepEqual(shop.ran, []);
        await client.close();
      });
    }

    test('the protected-resource document', async () => {
      const { metadata } = shop.verifier;
      const answer = await fetch(metadata.url);
      assert.equal(answer.headers.get('content-type'), 'application/json');
      assert.deepEqual(await answer.json(), metadata.document);
    });
    test('no token: 401 and where to get one', async () => {
      const { status, headers, code } = await send(shop, { jsonrpc: '2.0', id: 1, method: 'tools/list' });
      assert.deepEqual([status, code], [401, 'ERR_TOKEN_MISSING']);
      assert.match(
        headers.get('www-authenticate') ?? '',
        /^Bearer resource_metadata="http:.*\/mcp", scope="tool:list", DPoP algs="ES256"$/,
      );
      assert.equal((await fetch(shop.resource)).status, 401);
      assert.equal((await fetch(shop.resource, { method: 'DELETE' })).status, 401);
    });
    test('a base token on tools/call: 403 with the scope', async () => {
      const { status, headers } = await send(shop, rpcCall(ARGS), { authorization: await baseFor(shop) });
      assert.equal(status, 403);
      assert.match(headers.get('www-authenticate') ?? '', /scope="tool:create_refund", error="insufficient_scope"/);
    });

    const text = (args: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${TOOL}","arguments":${args}}}`;
    const HOSTILE: readonly (readonly [string, string | object, Record<string, string>, number, string])[] = [
      ['an array', [rpcCall(ARGS)], {}, 400, 'ERR_REQUEST_BATCH'],
      ['an array of one listing', [{ jsonrpc: '2.0', id: 1, method: 'tools/list' }], {}, 400, 'ERR_REQUEST_BATCH'],
      ['no JSON', '{"jsonrpc"', {}, 400, 'ERR_REQUEST_FORM'],
      ['nothing', '', {}, 400, 'ERR_REQUEST_FORM'],
      ['another version', { ...rpcCall(ARGS), jsonrpc: '1.0' }, {}, 400, 'ERR_REQUEST_FORM'],
      ['a call without id', { ...rpcCall(ARGS), id: undefined }, {}, 400, 'ERR_REQUEST_FORM'],
      ['a call without name', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: {} }, {}, 400, 'ERR_REQUEST_FORM'],
      ['params that are a list', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: [] }, {}, 400, 'ERR_REQUEST_FORM'],
      ['two equal keys', text(`${JSON.stringify(ARGS).slice(0, -1)},"amount_minor":9}`), {}, 400, 'ERR_REQUEST_FORM'],
      ['a number that rounds', text('{"amount_minor":9007199254740993}'), {}, 400, 'ERR_REQUEST_FORM'],
      ['a lone surrogate', text('{"a":"\\ud800"}'), {}, 400, 'ERR_REQUEST_FORM'],
      ['a prototype', text('{"__proto__":{}}'), {}, 400, 'ERR_REQUEST_FORM'],
      ['arguments that are a list', text('[]'), {}, 400, 'ERR_ARGUMENTS_FORM'],
      ['input beside the arguments', rpcCall(ARGS, { inputResponses: { a: {} } }), {}, 400, 'ERR_REQUEST_INPUT'],
      ['state beside the arguments', rpcCall(ARGS, { requestState: 'x' }), {}, 400, 'ERR_REQUEST_INPUT'],
      ['a header for another method', rpcCall(ARGS), { 'mcp-method': 'tools/list' }, 400, 'ERR_REQUEST_HEADERS'],
      ['a header for another tool', rpcCall(ARGS), { 'mcp-name': 'delete_customer' }, 400, 'ERR_REQUEST_HEADERS'],
      ['too much', text(`{"a":"${'x'.repeat(330_000)}"}`), {}, 413, 'ERR_REQUEST_SIZE'],
      ['another type', rpcCall(ARGS), { 'content-type': 'text/plain' }, 415, 'ERR_REQUEST_TYPE'],
    ];
    for (const [what, body, headers, status, code] of HOSTILE) {
      test(`${what}: ${status}, and the token is still good`, async () => {
        forget();
        const good = await headersFor(shop);
        const answer = await send(shop, body, { ...good, ...headers });
        assert.deepEqual([answer.status, answer.code], [status, code], answer.text);
        assert.equal((await send(shop, rpcCall(ARGS), good)).status, 200);
        assert.equal(shop.ran.length, 1);
      });
    }
    for (const method of [
      'resources/list',
      'resources/read',
      'prompts/get',
      'completion/complete',
      'logging/setLevel',
      'tasks/result',
      'Tools/call',
    ]) {
      test(`${method} is not open to a base token`, async () => {
        const answer = await send(shop, { jsonrpc: '2.0', id: 1, method, params: {} }, { authorization: await baseFor(shop) });
        assert.deepEqual([answer.status, answer.code], [403, 'ERR_METHOD_REFUSED']);
      });
    }
    test('an answer to a question of the server is input that no digest covers', async () => {
      const answer = await send(shop, { jsonrpc: '2.0', id: 1, result: {} }, { authorization: await baseFor(shop) });
      assert.deepEqual([answer.status, answer.code], [403, 'ERR_METHOD_REFUSED']);
    });
    test('twenty of the same bytes at once: one runs, nineteen get 409', async () => {
      forget();
      const headers = await headersFor(shop);
      const answers = await Promise.all(Array.from({ length: 20 }, () => send(shop, rpcCall(ARGS), headers)));
      assert.equal(shop.ran.length, 1);
      assert.deepEqual(answers.map((one) => one.status).sort(), [200, ...Array.from({ length: 19 }, () => 409)]);
    });
  });
}
