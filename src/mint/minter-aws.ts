import { type Result, refuse } from '../errors.ts';
import type { Credential, EpochSeconds, Grant, Job, Lease } from '../model.ts';
import type { Alg } from '../wire/jws.ts';
import { ok } from '../wire/result.ts';
import type { SignLogin } from './login.ts';
import type { Minter } from './minter.ts';
import { awsName } from './minter-aws-names.ts';
import { fillParameters } from './minter-aws-parameters.ts';
import { MAX_POLICY_LENGTH, type Reach, renderPolicy } from './minter-aws-policy.ts';
import type { AwsSettings } from './minter-aws-registration.ts';
import { openSts, type Question, type Session, type StandingKeys } from './minter-aws-sts.ts';
import { AwsFault, awsTransport } from './minter-aws-transport.ts';

export interface AwsOptions {
  readonly region: string;
  /** https, or http on loopback. Absent: AWS's own of the region. */
  readonly endpoint?: string | undefined;
  /** `aud` of our logins: a client id of the identity provider there. */
  readonly audience: string;
  readonly algorithm: Alg;
  /** The shortest session its STS gives. AWS's own: 900. */
  readonly minSessionSeconds: number;
  /** One call. */
  readonly timeoutMs: number;
  readonly login: SignLogin;
  /** Present: AssumeRole with these in place of logins, which are secrets that stand. */
  readonly keys?: StandingKeys | 'default-chain' | undefined;
  readonly now: () => EpochSeconds;
  readonly after: (ms: number) => AbortSignal;
  readonly random: (bytes: number) => Uint8Array;
}

/** What clocks may differ by, and how much a session may be longer than it was asked for. */
const SKEW_SECONDS = 60;
const LEASE_BYTES = 12;
const TAGS = 'https://aws.amazon.com/tags';
const SOURCE_IDENTITY = 'https://aws.amazon.com/source_identity';

/**
 * A role's session for one action, narrowed by a session policy which ends it at the granted end, to the second: STS itself gives no less
 * than a quarter of an hour, and takes nothing back. Logs in with a token made for this one call (wire.md §6).
 */
export function awsMinter(options: AwsOptions): Minter {
  const { region, audience, algorithm, minSessionSeconds, timeoutMs, login, keys, now, after, random } = options;
  const endpoint = options.endpoint ?? `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const reach: Reach = /\.amazonaws\.com(?:\.cn)?$/.test(new URL(endpoint).hostname) ? 'everything' : 'services';
  const transport = awsTransport({ endpoint });
  const sts = openSts({ region, endpoint, transport, within: () => after(timeoutMs), ...(keys && { keys }) });

  async function by(tool: string, grant: Grant, tags: Readonly<Record<string, string>>, settings: AwsSettings): Promise<Question['by']> {
    const source = awsName(grant.txn);
    if (keys) return { source, tags };
    const principal = Object.fromEntries(Object.entries(tags).map(([name, value]) => [name, [value]]));
    const claims = {
      ...settings.claims,
      [SOURCE_IDENTITY]: source,
      [TAGS]: { principal_tags: principal, transitive_tag_keys: Object.keys(tags) },
    };
    return { login: await login({ audience, subject: tool, id: nameOf('log', random), now: now(), alg: algorithm, claims }) };
  }

  return {
    kind: 'aws',
    prepare(job, grant) {
      const { registration, call } = job;
      if (!call || registration?.kind !== 'aws') return refuse('mint_refused');
      // A session has no place for it, and what is passed over is not asked for.
      if (job.material) return refuse('request_malformed', { detail: 'material' });
      const settings = registration.settings as AwsSettings;
      if (settings.parameters.length > 0 && !call.arguments) return refuse('arguments_bad', { detail: 'absent' });
      const values = fillParameters(settings.parameters, call.arguments ?? {});
      if (!values.ok) return refuse('arguments_bad', { detail: values.error });
      const exp = Math.min(grant.exp, grant.iat + (registration.ttlSeconds ?? Number.POSITIVE_INFINITY));
      const policy = renderPolicy(settings.template, values.value, iso(exp), reach);
      if (policy.length > MAX_POLICY_LENGTH) return refuse('mint_refused', { detail: 'policy_size' });
      const lease: Lease & { readonly cap: number } = {
        id: nameOf('lea', random),
        txn: grant.txn,
        kind: 'aws',
        where: registration.where,
        exp,
        cap: registration.cap,
      };
      const tags = { txn: awsName(grant.txn), agent: awsName(agentOf(job)) };

      async function run({ signal }: { readonly signal: AbortSignal }): Promise<Result<Credential>> {
        const at = now();
        if (at >= exp) return refuse('deadline');
        const durationSeconds = Math.max(minSessionSeconds, exp - at);
        const session = awsName(grant.txn);
        const question = {
          role: settings.role,
          session,
          policy,
          durationSeconds,
          by: await by(`${job.server.id}:${call?.tool}`, grant, tags, settings),
        };
        const asked = await sts.ask(question, signal);
        if (!asked.ok) return asked;
        const { end } = asked.value;
        // Dead on arrival, or not what was asked for: then who knows whether the policy is.
        if (end <= now() || end > now() + durationSeconds + SKEW_SECONDS) throw new AwsFault('aws_end');
        const effectiveExpiry = Math.min(exp, end);
        const { cap: _, ...held } = { ...lease, exp: effectiveExpiry };
        return ok({ kind: 'aws', token: tokenOf(asked.value, effectiveExpiry), effectiveExpiry, lease: held });
      }
      return ok({ lease, run });
    },
    // STS takes nothing back. Its policy has ended it by then, also if nobody ever received it.
    revoke: async ({ exp }) => ({ end: 'dies', at: exp }),
    async describe({ signal }) {
      sts.warm();
      const ready = await transport.reach(signal);
      const how = keys ? 'STS, by keys that stand' : 'STS, by logins';
      return { ready, detail: ready ? how : `${how}: it cannot be reached`, ...(keys && { standing: true }) };
    },
  };
}

/** Who acts: the outermost actor, or the subject that acts for itself. */
const agentOf = ({ actors, subject }: Job): string => actors[0] ?? subject;
const iso = (at: EpochSeconds): string => new Date(at * 1000).toISOString().replace('.000Z', 'Z');
const nameOf = <P extends string>(prefix: P, random: AwsOptions['random']): `${P}_${string}` =>
  `${prefix}_${Buffer.from(random(LEASE_BYTES)).toString('base64url')}`;
/** What AWS SDKs and its CLI read from a `credential_process`. */
const tokenOf = ({ accessKeyId, secretAccessKey, sessionToken }: Session, end: EpochSeconds): string =>
  Buffer.from(
    JSON.stringify({
      Version: 1,
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      SessionToken: sessionToken,
      Expiration: iso(end),
    }),
  ).toString('base64url');
