/** One question to STS and what its answer means. Knows the SDK; may not know tools, templates or leases. */
import type { AssumeRoleCommandOutput, STSClient, STSClientConfig } from '@aws-sdk/client-sts';
import { type Result, refuse } from '../errors.ts';
import type { EpochSeconds } from '../model.ts';
import { ok } from '../wire/result.ts';
import { beforeAbort } from './deadline.ts';
import { AwsFault, type Sending, type Transport } from './minter-aws-transport.ts';

export interface StandingKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}
export interface StsOptions {
  readonly region: string;
  readonly endpoint: string;
  readonly transport: Transport;
  /** For AssumeRole: keys as configured, or what the SDK finds on this machine. Absent: logins alone, and none are looked for. */
  readonly keys?: StandingKeys | 'default-chain';
  /** When one call is to be given up. */
  readonly within: () => AbortSignal;
}
export interface Question {
  readonly role: string;
  readonly session: string;
  readonly policy: string;
  readonly durationSeconds: number;
  /** AssumeRoleWithWebIdentity with this login, which says the rest; else AssumeRole, with source identity and tags in the request. */
  readonly by: { readonly login: string } | { readonly source: string; readonly tags: Readonly<Record<string, string>> };
}
export interface Session {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** As STS says; a session policy may end it before. Rounded down. */
  readonly end: EpochSeconds;
}
export interface Sts {
  /** Errors: STS says no, and made nothing. Throws AwsFault. */
  ask(question: Question, waiting: AbortSignal): Promise<Result<Session>>;
  /** Loads what it takes to ask. Returns at once. */
  warm(): void;
}

/** STS's own names for a no that stays one, and what the ledger says of it. */
const NO: ReadonlyMap<string, string> = new Map([
  ['AccessDenied', 'sts_access_denied'],
  ['NotAuthorized', 'sts_access_denied'],
  ['InvalidIdentityToken', 'sts_login'],
  ['IDPRejectedClaim', 'sts_login'],
  ['InvalidClientTokenId', 'sts_keys'],
  ['SignatureDoesNotMatch', 'sts_keys'],
  ['MalformedPolicyDocument', 'sts_policy'],
  ['PackedPolicyTooLarge', 'sts_policy_size'],
  ['RegionDisabled', 'sts_region'],
  ['OptInRequired', 'sts_region'],
  ['Validation', 'sts_request'],
  ['InvalidParameterValue', 'sts_request'],
]);
/** A no for now: of a clock, or because of somebody whom STS asks. */
const NOT_NOW: ReadonlyMap<string, string> = new Map([
  ['ExpiredToken', 'sts_clock'],
  ['RequestExpired', 'sts_clock'],
  ['IDPCommunication', 'sts_issuer_unreachable'],
]);
const TOO_MUCH = new Set(['Throttling', 'Throttled', 'RequestLimitExceeded', 'RequestThrottled', 'TooManyRequests', 'SlowDown']);
/** 429 is said by whoever stands before STS, in any language. */
class TooMuch extends Error {}

type Sdk = typeof import('@aws-sdk/client-sts');
interface Opened {
  readonly sdk: Sdk;
  readonly client: STSClient;
}

export function openSts(options: StsOptions): Sts {
  let opened: Promise<Opened> | undefined;
  // When it is first looked at, or asked: the broker does not start later for it.
  const open = (): Promise<Opened> => {
    opened ??= import('@aws-sdk/client-sts').then((sdk) => ({ sdk, client: new sdk.STSClient(settingsOf(options)) }));
    return opened;
  };
  return {
    warm: () => void open().catch(() => undefined),
    async ask(question, waiting) {
      const { sdk, client } = await open();
      const signal = AbortSignal.any([waiting, options.within()]);
      try {
        return ok(sessionOf(await abandonable(put(sdk, client, question, signal), signal)));
      } catch (fault) {
        if (fault instanceof AwsFault) throw fault;
        if (fault instanceof TooMuch) return refuse('mint_backpressure');
        if (!(fault instanceof sdk.STSServiceException)) throw new AwsFault(isKeyless(fault) ? 'aws_keys' : 'aws_form');
        return meaningOf(fault.name, fault.$metadata.httpStatusCode ?? 0);
      }
    },
  };
}

