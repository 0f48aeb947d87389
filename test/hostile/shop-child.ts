/** One replica of a shop, in a process of its own: what its tool does is a line in a file that all replicas share. */
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { fastify } from 'fastify';
import * as forExpress from '../../src/verify/adapter-express.ts';
import * as forFastify from '../../src/verify/adapter-fastify.ts';
import { createVerifier, sqliteConsumed } from '../../src/verify/verify.ts';
import type { Json } from '../../src/wire/json.ts';
import { localKeys } from '../../src/wire/jwks.ts';
import { ISSUER, NOW, RESOURCE, TOOL } from '../unit/verify/issuer.ts';

export interface Replica {
  readonly kind: 'express' | 'fastify';
  readonly store: string;
  readonly effects: string;
  readonly jwks: Json;
}
const { kind, store, effects, jwks } = JSON.parse(process.argv[2] ?? '') as Replica;
const keys = localKeys(jwks);
if (!keys.ok) throw new Error(keys.error);
const now = (): number => NOW;
const verifier = createVerifier({
  issuer: ISSUER,
  resource: RESOURCE,
  consumed: sqliteConsumed({ path: store, now }),
  keys: keys.value,
  now,
});
const effect = (txn: string | undefined): void => appendFileSync(effects, `${txn}\n`);

if (kind === 'express') {
  const app = express();
  app.post('/mcp', forExpress.guard({ verifier, tool: TOOL }), (req, res) => {
    effect(forExpress.actionOf(req)?.txn);
    res.json({});
  });
  const server = createServer(app as never).listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
} else {
  const app = fastify();
  app.register(forFastify.strictJson);
  app.post('/mcp', { ...forFastify.guard({ verifier, tool: TOOL }) }, async (request) => {
    effect(forFastify.actionOf(request)?.txn);
    return {};
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  console.log((app.server.address() as AddressInfo).port);
}
