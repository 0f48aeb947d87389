/** One action, one session of a real STS: what it opens on a real S3, what it does not, and when it ends. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { stringify } from 'yaml';
import type { JsonObject } from '../../src/wire/json.ts';
import { addToBundle, claimsOf, editBundle } from '../flow/front-door.ts';
import { actionToken, credentialOf, redeem } from '../flow/redeeming.ts';
import { type Answer, type Rig, startRig } from '../support/rig.ts';
import { type Minio, type S3Credentials, startMinio } from './minio.ts';
import { servicePort, until } from './program.ts';
import { skipUnless } from './provision.ts';

const PREFIX = { $join: ['arn:aws:s3:::exports/', { $param: 'customer' }, '/*'] };
const parameters = { customer: { argument: 'customer_id', type: 'segment' } };
const policy = (...statements: readonly object[]): object => ({ Version: '2012-10-17', Statement: statements });
const input = { type: 'object', required: ['customer_id'], properties: { customer_id: { type: 'string', maxLength: 64 } } };
const aws = (role: string, more: object): object => ({
  input,
  description: 'One customer’s exports.',
  credentials: { aws: { role: `arn:aws:iam::123456789012:role/${role}`, claims: { policy: role }, ...more } },
});
/** By tool: what MinIO's own role allows at most, and what the session of one action does. */
const TOOLS = {
  export_orders: aws('readwrite', {
    parameters,
    policy: policy(
      { Effect: 'Allow', Action: ['s3:GetObject'], Resource: PREFIX },
      {
        Effect: 'Allow',
        Action: 's3:ListBucket',
        Resource: 'arn:aws:s3:::exports',
        Condition: { StringLike: { 's3:prefix': { $join: [{ $param: 'customer' }, '/*'] } } },
      },
    ),
  }),
  brief_look: aws('readwrite', {
    ttlSeconds: 5,
    parameters,
    policy: policy({ Effect: 'Allow', Action: 's3:GetObject', Resource: PREFIX }),
  }),
  read_widely: aws('readonly', { policy: policy({ Effect: 'Allow', Action: 's3:*', Resource: '*' }) }),
  unknown_role: aws('nobody', { policy: policy({ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }) }),
};
const RULES = ['Person', 'Actor']
  .map((who) => `@id("s3-${who}")\n@owner("team:support")\n@ttl("2m")\npermit (principal is ${who}, action, resource == Server::"shop");`)
  .join('\n\n');
const asText = (tools: object): string => stringify(tools, { aliasDuplicateObjects: false }).replace(/^/gm, '  ');

const bundle = async (folder: string): Promise<void> => {
  await editBundle(folder, 'servers/shop.yaml', /\n {2}delete_customer:/, `\n${asText(TOOLS)}\n  delete_customer:`);
  await addToBundle(folder, 's3.cedar', RULES);
};
type ToolName = keyof typeof TOOLS;
async function redeemed(rig: Rig, tool: ToolName, customer = 'c_1'): Promise<{ readonly answer: Answer; readonly token: string }> {
  const asking = { args: { customer_id: customer }, entry: { identifier: tool } };
  const token = await actionToken(rig, asking);
  const form = { requested_token_type: 'urn:countersign:credential:aws' };
  return { token, answer: await redeem(rig, { token, asking, args: { customer_id: customer }, form }) };
}
interface Session {
  readonly as: S3Credentials;
  readonly said: JsonObject;
  /** The action's. */
  readonly token: string;
  readonly left: number;
}
async function session(rig: Rig, tool: ToolName, customer?: string): Promise<Session> {
  const { answer, token } = await redeemed(rig, tool, customer);
  assert.equal(answer.status, 200, answer.text);
  const said = credentialOf(answer);
  const [accessKeyId = '', secretAccessKey = '', sessionToken = ''] = ['AccessKeyId', 'SecretAccessKey', 'SessionToken'].map((name) =>
    String(said[name]),
  );
  return { as: { accessKeyId, secretAccessKey, sessionToken }, said, token, left: Number(answer.body['expires_in']) };
}
async function get(minio: Minio, path: string, as: S3Credentials): Promise<string> {
  const { status, code, text } = await minio.s3('GET', path, undefined, as);
  return status === 200 ? text : `${status} ${code}`;
}
const FILES = ['exports/c_1/a.csv', 'exports/c_1/b.csv', 'exports/c_2/a.csv', 'exports/c_12/a.csv', 'other/c_1/a.csv'];

