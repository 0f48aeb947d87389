import type { FastifyInstance } from 'fastify';
import { ROLES } from '../operate/operator.ts';
import type { SeenVerifier } from '../settle-feed.ts';

/** GET /operator/verifiers: every registered tool server, and when it last asked this broker what no longer stands. */
export function verifierEndpoints(server: FastifyInstance, parts: { readonly verifiers: () => readonly SeenVerifier[] }): void {
  server.get('/operator/verifiers', { config: { roles: ROLES } }, async () => ({ verifiers: parts.verifiers() }));
}
