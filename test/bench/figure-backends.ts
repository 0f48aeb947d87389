/** What a redemption costs beside the same calls made to Vault without a broker. Needs Vault and PostgreSQL. */
import { randomBytes, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { vaultMinter } from '../../src/mint/minter-vault.ts';
import { readVaultRegistration } from '../../src/mint/minter-vault-registration.ts';
import { EMPTY_DIGEST } from '../../src/wire/digest.ts';
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
const FORMS = { database: 'database', value: 'kv' } as const;
const registrationOf = (form: Form) => ({ form: FORMS[form], role: form, path: PATHS[form] });
const WITHOUT_BROKER = {
  mount: 'direct',
  audience: 'vault',
  timeoutMs: 5_000,
  now: () => Math.floor(Date.now() / 1000),
  random: randomBytes,
  registered: () => [],
};
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
      const login = (form: Form): Promise<string> => {
        const iat = Math.floor(Date.now() / 1000);
        const claims = { iss: idp.issuer, aud: 'vault', sub: 'shop:create_refund', txn: randomUUID(), tool: toolOf(form), server: 'shop' };
        return sign(key, { ...claims, iat, exp: iat + 60, jti: randomUUID() });
      };
      const direct = async (form: Form): Promise<number> => {
        const jwt = await login(form);
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
      // Signed beforehand, as the direct ones are.
      let next = '';
      const minter = vaultMinter({ ...WITHOUT_BROKER, address: vault.address, login: async () => next });
      const minted = async (form: Form): Promise<number> => {
        next = await login(form);
        const read = readVaultRegistration(registrationOf(form), {
          server: 'shop',
          tool: { name: toolOf(form), schema: {}, hidden: false },
        });
        if (!read.ok) throw new Error(read.error.join());
        const iat = Math.floor(Date.now() / 1000);
        const registration = { kind: 'vault', deliver: 'tool-server', cap: 1, ...read.value } as const;
        const call = { resource: RESOURCE, tool: toolOf(form), digest: EMPTY_DIGEST };
        const job = { kind: 'vault', server: { id: 'shop', resource: RESOURCE }, call, registration, subject: 'people:u_1', actors: [] };
        const order = minter.prepare(job, { jti: '', txn: '', iat, exp: iat + 61, scope: '', claims: {}, policies: [] });
        if (!order.ok) throw new Error(order.error.reason);
        const began = performance.now();
        const { ok } = await order.value.run({ signal: AbortSignal.timeout(5_000) });
        if (!ok) throw new Error('not minted');
        return performance.now() - began;
      };
      const redeem = ({ body, headers }: Redemption): Promise<unknown> => good(send(`${bench.config.issuer}/token`, 'POST', headers, body));
      const redeemed = async (form: Form): Promise<number> => {
        const ready = await redemption(bench, form);
        const began = performance.now();
        await redeem(ready);
        return performance.now() - began;
      };
      /** µs of CPU, all threads: what a neighbour of this machine cannot change. */
      const cpu = async (form: Form): Promise<number> => {
        const ready: Redemption[] = [];
        for (let j = 0; j < ROUND; j++) ready.push(await redemption(bench, form));
        const before = await bench.usage();
        for (const one of ready) await redeem(one);
        return ((await bench.usage()).cpu - before.cpu) / ROUND;
      };
      const rows: Row[] = [];
      for (const form of ['database', 'value'] as const) {
        const over: number[] = [];
        const alone: number[] = [];
        const spent: number[] = [];
        const mints: number[] = [];
        for (let i = -1; i < (quick ? 2 : 5); i++) {
          tell(i < 0 ? `warming up, ${form}` : `${form}, round ${i + 1}`);
          const [ours, theirs, alike]: [number[], number[], number[]] = [[], [], []];
          // In turn, and each first as often as the other: whatever the machine does, it does to both.
          for (let j = 0; j < ROUND; j++) {
            if (j % 2 === 0) theirs.push(await direct(form));
            ours.push(await redeemed(form));
            alike.push(await minted(form));
            if (j % 2 === 1) theirs.push(await direct(form));
          }
          const used = await cpu(form);
          // Leases that pile up slow Vault down.
          await vault.write(`sys/leases/revoke-prefix/${PATHS.database}`, {});
          if (i < 0) continue;
          over.push(median(ours) - median(theirs));
          alone.push(median(theirs));
          spent.push(used);
          mints.push(median(alike) - median(theirs));
        }
        rows.push(
          rowOf(`${form}: a redemption − the same calls directly`, 'ms', over, ...(form === 'database' ? [{ atMost: 2 }] : [])),
          rowOf(`  ${form}: of it the minter alone`, 'ms', mints),
          rowOf(`  ${form}: the calls directly`, 'ms', alone),
          rowOf(`  ${form}: CPU of a redemption in the broker`, 'µs', spent),
        );
      }
      return {
        rows,
        notes: [
          `Median of ${ROUND} redemptions and ${ROUND} direct triples a round, in turn, one at a time, over kept connections; login, renew-self, read. Signing on the client's side is not counted.`,
          'In the difference: HTTP, client authentication, the action token and its proof checked again, two durable entries (the lease before the calls, the outcome after), the login signed, and node-vault. By the clock: on a machine with neighbours both durable writes wait for their disk too.',
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
    const said = `    credentials: { vault: ${JSON.stringify({ ...registrationOf(form), cap: 100_000 })} }\n`;
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

interface Redemption {
  readonly body: string;
  readonly headers: Record<string, string>;
}
/** An action of its own, granted beforehand, and what redeems it. */
async function redemption(bench: Bench, form: Form): Promise<Redemption> {
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
