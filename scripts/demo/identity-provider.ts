/**
 * The demo's identity provider: a real OpenID provider (`oidc-provider`) with a few people, on loopback. Whoever names a person in `login_hint`
 * is signed in as that person, and whoever names nobody is asked who they are: a demo needs no passwords, and nothing else should ever use it. It
 * knows the broker as an audience, and its console as a client.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Adapter, AdapterPayload, Configuration, Provider } from 'oidc-provider';
import { signInAt } from './sign-in.ts';

export interface DemoPerson {
  readonly sub: string;
  readonly name: string;
  readonly email: string;
  readonly groups: readonly string[];
}
export type DemoPersonName = 'alice' | 'bob' | 'carol' | 'dana';
export const PEOPLE: Readonly<Record<DemoPersonName, DemoPerson>> = {
  alice: { sub: 'u_alice', name: 'Alice Moreau', email: 'alice@shop.example', groups: ['support', 'support-leads'] },
  bob: { sub: 'u_bob', name: 'Bob Tanaka', email: 'bob@shop.example', groups: ['support'] },
  carol: { sub: 'u_carol', name: 'Carol Okafor', email: 'carol@shop.example', groups: ['privacy'] },
  dana: { sub: 'u_dana', name: 'Dana Lindqvist', email: 'dana@shop.example', groups: ['platform'] },
};
export interface SignedIn {
  /** `aud` = the client. */
  readonly idToken: string;
  /** `aud` = the broker, `client_id` = the client, `typ` at+jwt (RFC 9068). */
  readonly accessToken: string;
}
export interface IdentityProvider {
  readonly issuer: string;
  readonly clients: readonly string[];
  /** Authorization code with PKCE through the provider's own endpoints. Without a client: the first. Both tokens live ten minutes. */
  signIn(person: DemoPersonName, client?: string): Promise<SignedIn>;
  close(): Promise<void>;
}
export interface IdentityProviderOptions {
  /** 0 or absent: any free port. */
  readonly port?: number;
  /** The broker's issuer: what access tokens are for. */
  readonly audience: string;
  /** Client ids here, one for each agent. */
  readonly clients: readonly string[];
}

/** The console's client id here; public, by PKCE. */
export const CONSOLE_CLIENT = 'countersign-console';
/** Which of these people's groups gives which role there. */
export const CONSOLE_ROLES = {
  viewer: ['support', 'support-leads', 'privacy', 'platform'],
  approver: ['privacy', 'support-leads'],
  operator: ['platform'],
  auditor: ['platform'],
};
export const REDIRECT = 'http://127.0.0.1/signed-in';
const LIFE_SECONDS = 600;

