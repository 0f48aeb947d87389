import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Exchange } from '../broker.ts';
import { type Result, refuse } from '../errors.ts';
import type { Issued } from '../model.ts';
import type { TokenRequest } from '../request.ts';
import { COMPLETION_DEFERRED, GRANT_DEFERRED, PARAM_COMPLETION_MODE, PARAM_DEFERRAL_CODE } from '../wire/deferred.ts';
import { formatDetails } from '../wire/details.ts';
import type { JsonObject } from '../wire/json.ts';
import { CREDENTIAL_PREFIX, type CredentialKind, GRANT_CLIENT, GRANT_EXCHANGE, TYPE_ACCESS_TOKEN, TYPE_JWT } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';
import { noStore, refusal } from './answer.ts';
import { FORM, tokenDocs } from './documents.ts';
import { parseForm } from './form.ts';
import { presented } from './presented.ts';

/** POST /token: RFC 8693 exchange, client_credentials and the deferred grant (wire.md §3). */
export function tokenEndpoint(
  server: FastifyInstance,
  parts: {
    readonly issuer: string;
    readonly exchange: Exchange;
    readonly kinds: ReadonlySet<string>;
    readonly nonce: () => string | undefined;
  },
): void {
  const htu = `${parts.issuer}/token`;
  server.post('/token', { schema: tokenDocs, config: { body: FORM } }, async (request, reply) => {
    const outcome = await parts.exchange(readToken(request.raw, request.body, htu, parts.kinds));
    const nonce = parts.nonce();
    if (nonce !== undefined) reply.header('dpop-nonce', nonce);
    return outcome.ok ? noStore(reply).send(granted(outcome.value)) : refusal(reply, outcome.error);
  });
}

/** A malformed request is an entry too: it goes through the broker as such. */
function readToken(raw: IncomingMessage, body: unknown, htu: string, kinds: ReadonlySet<string>): Result<TokenRequest> {
  const form = parseForm(body);
  if (!form.ok) return form;
  const shown = presented(raw, form.value, htu);
  if (!shown.ok) return shown;
  const get = (name: string): string | undefined => form.value.get(name);
  const retry = idempotencyKey(raw.headers['idempotency-key']);
  if (!retry.ok) return retry;

  const grantType = get('grant_type');
  if (grantType === undefined) return refuse('request_malformed', { detail: 'grant_type' });
  if (grantType === GRANT_DEFERRED) {
    const code = get(PARAM_DEFERRAL_CODE);
    return code === undefined
      ? refuse('request_malformed', { detail: PARAM_DEFERRAL_CODE })
      : ok({ ...shown.value, grant: 'deferred', code });
  }
  if (grantType !== GRANT_EXCHANGE && grantType !== GRANT_CLIENT) return refuse('grant_unsupported');
  const kind = kindOf(get('requested_token_type'), kinds);
  if (!kind) return refuse('type_unsupported', { detail: 'requested_token_type' });
  const resource = get('resource');
  if (resource === undefined) return refuse('request_malformed', { detail: 'resource' });
  // RFC 8693 §2.1: `audience` names targets by another scheme; here the resource alone does.
  if (get('audience') !== undefined) return refuse('request_malformed', { detail: 'audience' });
  const mode = get(PARAM_COMPLETION_MODE);
  if (mode !== undefined && mode !== COMPLETION_DEFERRED) return refuse('request_malformed', { detail: PARAM_COMPLETION_MODE });
  const [subjectToken, actorToken, details, scope] = [get('subject_token'), get('actor_token'), get('authorization_details'), get('scope')];
  const [subjectTokenType, actorTokenType] = [get('subject_token_type'), get('actor_token_type')];
  if ((actorToken === undefined) !== (actorTokenType === undefined)) return refuse('request_malformed', { detail: 'actor_token_type' });
  if (actorTokenType !== undefined && actorTokenType !== TYPE_JWT) return refuse('actor_bad', { detail: 'actor_token_type' });
  return ok({
    ...shown.value,
    grant: grantType === GRANT_EXCHANGE ? 'exchange' : 'client_credentials',
    resource,
    kind,
    deferred: mode === COMPLETION_DEFERRED,
    ...(retry.value !== undefined && { retry: retry.value }),
    ...(subjectToken !== undefined && { subjectToken }),
    ...(subjectTokenType !== undefined && { subjectTokenType }),
    ...(actorToken !== undefined && { actorToken }),
    ...(details !== undefined && { details }),
    ...(scope !== undefined && { scope }),
  });
}

function kindOf(type: string | undefined, kinds: ReadonlySet<string>): CredentialKind | undefined {
  if (type === undefined || type === TYPE_ACCESS_TOKEN) return 'jwt';
  const kind = type.startsWith(CREDENTIAL_PREFIX) ? type.slice(CREDENTIAL_PREFIX.length) : '';
  return kinds.has(kind) ? kind : undefined;
}
/** A quoted string or a bare one of visible ASCII, at most 255. */
function idempotencyKey(header: string | readonly string[] | undefined): Result<string | undefined> {
  if (header === undefined) return ok(undefined);
  const text = typeof header === 'string' ? header.replace(/^"(.*)"$/, '$1') : '';
  return /^[\x20-\x21\x23-\x7e]{1,255}$/.test(text) ? ok(text) : refuse('request_malformed', { detail: 'idempotency_key' });
}

/** wire.md §3.1. */
function granted({ job, grant, credential, expiresIn }: Issued): JsonObject {
  const jwt = credential.kind === 'jwt';
  return {
    access_token: credential.token,
    issued_token_type: jwt ? TYPE_ACCESS_TOKEN : `${CREDENTIAL_PREFIX}${credential.kind}`,
    token_type: jwt ? (job.jkt === undefined ? 'Bearer' : 'DPoP') : 'N_A',
    expires_in: expiresIn,
    scope: grant.scope,
    ...(job.call && { authorization_details: formatDetails(job.call) }),
  };
}
