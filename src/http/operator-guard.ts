/** Who asks at the operator API, and whether they may: no route without roles, no answer before both are known. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Refusal, type Result, refuse } from '../errors.ts';
import type { Operator, Role } from '../operate/operator.ts';
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

/** Stands before every route of this scope that is registered after it. */
export function guard(server: FastifyInstance, who: Who, refused?: Refused): void {
  server.addHook('onRoute', ({ url, config }) => {
    if (!config?.roles) throw new Error(`${url}: no roles`);
  });
  server.addHook('onRequest', async (request, reply) => {
    const { roles } = request.routeOptions.config;
    if (!roles) return undefined; // no route of ours: 404 and 405 say nothing that is not public
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
  });
}
export function operatorOf(request: FastifyRequest): Operator {
  const operator = asking.get(request);
  if (!operator) throw new Error('asked outside the guard');
  return operator;
}
