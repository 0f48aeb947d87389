import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import { ROLES } from '../operate/operator.ts';
import { descending, partOf } from '../operate/page.ts';
import { type Halt, type Revoke, type RevokeRequest, SCOPES } from '../operate/revoke.ts';
import { sha256 } from '../wire/digest.ts';
import { isObject, parseJson } from '../wire/json.ts';
import { JSON_TYPE } from './documents.ts';
import { operatorRefusal } from './operator-answer.ts';
import { operatorOf } from './operator-guard.ts';
import { readPage } from './operator-page.ts';

/** GET and POST /operator/revocations, POST /operator/revocations/undo. */
export function revokeEndpoints(server: FastifyInstance, { revoke }: { readonly revoke: Revoke }): void {
  const deed = { config: { roles: ['operator'], body: JSON_TYPE } } as const;
  server.get('/operator/revocations', { config: { roles: ROLES } }, async (request, reply) => {
    const read = readPage(request.query);
    if (!read.ok) return operatorRefusal(reply, read.error);
    const { rows, next } = partOf(await revoke.list(), orderOf, read.value.page);
    return { halts: rows, ...(next !== undefined && { next }) };
  });
  server.post('/operator/revocations', deed, async (request, reply) => {
    const asked = requestOf(request.body);
    if (!asked) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await revoke.revoke(asked, operatorOf(request));
    return outcome.ok ? outcome.value : operatorRefusal(reply, outcome.error);
  });
  server.post('/operator/revocations/undo', deed, async (request, reply) => {
    const asked = requestOf(request.body);
    if (!asked || asked.dryRun) return operatorRefusal(reply, refuse('request_malformed').error);
    const outcome = await revoke.undo(asked, operatorOf(request));
    return outcome.ok ? { ok: true, undone: outcome.value } : operatorRefusal(reply, outcome.error);
  });
}

/** The newest first; a target may be longer than a cursor. */
const orderOf = ({ at, scope, target }: Halt): string => `${descending(at)} ${sha256(`${scope} ${target}`)}`;
const MAX_REASON = 500;
/** Closed: a rehearsal that is misspelt must not become the deed. */
function requestOf(body: unknown): RevokeRequest | undefined {
  const parsed = parseJson(typeof body === 'string' ? body : '');
  if (!parsed.ok || !isObject(parsed.value)) return undefined;
  const { scope, target = '', reason, dry_run: dryRun = false, ...rest } = parsed.value;
  const known = SCOPES.find((one) => one === scope);
  if (!known || typeof target !== 'string' || target.length > 512 || typeof dryRun !== 'boolean' || Object.keys(rest).length > 0)
    return undefined;
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > MAX_REASON) return undefined;
  return { scope: known, target, reason, dryRun };
}
