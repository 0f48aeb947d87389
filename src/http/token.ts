import type { FastifyInstance } from 'fastify';
import type { Result } from '../errors.ts';
import type { Issued } from '../model.ts';
import { formatDetails } from '../wire/details.ts';
import type { JsonObject } from '../wire/json.ts';
import { CREDENTIAL_PREFIX, TYPE_ACCESS_TOKEN } from '../wire/oauth.ts';
import { noStore, refusal } from './answer.ts';
import { FORM, tokenDocs } from './documents.ts';
import { addressOf } from './limits.ts';
import { type Arrived, readToken } from './token-request.ts';

/** POST /token: RFC 8693 exchange, client_credentials and the deferred grant (wire.md §3), and redemption (wire.md §6). */
export function tokenEndpoint(
  server: FastifyInstance,
  parts: {
    readonly issuer: string;
    readonly exchange: (request: Arrived, from: () => string) => Promise<Result<Issued>>;
    readonly kinds: ReadonlySet<string>;
    readonly nonce: () => string | undefined;
  },
): void {
  const htu = `${parts.issuer}/token`;
  server.post('/token', { schema: tokenDocs, config: { body: FORM } }, async (request, reply) => {
    const outcome = await parts.exchange(readToken(request.raw, request.body, htu, parts.kinds), () => addressOf(request));
    const nonce = parts.nonce();
    if (nonce !== undefined) reply.header('dpop-nonce', nonce);
    return outcome.ok ? noStore(reply).send(granted(outcome.value)) : refusal(reply, outcome.error);
  });
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
