/** Bytes ↔ model, nothing else: strict readers in front, constant texts behind. Knows HTTP; may not know policy, keys or stores. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, fastify } from 'fastify';
import { type Result, Unavailable } from '../errors.ts';
import type { Signer } from '../keys/signer.ts';
import type { Issued } from '../model.ts';
import type { Planning } from '../plan.ts';
import type { Settle } from '../settle.ts';
import type { Feed } from '../settle-feed.ts';
import type { Signals } from '../settle-signals.ts';
import { StoreFault } from '../store/store.ts';
import type { CredentialKind } from '../wire/oauth.ts';
import { FORM, JSON_TYPE, JWT, openapiDocs, SECEVENT } from './documents.ts';
import { eventEndpoint } from './events.ts';
import { type Health, healthEndpoints, type Metrics, metricsEndpoint } from './health.ts';
import { type Limits, limit, PRESSURE } from './limits.ts';
import { metadataEndpoints } from './metadata.ts';
import { planEndpoints } from './plans.ts';
import { revocationEndpoint } from './revocations.ts';
import { settlementEndpoints } from './settlement.ts';
import { tokenEndpoint } from './token.ts';
import type { Arrived } from './token-request.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The one media type that this route reads. */
    readonly body?: string;
  }
}
export interface ServerParts {
  readonly issuer: string;
  readonly exchange: (request: Arrived, from: () => string) => Promise<Result<Issued>>;
  /** What may be asked for beside tokens: `aws`, `vault`. */
  readonly kinds: ReadonlySet<string>;
  /** Those that a back end here makes. */
  readonly offered: readonly CredentialKind[];
  readonly planning: Planning;
  readonly settle: Settle;
  readonly feed: Feed;
  /** Present: /events hears them. */
  readonly signals?: Signals;
  readonly signer: Signer;
  /** Keys of our logins to back ends, where there are any. */
  readonly logins?: Signer;
  readonly nonce: () => string | undefined;
  readonly health: Health;
  /** Present: /metrics answers on this address. */
  readonly metrics?: Metrics;
  /** What stands on this address for people who have logged in: in a scope of its own. */
  readonly people?: (server: FastifyInstance) => Promise<void>;
  readonly limits: Limits;
  /** Who may say in X-Forwarded-For whom a request came from: addresses and networks. */
  readonly proxies: readonly string[];
  readonly onRefused: (status: number) => void;
  readonly onFault: (fault: unknown) => void;
}
/** 256 KiB of arguments, percent-escaped at worst, and the tokens beside them. */
const BODY_LIMIT = 1024 * 1024;

export async function createServer(parts: ServerParts): Promise<FastifyInstance> {
  const server = bare(parts);
  await limit(server, parts.limits);
  let document: Promise<object> | undefined;
  endpoints(server, parts, () => (document ??= describe(parts)));
  return server;
}
function endpoints(server: FastifyInstance, parts: ServerParts, document: () => Promise<object>): void {
  tokenEndpoint(server, parts);
  planEndpoints(server, parts);
  settlementEndpoints(server, parts);
  revocationEndpoint(server, parts);
  if (parts.signals) eventEndpoint(server, { signals: parts.signals });
  metadataEndpoints(server, parts);
  healthEndpoints(server, parts.health);
  if (parts.metrics) metricsEndpoint(server, parts.metrics);
  server.get('/openapi.json', { exposeHeadRoute: true, schema: openapiDocs }, document);
  if (parts.people) server.register(parts.people);
}
/** Told by a twin that never listens: few brokers are ever asked, and no start waits for it. */
const describe = (parts: ServerParts): Promise<object> =>
  described(parts, parts.issuer, (twin) => endpoints(twin, parts, async () => ({})));
/** What these endpoints are, as OpenAPI. */
export async function described(parts: Parameters<typeof bare>[0], address: string, add: (twin: FastifyInstance) => void): Promise<object> {
  const { default: swagger } = await import('@fastify/swagger');
  const twin = bare(parts);
  await twin.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Countersign',
        version: '0.1.0',
        description: 'One short-lived credential for one tool action of an AI agent.',
        license: { name: 'Apache-2.0' },
      },
      servers: [{ url: address }],
    },
  });
  add(twin);
  await twin.ready();
  return twin.swagger();
}

