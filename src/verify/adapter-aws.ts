/**
 * A redeemed session as AWS's own programs take it: an SDK, its CLI, a `credential_process`. Needs none of them.
 *
 *     const session = await redeemer.redeem(currentAction(), 'aws', { withArguments: true });
 *     const s3 = new S3Client({ region, credentials: awsCredentials(session) });
 *     await s3.send(new GetObjectCommand({ Bucket: 'exports', Key: `${args.customer_id}/orders.csv` }));
 *
 *     const cli = spawn('aws', ['s3', 'ls', `s3://exports/${args.customer_id}/`], { env: { PATH, ...awsEnvironment(session) } });
 */
import type { Redeemed } from './redeem.ts';
import { RedeemError } from './redeem-error.ts';

/** What AWS SDKs call an identity. */
export interface AwsIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

/**
 * For `credentials` of any client of the AWS SDK, which asks again before each request, since every session ends within minutes. `now`: epoch
 * seconds. @throws RedeemError ERR_REDEEM_ENDED, in place of a request that would be refused.
 */
export function awsCredentials(session: Redeemed<'aws'>, options: { readonly now?: () => number } = {}): () => Promise<AwsIdentity> {
  const now = options.now ?? (() => Math.floor(Date.now() / 1000));
  const { AccessKeyId, SecretAccessKey, SessionToken } = session.credential;
  const expiration = new Date(session.expiresAt * 1000);
  return async () => {
    if (now() >= session.expiresAt) throw new RedeemError('ERR_REDEEM_ENDED');
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken, expiration };
  };
}

/** The variables that every AWS SDK and the CLI read; give them to a child process alone. */
export function awsEnvironment({ credential }: Redeemed<'aws'>): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: credential.AccessKeyId,
    AWS_SECRET_ACCESS_KEY: credential.SecretAccessKey,
    AWS_SESSION_TOKEN: credential.SessionToken,
    AWS_CREDENTIAL_EXPIRATION: credential.Expiration,
  };
}

/** What a program named as `credential_process` prints. */
export const awsProcess = ({ credential }: Redeemed<'aws'>): string => JSON.stringify(credential);
