/**
 * `countersign/verify/fastify`: plain HTTP tools behind Fastify.
 *
 *     await app.register(strictJson);
 *     await app.register(metadata(verifier));
 *     app.post('/refunds', { ...guard({ verifier, tool: 'create_refund', arguments: (req) => req.body }) }, async (req) => refund(actionOf(req)));
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Json, parseJson } from '../wire/json.ts';
import type { Action } from './action.ts';
import { httpOf } from './guard-node.ts';
import { VerifyError } from './refusal.ts';
import { inRun, openRun, tell } from './run.ts';
import type { Verifier } from './verify.ts';

export interface GuardOptions {
  readonly verifier: Verifier;
  readonly tool: string;
  /** The arguments that the token must be for, taken before the route's schema fills in defaults; the body unless told. */
  readonly arguments?: (request: FastifyRequest) => Json | undefined;
}
/** Route options: spread them into the route's own. */
export interface GuardHooks {
  readonly preValidation: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
  readonly preHandler: (request: FastifyRequest, reply: FastifyReply, done: (fault?: Error) => void) => void;
  readonly onResponse: (request: FastifyRequest, reply: FastifyReply) => Promise<void>;
}
const actions = new WeakMap<FastifyRequest, Action>();
/** The verified action of a guarded request. */
export const actionOf = (request: FastifyRequest): Action | undefined => actions.get(request);

/**
 * One tool behind one route. What validation refuses uses no token up. The receipt says `done` for a status under 400, else `failed`, unless
 * the handler has said something itself.
 */
export function guard(options: GuardOptions): GuardHooks {
  const { verifier, tool } = options;
  const raw = new WeakMap<FastifyRequest, Json | undefined>();
  return {
    async preValidation(request) {
      const args = options.arguments ? options.arguments(request) : (request.body as Json | undefined);
      // A copy: validation writes defaults and coerced values into the body itself.
      raw.set(request, structuredClone(args));
    },
    preHandler(request, reply, done) {
      verify(request).then(
        (action) => {
          actions.set(request, action);
          inRun(openRun(action), () => done());
        },
        (fault) => {
          if (!(fault instanceof VerifyError)) return done(fault as Error);
          void reply.code(fault.status).headers(fault.headers).header('cache-control', 'no-store').send(fault.body);
        },
      );
    },
    async onResponse(request, reply) {
      const action = actions.get(request);
      if (action) tell(openRun(action), reply.statusCode < 400 ? 'done' : 'failed');
    },
  };
  async function verify(request: FastifyRequest): Promise<Action> {
    const http = httpOf(request.raw, verifier.resource, verifier.refuse);
    return verifier.verify({ tool, arguments: raw.get(request), http });
  }
}

/** Reads JSON bodies as both ends of the digest do: Fastify's own parser keeps the last of two equal keys. */
export const strictJson = global(async (app) => {
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    const parsed = parseJson(String(body));
    if (parsed.ok) done(null, parsed.value);
    else done(Object.assign(new Error('The body is not strict JSON.'), { statusCode: parsed.error === 'json_size' ? 413 : 400 }));
  });
});

/** Serves the protected-resource document (RFC 9728) at its well-known path. */
export const metadata = (verifier: Verifier): ((app: FastifyInstance) => Promise<void>) =>
  global(async (app) => {
    app.get(verifier.metadata.path.split('?', 1)[0] ?? '', async (_request, reply) =>
      reply.header('access-control-allow-origin', '*').send(verifier.metadata.document),
    );
  });

/** Fastify's mark for a plugin that acts on the instance it is registered with, not on a child of it. */
function global(plugin: (app: FastifyInstance) => Promise<void>): (app: FastifyInstance) => Promise<void> {
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}