/** What both servers share: limits, media types, 404 and 405, and no text that repeats what came in. */
export function bare(parts: Pick<ServerParts, 'onRefused' | 'onFault'> & Partial<Pick<ServerParts, 'proxies'>>): FastifyInstance {
  const underWay = new WeakMap<Socket, Set<ServerResponse>>();
  const server = fastify({
    logger: false,
    trustProxy: parts.proxies && parts.proxies.length > 0 ? [...parts.proxies] : false,
    bodyLimit: BODY_LIMIT,
    requestTimeout: 15_000,
    connectionTimeout: 0,
    keepAliveTimeout: 30_000,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    // RFC 9110 §9.1: what anyone may GET has its HEAD, route by route; an export or a live feed is not begun for its head.
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: false, caseSensitive: true },
    // Ours are set below: with a maker named here the framework does not even load its own.
    schemaController: { compilersFactory: { buildValidator: noCompiler, buildSerializer: noCompiler } },
    // Looked at often, or what is slow would outlive its time by half a minute.
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 2_000 },
    clientErrorHandler: (fault, socket) => unreadable(fault, socket, underWay.get(socket) ?? [], parts.onRefused),
    // Before any route is known: the framework's own text would repeat the address.
    frameworkErrors: (_fault, _request, reply: FastifyReply) =>
      void reply.code(400).header('x-content-type-options', 'nosniff').send(plain('invalid_request', UNREADABLE)),
  });
  server.setValidatorCompiler(() => () => true);
  server.setSerializerCompiler(() => (data) => JSON.stringify(data));
  server.removeAllContentTypeParsers();
  for (const type of [FORM, JWT, JSON_TYPE, SECEVENT])
    server.addContentTypeParser(type, { parseAs: 'string' }, (_request, body, done) => done(null, body));

  const methods = new Map<string, Set<string>>();
  server.addHook('onRoute', (route) => {
    const known = methods.get(route.url) ?? new Set();
    for (const method of [route.method].flat()) known.add(method);
    methods.set(route.url, known);
  });
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
    const { socket } = request.raw;
    underWay.set(socket, (underWay.get(socket) ?? new Set()).add(reply.raw));
    const { httpVersion, httpVersionMajor, headers } = request.raw;
    if (httpVersionMajor !== 1) return reply.code(505).send(plain('invalid_request', 'HTTP/1.1, please.'));
    const coding = headers['transfer-encoding'];
    // RFC 9112 §6.1: a coding that is not undone here would be read by whoever stands in front, and in HTTP/1.0 there is none.
    if (coding !== undefined && coding.toLowerCase() !== 'chunked')
      return reply
        .code(501)
        .header('connection', 'close')
        .send(plain('invalid_request', 'The chunked transfer coding alone is read here.'));
    if (coding !== undefined && httpVersion === '1.0') return reply.code(400).send(plain('invalid_request', UNREADABLE));
    const { body } = request.routeOptions.config;
    if (body === undefined) return undefined;
    if (MEDIA.get(body)?.test(headers['content-type'] ?? '') && headers['content-encoding'] === undefined) return undefined;
    return reply.code(415).send(plain('invalid_request', `This endpoint reads ${body}.`));
  });
  server.addHook('onResponse', async (request, reply) => {
    underWay.get(request.raw.socket)?.delete(reply.raw);
    if (TURNED_AWAY.has(reply.statusCode)) parts.onRefused(reply.statusCode);
  });
  server.setNotFoundHandler((request, reply) => {
    const allowed = methods.get(request.url.split('?')[0] ?? '');
    if (!allowed) return reply.code(404).send(plain('not_found', 'There is nothing here.'));
    return reply
      .code(405)
      .header('allow', [...allowed].join(', '))
      .send(plain('invalid_request', 'This endpoint has another method; see the Allow header.'));
  });
  server.setErrorHandler((fault: { readonly statusCode?: number; readonly code?: string }, _request, reply) => {
    const status = fault.statusCode ?? 500;
    if (status === 413) return reply.code(413).send(plain('invalid_request', 'The body is too large.'));
    if (status === 429) return reply.code(429).send(plain('temporarily_unavailable', 'Too many requests; ask again after a while.'));
    if (status === 415) return reply.code(415).send(plain('invalid_request', 'This media type is not read here.'));
    if (fault.code === PRESSURE)
      return reply.code(503).send(plain('temporarily_unavailable', 'This broker has more to do than it can do in time.'));
    if (status === 503)
      return reply.code(503).header('retry-after', '1').send(plain('temporarily_unavailable', 'This broker is stopping.'));
    if (fault instanceof Unavailable || fault instanceof StoreFault) {
      return reply.code(503).header('retry-after', '2').send(plain('temporarily_unavailable', 'The broker cannot answer safely now.'));
    }
    if (status >= 400 && status < 500) return reply.code(400).send(plain('invalid_request', UNREADABLE));
    parts.onFault(fault);
    return reply.code(500).send(plain('server_error', 'The broker failed.'));
  });
  return server;
}
const noCompiler = (): never => {
  throw new Error('schemas are documentation alone');
};
const plain = (error: string, text: string) => ({ error, error_description: text });
const UNREADABLE = 'The request could not be read.';
/** RFC 9110 §15, RFC 6585 §5. Not STATUS_CODES: importing a value of `node:http` loads all of `fetch` with it, 20 ms and 16 MB. */
const REASONS = { 400: 'Bad Request', 408: 'Request Timeout', 431: 'Request Header Fields Too Large' } as const;
const TURNED_AWAY = new Set([404, 405, 413, 415, 429, 501, 505]);
/** A media type in UTF-8 or without parameters: in another charset two readers could read two texts. */
const MEDIA = new Map(
  [FORM, JWT, JSON_TYPE, SECEVENT].map((type) => [
    type,
    new RegExp(`^${type.replace('+', '\\+')}(?:\\s*;\\s*charset=(?:utf-8|"utf-8"))?\\s*$`, 'i'),
  ]),
);

/**
 * What is no request: one constant answer, counted, and the connection ends, so that nobody reads on where it broke. No word where an
 * answer is due to a request before it, or was given to this one: it would be taken for another's.
 */
function unreadable(
  fault: { readonly code?: string },
  socket: Socket,
  underWay: Iterable<ServerResponse>,
  onRefused: (status: number) => void,
): void {
  if (fault.code === 'ECONNRESET' || socket.destroyed) return;
  const status: keyof typeof REASONS = fault.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : fault.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400;
  onRefused(status);
  const due = [...underWay].some((answer) => answer.headersSent || answer.req.complete);
  const body = JSON.stringify(plain('invalid_request', UNREADABLE));
  const head = `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${body.length}\r\nCache-Control: no-store\r\nConnection: close`;
  if (socket.writable && !due) socket.write(`HTTP/1.1 ${status} ${REASONS[status]}\r\n${head}\r\n\r\n${body}`);
  socket.destroySoon();
}
