/** What a person's browser does at an OpenID provider, done by `fetch`: authorization code with PKCE (RFC 7636), cookies and redirects. */
import { createHash, randomBytes } from 'node:crypto';

export interface SignInRequest {
  readonly issuer: string;
  readonly clientId: string;
  readonly redirectUri: string;
  /** RFC 8707: what the access token is for. */
  readonly resource: string;
  readonly loginHint: string;
}

/** Errors: one with a constant text, when the provider does not let this person in. */
export async function signInAt(request: SignInRequest): Promise<{ readonly idToken: string; readonly accessToken: string }> {
  const { issuer, clientId, redirectUri, resource, loginHint } = request;
  const verifier = randomBytes(32).toString('base64url');
  const start = new URL('/auth', issuer);
  start.search = new URLSearchParams({
    client_id: clientId,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'openid profile broker',
    resource,
    login_hint: loginHint,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }).toString();
  const code = await walk(start, redirectUri);

  const answer = await fetch(new URL('/token', issuer), {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      client_id: clientId,
      code_verifier: verifier,
      resource,
    }),
  });
  const body = (await answer.json()) as { readonly id_token?: unknown; readonly access_token?: unknown };
  if (typeof body.id_token !== 'string' || typeof body.access_token !== 'string') throw new Error('sign-in: the provider gave no tokens');
  return { idToken: body.id_token, accessToken: body.access_token };
}

/** Follows redirects with the provider's cookies until they lead back to the client. */
async function walk(start: URL, redirectUri: string): Promise<string> {
  const cookies = new Map<string, string>();
  let url = start;
  for (let step = 0; step < 8; step++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: cookie === '' ? {} : { cookie } });
    await response.body?.cancel();
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';');
      const at = pair.indexOf('=');
      cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const location = response.headers.get('location');
    if (location === null) break;
    url = new URL(location, url);
    if (`${url.origin}${url.pathname}` === redirectUri) {
      const code = url.searchParams.get('code');
      if (code !== null) return code;
      break;
    }
  }
  throw new Error('sign-in: the provider did not let this person in');
}