function put(
  { AssumeRoleWithWebIdentityCommand, AssumeRoleCommand }: Sdk,
  client: STSClient,
  { role, session, policy, durationSeconds, by }: Question,
  abortSignal: AbortSignal,
): Promise<Pick<AssumeRoleCommandOutput, 'Credentials'>> {
  const common = { RoleArn: role, RoleSessionName: session, Policy: policy, DurationSeconds: durationSeconds };
  if ('login' in by) return client.send(new AssumeRoleWithWebIdentityCommand({ ...common, WebIdentityToken: by.login }), { abortSignal });
  const tags = {
    Tags: Object.entries(by.tags).map(([Key, Value]) => ({ Key, Value })),
    TransitiveTagKeys: Object.keys(by.tags),
  };
  return client.send(new AssumeRoleCommand({ ...common, SourceIdentity: by.source, ...tags }), { abortSignal });
}

/** Every setting that the SDK would else look for in the environment or in a file of the user's. */
function settingsOf({ region, endpoint, transport, keys }: StsOptions): STSClientConfig {
  return {
    region,
    endpoint,
    // Asked once: whoever wants it again says so under its Idempotency-Key.
    maxAttempts: 1,
    retryMode: 'standard',
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    authSchemePreference: [],
    sigv4aSigningRegionSet: [],
    ...(keys !== 'default-chain' && { credentials: keys ?? noKeys }),
    requestHandler: {
      async handle(request: Sending, { abortSignal }: { readonly abortSignal: AbortSignal }) {
        const { status, headers, body } = await transport.send({ ...request, headers: ownHeaders(request.headers) }, abortSignal);
        if (status === 429) throw new TooMuch();
        return { response: { statusCode: status, headers, body } };
      },
      updateHttpClientConfig: () => undefined,
      httpHandlerConfigs: () => ({}),
    },
  };
}
/** What the SDK would tell of this machine and its environment is nobody's to know; neither header is signed. */
function ownHeaders(headers: Sending['headers']): Sending['headers'] {
  const own = Object.entries(headers).filter(([name]) => !/^(?:user-agent|x-amzn-trace-id)$/i.test(name));
  return { ...Object.fromEntries(own), 'user-agent': 'countersign' };
}
const noKeys = async (): Promise<never> => {
  throw new AwsFault('aws_keys');
};
const isKeyless = (fault: unknown): boolean => fault instanceof Error && fault.name === 'CredentialsProviderError';

/** Names are looked up and never repeated. */
function meaningOf(name: string, status: number): Result<never> {
  const code = name.replace(/(?:Exception|Error)+$/, '');
  if (TOO_MUCH.has(code)) return refuse('mint_backpressure');
  if (status < 400 || status >= 500) throw new AwsFault('aws_status');
  const later = NOT_NOW.get(code);
  if (later !== undefined) return refuse('unavailable', { detail: later });
  return refuse('mint_refused', { detail: NO.get(code) ?? 'sts_other' });
}

/** No more than these can be, so that the credential fits every header and form it is sent in. */
const VISIBLE = /^[\x21-\x7e]+$/;
function sessionOf({ Credentials: given }: Pick<AssumeRoleCommandOutput, 'Credentials'>): Session {
  const word = (value: unknown, max: number): string => {
    if (typeof value !== 'string' || value.length > max || !VISIBLE.test(value)) throw new AwsFault('aws_form');
    return value;
  };
  const keys = {
    accessKeyId: word(given?.AccessKeyId, 128),
    secretAccessKey: word(given?.SecretAccessKey, 256),
    sessionToken: word(given?.SessionToken, 12 * 1024),
  };
  const end = given?.Expiration instanceof Date ? Math.floor(given.Expiration.getTime() / 1000) : Number.NaN;
  if (!Number.isSafeInteger(end)) throw new AwsFault('aws_end');
  return { ...keys, end };
}

/** The SDK may still be looking for keys, which no signal stops. */
async function abandonable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const done = await beforeAbort(work, signal);
  if (done === undefined) throw new AwsFault('aws_deadline');
  return done;
}
