/** The official MCP client calls a tool that people must agree to: it waits, they are shown it and agree, it runs once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { pino } from 'pino';
import { type Stage, setStage } from '../../scripts/demo/stage.ts';
import { type Agent, AgentError, createAgent, type FetchOptions, type Waiting } from '../../src/agent/agent.ts';
import type { ShownApproval } from '../../src/operate/approvals.ts';
import { documentedClient } from '../support/documented.ts';

let folder: string;
let stage: Stage;
let agent: Agent;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-'));
  stage = await setStage({ folder, log: pino({ level: 'silent' }) });
  const token = (await stage.people.signIn('alice')).idToken;
  agent = createAgent({
    issuer: stage.app.issuer,
    clientId: 'refund-bot',
    key: stage.agents['refund-bot'].privateJwk,
    subject: { token, type: 'id_token' },
    // What waits seconds for people waits moments here.
    wait: (ms, signal) =>
      new Promise((resolve) => setTimeout(resolve, ms / 100).unref() && signal?.addEventListener('abort', () => resolve())),
  });
});
after(async () => {
  await stage.close();
  rmSync(folder, { recursive: true, force: true });
});

const connect = async (options: FetchOptions): Promise<Client> => {
  const client = new Client({ name: 'refund-bot', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(stage.shop.resource), { fetch: agent.fetchWith(options) }));
  return client;
};
const operator = (method: 'GET' | 'POST', path: string, body?: object) =>
  documentedClient(join(folder, 'operator.sock'))(method, path, body);
async function waits(): Promise<ShownApproval> {
  for (;;) {
    const { approvals } = (await operator('GET', '/operator/approvals')).body as { readonly approvals: readonly ShownApproval[] };
    if (approvals[0]) return approvals[0];
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const decide = async (vote: 'approve' | 'deny'): Promise<void> => {
  const { id } = await waits();
  assert.equal((await operator('POST', `/operator/approvals/${id}`, { vote, as: 'people:u_bob', reason: 'seen' })).status, 200);
};
const deletion = (id: string) => ({ name: 'delete_customer', arguments: { customer_id: id } });
const refused = (code: string, reason?: string) => (fault: unknown) =>
  fault instanceof AgentError && fault.code === code && (reason === undefined || fault.reason === reason);

describe('a tool that people must agree to, through the official client', () => {
  it('runs once they have, and the agent hears how the wait goes', async () => {
    const told: Waiting[] = [];
    const client = await connect({ approval: 'wait', onWaiting: (waiting) => told.push(waiting) });
    const before = stage.shop.runs();
    const [result] = await Promise.all([client.callTool(deletion('cus_anna')), decide('approve')]);
    assert.notEqual(result.isError, true, JSON.stringify(result));
    const run = stage.shop.ran.at(-1);
    assert.deepEqual([stage.shop.runs() - before, run?.subject, run?.arguments], [1, 'people:u_alice', { customer_id: 'cus_anna' }]);
    assert.deepEqual([told[0]?.tool, told[0]?.polls], ['delete_customer', 0]);
    assert.match(told[0]?.decisionId ?? '', /^exc_/);
    await client.close();
  });

  it('does not run when they say no, and the agent reads so', async () => {
    const client = await connect({ approval: 'wait' });
    const before = stage.shop.runs();
    await Promise.all([assert.rejects(client.callTool(deletion('cus_ben')), refused('ERR_DENIED')), decide('deny')]);
    assert.equal(stage.shop.runs(), before);
    await client.close();
  });

  it('is refused with what to do where the agent would not wait', async () => {
    const client = await connect({});
    await assert.rejects(client.callTool(deletion('cus_carl')), refused('ERR_DENIED', 'approval_needed'));
    await client.close();
  });

  it('leaves the wait when the caller does', async () => {
    const abort = new AbortController();
    const client = await connect({ approval: 'wait', onWaiting: () => abort.abort() });
    await assert.rejects(client.callTool(deletion('cus_dora'), { signal: abort.signal }));
    assert.equal((await waits()).arguments['customer_id'], 'cus_dora', 'people may still decide; the same call goes on with it');
    await client.close();
  });
});
