import type { FastifyInstance } from 'fastify';
import type { Role } from '../operate/operator.ts';
import { healthDocs, metricsDocs, readyDocs } from './documents.ts';
import { UNLIMITED } from './limits.ts';

export interface Check {
  readonly name: string;
  readonly state: 'ok' | 'degraded' | 'down';
  /** A constant, or a count: never input. */
  readonly detail?: string;
}
/** Down: nothing can be granted, 503. Degraded: an older truth is in force, 200 that says so. */
export interface Health {
  check(): Promise<readonly Check[]>;
}
export interface Metrics {
  readonly contentType: string;
  metrics(): Promise<string>;
}

export function healthEndpoints(server: FastifyInstance, health: Health): void {
  server.get('/healthz', { exposeHeadRoute: true, schema: healthDocs, config: UNLIMITED }, async (_, reply) =>
    reply.header('cache-control', 'no-store').send({ status: 'ok' }),
  );
  server.get('/readyz', { exposeHeadRoute: true, schema: readyDocs, config: UNLIMITED }, async (_, reply) => {
    const checks = await health.check();
    const down = checks.some((check) => check.state === 'down');
    const status = down ? 'down' : checks.some((check) => check.state === 'degraded') ? 'degraded' : 'ready';
    return reply
      .header('cache-control', 'no-store')
      .code(down ? 503 : 200)
      .send({ status, checks });
  });
}
export function metricsEndpoint(
  server: FastifyInstance,
  metrics: Metrics,
  { roles, path = '/metrics' }: { readonly roles?: readonly Role[]; readonly path?: string } = {},
): void {
  server.get(path, { exposeHeadRoute: true, schema: metricsDocs, config: { ...(roles && { roles }) } }, async (_, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics()),
  );
}
