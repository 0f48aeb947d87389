/** MinIO for tests: S3 and its STS, which trusts one OpenID issuer; and calls to both with whatever credentials the test holds. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { launch, newFolder, newSecret, type Service, servicePort } from './program.ts';
import { pathOf } from './provision.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}
export interface S3Answer {
  readonly status: number;
  /** `AccessDenied`, `NoSuchKey`: of an error's XML, else empty. */
  readonly code: string;
  readonly text: string;
}
export interface StsAnswer extends S3Answer {
  readonly credentials?: S3Credentials;
  /** ISO 8601; what STS says, which a policy may undercut. */
  readonly expiration?: string;
}
export interface MinioOptions {
  /** Where it is to be found, for who must know before it starts. */
  readonly port?: number;
  /** Whose tokens its STS takes. MinIO reads the discovery document now: it must answer, with all that OpenID demands of one. */
  readonly openid?: {
    readonly configUrl: string;
    /** What stands in `aud`. */
    readonly clientId: string;
    /** The claim that names the policy a session has at most, say readwrite; policy. */
    readonly claimName?: string;
  };
  readonly buckets?: readonly string[];
}
export interface Minio extends Service {
  /** http://127.0.0.1:port, for S3 and for STS. */
  readonly address: string;
  readonly region: string;
  readonly root: S3Credentials;
  /** A request signed with these; root's without. The path is `bucket/key`, a query may follow. */
  s3(method: string, path: string, body?: string, credentials?: S3Credentials): Promise<S3Answer>;
  put(path: string, body: string): Promise<void>;
  /** One call of STS by its own parameters; signed if credentials are given. `Version` need not be among them. */
  sts(parameters: Readonly<Record<string, string>>, credentials?: S3Credentials): Promise<StsAnswer>;
}
const REGION = 'us-east-1';
const KNOWN_POLICY = 'minio/admin/v3/info-canned-policy?name=readwrite';

export async function startMinio({ openid, buckets = [], ...options }: MinioOptions = {}): Promise<Minio> {
  const port = options.port ?? (await servicePort());
  const address = `http://127.0.0.1:${port}`;
  const root: S3Credentials = { accessKeyId: 'admin', secretAccessKey: newSecret() };
  const folder = newFolder('minio');
  const data = join(folder.path, 'data');
  mkdirSync(data);
  const service = await launch({
    program: pathOf('minio'),
    args: ['server', '--address', `127.0.0.1:${port}`, '--certs-dir', join(folder.path, 'certs'), data],
    folder,
    env: {
      MINIO_ROOT_USER: root.accessKeyId,
      MINIO_ROOT_PASSWORD: root.secretAccessKey,
      MINIO_REGION: REGION,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
      ...(openid && {
        MINIO_IDENTITY_OPENID_CONFIG_URL: openid.configUrl,
        MINIO_IDENTITY_OPENID_CLIENT_ID: openid.clientId,
        MINIO_IDENTITY_OPENID_CLAIM_NAME: openid.claimName ?? 'policy',
      }),
    },
    // S3 answers a moment before STS knows its own policies, which it does when the operator's API does.
    ready: async () => (await s3('GET', '')).status === 200 && (await s3('GET', KNOWN_POLICY)).status === 200,
  });
  async function s3(method: string, path: string, body?: string, credentials: S3Credentials = root): Promise<S3Answer> {
    const client = new AwsClient({ ...credentials, service: 's3', region: REGION, retries: 0 });
    return answer(
      await client.fetch(`${address}/${path}`, { method, signal: AbortSignal.timeout(10_000), ...(body !== undefined && { body }) }),
    );
  }
  const must = async (method: string, path: string, body?: string): Promise<void> => {
    const { status, text } = await s3(method, path, body);
    if (status !== 200) throw new Error(`MinIO answers ${status} to ${method} ${path}: ${text}`);
  };
  for (const bucket of buckets) await must('PUT', bucket);
  return {
    ...service,
    address,
    region: REGION,
    root,
    s3,
    put: (path, body) => must('PUT', path, body),
    async sts(parameters, credentials) {
      const body = new URLSearchParams({ Version: '2011-06-15', ...parameters });
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const request = { method: 'POST', body: body.toString(), headers, signal: AbortSignal.timeout(10_000) };
      const client = credentials && new AwsClient({ ...credentials, service: 'sts', region: REGION, retries: 0 });
      const answered = await answer(await (client ? client.fetch(`${address}/`, request) : fetch(`${address}/`, request)));
      const of = (name: string): string => element(answered.text, name);
      if (answered.status !== 200) return answered;
      const given = { accessKeyId: of('AccessKeyId'), secretAccessKey: of('SecretAccessKey'), sessionToken: of('SessionToken') };
      return { ...answered, credentials: given, expiration: of('Expiration') };
    },
  };
}

async function answer(response: Response): Promise<S3Answer> {
  const text = await response.text();
  return { status: response.status, code: response.ok ? '' : element(text, 'Code'), text };
}
/** Enough of XML for what these answers hold: names, numbers and base64. */
const element = (text: string, name: string): string => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '';
