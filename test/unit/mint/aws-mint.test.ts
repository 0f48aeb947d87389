/** What is asked of STS, and what becomes of its answers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { decodeJwt } from 'jose';
import type { Result } from '../../../src/errors.ts';
import type { Credential } from '../../../src/model.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { type Asked, credentials, failure, fakeSts, job, opened, result, SECRETS, type Stage, says, stage, waiting } from './aws-fake.ts';
import { READ, ROLE, registered } from './aws-world.ts';

const END = 1_795_176_120;
async function mint({ minter, grant }: Stage, given = job(), seconds = 120): Promise<Result<Credential>> {
  const order = minter.prepare(given, grant(seconds));
  assert.ok(order.ok);
  return order.value.run(waiting());
}
async function minted(on: Stage, given = job(), seconds = 120): Promise<Credential> {
  const made = await mint(on, given, seconds);
  assert.ok(made.ok);
  return made.value;
}

suite('one session', () => {
  test('is asked for by a login and nothing else, narrowed and ended by its policy', async () => {
    await using on = await stage();
    const credential = await minted(on, job(registered(READ, { claims: { policy: 'readwrite' } })));
    const [asked] = on.sts.asked;
    assert.ok(asked && on.sts.asked.length === 1);
    const { Policy: policy, WebIdentityToken: login, ...rest } = asked.form;
    assert.deepEqual(rest, {
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: ROLE,
      RoleSessionName: 'txn_6b1f00f3a1',
      DurationSeconds: '900',
    });
    assert.equal(asked.headers.authorization, undefined);
    assert.deepEqual(JSON.parse(policy ?? ''), {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: 's3:GetObject',
          Resource: 'arn:aws:s3:::exports/c_4711/*',
          Condition: { DateLessThan: { 'aws:CurrentTime': '2026-11-20T12:02:00Z' } },
        },
        {
          Effect: 'Deny',
          Action: 's3:*',
          Resource: '*',
          Condition: { DateGreaterThanEquals: { 'aws:CurrentTime': '2026-11-20T12:02:00Z' } },
        },
      ],
    });
    const { jti, ...claims } = decodeJwt(login ?? '');
    assert.match(String(jti), /^log_[\w-]{16}$/);
    assert.deepEqual(claims, {
      sub: 'shop:export_orders',
      aud: 'sts.amazonaws.com',
      iat: 1_795_176_000,
      exp: 1_795_176_060,
      policy: 'readwrite',
      'https://aws.amazon.com/source_identity': 'txn_6b1f00f3a1',
      'https://aws.amazon.com/tags': {
        principal_tags: { txn: ['txn_6b1f00f3a1'], agent: ['refund-bot'] },
        transitive_tag_keys: ['txn', 'agent'],
      },
    });

    assert.deepEqual(opened(credential.token), { Version: 1, ...SECRETS, Expiration: '2026-11-20T12:02:00Z' });
    const { token: _, lease, ...said } = credential;
    assert.deepEqual(said, { kind: 'aws', effectiveExpiry: END });
    assert.deepEqual({ ...lease, id: '' }, { id: '', txn: 'txn_6b1f00f3a1', kind: 'aws', where: `aws/${ROLE}`, exp: END });
  });

  test('its lease is under its cap before anything is asked, and names nothing secret', async () => {
    await using on = await stage();
    const order = on.minter.prepare(job(), on.grant());
    assert.ok(order.ok && order.value.lease);
    assert.deepEqual(
      { ...order.value.lease, id: '' },
      { id: '', txn: 'txn_6b1f00f3a1', kind: 'aws', where: `aws/${ROLE}`, exp: END, cap: 100 },
    );
    assert.equal(on.sts.asked.length, 0);
  });

  test('dies by itself: nothing takes it back, and nobody is asked to', async () => {
    await using on = await stage();
    const { lease } = await minted(on);
    assert.ok(lease);
    assert.deepEqual(await on.minter.revoke(lease, waiting()), { end: 'dies', at: END });
    assert.equal(on.sts.asked.length, 1);
  });

  test('an agent that acts for itself is the agent, and names are spelt as tags take them', async () => {
    await using on = await stage();
    await minted(on, job(registered(), { actors: [], subject: 'ci:repo/main' }));
    const { 'https://aws.amazon.com/tags': tags } = decodeJwt(on.sts.asked[0]?.form['WebIdentityToken'] ?? '');
    assert.deepEqual((tags as JsonObject)['principal_tags'], { txn: ['txn_6b1f00f3a1'], agent: ['ci=3arepo=2fmain'] });
  });

  for (const [what, registration, seconds, end] of [
    ['the registration’s own end', { ttlSeconds: 30 }, 120, 1_795_176_030],
    ['the grant’s end', { ttlSeconds: 300 }, 20, 1_795_176_020],
  ] as const) {
    test(`ends with whichever is first: ${what}`, async () => {
      await using on = await stage();
      const given = job();
      assert.ok(given.registration);
      const credential = await minted(on, { ...given, registration: { ...given.registration, ...registration } }, seconds);
      assert.equal(credential.effectiveExpiry, end);
      assert.match(on.sts.asked[0]?.form['Policy'] ?? '', new RegExp(new Date(end * 1000).toISOString().slice(0, 19)));
    });
  }

  test('is asked for as long as it must be where its STS gives shorter ones', async () => {
    await using on = await stage({ minSessionSeconds: 15 });
    on.sts.answer = says(result(credentials(END)));
    await minted(on);
    assert.equal(on.sts.asked[0]?.form['DurationSeconds'], '120');
  });

  test('is not asked for once the grant has ended', async () => {
    await using on = await stage();
    const order = on.minter.prepare(job(), on.grant());
    assert.ok(order.ok);
    on.world.pass(120);
    assert.deepEqual(await order.value.run(waiting()), { ok: false, error: { reason: 'deadline' } });
    assert.equal(on.sts.asked.length, 0);
  });
});

suite('what is refused before anything is asked', () => {
  const base = job();
  for (const [what, given, error] of [
    ['no call', { ...base, call: undefined }, { reason: 'mint_refused' }],
    ['no registration', { ...base, registration: undefined }, { reason: 'mint_refused' }],
    [
      'another kind’s registration',
      { ...base, registration: base.registration && { ...base.registration, kind: 'vault' } },
      { reason: 'mint_refused' },
    ],
    ['something brought along', { ...base, material: { public_key: 'x' } }, { reason: 'request_malformed', detail: 'material' }],
    ['no arguments', { ...base, call: base.call && { ...base.call, arguments: undefined } }, { reason: 'arguments_bad', detail: 'absent' }],
    [
      'an argument that is none of its type',
      { ...base, call: base.call && { ...base.call, arguments: { customer_id: '../canary' } } },
      { reason: 'arguments_bad', detail: 'segment:customer_id' },
    ],
  ] as const) {
    test(what, async () => {
      await using on = await stage();
      const order = on.minter.prepare(JSON.parse(JSON.stringify(given)) as typeof base, on.grant());
      assert.deepEqual(order.ok ? 'prepared' : order.error, error);
    });
  }
});

suite('by keys that stand', () => {
  const keys = { accessKeyId: 'AKIACONFIGURED000000', secretAccessKey: 'configured' };
  test('the request says what a login would have said, and is signed', async () => {
    await using on = await stage({ keys, login: () => Promise.reject(new Error('no login')) });
    on.sts.answer = says(result(credentials(on.world.now() + 900), 'AssumeRole'));
    assert.equal((await minted(on)).effectiveExpiry, END);
    const [asked] = on.sts.asked;
    const { Policy: policy, ...rest } = asked?.form ?? {};
    assert.match(policy ?? '', /c_4711/);
    assert.deepEqual(rest, {
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: ROLE,
      RoleSessionName: 'txn_6b1f00f3a1',
      DurationSeconds: '900',
      SourceIdentity: 'txn_6b1f00f3a1',
      'Tags.member.1.Key': 'txn',
      'Tags.member.1.Value': 'txn_6b1f00f3a1',
      'Tags.member.2.Key': 'agent',
      'Tags.member.2.Value': 'refund-bot',
      'TransitiveTagKeys.member.1': 'txn',
      'TransitiveTagKeys.member.2': 'agent',
    });
    assert.match(
      asked?.headers.authorization ?? '',
      /^AWS4-HMAC-SHA256 Credential=AKIACONFIGURED000000\/\d+\/eu-west-1\/sts\/aws4_request/,
    );
    const { ready, detail } = await on.minter.describe(waiting());
    assert.deepEqual([ready, detail], [true, 'STS, by keys that stand']);
  });
});

/** A request but for what differs each time. */
const asRepeated = (asked: Asked | undefined): unknown => {
  const { host: _, 'content-length': __, 'amz-sdk-invocation-id': ___, ...headers } = asked?.headers ?? {};
  return { ...asked, headers, form: { ...asked?.form, WebIdentityToken: '' } };
};
suite('the environment', () => {
  test('has no say: not in where, as whom, how often or through whom STS is asked', async () => {
    await using trap = await fakeSts({ answer: says(failure('AccessDenied'), 403) });
    const folder = mkdtempSync(join(tmpdir(), 'countersign-aws-'));
    const config = join(folder, 'config');
    writeFileSync(config, `[profile evil]\nregion = evil-1\nendpoint_url = ${trap.address}\nmax_attempts = 9\nuse_fips_endpoint = true\n`);
    const names = 'AWS_ENDPOINT_URL AWS_ENDPOINT_URL_STS HTTP_PROXY http_proxy HTTPS_PROXY AWS_CONTAINER_CREDENTIALS_FULL_URI'.split(' ');
    await using quiet = await stage();
    await minted(quiet);
    const before = { ...process.env };
    Object.assign(process.env, Object.fromEntries(names.map((name) => [name, trap.address])), {
      AWS_ACCESS_KEY_ID: 'AKIACANARYENVIRONMENT',
      AWS_SECRET_ACCESS_KEY: 'canary-environment',
      AWS_SESSION_TOKEN: 'canary-environment',
      AWS_REGION: 'evil-1',
      AWS_PROFILE: 'evil',
      AWS_CONFIG_FILE: config,
      AWS_SHARED_CREDENTIALS_FILE: config,
      AWS_MAX_ATTEMPTS: '9',
      AWS_RETRY_MODE: 'adaptive',
      AWS_DEFAULTS_MODE: 'auto',
      AWS_AUTH_SCHEME_PREFERENCE: 'sigv4a',
      AWS_SIGV4A_SIGNING_REGION_SET: '*',
      AWS_EXECUTION_ENV: 'canary-environment',
      AWS_LAMBDA_FUNCTION_NAME: 'canary',
      _X_AMZN_TRACE_ID: 'canary',
      AWS_USE_FIPS_ENDPOINT: 'true',
      AWS_USE_DUALSTACK_ENDPOINT: 'true',
      AWS_WEB_IDENTITY_TOKEN_FILE: config,
      AWS_ROLE_ARN: 'arn:aws:iam::999999999999:role/evil',
      AWS_ROLE_SESSION_NAME: 'evil',
      AWS_SDK_UA_APP_ID: 'canary-environment',
      NODE_USE_ENV_PROXY: '1',
    });
    try {
      await using on = await stage();
      await minted(on);
      const [asked] = on.sts.asked;
      assert.doesNotMatch(JSON.stringify(asked), /evil|canary|AKIA|FIPS/i);
      assert.deepEqual(asRepeated(asked), asRepeated(quiet.sts.asked[0]));
      on.sts.answer = says(failure('InternalFailure'), 500);
      await assert.rejects(mint(on));
      assert.equal(on.sts.asked.length, 2);
      await using configured = await stage({ keys: { accessKeyId: 'AKIACONFIGURED000000', secretAccessKey: 'configured' } });
      configured.sts.answer = says(result(credentials(configured.world.now() + 900), 'AssumeRole'));
      await minted(configured);
      assert.doesNotMatch(JSON.stringify(configured.sts.asked), /evil|canary|FIPS/i);
      // Asked for by name, and then alone.
      delete process.env['AWS_PROFILE'];
      await using found = await stage({ keys: 'default-chain' });
      found.sts.answer = says(result(credentials(found.world.now() + 900), 'AssumeRole'));
      await minted(found);
      assert.match(found.sts.asked[0]?.headers.authorization ?? '', /Credential=AKIACANARYENVIRONMENT\/\d+\/eu-west-1\/sts/);
      for (const name of Object.keys(process.env).filter((one) => one.startsWith('AWS_'))) delete process.env[name];
      process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
      await using none = await stage({ keys: 'default-chain' });
      await assert.rejects(mint(none), { what: 'aws', code: 'aws_keys' });
      assert.deepEqual([trap.asked.length, none.sts.asked.length], [0, 0]);
    } finally {
      process.env = before;
      rmSync(folder, { recursive: true });
    }
  });
});
