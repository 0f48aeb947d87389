/** The whole spine: a person signs in, an agent on the official client asks, the broker decides, the shop runs the tool once. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { type Agent, AgentError, createAgent, type SubjectToken } from '../../src/agent/agent.ts';
import { type Demo, openDemo } from '../support/demo.ts';

let demo: Demo;
let subject: SubjectToken;
before(async () => {
  demo = await openDemo();
  subject = { token: (await demo.idp.signIn('bob')).idToken, type: 'id_token' };
});
after(() => demo.close());

const refundBot = (who = subject): Agent =>
  createAgent({ issuer: demo.issuer, clientId: 'refund-bot', key: demo.agents['refund-bot'].privateJwk, subject: who });
const connect = async (agent: Agent): Promise<Client> => {
  const client = new Client({ name: 'refund-bot', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(demo.shop.resource), { fetch: agent.fetch }));
  return client;
};
const refund = { payment_id: 'pay_8Qx2', amount_minor: 4250, currency: 'EUR' };

describe('an agent with the official MCP client', () => {
  it('lists tools, runs one for the person, and the broker gets its receipt', async () => {
    const client = await connect(refundBot());
    assert.deepEqual(
      (await client.listTools()).tools.map((tool) => tool.name),
      ['list_orders', 'create_refund', 'delete_customer'],
    );
    const before = demo.shop.runs();
    const result = await client.callTool({ name: 'create_refund', arguments: refund });
    assert.notEqual(result.isError, true);
    const run = demo.shop.ran.at(-1);
    assert.deepEqual([demo.shop.runs() - before, run?.subject, run?.clientId, run?.arguments], [1, 'people:u_bob', 'refund-bot', refund]);
    await demo.shop.receipts.flush();
    assert.deepEqual({ ...demo.shop.receipts.counts }, { queued: 0, sent: 1, dead: 0, lost: 0 });
    await client.close();
  });

  it('takes the person’s access token as well', async () => {
    const { accessToken } = await demo.idp.signIn('alice');
    const client = await connect(refundBot({ token: accessToken, type: 'access_token' }));
    await client.callTool({ name: 'list_orders', arguments: { customer_id: 'cus_anna' } });
    assert.equal(demo.shop.ran.at(-1)?.subject, 'people:u_alice');
    await client.close();
  });

  it('is taught by a denial, and nothing runs', async () => {
    const client = await connect(refundBot());
    const before = demo.shop.runs();
    await assert.rejects(client.callTool({ name: 'create_refund', arguments: { ...refund, amount_minor: 420_000 } }), (error) => {
      assert.ok(error instanceof AgentError);
      assert.deepEqual([error.code, error.reason], ['ERR_DENIED', 'refund_too_large']);
      assert.match(error.remedy?.text ?? '', /5000 or less/);
      assert.ok(error.decisionId);
      return true;
    });
    assert.equal(demo.shop.runs(), before);
    await client.close();
  });

  it('runs an action once, however often its request is sent', async () => {
    const fetch = refundBot().fetch;
    const call = {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'list_orders', arguments: { limit: 1 } } }),
    };
    const before = demo.shop.runs();
    const [first, second] = [await fetch(demo.shop.resource, call), await fetch(demo.shop.resource, call)];
    assert.deepEqual([first.status, second.status, demo.shop.runs() - before], [200, 409, 1]);
  });

  it('acts for itself without a subject, as far as policy names it so', async () => {
    const agent = createAgent({ issuer: demo.issuer, clientId: 'nightly-report', key: demo.agents['nightly-report'].privateJwk });
    const client = await connect(agent);
    await client.callTool({ name: 'list_orders', arguments: {} });
    assert.equal(demo.shop.ran.at(-1)?.subject, 'nightly-report');
    await assert.rejects(client.callTool({ name: 'create_refund', arguments: refund }), { code: 'ERR_DENIED' });
    await client.close();
  });

  it('delegates to a sub-agent, which holds its tokens by its own key and may do less', async () => {
    const lead = refundBot();
    const sub = createAgent({ issuer: demo.issuer, clientId: 'triage-bot', key: demo.agents['triage-bot'].privateJwk, under: lead });
    const client = await connect(sub);
    await client.callTool({ name: 'list_orders', arguments: { limit: 2 } });
    assert.deepEqual([demo.shop.ran.at(-1)?.subject, demo.shop.ran.at(-1)?.clientId], ['people:u_bob', 'refund-bot']);
    const { claims } = await sub.authorize({ resource: demo.shop.resource, tool: 'list_orders' });
    assert.deepEqual(claims['cnf'], { jkt: sub.thumbprint });
    const act = { sub: 'triage-bot', iss: demo.issuer, act: { sub: 'refund-bot', iss: demo.issuer } };
    assert.deepEqual(claims['act'], act);
    await assert.rejects(client.callTool({ name: 'create_refund', arguments: refund }), { code: 'ERR_DENIED' });
    await client.close();
  });

  it('may bring its token in _meta, beside a base token in the header', async () => {
    const agent = refundBot();
    const { meta } = await agent.authorize({ resource: demo.shop.resource, tool: 'list_orders', arguments: { status: 'paid' } });
    const base = await agent.baseToken(demo.shop.resource);
    const response = await fetch(demo.shop.resource, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(await base.present({ method: 'POST', url: demo.shop.resource })),
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'list_orders', arguments: { status: 'paid' }, _meta: meta },
      }),
    });
    assert.equal(response.status, 200, await response.text());
  });
});
