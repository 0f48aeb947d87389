/** What every minter must do, on MinIO's STS. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite } from 'node:test';
import { awsMinter } from '../../src/mint/minter-aws.ts';
import { type MinterMade, minterContract } from '../contract/minter.ts';
import { jwt, newKey } from '../support/keys.ts';
import { job, opened } from '../unit/mint/aws-fake.ts';
import { READ, registered } from '../unit/mint/aws-world.ts';
import { startMinio } from './minio.ts';
import { skipUnless } from './provision.ts';
import { BLACKHOLE, startProxy } from './proxy.ts';

suite('MinIO', { skip: await skipUnless('minio') }, () => minterContract('MinIO', made));

async function made(): Promise<MinterMade> {
  const key = newKey('login-1');
  const issuer = await issuerOf(key.publicJwk);
  const minio = await startMinio({
    openid: { configUrl: `${issuer.url}/.well-known/openid-configuration`, clientId: 'minio' },
    buckets: ['exports'],
  });
  await minio.put('exports/c_4711/a.csv', 'a');
  const proxy = await startProxy({ port: Number(new URL(minio.address).port) });
  const now = (): number => Math.floor(Date.now() / 1000);
  let calls = 0;
  const one = job(registered(READ, { claims: { policy: 'readwrite' } }));
  const { registration: _, ...bare } = one;
  return {
    minter: awsMinter({
      region: minio.region,
      endpoint: `http://${proxy.host}:${proxy.port}`,
      audience: 'minio',
      algorithm: 'ES256',
      minSessionSeconds: 900,
      timeoutMs: 1_000,
      now,
      after: (ms) => AbortSignal.timeout(ms),
      random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
      login: ({ audience, subject, id, now: iat, alg, claims }) => {
        calls++;
        const all = { ...claims, iss: issuer.url, aud: audience, sub: subject, jti: id, iat, exp: iat + 60 };
        return jwt(key, { alg, typ: 'JWT', kid: key.kid }, all);
      },
    }),
    job: one,
    refused: {
      'no registration': [bare, 'mint_refused'],
      'what it has no place for': [{ ...one, material: { csr: 'x' } }, 'request_malformed'],
    },
    now,
    calls: () => calls,
    works: async ({ token }) => {
      const said = opened(token);
      const [accessKeyId, secretAccessKey, sessionToken] = [said['AccessKeyId'], said['SecretAccessKey'], said['SessionToken']].map(String);
      const as = { accessKeyId: accessKeyId ?? '', secretAccessKey: secretAccessKey ?? '', sessionToken: sessionToken ?? '' };
      return (await minio.s3('GET', 'exports/c_4711/a.csv', undefined, as)).status === 200;
    },
    hang: (hangs) => proxy.set(hangs ? BLACKHOLE : {}),
    close: async () => {
      await proxy.stop();
      await minio.stop();
      await issuer.stop();
    },
  };
}

async function issuerOf(jwk: object): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/jwks') return void response.end(JSON.stringify({ keys: [jwk] }));
    const document = {
      issuer: url,
      jwks_uri: `${url}/jwks`,
      authorization_endpoint: `${url}/authorize`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
    response.end(JSON.stringify(document));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
