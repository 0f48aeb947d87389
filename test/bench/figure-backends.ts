/** What a redemption costs beside the same calls made to Vault without a broker. Needs Vault and PostgreSQL. */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { editBundle } from '../flow/front-door.ts';
import { type Postgres, startPostgres } from '../services/postgres.ts';
import { need } from '../services/provision.ts';
import { startVault, type Vault } from '../services/vault.ts';
import { database, databaseRole, jwtAuth, jwtRole, keyValue, policy } from '../services/vault-setup.ts';
import { sign, testIdp, testKey } from '../support/idp.ts';
import { sha256 } from '../support/keys.ts';
import { ACCESS_TOKEN, bareJwk, GRANT, RESOURCE } from '../support/rig.ts';
import { type Figure, median, type Row, rowOf } from './figure.ts';
import { makeRequests, quickJwt } from './requests.ts';
import { type Bench, setScene } from './scene.ts';

const PATHS = { database: 'database/creds/bench', value: 'secret/data/bench' } as const;
type Form = keyof typeof PATHS;
const FORMS = { database: 'form: database', value: 'form: kv' } as const;
/** More than enough for one action of each. */
const ROUND = 40;
const agent = new Agent({ keepAlive: true });

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}
function send(url: string, method: string, headers: Record<string, string>, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    request(url, { method, agent, headers: { ...headers, ...length } }, (response) => {
      text(response).then((said) => resolve({ status: response.statusCode ?? 0, body: said === '' ? {} : JSON.parse(said) }), reject);
    })
      .once('error', reject)
      .end(body);
  });
}
async function good(answer: Promise<Answer>): Promise<Answer['body']> {
  const { status, body } = await answer;
  if (status >= 300) throw new Error(`answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

export const backends: Figure = {
  name: 'backends',
  about: 'a redemption from Vault, beside the same three calls made directly',
  async measure({ quick, tell }) {
    for (const service of ['vault', 'postgres'] as const) {
      const found = await need(service);
      if ('skip' in found) throw new Error(found.skip);
    }
    tell('starting Vault and PostgreSQL');
    const [vault, postgres, idp, key] = [
      await startVault({ audit: false }),
      await startPostgres(),
      await testIdp('/direct'),
      await testKey(),
    ];
    idp.keys = [key];
    const bench = await setScene({ bundle: register });
    try {
      await bench.tell({ be: 'broker', config: { ...bench.config, backends: [{ use: 'vault', address: vault.address }] } });
      await setUp(vault, postgres, `${bench.config.issuer}/backends`, idp);
      const direct = async (form: Form): Promise<number> => {
        const iat = Math.floor(Date.now() / 1000);
        const claims = { iss: idp.issuer, aud: 'vault', sub: 'shop:create_refund', txn: randomUUID(), tool: toolOf(form), server: 'shop' };
        const jwt = await sign(key, { ...claims, iat, exp: iat + 60, jti: randomUUID() });
        const began = performance.now();
        const post = (path: string, body: object, token?: string): Promise<Answer> =>
          send(
            `${vault.address}/v1/${path}`,
            'POST',
            { 'content-type': 'application/json', ...(token && { 'x-vault-token': token }) },
            JSON.stringify(body),
          );
        const { auth } = (await good(post('auth/direct/login', { role: form, jwt }))) as { auth: { client_token: string } };
        await good(post('auth/token/renew-self', { increment: 60 }, auth.client_token));
        await good(send(`${vault.address}/v1/${PATHS[form]}`, 'GET', { 'x-vault-token': auth.client_token }));
        return performance.now() - began;
      };
      const redeemed = async (form: Form): Promise<number> => {
        const { body, headers } = await redemption(bench, form);
        const began = performance.now();
        await good(send(`${bench.config.issuer}/token`, 'POST', headers, body));
        return performance.now() - began;
      };
      const rows: Row[] = [];
      for (const form of ['database', 'value'] as const) {
        const over: number[] = [];
        const alone: number[] = [];
        for (let i = -1; i < (quick ? 2 : 5); i++) {
          tell(i < 0 ? `warming up, ${form}` : `${form}, round ${i + 1}`);
          const [ours, theirs]: [number[], number[]] = [[], []];
          // In turn, and each first as often as the other: whatever the machine does, it does to both.
          for (let j = 0; j < ROUND; j++) {
            if (j % 2 === 0) theirs.push(await direct(form));
            ours.push(await redeemed(form));
            if (j % 2 === 1) theirs.push(await direct(form));
          }
          // Leases that pile up slow Vault down.
          await vault.write(`sys/leases/revoke-prefix/${PATHS.database}`, {});
          if (i < 0) continue;
          over.push(median(ours) - median(theirs));
          alone.push(median(theirs));
        }
        rows.push(
          rowOf(`${form}: a redemption − the same calls directly`, 'ms', over, ...(form === 'database' ? [{ atMost: 2 }] : [])),
          rowOf(`  ${form}: the calls directly`, 'ms', alone),
        );
      }
      return {
        rows,
        notes: [
          `Median of ${ROUND} redemptions and ${ROUND} direct triples a round, in turn, one at a time, over kept connections; login, renew-self, read. Signing on the client's side is not counted.`,
          'In the difference: HTTP, client authentication, the action token and its proof checked again, two durable entries (the lease before the calls, the outcome after), the login signed, and node-vault.',
        ],
      };
    } finally {
      agent.destroy();
      await bench.stop();
      await Promise.all([vault.stop(), postgres.stop(), idp[Symbol.asyncDispose]()]);
    }
  },
};

