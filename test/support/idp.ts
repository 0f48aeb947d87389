/** A small issuer in this process: signs with real keys, and misbehaves on demand. */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

export interface TestKey {
  readonly kid: string;
  readonly alg: 'ES256' | 'RS256';
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}
let made = 0;
/** A fresh key pair; its public half as it stands in a key set. */
export async function testKey(alg: TestKey['alg'] = 'ES256'): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  made += 1;
  const kid = `k${made}`;
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}
/** Signs claims as they are; a header member of `undefined` is left out. */
export function sign(
  key: TestKey,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const whole = { alg: key.alg, typ: 'JWT', kid: key.kid, ...header };
  const given = Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined));
  return new SignJWT({ ...claims } as JWTPayload).setProtectedHeader(given as { alg: string }).sign(key.privateKey);
}

export interface TestIdp extends AsyncDisposable {
  readonly issuer: string;
  readonly jwksUri: string;
  /** Paths asked for, in order. */
  readonly hits: string[];
  /** What stands in the key set; change it to rotate. */
  keys: readonly TestKey[];
  /** Replaces the answer to a path. `hang` answers never; `trickle` sends its body without end. */
  answers: Record<string, Answer>;
  headers: Record<string, string>;
}
export type Answer =
  | { readonly status?: number; readonly body?: string | Uint8Array; readonly headers?: Record<string, string> }
  | 'hang'
  | 'cut'
  | 'trickle';

export async function testIdp(path = ''): Promise<TestIdp> {
  const held = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const at = request.url ?? '';
    idp.hits.push(at);
    const answer = idp.answers[at] ?? usual(at);
    if (answer === 'hang') return void held.add(response);
    if (answer === 'cut') {
      response.writeHead(200, { 'content-length': '1000' }).write('{"keys":[');
      return void setImmediate(() => response.destroy());
    }
    if (answer === 'trickle') return trickle(response);
    response
      .writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...idp.headers, ...answer.headers })
      .end(answer.body ?? '');
  });
  const usual = (at: string): Answer => {
    if (at === `${path}/jwks`) return { body: JSON.stringify({ keys: idp.keys.map((key) => key.jwk) }) };
    const metadata = JSON.stringify({ issuer: idp.issuer, jwks_uri: idp.jwksUri });
    if (at === `${path}/.well-known/openid-configuration`) return { body: metadata };
    if (at === `/.well-known/oauth-authorization-server${path}`) return { body: metadata };
    return { status: 404, body: '{}' };
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const idp: TestIdp = {
    issuer,
    jwksUri: `${issuer}/jwks`,
    hits: [],
    keys: [],
    answers: {},
    headers: {},
    async [Symbol.asyncDispose]() {
      for (const response of held) response.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return idp;
}

function trickle(response: ServerResponse): void {
  response.writeHead(200).write('{"keys":[');
  const more = (): void => {
    if (!response.destroyed) response.write(`${'{},'.repeat(10_000)}`, () => setImmediate(more));
  };
  more();
}
