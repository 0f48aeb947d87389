import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { AgentError, createAgent, type Fetch } from '../../../src/agent/agent.ts';
import { digest } from '../../../src/wire/digest.ts';
import { proofChecker } from '../../../src/wire/dpop.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { peek } from '../../../src/wire/jws.ts';
import { clientKeys, closed, type FakeBroker, fakeBroker } from './broker.ts';

const keys = clientKeys();
interface Hit {
  readonly method: string;
  readonly body: string;
  readonly claims: JsonObject;
  readonly headers: Headers;
}
/** A guarded server's edge: checks the proof against method and URL, then answers as told, 200 by default. */
interface Edge {
  readonly fetch: Fetch;
  readonly hits: Hit[];
  readonly answers: Response[];
  nonce: string | undefined;
}
const url = 'https://mcp.shop.example/mcp';
function edge(broker: () => FakeBroker): Edge {
  const check = proofChecker();
  const seen = new Set<string>();
  const self: Edge = {
    hits: [],
    answers: [],
    nonce: undefined,
    async fetch(input, init = {}) {
      if (String(input).startsWith(broker().issuer)) return fetch(input, init);
      const headers = new Headers(init.headers);
      const [scheme, token = ''] = (headers.get('authorization') ?? '').split(' ');
      assert.equal(scheme, 'DPoP');
      const claims = peek(token) ?? assert.fail();
      const proof = check(headers.get('dpop') ?? '', {
        htm: init.method ?? '',
        htu: String(input).replace(/[?#].*$/, ''),
        now: Math.floor(Date.now() / 1_000),
        token,
        nonce: (shown) => shown === self.nonce,
      });
      if (!proof.ok && proof.error === 'proof_nonce_needed') return challenge(self.nonce ?? '');
      assert.ok(proof.ok && proof.value.jkt === (claims['cnf'] as JsonObject)['jkt'], JSON.stringify(proof));
      assert.ok(!seen.has(proof.value.jti), 'a proof was sent twice');
      seen.add(proof.value.jti);
      self.hits.push({ method: init.method ?? '', body: typeof init.body === 'string' ? init.body : '', claims, headers });
      return self.answers.shift() ?? Response.json({ jsonrpc: '2.0', id: 1, result: {} });
    },
  };
  return self;
}
const challenge = (nonce: string): Response =>
  new Response(null, {
    status: 401,
    headers: { 'dpop-nonce': nonce, 'www-authenticate': 'Bearer, DPoP error="use_dpop_nonce", algs="ES256"' },
  });

let broker: FakeBroker;
let server: Edge;
beforeEach(async () => {
  broker = await fakeBroker({ clientId: 'bot', jwks: keys.jwks });
  server = edge(() => broker);
});
afterEach(() => broker.close());
const make = () => createAgent({ issuer: broker.issuer, clientId: 'bot', key: keys.jwk, fetch: server.fetch, wait: async () => {} });
const post = (body: unknown): RequestInit => ({ method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
const call = (id: unknown, args?: object, name = 'create_refund') =>
  post({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, ...(args && { arguments: args }) } });
const scopes = () => server.hits.map((h) => h.claims['scope']);

describe('fetch', () => {
  it('shows a base token for everything but tools/call, with a proof of that method and URL', async () => {
    const f = make().fetch;
    await f(url, post({ jsonrpc: '2.0', id: 0, method: 'initialize' }));
    await f(new URL(`${url}?session=1#x`), { method: 'GET', headers: { accept: 'text/event-stream' } });
    await f(url, { method: 'DELETE' });
    await f(url, post({ jsonrpc: '2.0', id: 1, result: { method: 'tools/call' } }));
    assert.deepEqual(scopes(), ['tool:list', 'tool:list', 'tool:list', 'tool:list']);
    assert.equal(broker.counts.minted, 1);
    assert.equal(server.hits[1]?.headers.get('accept'), 'text/event-stream');
    assert.ok(broker.seen.every((s) => s.form.get('resource') === url));
  });

  it('gets a token for exactly params.arguments, absent ones being {}', async () => {
    const f = make().fetch;
    const args = { payment_id: 'p', amount_minor: 1.5, note: 'é\u2028' };
    await f(url, call(1, args));
    await f(url, call(2, undefined, 'list_orders'));
    const digests = server.hits.map((h) => (h.claims['authorization_details'] as JsonObject[])[0]?.['arguments_digest']);
    assert.deepEqual(digests, [digest(args), digest({})]);
    assert.deepEqual(scopes(), ['tool:create_refund', 'tool:list_orders']);
    assert.deepEqual(JSON.parse(server.hits[0]?.body ?? ''), JSON.parse(String(call(1, args).body)));
  });

  it('replaces what the caller put into Authorization and DPoP', async () => {
    await make().fetch(url, { ...call(1), headers: { Authorization: 'Bearer x', DPoP: 'y', 'Mcp-Session-Id': 's' } });
    assert.match(server.hits[0]?.headers.get('authorization') ?? '', /^DPoP /);
    assert.equal(server.hits[0]?.headers.get('mcp-session-id'), 's');
  });

  it('brings the same txn for the same (function, id), another for any other', async () => {
    const agent = make();
    const [f, g] = [agent.fetch, agent.fetch];
    for (const [fetch, id] of [
      [f, 1],
      [f, 1],
      [f, 2],
      [f, '1'],
      [g, 1],
    ] as const)
      await fetch(url, call(id, { a: 1 }));
    const [first, again, ...others] = server.hits.map((h) => h.claims['txn']);
    assert.equal(first, again);
    assert.equal(new Set([first, ...others]).size, 4);
    assert.equal(broker.counts.minted, 4);
  });

  it('carries resource, purpose and context where they are given', async () => {
    const f = make().fetchWith({
      resource: 'https://mcp.shop.example/registered',
      purpose: (c) => `for ${c.tool}`,
      context: { model: 'm' },
    });
    await f(url, call(1));
    const [entry] = JSON.parse(broker.seen[0]?.form.get('authorization_details') ?? '') as JsonObject[];
    assert.deepEqual(
      [entry?.['locations'], entry?.['purpose'], entry?.['context']],
      [['https://mcp.shop.example/registered'], 'for create_refund', { model: 'm' }],
    );
    await assert.rejects(f('https://evil.example/mcp', call(2)), { code: 'ERR_ACTION' });
    assert.equal(server.hits.length, 1);
  });

  it('signs again for a nonce challenge with the same token, and remembers the nonce for that origin', async () => {
    server.nonce = 'n1';
    const f = make().fetch;
    await f(url, call(1));
    assert.deepEqual([server.hits.length, broker.counts.minted], [1, 1]);
    server.nonce = 'n2';
    server.answers.push(Response.json({}, { headers: { 'dpop-nonce': 'n3' } }));
    await f(url, { method: 'GET' });
    server.nonce = 'n3';
    await f(url, call(2));
    assert.deepEqual([server.hits.length, broker.counts.minted, broker.counts.challenges], [3, 3, 1]);
  });

  it('challenged for ever, returns the challenge', async () => {
    const f = make().fetch;
    server.nonce = 'a';
    server.answers.push(challenge('b'));
    const answer = await f(url, call(1));
    assert.deepEqual([answer.status, server.hits.length, broker.counts.minted], [401, 1, 1]);
  });

  for (const [status, reason] of [
    [401, 'invalid_token'],
    [401, 'invalid_dpop_proof'],
    [403, 'insufficient_scope'],
    [409, 'action_consumed'],
    [500, 'x'],
    [307, 'x'],
  ] as const) {
    it(`never sends a tools/call again after ${status} ${reason}`, async () => {
      const f = make().fetch;
      server.answers.push(
        new Response(null, {
          status,
          headers: { 'www-authenticate': `DPoP error="${reason}"`, 'dpop-nonce': 'n', location: '/elsewhere' },
        }),
      );
      const answer = await f(url, call(1));
      assert.deepEqual([answer.status, server.hits.length, broker.counts.minted], [status, 1, 1]);
    });
  }

  it('renews a base token that the server does not accept any more, once', async () => {
    const f = make().fetch;
    const no = (): Response => new Response(null, { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
    server.answers.push(no());
    assert.equal((await f(url, post({ id: 1, method: 'tools/list' }))).status, 200);
    assert.equal(broker.counts.minted, 2);
    server.answers.push(no(), no());
    assert.equal((await f(url, post({ id: 2, method: 'tools/list' }))).status, 401);
    assert.deepEqual([server.hits.length, broker.counts.minted], [4, 3]);
  });

  const hostile: readonly [string, RequestInit][] = [
    ['a JSON-RPC array', post([{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'a' } }])],
    ['duplicate keys', post('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":1,"n":2}}}')],
    [
      'a number beyond 2^53',
      post('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"n":9007199254740993}}}'),
    ],
    ['arguments that are a list', call(1, [1])],
    ['no params', post({ id: 1, method: 'tools/call' })],
    ['a tool name that is none', call(1, {}, 'a b')],
    ['no JSON', post('hello')],
    ['bytes', { method: 'POST', body: new Uint8Array([123, 125]) }],
  ];
  for (const [what, init] of hostile) {
    it(`sends nothing for ${what}`, async () => {
      await assert.rejects(make().fetch(url, init), { code: 'ERR_ACTION' });
      assert.deepEqual([server.hits.length, broker.counts.minted], [0, 0]);
    });
  }
});

describe('with the official clients', () => {
  let ran = 0;
  const mcp = createMcpHandler(() => {
    const shop = new McpServer({ name: 'shop', version: '1.0.0' });
    shop.registerTool('create_refund', { description: 'r', inputSchema: z.strictObject({ amount_minor: z.int() }) }, () => {
      ran++;
      return { content: [{ type: 'text', text: 'done' }] };
    });
    return shop;
  });
  const handle = toNodeHandler(mcp);
  const scopesSeen: unknown[] = [];
  const http = createServer((request, response) => {
    scopesSeen.push([request.method, peek((request.headers.authorization ?? '').replace('DPoP ', ''))?.['scope']]);
    // The SDK's own structural type and exactOptionalPropertyTypes disagree on `undefined`.
    void handle(request as Parameters<typeof handle>[0], response);
  });
  const clients: readonly [
    string,
    (f: Fetch, to: URL) => Promise<{ list(): Promise<number>; call(): Promise<unknown>; close(): Promise<void> }>,
  ][] = [
    [
      'v2',
      async (f, to) => {
        const client = new Client({ name: 'a', version: '1' });
        await client.connect(new StreamableHTTPClientTransport(to, { fetch: f }));
        return {
          list: async () => (await client.listTools()).tools.length,
          call: () => client.callTool({ name: 'create_refund', arguments: { amount_minor: 1 } }),
          close: () => client.close(),
        };
      },
    ],
    [
      'v1',
      async (f, to) => {
        const client = new ClientV1({ name: 'a', version: '1' });
        await client.connect(new TransportV1(to, { fetch: f }) as Parameters<ClientV1['connect']>[0]);
        return {
          list: async () => (await client.listTools()).tools.length,
          call: () => client.callTool({ name: 'create_refund', arguments: { amount_minor: 1 } }),
          close: () => client.close(),
        };
      },
    ],
  ];
  for (const [version, connect] of clients) {
    it(`${version}: lists with the base token, calls with an action token, and hands the broker's no to the caller`, async (t) => {
      t.after(() => closed(http));
      await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
      const to = new URL(`http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`);
      const agent = createAgent({ issuer: broker.issuer, clientId: 'bot', key: keys.jwk, wait: async () => {} });
      ran = 0;
      scopesSeen.length = 0;
      const client = await connect(agent.fetch, to);
      t.after(() => client.close());
      assert.equal(await client.list(), 1);
      await client.call();
      assert.equal(ran, 1);
      assert.equal(scopesSeen.filter((s) => JSON.stringify(s) === '["POST","tool:create_refund"]').length, 1);
      assert.ok(
        scopesSeen.every((s) => /tool:(list|create_refund)"/.test(JSON.stringify(s))),
        JSON.stringify(scopesSeen),
      );

      broker.tricks.push({ answer: 403, body: { error: 'access_denied', reason: 'refund_too_large', remedy: { text: 'ask for less' } } });
      await assert.rejects(
        client.call(),
        (error) => error instanceof AgentError && error.reason === 'refund_too_large' && error.remedy?.text === 'ask for less',
      );
      assert.equal(ran, 1);
    });
  }
});
