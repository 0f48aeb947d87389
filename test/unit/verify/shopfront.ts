/** A shop over real HTTP, with a fake authorization server beside it, and an agent that presents whatever it is told to. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createVerifier, memoryConsumed, type Outcome, type Receipt, type Receipts, type Verifier } from '../../../src/verify/verify.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { actionToken, baseToken, keySource, type Minting, NOW, type Proving, proof, TOOL } from './issuer.ts';

/** What the shop's tools saw and the broker was told. */
export interface Shop {
  readonly resource: string;
  readonly issuer: string;
  readonly verifier: Verifier;
  readonly ran: JsonObject[];
  readonly told: Receipt[];
  readonly outcomes: () => readonly Outcome[];
  close(): Promise<void>;
}
const now = (): number => NOW;

export async function openShop(
  serve: (verifier: Verifier, ran: JsonObject[]) => RequestListener,
  methods: readonly string[] = [],
): Promise<Shop> {
  let listener: RequestListener = (_req, res) => res.end();
  const server = createServer((req, res) => listener(req, res));
  const { issuer, close } = await openIssuer();
  const resource = `${await listen(server)}/mcp`;
  const told: Receipt[] = [];
  const receipts: Receipts = {
    add: async (receipt) => void told.push(receipt),
    flush: async () => 0,
    close: async () => {},
    counts: { queued: 0, sent: 0, dead: 0, lost: 0 },
  };
  const verifier = createVerifier({ issuer, resource, consumed: memoryConsumed({ now }), keys: keySource(), now, receipts, methods });
  const ran: JsonObject[] = [];
  listener = serve(verifier, ran);
  return {
    resource,
    issuer,
    verifier,
    ran,
    told,
    outcomes: () => told.map((receipt) => receipt.outcome),
    async close() {
      await shut(server);
      await close();
    },
  };
}

/** Gives a base token to anyone, whatever scope is asked: what stock clients do with it is the question. */
async function openIssuer(): Promise<{ issuer: string; close: () => Promise<void> }> {
  let issuer = '';
  const answer = (res: ServerResponse, body: unknown): void => {
    res.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  };
  const server = createServer(async (req, res) => {
    if (req.url === '/.well-known/oauth-authorization-server') {
      return answer(res, {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        response_types_supported: [],
        grant_types_supported: ['client_credentials'],
        token_endpoint_auth_methods_supported: ['private_key_jwt'],
        token_endpoint_auth_signing_alg_values_supported: ['ES256'],
      });
    }
    if (req.url !== '/token') return res.writeHead(404).end();
    const form = new URLSearchParams(await text(req));
    const token = await baseToken({ iss: issuer }, { resource: form.get('resource') ?? '' });
    return answer(res, { access_token: token, token_type: 'Bearer', expires_in: 600, scope: 'tool:list' });
  });
  issuer = await listen(server);
  return { issuer, close: () => shut(server) };
}
async function text(req: IncomingMessage): Promise<string> {
  let all = '';
  for await (const chunk of req) all += chunk;
  return all;
}
async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
async function shut(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

/** Headers of a call, as an agent's library would set them. */
export async function headersFor(shop: Shop, asked: Minting = {}, proving: Proving = {}): Promise<Record<string, string>> {
  const token = await actionToken({ resource: shop.resource, ...asked, claims: { iss: shop.issuer, ...asked.claims } });
  return { authorization: `DPoP ${token}`, dpop: await proof(token, 'header', { resource: shop.resource, ...proving }) };
}
export async function metaFor(shop: Shop, asked: Minting = {}, proving: Proving = {}): Promise<JsonObject> {
  const token = await actionToken({ resource: shop.resource, ...asked, claims: { iss: shop.issuer, ...asked.claims } });
  const proved = await proof(token, 'meta', { resource: shop.resource, ...proving });
  return { 'countersign/action-token': token, 'countersign/action-proof': proved };
}
export const baseFor = async (shop: Shop): Promise<string> =>
  `Bearer ${await baseToken({ iss: shop.issuer }, { resource: shop.resource })}`;

/** A fetch for MCP clients: listing with a base token, each call with `call()`. */
export function agentFetch(shop: Shop, call: (message: JsonObject) => Promise<Record<string, string>>): typeof fetch {
  return async (url, init) => {
    const headers = new Headers(init?.headers);
    const message = typeof init?.body === 'string' ? (JSON.parse(init.body) as JsonObject) : {};
    const mine = message['method'] === 'tools/call' ? await call(message) : { authorization: await baseFor(shop) };
    for (const [name, value] of Object.entries(mine)) headers.set(name, value);
    return fetch(url, { ...init, headers });
  };
}
/** A bare POST, for bodies that no client would send. */
export async function send(shop: Shop, body: string | object, headers: Record<string, string> = {}) {
  const answer = await fetch(shop.resource, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const got = await answer.text();
  const code = /"code":"(ERR_[A-Z_]+)"/.exec(got)?.[1];
  return { status: answer.status, code, text: got, headers: answer.headers };
}
export const rpcCall = (args: object, rest: object = {}): object => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: TOOL, arguments: args, ...rest },
});
export async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  if (!done()) throw new Error('it did not come to pass');
}
