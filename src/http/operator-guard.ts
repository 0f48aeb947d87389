/** Who asks at the operator API, and whether they may: no route without roles, no answer before both are known. */
import type { FastifyInstance, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { type Refusal, type Result, refuse } from '../errors.ts';
import type { Operator, Role } from '../operate/operator.ts';
import { operatorDocs } from './documents-operator.ts';
import { operatorRefusal } from './operator-answer.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whoever has one of them may ask this. */
    readonly roles?: readonly Role[];
  }
}
/** Errors: `login_needed` without a session, `forgery_suspected` where the request may be another site's. */
export type Who = (request: FastifyRequest) => Result<Operator> | Promise<Result<Operator>>;

/** Hears of what somebody may not ask, before they do. */
export type Refused = (request: FastifyRequest, operator: Operator, no: Refusal) => Promise<void>;

const asking = new WeakMap<FastifyRequest, Operator>();

/**
 * Stands before every route of this scope that is registered after it, as each route's own last hook: after the limits, which a hook of the scope
 * would come before, and before a byte of the body is read.
 */
export function guard(server: FastifyInstance, who: Who, refused?: Refused): void {
  server.addHook('onRoute', (route) => {
    const roles = route.config?.roles;
    if (!roles) throw new Error(`${route.url}: no roles`);
    const docs = operatorDocs(String(route.method), route.url, roles);
    if (docs && !route.schema) route.schema = docs;
    const ask: onRequestAsyncHookHandler = async (request, reply) => {
      reply.header('cache-control', 'no-store');
      const known = await who(request);
      if (!known.ok) return operatorRefusal(reply, known.error);
      if (!roles.some((role) => known.value.roles.has(role))) {
        const no = refuse('role_refused').error;
        await refused?.(request, known.value, no);
        return operatorRefusal(reply, no);
      }
      asking.set(request, known.value);
      return undefined;
    };
    route.onRequest = [...[route.onRequest ?? []].flat(), ask];
  });
}
export function operatorOf(request: FastifyRequest): Operator {
  const operator = asking.get(request);
  if (!operator) throw new Error('asked outside the guard');
  return operator;
}
