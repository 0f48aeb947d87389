/** Login at the issuer (OpenID Connect Core 1.0 §3.1): code, PKCE, state and nonce; what comes of it is who they are, and no token. And the way out there. */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildEndSessionUrl,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  type CustomFetchOptions,
  calculatePKCECodeChallenge,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  type IDToken,
  None,
} from 'openid-client';
import { type Result, refuse } from '../errors.ts';
import type { Secret } from '../keys/secret.ts';
import type { World } from '../model.ts';
import { ROLES, type Role } from '../operate/operator.ts';
import { isObject, type Json } from '../wire/json.ts';
import { guardedUrl, MAX_DOCUMENT_BYTES } from '../wire/jwks-remote.ts';
import { ok } from '../wire/result.ts';
import type { Visitor } from './session.ts';

export interface LoginSettings {
  /** Short id, and the `iss` of its tokens. */
  readonly issuer: { readonly id: string; readonly url: string };
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly scopes: string;
  /** Where a logout leads in the end. */
  readonly logout: 'issuer' | 'here';
  readonly roles: { readonly claim: string } & Readonly<Record<(typeof ROLES)[number], readonly string[]>>;
  readonly teams: { readonly claim: string };
}
export interface Login {
  /** Where the browser goes, and what it brings back in a cookie: sealed. Errors: `issuer_unavailable`. */
  begin(back: string): Promise<Result<{ readonly url: URL; readonly sealed: string }>>;
  /** Who came back. Errors: `login_refused` with why, `issuer_unavailable`. */
  finish(query: string, sealed: string | undefined): Promise<Result<{ readonly visitor: Visitor; readonly back: string }>>;
  /** Where this person, whose session here is over, ends the one at the issuer; undefined: nowhere, or it cannot be known now. */
  leave(name: string): Promise<URL | undefined>;
}
/** From the button to the way back. */
export const LOGIN_SECONDS = 600;
const TIMEOUT_SECONDS = 5;
/** What the issuer says of itself is asked again after so long. */
const FRESH_SECONDS = 3600;
const MOST_VALUES = 200;

export function createLogin(
  settings: LoginSettings,
  /** Addresses of ours: where a login, and where a logout comes back to. */
  rooms: { readonly world: World; readonly secret: Secret; readonly redirect: string; readonly home: string },
): Login {
  const { issuer, clientId, scopes } = settings;
  const { world, secret, redirect, home } = rooms;
  const random = (): string => Buffer.from(world.random(32)).toString('base64url');
  let known: { readonly configuration: Configuration; readonly at: number } | undefined;

  async function configuration(): Promise<Configuration> {
    if (known && world.now() - known.at < FRESH_SECONDS) return known.configuration;
    const insecure = issuer.url.startsWith('http:') ? [allowInsecureRequests] : [];
    const options = { execute: insecure, timeout: TIMEOUT_SECONDS, [customFetch]: bounded };
    const server = (await discovery(new URL(issuer.url), clientId, undefined, None(), options)).serverMetadata();
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const made = new Configuration(server, clientId, undefined, authentication(settings.clientSecret, methods));
    // The id_token's signature is checked though it comes from the issuer itself: TLS ends before us in many a house.
    for (const change of [enableNonRepudiationChecks, ...insecure]) change(made);
    made.timeout = TIMEOUT_SECONDS;
    made[customFetch] = bounded;
    known = { configuration: made, at: world.now() };
    return made;
  }

  return {
    async begin(back) {
      const [state, nonce, verifier] = [random(), random(), random()];
      let url: URL;
      try {
        url = buildAuthorizationUrl(await configuration(), {
          redirect_uri: redirect,
          scope: scopes,
          state,
          nonce,
          code_challenge: await calculatePKCECodeChallenge(verifier),
          code_challenge_method: 'S256',
        });
      } catch {
        return refuse('issuer_unavailable', { detail: 'login' });
      }
      if (!guardedUrl(url.href)) return refuse('issuer_unavailable', { detail: 'login' });
      return ok({ url, sealed: secret.seal('login', { state, nonce, verifier, back, until: world.now() + LOGIN_SECONDS }) });
    },
    async finish(query, sealed) {
      const begun = opened(secret, sealed);
      if (!begun || begun.until <= world.now()) return refuse('login_refused', { detail: 'not_begun_here' });
      let config: Configuration;
      try {
        config = await configuration();
      } catch {
        return refuse('issuer_unavailable', { detail: 'login' });
      }
      let claims: IDToken | undefined;
      try {
        const checks = { expectedState: begun.state, expectedNonce: begun.nonce, pkceCodeVerifier: begun.verifier, idTokenExpected: true };
        claims = (await authorizationCodeGrant(config, new URL(`${redirect}?${query}`), checks)).claims();
      } catch (fault) {
        const detail = detailOf(fault);
        return detail === 'network' ? refuse('issuer_unavailable', { detail: 'login' }) : refuse('login_refused', { detail });
      }
      const flaw = flawOf(claims, clientId);
      if (!claims || flaw) return refuse('login_refused', { detail: flaw ?? 'id_token' });
      return ok({ visitor: visitorOf(claims, settings), back: begun.back });
    },
    async leave(name) {
      if (settings.logout === 'here' || !name.startsWith(`${issuer.id}:`)) return undefined;
      try {
        // What was known at some login will do: nobody waits to be let out.
        const config = known?.configuration ?? (await configuration());
        // RP-Initiated Logout 1.0 §2: without an id_token_hint, since none is kept, the issuer asks first. Without a state: nothing is done on the way back.
        return guardedUrl(buildEndSessionUrl(config, { post_logout_redirect_uri: home }).href);
      } catch {
        return undefined;
      }
    },
  };
}