export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  let serve: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => void response.writeHead(503).end();
  const server = createServer((request, response) => serve(request, response));
  await new Promise<void>((done, failed) => {
    server.once('error', failed);
    server.listen(options.port ?? 0, '127.0.0.1', done);
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = await openProvider(issuer, configuration(options));
  const handle = provider.callback();

  serve = (request, response) => {
    if (request.url?.startsWith('/interaction/')) {
      logIn(provider, request, response).catch(() => void response.writeHead(400).end('The sign-in cannot go on.\n'));
      return;
    }
    // Whoever looks at the console looks as one person after another: each login there begins with nobody.
    if (request.url?.startsWith('/auth?') && request.url.includes(`client_id=${CONSOLE_CLIENT}`)) delete request.headers.cookie;
    void handle(request, response);
  };
  return {
    issuer,
    clients: options.clients,
    async signIn(person, client = options.clients[0] ?? '') {
      return signInAt({ issuer, clientId: client, redirectUri: REDIRECT, resource: options.audience, loginHint: person });
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** The package warns of every Node that is no LTS release by name as soon as it is loaded; a demo has nothing to tell of that. */
async function openProvider(issuer: string, settings: Configuration): Promise<Provider> {
  const { warn } = console;
  console.warn = (...said: unknown[]) => {
    if (!String(said[0]).includes('Unsupported runtime')) warn(...said);
  };
  try {
    const { Provider } = await import('oidc-provider');
    return new Provider(issuer, settings);
  } finally {
    console.warn = warn;
  }
}

/** Whoever is hinted at is let in, or whoever they say they are. */
async function logIn(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params } = await provider.interactionDetails(request, response);
  const said = new URL(request.url ?? '', provider.issuer).searchParams.get('as') ?? params['login_hint'];
  if (prompt.name === 'login' && said === undefined) {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(whoAreYou());
    return;
  }
  const person = Object.entries(PEOPLE).find(([name]) => name === said)?.[1];
  if (prompt.name !== 'login' || !person) {
    await provider.interactionFinished(request, response, { error: 'access_denied' });
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: person.sub } });
}

const whoAreYou = (): string => `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Who are you?</title><style>body{font:16px/1.6 system-ui,sans-serif;max-width:32rem;margin:10vh auto;padding:0 1rem;color-scheme:light dark}
a{display:block;padding:.6rem 1rem;margin:.5rem 0;border:1px solid;border-radius:8px;text-decoration:none;color:inherit}small{opacity:.75}</style>
<h1>Who are you?</h1><p>The demo's identity provider asks for no password.</p>
${Object.entries(PEOPLE)
  .map(([name, person]) => `<a href="?as=${name}">${person.name} <small>${person.groups.join(', ')}</small></a>`)
  .join('\n')}
</html>`;
function configuration(options: IdentityProviderOptions): Configuration {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = `idp-${randomBytes(4).toString('hex')}`;
  const bySub = (sub: string): DemoPerson | undefined => Object.values(PEOPLE).find((person) => person.sub === sub);
  return {
    adapter: memory(),
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' }] },
    clients: [...options.clients, CONSOLE_CLIENT].map((client_id) => ({
      client_id,
      application_type: 'web',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code'],
      response_types: ['code'],
      redirect_uris: [client_id === CONSOLE_CLIENT ? `${options.audience}/console/callback` : REDIRECT],
      id_token_signed_response_alg: 'ES256',
    })),
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    claims: { openid: ['sub'], profile: ['name', 'email', 'groups'] },
    // The claims stand in the id_token itself: the broker asks no userinfo endpoint.
    conformIdTokenClaims: false,
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    findAccount: (_, sub) => {
      const person = bySub(sub);
      return person && { accountId: sub, claims: () => ({ ...person, groups: [...person.groups] }) };
    },
    extraTokenClaims: (_, token) => {
      const person = 'accountId' in token ? bySub(String(token.accountId)) : undefined;
      return person && { name: person.name, email: person.email, groups: [...person.groups] };
    },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    // Everything asked for is granted: the demo is about what happens after sign-in.
    async loadExistingGrant(ctx) {
      const { client, session, provider } = ctx.oidc;
      if (!client || !session?.accountId) return undefined;
      const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid profile');
      grant.addResourceScope(options.audience, 'broker');
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'broker',
          audience: options.audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: LIFE_SECONDS,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    ttl: {
      AccessToken: LIFE_SECONDS,
      AuthorizationCode: 60,
      Grant: LIFE_SECONDS,
      IdToken: LIFE_SECONDS,
      Interaction: 60,
      Session: LIFE_SECONDS,
    },
  };
}

/** What a provider must keep between two requests, for as long as this process lives. */
function memory(): (name: string) => Adapter {
  const kept = new Map<string, AdapterPayload>();
  const find = async (key: string): Promise<AdapterPayload | undefined> => kept.get(key);
  return (model) => ({
    async upsert(id, payload) {
      kept.set(`${model}:${id}`, payload);
      if (payload.uid) kept.set(`uid:${payload.uid}`, payload);
    },
    find: (id) => find(`${model}:${id}`),
    findByUid: (uid) => find(`uid:${uid}`),
    findByUserCode: async () => undefined,
    async consume(id) {
      const payload = kept.get(`${model}:${id}`);
      if (payload) payload.consumed = Math.floor(Date.now() / 1_000);
    },
    async destroy(id) {
      kept.delete(`${model}:${id}`);
    },
    async revokeByGrantId(grantId) {
      for (const [key, payload] of kept) if (payload.grantId === grantId) kept.delete(key);
    },
  });
}