/** A tool for each form: both want the same of policy. */
const toolOf = (form: Form): string => (form === 'database' ? 'create_refund' : 'list_orders');
async function register(folder: string): Promise<void> {
  for (const form of ['database', 'value'] as const) {
    const said = `    credentials: { vault: { ${FORMS[form]}, role: ${form}, path: ${PATHS[form]}, cap: 100000 } }\n`;
    await editBundle(folder, 'servers/shop.yaml', new RegExp(`(?<= {2}${toolOf(form)}:\\n)`), said);
  }
}
async function setUp(
  vault: Vault,
  postgres: Postgres,
  issuer: string,
  direct: { readonly issuer: string; readonly jwksUri: string },
): Promise<void> {
  await jwtAuth(vault, { issuer, jwksUrl: `${issuer}/jwks` });
  await jwtAuth(vault, { path: 'direct', issuer: direct.issuer, jwksUrl: direct.jwksUri });
  await database(vault, { postgres });
  await databaseRole(vault, 'bench');
  await keyValue(vault, 'bench', { key: 'value' });
  for (const form of ['database', 'value'] as const) {
    await policy(vault, form, { [PATHS[form]]: ['read'] });
    for (const path of ['jwt', 'direct']) {
      const claims = { server: 'shop', tool: toolOf(form) };
      await jwtRole(vault, form, { path, audiences: ['vault'], policies: [form], claims, mappings: { txn: 'txn', tool: 'tool' } });
    }
  }
}

/** An action of its own, granted beforehand, and what redeems it. */
async function redemption(bench: Bench, form: Form): Promise<{ readonly body: string; readonly headers: Record<string, string> }> {
  const scene = await bench.scene();
  const args = form === 'database' ? { payment_id: 'pay_1', amount_minor: 4250, currency: 'EUR' } : { limit: 5 };
  const [made] = makeRequests(scene, 1, { subjects: 'fresh', call: () => ({ identifier: toolOf(form), arguments: args }) });
  const [asking] = scene.agents;
  if (!made?.proof || !asking) throw new Error('no agent');
  const urlencoded = { 'content-type': 'application/x-www-form-urlencoded' };
  const { issuer } = bench.config;
  const { access_token: token } = (await good(send(`${issuer}/token`, 'POST', { ...urlencoded, dpop: made.proof }, made.body))) as {
    access_token: string;
  };
  const iat = Math.floor(Date.now() / 1000);
  const jti = randomUUID();
  const proof = { typ: 'dpop+jwt', jwk: bareJwk(asking.proofKey) };
  const body = new URLSearchParams({
    grant_type: GRANT,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: quickJwt(
      bench.shop,
      { typ: 'client-authentication+jwt' },
      { iss: 'shop', sub: 'shop', aud: issuer, iat, exp: iat + 60, jti },
    ),
    subject_token: token,
    subject_token_type: ACCESS_TOKEN,
    requested_token_type: 'urn:countersign:credential:vault',
    resource: RESOURCE,
    action_proof: quickJwt(asking.proofKey, proof, { htm: 'tools/call', htu: RESOURCE, iat, jti: randomUUID(), ath: sha256(token) }),
  });
  return { body: body.toString(), headers: urlencoded };
}
