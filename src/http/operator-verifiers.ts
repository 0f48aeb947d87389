import type { FastifyInstance } from 'fastify';
import type { SeenVerifier } from '../settle-feed.ts';

/** GET /operator/verifiers: every registered tool server, and when it last asked this broker what no longer stands. */
export function verifierEndpoints(server: FastifyInstance, parts: { readonly verifiers: () => readonly SeenVerifier[] }): void {
  server.get('/operator/verifiers', async () => ({ verifiers: parts.verifiers() }));
}
