import type { FastifyInstance } from 'fastify';
import type { Signer } from '../keys/signer.ts';
import { GRANT_DEFERRED } from '../wire/deferred.ts';
import { CREDENTIAL_PREFIX, type CredentialKind, DETAILS_TYPE, GRANT_CLIENT, GRANT_EXCHANGE, SCOPE_LIST } from '../wire/oauth.ts';
import { authorizeDocs, detailsSchema, jwksDocs, metadataDocs, rarDocs } from './documents.ts';

/** RFC 8414. `authorization_endpoint` and `response_types_supported` stand here because stock MCP SDKs reject the document without them. */
export function metadata(issuer: string, offered: readonly CredentialKind[]): Record<string, unknown> {
  return {
    issuer,
    token_endpoint: `${issuer}/token`,
    authorization_endpoint: `${issuer}/authorize`,
    jwks_uri: `${issuer}/jwks`,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/revoke`,
    countersign_revocations_endpoint: `${issuer}/revocations`,
    countersign_receipt_endpoint: `${issuer}/receipts`,
    countersign_plans_endpoint: `${issuer}/plans`,
    countersign_details_schema: `${issuer}/rar`,
    response_types_supported: [],
    grant_types_supported: [GRANT_EXCHANGE, GRANT_CLIENT, GRANT_DEFERRED],
    scopes_supported: [SCOPE_LIST],
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['ES256', 'RS256'],
    introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
    introspection_endpoint_auth_signing_alg_values_supported: ['ES256', 'RS256'],
    revocation_endpoint_auth_methods_supported: ['private_key_jwt'],
    revocation_endpoint_auth_signing_alg_values_supported: ['ES256', 'RS256'],
    dpop_signing_alg_values_supported: ['ES256'],
    authorization_details_types_supported: [DETAILS_TYPE],
    // What an action token can be redeemed for, with its `action_proof` (wire.md §6).
    countersign_credential_types_supported: offered.map((kind) => `${CREDENTIAL_PREFIX}${kind}`),
  };
}

/** What back ends read of the issuer of our logins (OpenID Connect Discovery §3). It authenticates nobody: those members are for parsers that want them. */
export const loginMetadata = (issuer: string, algs: readonly string[]): Record<string, unknown> => ({
  issuer,
  jwks_uri: `${issuer}/jwks`,
  authorization_endpoint: `${issuer}/authorize`,
  response_types_supported: ['id_token'],
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: algs,
  claims_supported: ['iss', 'sub', 'aud', 'iat', 'nbf', 'exp', 'jti'],
});

export function metadataEndpoints(
  server: FastifyInstance,
  parts: { readonly issuer: string; readonly offered: readonly CredentialKind[]; readonly signer: Signer; readonly logins?: Signer },
): void {
  const document = metadata(parts.issuer, parts.offered);
  // RFC 8414 §3.1: an issuer with a path has it after the well-known name.
  const path = new URL(parts.issuer).pathname;
  server.get(
    `/.well-known/oauth-authorization-server${path === '/' ? '' : path}`,
    { exposeHeadRoute: true, schema: metadataDocs },
    async (_, reply) => reply.header('cache-control', 'public, max-age=300').send(document),
  );
  keySet(server, '/jwks', parts.signer);
  if (parts.logins) loginEndpoints(server, parts.issuer, parts.logins);
  server.get('/rar', { exposeHeadRoute: true, schema: rarDocs }, async (_, reply) =>
    reply.header('cache-control', 'public, max-age=300').send({ [DETAILS_TYPE]: detailsSchema }),
  );
  server.get('/authorize', { exposeHeadRoute: true, schema: authorizeDocs }, async (_, reply) =>
    reply
      .code(400)
      .send({ error: 'unsupported_response_type', error_description: 'There is no authorization code here: exchange a token at /token.' }),
  );
}

function keySet(server: FastifyInstance, path: string, signer: Signer): void {
  server.get(path, { exposeHeadRoute: true, schema: jwksDocs }, async (request, reply) => {
    const { body, etag, maxAgeSeconds } = signer.published();
    reply.header('etag', etag).header('cache-control', `public, max-age=${maxAgeSeconds}`);
    return isKnown(request.headers['if-none-match'], etag)
      ? reply.code(304).send()
      : reply.type('application/jwk-set+json').send(JSON.stringify(body));
  });
}
function loginEndpoints(server: FastifyInstance, issuer: string, signer: Signer): void {
  const document = loginMetadata(`${issuer}/backends`, ['ES256', 'RS256']);
  server.get('/backends/.well-known/openid-configuration', { exposeHeadRoute: true, schema: metadataDocs }, async (_, reply) =>
    reply.header('cache-control', 'public, max-age=300').send(document),
  );
  keySet(server, '/backends/jwks', signer);
}

/** RFC 9110 §13.1.2: a list, compared weakly, since a proxy on the way may have marked ours as weak. */
const isKnown = (header: string | undefined, etag: string): boolean =>
  (header ?? '').split(',').some((one) => [etag, '*'].includes(one.trim().replace(/^W\//, '')));
