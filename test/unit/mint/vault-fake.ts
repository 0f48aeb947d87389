/** A small Vault in this process: it keeps logins and leases as Vault does, writes down what it is asked, and misbehaves on demand. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseJson } from '../../../src/wire/json.ts';

export type Body = Readonly<Record<string, unknown>>;
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Body;
  /** Of the connection, at the other end. */
  readonly port: number | undefined;
}
/** What stands for an answer: its body and status; how it is written otherwise; or undefined for the usual one. */
export type Answer = { readonly status?: number; readonly body: Body } | ((response: ServerResponse) => void) | undefined;
export interface FakeVault extends AsyncDisposable {
  readonly address: string;
  readonly asked: Asked[];
  /** Path to answer; the usual one where there is none. */
  readonly answers: Map<string, (asked: Asked) => Answer>;
  /** Logins that live: token to seconds. */
  readonly logins: Map<string, number>;
  /** Leases that live: id to the time they were made, epoch seconds. */
  readonly leases: Map<string, number>;
  /** What a path gives beside a lease. */
  readonly secrets: Map<string, Body>;
  now: number;
  steps(): readonly string[];
}

export async function fakeVault({ tls }: { tls?: { key: string; cert: string } } = {}): Promise<FakeVault> {
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    take(request)
      .then((asked) => {
        vault.asked.push(asked);
        const given = vault.answers.get(asked.path);
        const answer = given ? given(asked) : undefined;
        if (typeof answer === 'function') return answer(response);
        const { status = 200, body } = answer ?? usual(vault, asked);
        if (status === 204) return void response.writeHead(204).end();
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      })
      .catch(() => response.destroy());
  };
  const server = tls ? createSecureServer(tls, handle) : createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const vault: FakeVault = {
    address: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    answers: new Map(),
    logins: new Map(),
    leases: new Map(),
    secrets: new Map(),
    now: 1_795_176_000,
    steps: () => vault.asked.map(({ method, path }) => `${method} ${path}`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return vault;
}
async function take(request: IncomingMessage): Promise<Asked> {
  const { method = '', url = '', headers } = request;
  const written = await text(request);
  const body = written === '' ? undefined : parseJson(written);
  return { method, path: url.replace(/^\/v1\//, ''), headers, body: body?.ok ? (body.value as Body) : {}, port: request.socket.remotePort };
}

/** As Vault 1.21 answers. */
function usual(vault: FakeVault, { method, path, headers, body }: Asked): { readonly status?: number; readonly body: Body } {
  const token = String(headers['x-vault-token'] ?? '');
  const whole = { request_id: 'r', lease_id: '', lease_duration: 0, renewable: false, data: null, warnings: null, auth: null };
  const denied = { status: 403, body: { errors: ['permission denied'] } };
  const auth = (of: string): Body => ({
    client_token: of,
    accessor: 'a',
    policies: ['p'],
    lease_duration: vault.logins.get(of),
    renewable: true,
    token_type: 'service',
  });
  if (path === 'sys/health') return { body: { initialized: true, sealed: false, standby: false } };
  if (path === 'auth/jwt/login') {
    const made = `hvs.${randomBytes(12).toString('base64url')}`;
    vault.logins.set(made, 900);
    return { body: { ...whole, auth: auth(made) } };
  }
  if (!vault.logins.has(token)) return denied;
  if (path === 'auth/token/renew-self') {
    vault.logins.set(token, Number(body['increment']));
    return { body: { ...whole, auth: auth(token) } };
  }
  if (path === 'auth/token/revoke-self') {
    vault.logins.delete(token);
    return { status: 204, body: {} };
  }
  if (path === 'sys/leases/lookup') {
    const at = vault.leases.get(String(body['lease_id']));
    if (at === undefined) return { status: 400, body: { errors: ['invalid lease'] } };
    return { body: { ...whole, data: { id: body['lease_id'], issue_time: new Date(at * 1000).toISOString(), ttl: 60 } } };
  }
  if (path === 'sys/leases/revoke') {
    vault.leases.delete(String(body['lease_id']));
    return { status: 204, body: {} };
  }
  const below = /^sys\/leases\/lookup\/(.+)\?list=1$/.exec(path)?.[1];
  if (below !== undefined) {
    const keys = [...vault.leases.keys()].filter((id) => id.startsWith(`${below}/`)).map((id) => id.slice(below.length + 1));
    return keys.length > 0 ? { body: { ...whole, data: { keys } } } : { status: 404, body: { errors: [] } };
  }
  return secret(vault, { method, path, headers }, whole, denied);
}
function secret(
  vault: FakeVault,
  { method, path, headers }: Pick<Asked, 'method' | 'path' | 'headers'>,
  whole: Body,
  denied: { status: number; body: Body },
) {
  const data = vault.secrets.get(path);
  if (!data || (method === 'GET') === path.includes('/sign/')) return denied;
  const ttl = headers['x-vault-wrap-ttl'];
  if (ttl !== undefined) {
    const info = { token: 'hvs.wrapped', accessor: 'w', ttl: Number(ttl), creation_time: '2026-11-20T12:00:00Z', creation_path: path };
    return { body: { ...whole, wrap_info: info } };
  }
  if (!path.includes('/creds/')) return { body: { ...whole, data } };
  const lease_id = `${path}/${randomBytes(12).toString('hex')}`;
  vault.leases.set(lease_id, vault.now);
  return { body: { ...whole, lease_id, lease_duration: 600, renewable: true, data } };
}
