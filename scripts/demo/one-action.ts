/** One real action, end to end, and everything that is tried against it. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { pino } from 'pino';
import { type Agent, AgentError, createAgent } from '../../src/agent/agent.ts';
import { explainOffline } from '../explain.ts';
import { verifyLedger } from '../verify-ledger.ts';
import { removePerson } from './bundle.ts';
import { fold, short } from './fold.ts';
import type { Narrator } from './narrator.ts';
import { jsonOf, payloadOf, type Recorded, recorder } from './recorder.ts';
import { type Stage, setStage } from './stage.ts';

/** Starts a broker, an identity provider, a shop and an agent in this process, in a temporary folder. */
export async function oneAction(tell: Narrator): Promise<undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-demo-'));
  const stage = await setStage({ folder, log: pino({ level: 'silent' }) });
  try {
    await play(tell, stage, folder);
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function play(tell: Narrator, stage: Stage, folder: string): Promise<void> {
  const { shop, people } = stage;
  const resource = shop.resource;
  const wire = recorder();
  tell.step('On stage');
  tell.facts('all of it in this process, in a temporary folder', [
    ['broker', stage.app.issuer, 'SQLite, fresh keys, the sample policies/'],
    ['people', people.issuer, 'an OpenID provider: Alice leads support, Bob works there'],
    ['shop', resource, 'an MCP server: list_orders, create_refund, delete_customer'],
    ['agent', 'refund-bot', 'an MCP client with countersign/agent; Alice owns it'],
  ]);

  const bob = await people.signIn('bob', 'refund-bot-app');
  const options = { issuer: stage.app.issuer, clientId: 'refund-bot', key: stage.agents['refund-bot'].privateJwk, fetch: wire.fetch };
  const agent = createAgent({ ...options, subject: { token: bob.idToken, type: 'id_token' } });
  const client = new Client({ name: 'refund-bot', version: '1.0.0' });
  const purpose = 'refund duplicate charge, ticket 4711';
  await client.connect(new StreamableHTTPClientTransport(new URL(resource), { fetch: agent.fetchWith({ purpose: () => purpose }) }));
  const refund = { payment_id: 'pay_8Qx2', amount_minor: 4250, currency: 'EUR' };
  for (const exchange of wire
    .take()
    .filter(({ method }) => method === 'POST')
    .slice(0, 3))
    tell.exchange(fold(exchange));
  tell.say('The client is connected with a base token: it opens the listing, and no tool at all.');

  tell.step('Bob asks his agent to refund a duplicate charge');
  tell.say(
    'The agent calls the tool as any MCP client does. Underneath, countersign/agent says what is about to happen and gets a token for exactly that.',
  );
  const result = await client.callTool({ name: 'create_refund', arguments: refund });
  const seen = wire.take().filter(({ method }) => method === 'POST');
  for (const exchange of seen) tell.exchange(fold(exchange));
  const used = tokenOf(seen);
  const claims = payloadOf(used);
  const [details] = claims['authorization_details'] as [{ readonly identifier: string; readonly arguments_digest: string }];
  tell.facts('the token, decoded', [
    ['sub', String(claims['sub']), 'on whose behalf'],
    ['act', (claims['act'] as { sub: string }).sub, 'who acts'],
    ['aud', String(claims['aud']), 'at this server and no other'],
    ['tool', details.identifier, 'this tool'],
    ['arguments', short(details.arguments_digest, 26), 'exactly these arguments'],
    ['cnf', short((claims['cnf'] as { jkt: string }).jkt, 20), 'in the hands of this key'],
    ['exp', `${Number(claims['exp']) - Number(claims['iat'])} s`, 'and only for so long'],
    ['txn', String(claims['txn']), 'once'],
  ]);
  tell.check('policy allowed it, for Bob and for the agent, and the tool ran', result.isError !== true && shop.runs('create_refund') === 1);
  tell.check('the refund is in the shop’s books', shop.stock.refunds.length === 1);

  tell.step('The same token a second time');
  tell.say('A model loops, a proxy resends, somebody copies a request: the key is right, the proof is fresh, and the token is spent.');
  tell.check(
    'refused: 409 action_consumed, and the tool did not run',
    (await attempt(agent, used, refund)).status === 409 && shop.runs('create_refund') === 1,
  );

  tell.step('A fresh token, one argument changed on the way');
  const other = await agent.authorize({ resource, tool: 'create_refund', arguments: { ...refund, amount_minor: 1000 }, purpose });
  wire.take();
  tell.check(
    'refused: the token names other arguments',
    (await attempt(agent, other.token, { ...refund, amount_minor: 4000 })).status === 401 && shop.runs('create_refund') === 1,
  );

  tell.step('A refund too large');
  tell.say(
    'The refusal teaches: a stable reason for the program, a remedy from the policy’s own annotation for the model, nothing about anybody’s rights.',
  );
  const denial = await refusalOf(() =>
    agent.authorize({ resource, tool: 'create_refund', arguments: { ...refund, amount_minor: 9000 }, purpose }),
  );
  for (const exchange of wire.take()) tell.exchange(fold(exchange));
  tell.check(
    'denied: refund_too_large, with a remedy and a machine-readable hint',
    denial?.reason === 'refund_too_large' && denial.remedy?.hints?.[0]?.['maximum'] === 5000,
  );

  tell.step('A stolen token');
  tell.say('A thief has the token, from a log or a poisoned prompt. The key never left the agent.');
  const stolen = await agent.authorize({ resource, tool: 'create_refund', arguments: { ...refund, amount_minor: 1500 }, purpose });
  wire.take();
  const thief = createAgent({ ...options, fetch });
  const withOwnKey = await attempt(thief, stolen.token, { ...refund, amount_minor: 1500 });
  const asBearer = await attempt(undefined, stolen.token, { ...refund, amount_minor: 1500 });
  tell.check('refused with another key, and refused as a plain Bearer token', withOwnKey.status === 401 && asBearer.status === 401);
  tell.check(
    'and not spent by the attempt: its owner can still use it',
    (await attempt(agent, stolen.token, { ...refund, amount_minor: 1500 })).status === 200,
  );

  tell.step('Alice leaves the company');
  tell.say('She owned refund-bot. Her name is taken out of agents.yaml; the bundle is reloaded while the broker runs.');
  await removePerson(stage.policies, 'people:u_alice');
  const reload = await stage.app.reload();
  const orphan = await refusalOf(() => agent.authorize({ resource, tool: 'create_refund', arguments: refund, purpose }));
  for (const exchange of wire.take()) tell.exchange(fold(exchange));
  tell.check('refused: an agent without an owner gets nothing', reload.ok && orphan?.reason === 'owner_missing');

  tell.step('What the ledger says');
  await shop.receipts.flush();
  const { words } = await explainOffline(stage.ledger, String(claims['txn']));
  tell.quote(words);
  tell.check(
    'one story, from request to receipt',
    words.filter((line) => line.startsWith('#')).length === 2 && words.some((line) => line.includes('the tool server says: done')),
  );
  const verified = await verifyLedger(stage.ledger);
  tell.check(`all ${verified.count} entries hold together, grants and refusals alike`, verified.ok);

  tell.step('Somebody edits a copy of the ledger');
  const copy = join(folder, 'tampered.db');
  for (const end of ['', '-wal']) copyFileSync(`${stage.ledger}${end}`, `${copy}${end}`);
  const db = new DatabaseSync(copy);
  const victim = Number(db.prepare("SELECT seq FROM entry WHERE body LIKE '%refund_too_large%'").get()?.['seq']);
  db.prepare("UPDATE entry SET body = replace(body, 'refund_too_large', 'refund_all_right') WHERE seq = ?").run(victim);
  db.close();
  const tampered = await verifyLedger(copy);
  if (tampered.bad) tell.say(`verify-ledger: entry ${tampered.bad.seq}: ${tampered.bad.why}`);
  tell.check('caught, and named', !tampered.ok && tampered.bad?.seq === victim);
  await client.close();

  /** One raw tools/call with a token as it is: with a fresh proof by that agent's key, or as Bearer. */
  async function attempt(holder: Agent | undefined, token: string, args: object): Promise<Recorded> {
    const id = Math.floor(Math.random() * 1e6);
    const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'create_refund', arguments: args } });
    const proof = holder && (await holder.prove({ method: 'POST', url: resource, token }));
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `${holder ? 'DPoP' : 'Bearer'} ${token}`,
      ...(proof !== undefined && { dpop: proof }),
    };
    await wire.fetch(resource, { method: 'POST', headers, body });
    const [recorded] = wire.take();
    if (!recorded) throw new Error('nothing was sent');
    tell.exchange(fold(recorded));
    return recorded;
  }
}
async function refusalOf(work: () => Promise<unknown>): Promise<AgentError | undefined> {
  try {
    await work();
    return undefined;
  } catch (fault) {
    if (fault instanceof AgentError) return fault;
    throw fault;
  }
}
function tokenOf(exchanges: readonly Recorded[]): string {
  const granted = exchanges.map((e) => jsonOf(e.answer)['access_token']).find((token) => typeof token === 'string');
  return String(granted ?? '..');
}
