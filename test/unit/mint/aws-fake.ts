/** A small STS in this process: it gives sessions as AWS does, writes down what it is asked, and misbehaves on demand. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Minter } from '../../../src/mint/minter.ts';
import { type AwsOptions, awsMinter } from '../../../src/mint/minter-aws.ts';
import type { Grant, Job, Registration } from '../../../src/model.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { jwt, newKey, type TestKey } from '../../support/keys.ts';
import { type TestWorld, testWorld } from '../../support/test-world.ts';
import { OF, readAws, registered } from './aws-world.ts';

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly form: Readonly<Record<string, string>>;
}
export type Answer = (response: ServerResponse, asked: Asked) => void;
export interface FakeSts extends AsyncDisposable {
  readonly address: string;
  readonly asked: Asked[];
  answer: Answer;
}
export async function fakeSts({ tls, answer }: { tls?: { key: string; cert: string }; answer: Answer }): Promise<FakeSts> {
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const form = Object.fromEntries(new URLSearchParams(await text(request)));
    const asked = { method: request.method ?? '', url: request.url ?? '', headers: request.headers, form };
    sts.asked.push(asked);
    sts.answer(response, asked);
  };
  const server = tls ? createSecureServer(tls, handle) : createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sts: FakeSts = {
    address: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return sts;
}

export const SECRETS = {
  AccessKeyId: 'ASIACANARYKEY0000000',
  SecretAccessKey: 'canary/secret+key==',
  SessionToken: 'canary-session-token==',
};
/** The answer's credentials: what a change leaves alone is right, undefined leaves out. */
export const credentials = (end: number | string | undefined, change: Readonly<Record<string, string | undefined>> = {}): string => {
  const Expiration = typeof end === 'number' ? new Date(end * 1000).toISOString() : end;
  const all = Object.entries({ ...SECRETS, Expiration, ...change });
  return `<Credentials>${all.map(([name, value]) => (value === undefined ? '' : `<${name}>${value}</${name}>`)).join('')}</Credentials>`;
};
export const result = (inner: string, operation = 'AssumeRoleWithWebIdentity'): string =>
  `<${operation}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${operation}Result>${inner}</${operation}Result></${operation}Response>`;
export const failure = (code: string): string =>
  `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>canary-message</Message></Error></ErrorResponse>`;
export const says =
  (body: string, status = 200, type = 'text/xml'): Answer =>
  (response) =>
    void response.writeHead(status, { 'content-type': type }).end(body);

export const job = (settings: JsonObject = registered(), more: Partial<Job> = {}): Job => {
  const read = readAws(settings);
  if (!read.ok) throw new Error(read.error.join('; '));
  const registration: Registration = { kind: 'aws', deliver: 'tool-server', cap: 100, ...read.value };
  return {
    kind: 'aws',
    server: { id: OF.server, resource: 'https://mcp.shop.example/mcp' },
    call: {
      resource: 'https://mcp.shop.example/mcp',
      tool: OF.tool.name,
      digest: 'sha-256:RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o',
      arguments: { customer_id: 'c_4711' },
    },
    registration,
    subject: 'people:u_alice',
    actors: ['refund-bot'],
    ...more,
  };
};
export interface Stage extends AsyncDisposable {
  readonly sts: FakeSts;
  readonly world: TestWorld;
  readonly minter: Minter;
  readonly key: TestKey;
  grant(seconds?: number): Grant;
}
/** A minter over it, with a clock that stands but for time-outs, which are real. */
export async function stage(more: Partial<AwsOptions> = {}, answer?: Answer): Promise<Stage> {
  const world = testWorld();
  const sts = await fakeSts({ answer: answer ?? says(result(credentials(world.now() + 900))) });
  const key = newKey('login-1');
  const minter = awsMinter({
    region: 'eu-west-1',
    endpoint: sts.address,
    audience: 'sts.amazonaws.com',
    algorithm: 'ES256',
    minSessionSeconds: 900,
    timeoutMs: 800,
    now: world.now,
    after: (ms) => AbortSignal.timeout(ms),
    random: world.random,
    login: ({ audience, subject, id, now, alg, claims }) =>
      jwt(key, { alg, typ: 'JWT', kid: key.kid }, { ...claims, aud: audience, sub: subject, jti: id, iat: now, exp: now + 60 }),
    ...more,
  });
  return {
    sts,
    world,
    minter,
    key,
    grant(seconds = 120) {
      const iat = world.now();
      return { jti: 'tok_1', txn: 'txn_6b1f00f3a1', iat, exp: iat + seconds, scope: 'tool:export_orders', claims: {}, policies: [] };
    },
    [Symbol.asyncDispose]: () => sts[Symbol.asyncDispose](),
  };
}
export const waiting = (ms = 5_000): { readonly signal: AbortSignal } => ({ signal: AbortSignal.timeout(ms) });
/** What a receiver reads. */
export const opened = (token: string): JsonObject => JSON.parse(Buffer.from(token, 'base64url').toString()) as JsonObject;
