/** What an agent makes of a plan's answers, and of a link: nothing that is not as wire.md §3.4 has it is believed. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Agent, AgentError, createAgent, type PlanWaiting, urlElicitation } from '../../../src/agent/agent.ts';
import type { Json, JsonObject } from '../../../src/wire/json.ts';
import { clientKeys, type FakeBroker, fakeBroker, type Trick } from './broker.ts';

const resource = 'http://127.0.0.1:9090/mcp';
const steps = [
  { resource, tool: 'list_orders' },
  { resource, tool: 'delete_customer', arguments: { customer_id: 'c' } },
];
const keys = clientKeys();
const APPROVAL = `apr_${'0'.repeat(32)}`;
const answered = (body: JsonObject, status = 200): Trick => ({ answer: status, body });
const pending = (more: JsonObject = {}): Trick =>
  answered({ state: 'pending', deferral_code: 'c.1', interval: 5, expires_in: 900, steps: [], ...more });
const approved = answered({ state: 'approved', deferral_code: 'c.1', interval: 5, expires_in: 900, steps: [] });
const decided = answered({ error: 'plan_decided' }, 400);
const told = (...states: readonly Json[]): Trick =>
  answered({ state: 'approved', ordered: false, steps: states.map((state) => ({ state })) });

let broker: FakeBroker;
let agent: Agent;
let waited: PlanWaiting[];
beforeEach(async () => {
  broker = await fakeBroker({ clientId: 'bot', jwks: keys.jwks, nonces: false });
  broker.metadata = {
    ...broker.metadata,
    countersign_plans_endpoint: `${broker.issuer}/plans`,
    revocation_endpoint: `${broker.issuer}/revoke`,
  };
  agent = createAgent({ issuer: broker.issuer, clientId: 'bot', key: keys.jwk, wait: async () => {}, attempts: 1 });
  waited = [];
});
afterEach(() => broker.close());
const plan = () => agent.plan(steps, { onWaiting: (waiting) => waited.push(waiting) });
const fails = (code: string) => (fault: unknown) => fault instanceof AgentError && fault.code === code;

describe('a plan', () => {
  const TABLE: readonly (readonly [string, readonly Trick[], string | undefined])[] = [
    ['decided at once', [approved, told('agreed', 'agreed')], undefined],
    [
      'waited for',
      [
        pending(),
        answered({ error: 'authorization_pending', deferral_code: 'c.1', interval: 5, expires_in: 800 }, 400),
        decided,
        told('agreed', 'refused'),
      ],
      undefined,
    ],
    ['without a code', [answered({ state: 'pending' })], 'ERR_PROTOCOL'],
    ['denied', [pending(), answered({ error: 'access_denied' }, 400)], 'ERR_DENIED'],
    ['nobody decides', [pending(), answered({ error: 'expired_token' }, 400)], 'ERR_APPROVAL_EXPIRED'],
    ['a token for it', [pending(), answered({ access_token: 'x', token_type: 'DPoP' })], 'ERR_PROTOCOL'],
    ['fewer steps than were asked about', [approved, told('agreed')], 'ERR_PROTOCOL'],
    ['a step in a state that there is not', [approved, told('agreed', 'approved')], 'ERR_PROTOCOL'],
    ['still waiting after it was decided', [approved, told('waiting', 'waiting')], 'ERR_PROTOCOL'],
    ['too many that wait', [answered({ error: 'access_denied', reason: 'approvals_too_many' }, 403)], 'ERR_DENIED'],
    ['a broker that is away', ['reset'], 'ERR_UNAVAILABLE'],
  ];
  for (const [name, tricks, code] of TABLE)
    it(name, async () => {
      broker.tricks.push(...tricks);
      if (code === undefined) await plan();
      else await assert.rejects(plan(), fails(code));
      assert.deepEqual(broker.tricks, []);
    });

  it('of a broker that knows none', async () => {
    const { countersign_plans_endpoint: _, ...without } = broker.metadata;
    broker.metadata = without;
    await assert.rejects(plan(), fails('ERR_PROTOCOL'));
  });

  it('that failed otherwise is nothing to show a page for', () => {
    for (const fault of [new AgentError('ERR_DENIED'), new AgentError('ERR_APPROVAL_PENDING'), new Error('x'), undefined])
      assert.equal(urlElicitation(fault), undefined);
  });

  it('of what is no action is not sent', async () => {
    await assert.rejects(agent.plan([{ resource, tool: 'no tool' }]), fails('ERR_ACTION'));
    await assert.rejects(agent.plan([{ resource, tool: 't', arguments: [] as unknown as object }]), fails('ERR_ACTION'));
    assert.deepEqual(broker.seen, []);
  });
});

describe('the page where people decide', () => {
  const own = (path: string): string => `${broker.issuer}${path}`;
  const LINKS: readonly (readonly [string, () => Json, boolean])[] = [
    ['the broker’s own', () => own(`/console/approvals/${APPROVAL}`), true],
    ['of another host', () => `https://elsewhere.example/console/approvals/${APPROVAL}`, false],
    ['of a host that begins like it', () => own(`.elsewhere.example/console/approvals/${APPROVAL}`), false],
    ['with a user in front', () => own(`@elsewhere.example/approvals/${APPROVAL}`), false],
    ['with something behind', () => own(`/console/approvals/${APPROVAL}?next=https://elsewhere.example`), false],
    ['of no approval', () => own('/console/approvals/'), false],
    ['of another way', () => own(`//elsewhere.example/${APPROVAL}`), false],
    ['no text', () => ({ url: 'x' }), false],
  ];
  for (const [name, uri, shown] of LINKS)
    it(name, async () => {
      const link = uri();
      broker.tricks.push(pending({ approval_uri: link }), decided, told('agreed', 'agreed'));
      await plan();
      assert.equal(waited[0]?.approvalUri, shown ? link : undefined);
      const asks: Trick = answered(
        { error: 'authorization_pending', deferral_code: 'c.1', interval: 5, expires_in: 9, approval_uri: link },
        400,
      );
      broker.tricks.push(asks, asks);
      await assert.rejects(agent.authorize({ resource, tool: 'list_orders', approval: 'link' }), (fault) => {
        assert.ok(fault instanceof AgentError && fault.code === 'ERR_APPROVAL_PENDING');
        assert.equal(fault.message.includes(String(link)), shown);
        const [asked] = urlElicitation(fault)?.data.elicitations ?? [];
        assert.deepEqual(
          asked && { ...asked, message: '' },
          shown ? { mode: 'url', elicitationId: APPROVAL, url: link, message: '' } : undefined,
        );
        return true;
      });
    });
});