for (const algorithm of ['ES256', 'RS256'] as const) {
  suite(`MinIO by logins in ${algorithm}`, { skip: await skipUnless('minio') }, () => {
    let minio: Minio;
    let rig: Rig;
    before(async () => {
      const port = await servicePort();
      const end = { use: 'aws', region: 'us-east-1', endpoint: `http://127.0.0.1:${port}`, audience: 'minio', algorithm } as const;
      rig = await startRig({ config: { backends: [end] }, bundle });
      const openid = { configUrl: `${rig.issuer}/backends/.well-known/openid-configuration`, clientId: 'minio' };
      minio = await startMinio({ port, openid, buckets: ['exports', 'other'] });
      for (const path of FILES) await minio.put(path, path);
    });
    after(async () => {
      await rig?.stop();
      await minio?.stop();
    });

    test('it reads its prefix, and not the next', async () => {
      const { as } = await session(rig, 'export_orders');
      assert.deepEqual(await Promise.all([...FILES, 'exports/c_1/../c_2/a.csv'].map((path) => get(minio, path, as))), [
        'exports/c_1/a.csv',
        'exports/c_1/b.csv',
        ...Array(4).fill('403 AccessDenied'),
      ]);
      assert.match(await get(minio, 'exports?list-type=2&prefix=c_1/', as), /<Key>c_1\/b.csv<\/Key>/);
      assert.equal(await get(minio, 'exports?list-type=2&prefix=c_2/', as), '403 AccessDenied');
      assert.equal(await get(minio, 'exports?list-type=2', as), '403 AccessDenied');
    });

    test('it cannot write, nor delete', async () => {
      const { as } = await session(rig, 'export_orders');
      for (const method of ['PUT', 'DELETE']) {
        const { status, code } = await minio.s3(method, 'exports/c_1/a.csv', method === 'PUT' ? 'changed' : undefined, as);
        assert.deepEqual([status, code], [403, 'AccessDenied']);
      }
      assert.equal(await get(minio, 'exports/c_1/a.csv', minio.root), 'exports/c_1/a.csv');
    });

    test('a wide session policy does not widen a narrow role', async () => {
      const { as } = await session(rig, 'read_widely');
      assert.equal(await get(minio, 'other/c_1/a.csv', as), 'other/c_1/a.csv');
      assert.equal((await minio.s3('PUT', 'other/c_1/a.csv', 'changed', as)).code, 'AccessDenied');
    });

    test('it says when it ends, which is when the action does and not when STS says', async () => {
      const { said, token, left, as } = await session(rig, 'export_orders');
      const { exp, txn } = claimsOf(token);
      assert.equal(said['Expiration'], new Date(Number(exp) * 1000).toISOString().replace('.000', ''));
      assert.ok(left > 115 && left <= 120);
      assert.ok(Number(claimsOf(as.sessionToken ?? '')['exp']) >= Number(exp) + 700);
      const [minted] = (await rig.entries()).filter((entry) => entry.txn === txn && entry.credential === 'aws' && entry.kind === 'minted');
      assert.equal(minted?.exp, exp);
    });

    test('a role that is not there is refused, and says nothing of why', async () => {
      const { answer, token } = await redeemed(rig, 'unknown_role');
      assert.deepEqual([answer.status, answer.body['error']], [403, 'access_denied']);
      assert.doesNotMatch(answer.text, /sts|minio|nobody|policy/i);
      const last = (await rig.entries()).find((entry) => entry.txn === claimsOf(token)['txn'] && entry.kind === 'refused');
      assert.deepEqual([last?.reason, last?.detail], ['mint_refused', 'sts_request']);
    });

    test('an argument that would mean more gets no session', async () => {
      const { answer } = await redeemed(rig, 'export_orders', 'c_1/*');
      assert.deepEqual([answer.status, answer.body['error']], [400, 'invalid_authorization_details']);
      const [last] = (await rig.entries()).filter(({ kind }) => kind === 'refused').slice(-1);
      assert.deepEqual([last?.reason, last?.detail], ['arguments_bad', 'segment:customer_id']);
    });

    test('nothing that opens anything stands in the ledger or in the log', async () => {
      const { as } = await session(rig, 'export_orders');
      const told = JSON.stringify([await rig.entries(), rig.log]);
      for (const secret of [as.secretAccessKey, as.sessionToken, as.accessKeyId]) assert.ok(secret && !told.includes(secret));
    });

    test('it dies at the granted end, though the broker be dead', async () => {
      const { as, said } = await session(rig, 'brief_look');
      const end = Date.parse(String(said['Expiration']));
      assert.equal(await get(minio, 'exports/c_1/a.csv', as), 'exports/c_1/a.csv');
      await rig.stop();
      assert.ok(Date.now() < end - 1_000, 'the test is slower than the session lives');
      assert.equal(await get(minio, 'exports/c_1/a.csv', as), 'exports/c_1/a.csv');
      await until(() => Date.now() >= end, 'the granted end');
      assert.equal(await get(minio, 'exports/c_1/a.csv', as), '403 AccessDenied');
    });
  });
}

suite('MinIO by keys that stand', { skip: await skipUnless('minio') }, () => {
  test('the session is as narrow, ends as surely, and the operator is told of the keys', async () => {
    await using minio = await startMinio({ buckets: ['exports', 'other'] });
    for (const path of FILES) await minio.put(path, path);
    const keys = { accessKeyId: { env: 'S3_KEY' }, secretAccessKey: { env: 'S3_SECRET' } };
    const end = { use: 'aws', region: minio.region, endpoint: minio.address, via: 'assume-role', keys } as const;
    const environment = { S3_KEY: minio.root.accessKeyId, S3_SECRET: minio.root.secretAccessKey };
    const rig = await startRig({ config: { backends: [end] }, bundle, environment });
    try {
      const { as, said } = await session(rig, 'brief_look');
      assert.deepEqual(await Promise.all(FILES.map((path) => get(minio, path, as))), [
        FILES[0],
        FILES[1],
        ...Array(3).fill('403 AccessDenied'),
      ]);
      assert.equal((await minio.s3('PUT', 'exports/c_1/a.csv', 'changed', as)).code, 'AccessDenied');
      const { checks } = (await (await fetch(`${rig.issuer}/readyz`)).json()) as { checks: JsonObject };
      assert.match(JSON.stringify(checks), /by keys that stand/);
      await until(() => Date.now() >= Date.parse(String(said['Expiration'])), 'the granted end');
      assert.equal(await get(minio, 'exports/c_1/a.csv', as), '403 AccessDenied');
    } finally {
      await rig.stop();
    }
  });
});