function authentication(secret: string | undefined, methods: readonly string[]): ClientAuth {
  if (secret === undefined) return None();
  return methods.includes('client_secret_basic') ? ClientSecretBasic(secret) : ClientSecretPost(secret);
}
/** What the library checks is signature, `iss`, `aud`, `exp`, `iat` and `nonce`; what it lets pass is looked at here. */
function flawOf(claims: IDToken | undefined, clientId: string): string | undefined {
  if (!claims) return 'id_token';
  const { aud, azp, sub } = claims;
  const audiences = [aud].flat();
  if (audiences.length !== 1 || audiences[0] !== clientId || (azp !== undefined && azp !== clientId)) return 'audience';
  // Somebody acts for them: no agent decides in a person's place (wire.md §2).
  if (claims['act'] !== undefined) return 'acted';
  // A token of another kind (RFC 8417 §2.2).
  if (claims['events'] !== undefined) return 'id_token';
  return /^\S{1,255}$/.test(sub) ? undefined : 'subject';
}
function visitorOf(claims: IDToken, { issuer, roles, teams }: LoginSettings): Visitor {
  const has = new Set(valuesOf(claims[roles.claim]));
  const given = ROLES.filter((role) => roles[role].some((value) => has.has(value)));
  const called = [claims['name'], claims['preferred_username'], claims['email']].find((text) => typeof text === 'string' && text !== '');
  return {
    name: `${issuer.id}:${claims.sub}`,
    display: (typeof called === 'string' ? called : claims.sub).slice(0, 128),
    roles: [...given, 'self'] satisfies readonly Role[],
    teams: valuesOf(claims[teams.claim]).map((value) => `team:${value}`),
  };
}
function valuesOf(claim: unknown): readonly string[] {
  const all = typeof claim === 'string' ? [claim] : Array.isArray(claim) ? claim : [];
  return all.filter((value): value is string => typeof value === 'string' && value !== '' && value.length <= 256).slice(0, MOST_VALUES);
}

interface Begun {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly back: string;
  readonly until: number;
}
function opened(secret: Secret, sealed: string | undefined): Begun | undefined {
  if (sealed === undefined || sealed.length > 4_096) return undefined;
  let value: Json;
  try {
    value = secret.open('login', sealed);
  } catch {
    return undefined;
  }
  return isObject(value) ? (value as unknown as Begun) : undefined;
}
/** A code of ours for what the library threw: its texts may quote what came in. */
function detailOf(fault: unknown): string {
  const code = fault instanceof Error && 'code' in fault ? String(fault.code) : '';
  if (code === 'OAUTH_AUTHORIZATION_RESPONSE_ERROR') return 'refused_there';
  if (code === 'OAUTH_RESPONSE_BODY_ERROR' || code === 'OAUTH_WWW_AUTHENTICATE_CHALLENGE') return 'code';
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT' || fault instanceof TypeError) return 'network';
  if (code === 'OAUTH_JWT_CLAIM_COMPARISON_FAILED' || code === 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED') return 'id_token';
  return 'answer';
}

/** A slow, endless or redirecting issuer stays its own trouble. */
async function bounded(url: string, { body, headers, method, signal }: CustomFetchOptions): Promise<Response> {
  if (!guardedUrl(url)) throw new TypeError('not an address to ask');
  // What the library sends is a form.
  const form = body instanceof URLSearchParams ? { body } : {};
  const response = await fetch(url, { method, headers, redirect: 'manual', ...form, ...(signal && { signal }) });
  let size = 0;
  const parts: Uint8Array[] = [];
  for await (const part of response.body ?? []) {
    size += part.byteLength;
    if (size > MAX_DOCUMENT_BYTES) throw new TypeError('too long an answer');
    parts.push(part);
  }
  const empty = [101, 204, 205, 304].includes(response.status);
  return new Response(empty ? null : Buffer.concat(parts), { status: response.status, headers: response.headers });
}
