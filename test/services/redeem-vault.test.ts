/** The whole way of one action: granted to an agent, verified and redeemed by its tool with this package's library, lent by a real Vault, used, told, ended. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { operatorClient } from '../../scripts/operator-client.ts';
import { type Action, createRedeemer, createVerifier, memoryConsumed, type Receipts, receipts } from '../../src/verify/verify.ts';
import { editBundle } from '../flow/front-door.ts';
import { actionToken } from '../flow/redeeming.ts';
import { proofFor, REFUND, RESOURCE, type Rig, startRig } from '../support/rig.ts';
import { type Postgres, startPostgres } from './postgres.ts';
import { until } from './program.ts';
import { skipUnless } from './provision.ts';
import { startVault, type Vault } from './vault.ts';
import { database, databaseRole, jwtAuth, jwtRole, policy } from './vault-setup.ts';

const PATH = 'database/creds/refund-writer';
const REGISTERED = `    credentials: { vault: { form: database, role: refunds, path: ${PATH}, cap: 5, ttlSeconds: 30 } }`;

suite('An action, its tool and Vault', { skip: await skipUnless('vault', 'postgres') }, () => {
  let vault: Vault;
  let postgres: Postgres;
  let rig: Rig;
  let told: Receipts;
  before(async () => {
    [vault, postgres] = await Promise.all([startVault(), startPostgres()]);
    await postgres.query('CREATE TABLE refunds (payment_id text, amount_minor int)');
    rig = await startRig({
      config: { backends: [{ use: 'vault', address: vault.address }] },
      bundle: (folder) => editBundle(folder, 'servers/shop.yaml', /(?=\n {4}recordable:)/, `\n${REGISTERED}`),
    });
    // As an operator does it: the broker's own issuer of logins is trusted, and each role is for one tool.
    await jwtAuth(vault, { issuer: `${rig.issuer}/backends`, jwksUrl: `${rig.issuer}/backends/jwks` });
    await database(vault, { postgres });
    await databaseRole(vault, 'refund-writer', { grants: 'GRANT INSERT ON refunds TO "{{name}}";' });
    await policy(vault, 'refunds', { [PATH]: ['read'] });
    const claims = { server: 'shop', tool: 'create_refund' };
    await jwtRole(vault, 'refunds', { audiences: ['vault'], policies: ['refunds'], claims, mappings: { txn: 'txn', tool: 'tool' } });
    told = receipts({ issuer: rig.issuer, clientId: 'shop', key: rig.server.private });
  });
  after(async () => {
    await told?.close();
    await rig?.stop();
    await vault?.stop();
    await postgres?.stop();
  });

  async function verified(): Promise<Action> {
    const verifier = createVerifier({ issuer: rig.issuer, resource: RESOURCE, consumed: memoryConsumed(), receipts: told });
    const token = await actionToken(rig);
    const proof = await proofFor(rig.proofKey, { htm: 'tools/call', htu: RESOURCE, token }, rig.now());
    const meta = { 'countersign/action-token': token, 'countersign/action-proof': proof };
    return verifier.verify({ tool: 'create_refund', arguments: REFUND, meta });
  }
  const leases = async (): Promise<number> => (await vault.leases(PATH)).length;

  test('are one story: the role that it brings writes its row, and dies with the receipt', async () => {
    const redeemer = createRedeemer({ issuer: rig.issuer, clientId: 'shop', key: rig.server.private });
    const action = await verified();
    const { credential, expiresAt, txn } = await redeemer.redeem(action, 'vault');
    const login = { user: String(credential['username']), password: String(credential['password']) };
    assert.ok(expiresAt - rig.now() <= 30);
    assert.equal(await leases(), 1);
    await postgres.query(`INSERT INTO refunds VALUES ('${REFUND['payment_id']}', ${REFUND['amount_minor']})`, login);
    await assert.rejects(postgres.query('SELECT * FROM refunds', login), /permission denied/);
    assert.deepEqual(await postgres.query('SELECT amount_minor FROM refunds'), [[String(REFUND['amount_minor'])]]);

    await action.receipt('done');
    assert.equal(await told.flush(), 0);
    await until(async () => (await leases()) === 0, 'the end of the lease', { seconds: 10 });
    await assert.rejects(postgres.query('SELECT 1', login), /authentication failed|does not exist/);

    assert.ok(JSON.stringify(vault.audit()).includes(txn), 'Vault’s own log names the action');
    const ask = operatorClient({ socket: join(rig.folder, 'operator.sock') });
    const { words } = (await ask('GET', `/operator/explain/${txn}`)).body as { words: readonly string[] };
    const text = words.join('\n');
    for (const part of ['granted', 'redeemed by shop for a vault credential', 'the tool server says: done', 'ended by its back end'])
      assert.ok(text.includes(part), `${part} in\n${text}`);
    const everything = JSON.stringify([text, await rig.entries(), rig.log]);
    for (const secret of [login.password, action.token, action.proof]) assert.equal(everything.includes(secret), false);
  });

  test('a Vault that is sealed gives nothing, and the same redemption works once it is not', async () => {
    const key = rig.server.private;
    const patient = createRedeemer({ issuer: rig.issuer, clientId: 'shop', key, attempts: 20 });
    const action = await verified();
    await vault.seal();
    await assert.rejects(createRedeemer({ issuer: rig.issuer, clientId: 'shop', key, attempts: 1 }).redeem(action, 'vault'), {
      code: 'ERR_REDEEM_UNAVAILABLE',
    });
    await vault.unseal();
    const { credential } = await patient.redeem(action, 'vault');
    await postgres.query(`INSERT INTO refunds VALUES ('again', 1)`, {
      user: String(credential['username']),
      password: String(credential['password']),
    });
  });
});
