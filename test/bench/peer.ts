/** What a team would build without us: oidc-provider with a grant of its own for token exchange (RFC 8693). */
import { randomUUID } from 'node:crypto';
import { createRemoteJWKSet, type JWK, jwtVerify } from 'jose';
import { errors, Provider } from 'oidc-provider';
import { GRANT } from '../support/rig.ts';

export interface PeerOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientKey: JWK;
  /** ES256, private. */
  readonly signingKey: JWK;
  readonly resource: string;
  readonly people: { readonly issuer: string; readonly audience: string };
}

/** Its defaults but for what the grant needs: memory adapter, JWT access tokens for the resource. */
export async function work(options: PeerOptions): Promise<void> {
  const { issuer, clientId, clientKey, signingKey, resource, people } = options;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        id_token_signed_response_alg: 'ES256',
        jwks: { keys: [clientKey] },
        grant_types: [GRANT],
        redirect_uris: [],
        response_types: [],
      },
    ],
    jwks: { keys: [signingKey as { kty: string }] },
    ttl: { AccessToken: 60 },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: { enabled: true },
    },
  });
  const keys = createRemoteJWKSet(new URL(`${people.issuer}/jwks`));
  const server = new provider.ResourceServer(resource, {
    scope: 'tool:list',
    audience: resource,
    accessTokenFormat: 'jwt',
    accessTokenTTL: 60,
    jwt: { sign: { alg: 'ES256' } },
  });
  provider.registerGrantType<{ subject_token?: string; scope?: string; resource?: string }>(
    GRANT,
    async (ctx) => {
      const { params, client } = ctx.oidc;
      if (params.resource !== resource) throw new errors.InvalidTarget();
      if (typeof params.subject_token !== 'string') throw new errors.InvalidRequest('subject_token');
      const expected = { issuer: people.issuer, audience: people.audience, algorithms: ['ES256'], requiredClaims: ['sub', 'exp', 'iat'] };
      const { payload } = await jwtVerify(params.subject_token, keys, expected);
      const token = new provider.AccessToken({
        client,
        accountId: String(payload.sub),
        grantId: randomUUID(),
        gty: GRANT,
        scope: 'tool:list',
      });
      token.resourceServer = server;
      ctx.oidc.entity('AccessToken', token);
      ctx.body = {
        access_token: await token.save(),
        issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        token_type: 'Bearer',
        expires_in: token.expiration,
        scope: 'tool:list',
      };
    },
    ['subject_token', 'subject_token_type', 'resource', 'scope'],
  );
  await new Promise((done) => provider.listen(Number(new URL(issuer).port), '127.0.0.1', () => done(undefined)));
}
