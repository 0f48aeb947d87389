/** A redeemed session in the hands of AWS's own SDK, in each way that it takes one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { GetCallerIdentityCommand, STSClient, type STSClientConfig } from '@aws-sdk/client-sts';
import { awsCredentials, awsEnvironment, awsProcess } from '../../../src/verify/adapter-aws.ts';
import type { Redeemed } from '../../../src/verify/redeem.ts';
import { fakeSts, result, SECRETS, says } from '../mint/aws-fake.ts';

/** As `redeem` gives it. */
function redeemed(seconds = 60): Redeemed<'aws'> {
  const expiresAt = Math.floor(Date.now() / 1000) + seconds;
  const credential = { Version: 1, ...SECRETS, Expiration: new Date(expiresAt * 1000).toISOString().replace('.000', '') };
  return Object.defineProperty({ kind: 'aws', expiresAt, txn: 'txn_1' }, 'credential', { value: credential }) as Redeemed<'aws'>;
}
const SIGNED = { key: SECRETS.AccessKeyId, token: SECRETS.SessionToken };
/** Who a client says it is, asked twice. */
async function seen(config: STSClientConfig): Promise<readonly unknown[]> {
  await using sts = await fakeSts({ answer: says(result('<Account>1</Account>', 'GetCallerIdentity')) });
  const client = new STSClient({ region: 'eu-west-1', endpoint: sts.address, maxAttempts: 1, ...config });
  for (let i = 0; i < 2; i++) await client.send(new GetCallerIdentityCommand({}));
  client.destroy();
  return sts.asked.map(({ headers }) => ({
    key: /Credential=(\w+)\//.exec(headers.authorization ?? '')?.[1],
    token: headers['x-amz-security-token'],
  }));
}
/** The environment of a child. */
async function having<T>(environment: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true', ...environment });
  try {
    return await work();
  } finally {
    process.env = before;
  }
}

suite('a redeemed session', () => {
  test('signs for a client of the SDK', async () => {
    assert.deepEqual(await seen({ credentials: awsCredentials(redeemed()) }), [SIGNED, SIGNED]);
  });
  test('signs no more once it has ended', async () => {
    const session = redeemed();
    const credentials = awsCredentials(session, { now: () => session.expiresAt });
    await assert.rejects(seen({ credentials }), { name: 'RedeemError', code: 'ERR_REDEEM_ENDED' });
  });
  test('says when it ends', async () => {
    const session = redeemed();
    assert.deepEqual(await awsCredentials(session)(), {
      accessKeyId: SECRETS.AccessKeyId,
      secretAccessKey: SECRETS.SecretAccessKey,
      sessionToken: SECRETS.SessionToken,
      expiration: new Date(session.credential.Expiration),
    });
  });
  test('is what a child of ours finds in its environment', async () => {
    assert.deepEqual(await having(awsEnvironment(redeemed()), () => seen({})), [SIGNED, SIGNED]);
  });
  test('is what a credential_process prints', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-aws-'));
    try {
      const [printed, config] = [join(folder, 'session.json'), join(folder, 'config')];
      writeFileSync(printed, awsProcess(redeemed()), { mode: 0o600 });
      writeFileSync(config, `[default]\ncredential_process = cat ${printed}\n`);
      const environment = { AWS_CONFIG_FILE: config, AWS_SHARED_CREDENTIALS_FILE: join(folder, 'none') };
      assert.deepEqual(await having(environment, () => seen({})), [SIGNED, SIGNED]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
