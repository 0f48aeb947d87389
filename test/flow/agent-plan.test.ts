/** An agent plans, waits and gives up; an MCP client is shown where people decide. With the official clients, end to end. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client, StreamableHTTPClientTransport, UrlElicitationRequiredError } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UrlElicitationRequiredError as ElicitationV1 } from '@modelcontextprotocol/sdk/types.js';
import { pino } from 'pino';
import { type Stage, setStage } from '../../scripts/demo/stage.ts';
import { type Agent, AgentError, createAgent, type PlanOptions, type PlanWaiting } from '../../src/agent/agent.ts';
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

const operator = (method: 'GET' | 'POST', path: string, body?: object) =>
  documentedClient(join(folder, 'operator.sock'))(method, path, body);
async function until<T>(what: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await what();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const inState = async (state: string): Promise<readonly ShownApproval[]> =>
  ((await operator('GET', `/operator/approvals?state=${state}`)).body as { readonly approvals: readonly ShownApproval[] }).approvals;
const waits = (): Promise<ShownApproval> => until(async () => (await inState('pending'))[0]);
async function decide(vote: 'approve' | 'deny', steps?: readonly number[]): Promise<void> {
  const { id } = await waits();
  const answer = await operator('POST', `/operator/approvals/${id}`, { vote, as: 'people:u_bob', reason: 'seen', ...(steps && { steps }) });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}
const erase = (id: string) => ({
  resource: stage.shop.resource,
  tool: 'delete_customer',
  arguments: { customer_id: id },
  purpose: 'asked for',
});
const look = (id: string) => ({ resource: stage.shop.resource, tool: 'list_orders', arguments: { customer_id: id } });
const failsWith = (code: string, reason?: string) => (fault: unknown) =>
  fault instanceof AgentError && fault.code === code && (reason === undefined || fault.reason === reason);

describe('a plan of an agent', () => {
  it('waits once, and each step that people agreed to is a token of its own', async () => {
    const told: PlanWaiting[] = [];
    const options: PlanOptions = { onWaiting: (waiting) => told.push(waiting) };
    const [plan] = await Promise.all([agent.plan([look('p1'), erase('p1'), erase('p2')], options), decide('approve', [1])]);
    assert.deepEqual(
      plan.steps.map(({ tool, state }) => [tool, state]),
      [
        ['list_orders', 'agreed'],
        ['delete_customer', 'agreed'],
        ['delete_customer', 'refused'],
      ],
    );
    assert.match(told[0]?.approvalUri ?? '', /\/console\/approvals\/apr_[0-9a-f]{32}$/);
    const [first, second] = await Promise.all([plan.authorize(0), plan.authorize(1)]);
    assert.notEqual(first.txn, second.txn);
    assert.equal((await plan.authorize(plan.steps[1] ?? 1)).txn, second.txn, 'the same step is the same action');
    await assert.rejects(plan.authorize(2), failsWith('ERR_DENIED', 'step_not_agreed'));
    await assert.rejects(plan.authorize(3), failsWith('ERR_ACTION'));
  });

  it('in order: asked for at once, they come one after the other', async () => {
    const [plan] = await Promise.all([agent.plan([erase('o1'), erase('o2'), look('o2')], { ordered: true }), decide('approve')]);
    const tokens = await Promise.all([0, 1, 2].map((at) => plan.authorize(at)));
    assert.equal(new Set(tokens.map(({ txn }) => txn)).size, 3);
    const late = await Promise.all([agent.plan([erase('o3'), erase('o4')], { ordered: true }), decide('approve')]);
    await assert.rejects(late[0].authorize(1), failsWith('ERR_DENIED', 'step_early'));
  });

  it('that nobody must agree to is there at once; what policy refuses says which step', async () => {
    const plan = await agent.plan([look('free')]);
    assert.deepEqual(plan.steps[0]?.state, 'agreed');
    assert.match((await plan.authorize(0)).txn, /^txn_/);
    const refund = {
      resource: stage.shop.resource,
      tool: 'create_refund',
      arguments: { payment_id: 'p', amount_minor: 420_000, currency: 'EUR' },
    };
    await assert.rejects(
      agent.plan([look('free'), refund]),
      (fault) => fault instanceof AgentError && fault.reason === 'refund_too_large' && fault.step === 1,
    );
  });

  it('of a sub-agent goes through the one that delegates to it, and its tokens are its own', async () => {
    const key = stage.agents['triage-bot'].privateJwk;
    const sub = createAgent({ issuer: stage.app.issuer, clientId: 'triage-bot', key, under: agent });
    const plan = await sub.plan([look('sub')]);
    const { claims } = await plan.authorize(0);
    assert.deepEqual(
      [claims['client_id'], (claims['act'] as { sub: string }).sub, claims['cnf']],
      ['refund-bot', 'triage-bot', { jkt: sub.thumbprint }],
    );
    await plan.withdraw();
  });

  it('ends with a no, with its withdrawal, and with its signal: the broker is told', async () => {
    await Promise.all([assert.rejects(agent.plan([erase('n1'), erase('n2')]), failsWith('ERR_DENIED')), decide('deny')]);
    const [plan] = await Promise.all([agent.plan([erase('w1'), erase('w2')]), decide('approve')]);
    await plan.withdraw();
    await assert.rejects(plan.authorize(0), failsWith('ERR_LAPSED'));
    const abort = new AbortController();
    const reason = new Error('enough');
    await assert.rejects(
      agent.plan([erase('a1')], { signal: abort.signal, onWaiting: () => abort.abort(reason) }),
      (fault) => fault === reason,
    );
    await until(async () => (await inState('cancelled')).find(({ steps }) => steps?.[0]?.arguments?.['customer_id'] === 'a1'));
  });
});

describe('a wait for one action that is given up', () => {
  it('is withdrawn, unless it is to be kept', async () => {
    for (const [whenAborted, state] of [
      ['withdraw', 'cancelled'],
      ['keep', 'pending'],
    ] as const) {
      const abort = new AbortController();
      const stop = { signal: abort.signal, onWaiting: () => abort.abort() };
      await assert.rejects(agent.authorize({ ...erase(whenAborted), approval: 'wait', whenAborted, ...stop }));
      await until(async () => (await inState(state)).find((one) => one.arguments['customer_id'] === whenAborted));
    }
    await decide('deny');
  });
});

describe('an MCP client whose call waits for a person', () => {
  const call = (id: string) => ({ name: 'delete_customer', arguments: { customer_id: id } });
  /** Shown the page, and after people agreed the same call runs once. */
  async function linked(
    calling: () => Promise<unknown>,
    is: (fault: unknown) => { readonly elicitations: readonly { url: string; message: string }[] },
  ) {
    const before = stage.shop.runs();
    const fault = await calling().then(
      () => assert.fail('it ran'),
      (why: unknown) => why,
    );
    const { id } = await waits();
    const url = `${stage.app.issuer}/console/approvals/${id}`;
    const [shown, ...others] = is(fault).elicitations;
    assert.deepEqual([shown?.url, others], [url, []]);
    for (const text of [(fault as Error).message, shown?.message ?? '']) assert.ok(text.includes(url), text);
    await assert.rejects(calling(), 'nobody has decided yet');
    assert.equal(stage.shop.runs(), before);
    await decide('approve');
    await calling();
    assert.equal(stage.shop.runs() - before, 1);
  }

  it('v2 is asked to open the page', async () => {
    const client = new Client({ name: 'refund-bot', version: '1.0.0' });
    await client.connect(new StreamableHTTPClientTransport(new URL(stage.shop.resource), { fetch: agent.fetchWith({ approval: 'link' }) }));
    await linked(
      () => client.callTool(call('v2')),
      (fault) => (fault instanceof UrlElicitationRequiredError ? fault : assert.fail(String(fault))),
    );
    await client.close();
  });

  it('v1 is asked to open the page', async () => {
    const client = new ClientV1({ name: 'refund-bot', version: '1.0.0' });
    const transport = new TransportV1(new URL(stage.shop.resource), { fetch: agent.fetchWith({ approval: 'link' }) });
    await client.connect(transport as Parameters<ClientV1['connect']>[0]);
    await linked(
      () => client.callTool(call('v1')),
      (fault) => (fault instanceof ElicitationV1 ? fault : assert.fail(String(fault))),
    );
    await client.close();
  });

  it('of a later revision reads it in words', async () => {
    const fetch = agent.fetchWith({ approval: 'link' });
    const answer = await fetch(stage.shop.resource, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'mcp-protocol-version': '2026-07-28' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: call('later') }),
    });
    const { id, error } = (await answer.json()) as {
      readonly id: number;
      readonly error: { readonly code: number; readonly message: string };
    };
    const page = `${stage.app.issuer}/console/approvals/${(await waits()).id}`;
    assert.deepEqual([answer.status, id, error.code, error.message.includes(page)], [200, 7, -32050, true]);
    await decide('deny');
    await assert.rejects(
      fetch(stage.shop.resource, {
        method: 'POST',
        body: JSON.stringify({ jsonrpc: '2.0', id: 8, method: 'tools/call', params: call('later') }),
      }),
      failsWith('ERR_DENIED'),
    );
  });
});
