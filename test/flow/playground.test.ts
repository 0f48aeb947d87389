/** Agents and the playground over the operator's socket: what is told is what an exchange does, and nothing is left behind by asking. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { AgentStatus, AgentsStatus } from '../../src/operate/agents.ts';
import type { PlaygroundAnswer, PlaygroundQuestion, Stage } from '../../src/operate/playground.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { documentedClient } from '../support/documented.ts';
import { type Asking, REFUND, type Rig, startRig } from '../support/rig.ts';
import { addToBundle, asItself, editBundle, LIST } from './front-door.ts';

const CANARY = 'canary-9f1c';
const BUDGETS = `budgets:
  - { id: daily, title: Refunds of a day, on: { server: shop, tool: create_refund }, per: [agent], sum: amount_minor, limit: 9000, window: 24h }
  - { id: calls, title: Calls for one person, on: { server: shop }, per: [agent, subject], limit: 500, window: 1h }
`;
let rig: Rig;
before(async () => {
  rig = await startRig({
    bundle: async (folder) => {
      await editBundle(folder, 'agents.yaml', 'review: 2027-03-31', 'review: 2026-01-31');
      await addToBundle(folder, 'budgets.yaml', BUDGETS);
    },
  });
});
after(() => rig.stop());

const call = (method: 'GET' | 'POST', path: string, body?: object) =>
  documentedClient(join(rig.folder, 'operator.sock'))(method, path, body);
const ask: PlaygroundQuestion = {
  agent: 'refund-bot',
  for: { sub: 'people:u_bob', kind: 'person', attributes: { groups: ['support'] } },
  server: 'shop',
  tool: 'create_refund',
  arguments: REFUND,
};
type Change = { readonly [K in keyof PlaygroundQuestion]?: PlaygroundQuestion[K] | undefined };
async function play(change: Change = {}): Promise<PlaygroundAnswer> {
  const { status, body } = await call('POST', '/operator/playground', { ...ask, ...change });
  assert.equal(status, 200, JSON.stringify(body));
  return body as PlaygroundAnswer;
}

describe('the playground', () => {
  const SAME: readonly (readonly [string, Change, Asking, string])[] = [
    ['granted', {}, {}, 'allow'],
    ['too large', { arguments: { ...REFUND, amount_minor: 5001 } }, { args: { ...REFUND, amount_minor: 5001 } }, 'refund_too_large'],
    ['not of the schema', { arguments: { amount_minor: 1 } }, { args: { amount_minor: 1 } }, 'arguments_bad'],
    [
      'no permit',
      { tool: 'delete_customer', arguments: { customer_id: 'c' } },
      { args: { customer_id: 'c' }, entry: { identifier: 'delete_customer' } },
      'no_permit',
    ],
    [
      'without the attribute that a rule reads',
      { for: { sub: 'people:u_bob', kind: 'person', attributes: {} } },
      { subject: { claims: { groups: undefined } } },
      'input_missing',
    ],
    [
      'for itself',
      { agent: 'nightly-report', for: undefined, tool: 'list_orders', arguments: {} },
      { assertion: { claims: { iss: 'nightly-report' } } },
      'allow',
    ],
    ['a base token', { tool: 'tool:list', arguments: {} }, LIST, 'allow'],
  ];
  for (const [name, question, asking, expected] of SAME) {
    it(`says what an exchange does: ${name}`, async () => {
      const played = await play(question);
      const answer = await rig.ask(asking.assertion ? asItself(rig, 'nightly-report') : asking);
      const real = answer.status === 200 ? 'allow' : (answer.body['reason'] ?? 'arguments_bad');
      assert.equal(played.decision === 'deny' ? (played.code ?? played.reason) : played.decision, expected);
      if (answer.body['reason'] !== undefined || answer.status === 200) assert.equal(real, expected, answer.text);
      const [entry] = (await rig.entries()).slice(-1);
      if (played.decision === 'allow') assert.deepEqual(played.policies.map(({ id }) => id).sort(), [...(entry?.policies ?? [])].sort());
    });
  }

  it('names the policies with their place and their text', async () => {
    const { policies, verdicts, remedy } = await play({ arguments: { ...REFUND, amount_minor: 9000 } });
    assert.deepEqual(
      policies.map(({ id, file, line, last_line, text }) => [id, file, last_line - line + 1, text.split('\n').length]),
      [['refund-limit', 'refunds.cedar', 11, 11]],
    );
    assert.deepEqual(
      verdicts.map(({ as, who, allow }) => [as, who, allow]),
      [
        ['subject', 'people:u_bob', false],
        ['actor', 'refund-bot', false],
      ],
    );
    assert.match(remedy?.text ?? '', /5000 or less/);
  });

  it('writes no entry, spends nothing, and offers a flip that flips', async () => {
    const before = await rig.count();
    const refused = await play({ arguments: { ...REFUND, amount_minor: 8000 } });
    const [flip] = refused.flips.found;
    assert.deepEqual(
      [flip?.path, flip?.from, flip?.to, flip?.fate],
      [['amount_minor'], 8000, refused.budgets[0]?.left && Math.min(5000, refused.budgets[0].left), 'allowed'],
    );
    assert.ok(flip);
    assert.equal((await play(flip.question)).decision, 'allow');
    for (let i = 0; i < 5; i++) await play();
    assert.equal(await rig.count(), before);
    assert.deepEqual((await play()).budgets, (await play()).budgets);
  });

  it('knows what is left of budgets, and where they end', async () => {
    const [daily] = (await play()).budgets;
    const spent = (await rig.entries()).filter(({ kind, tool }) => kind === 'minted' && tool === 'create_refund').length * 4250;
    assert.deepEqual([daily?.left, daily?.amount], [9000 - spent, 4250]);
    await rig.ask({ args: { ...REFUND, amount_minor: 4250 } });
    const over = await play();
    assert.deepEqual([over.decision, over.reason], ['deny', 'budget_exhausted']);
    const [flip] = over.flips.found;
    assert.deepEqual([flip?.path, flip?.to], [['amount_minor'], over.budgets[0]?.left]);
  });

  it('sees what is halted', async () => {
    const halt = { scope: 'agent', target: 'refund-bot', reason: 'a drill' };
    assert.equal((await call('POST', '/operator/revocations', halt)).status, 200);
    const stopped = await play({ tool: 'list_orders', arguments: {} });
    assert.deepEqual(
      [stopped.decision, stopped.reason, stopped.halts.map(({ scope, reason }) => [scope, reason])],
      ['deny', 'suspended', [['agent', 'a drill']]],
    );
    assert.equal((await call('GET', '/operator/agents')).status, 200);
    const { agent } = (await call('GET', '/operator/agents/refund-bot')).body as AgentStatus;
    assert.deepEqual(
      agent.halts.map(({ reason }) => reason),
      ['a drill'],
    );
    assert.equal((await call('POST', '/operator/revocations/undo', halt)).status, 200);
    assert.equal((await play({ tool: 'list_orders', arguments: {} })).decision, 'allow');
  });

  it('says what can be asked about', async () => {
    const stage = (await call('GET', '/operator/playground')).body as Stage;
    assert.deepEqual(
      stage.agents.map(({ id }) => id),
      ['refund-bot', 'triage-bot', 'nightly-report'],
    );
    assert.deepEqual(
      stage.servers[0]?.tools.map(({ name }) => name),
      ['list_orders', 'create_refund', 'delete_customer'],
    );
    assert.deepEqual(stage.attributes, [{ name: 'groups', list: true, values: ['support', 'support-leads'] }]);
    assert.deepEqual(stage.issuers, ['people']);
  });

  const deep = JSON.parse(`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`) as JsonObject;
  const HOSTILE: readonly (readonly [string, object, number, string])[] = [
    ['nothing', {}, 400, 'invalid_request'],
    ['a member too many', { ...ask, dryrun: true }, 400, 'invalid_request'],
    ['an agent that is none', { ...ask, agent: CANARY }, 404, 'not_found'],
    ['an agent that is a list', { ...ask, agent: ['refund-bot'] }, 400, 'invalid_request'],
    ['a name without end', { ...ask, agent: CANARY.repeat(100) }, 400, 'invalid_request'],
    ['a tool of another server', { ...ask, server: 'billing' }, 404, 'not_found'],
    ['a prototype as a server', { ...ask, server: '__proto__' }, 404, 'not_found'],
    ['a prototype as a tool', { ...ask, tool: 'constructor' }, 404, 'not_found'],
    ['arguments that are a list', { ...ask, arguments: [] }, 400, 'invalid_request'],
    ['arguments too deep', { ...ask, arguments: deep }, 400, 'invalid_request'],
    ['an entity among the arguments', { ...ask, arguments: { __entity: { type: 'Person', id: 'x' } } }, 400, 'invalid_request'],
    ['a person without an issuer', { ...ask, for: { sub: CANARY } }, 400, 'invalid_request'],
    ['a person with more than that', { ...ask, for: { sub: 'people:u', roles: [CANARY] } }, 400, 'invalid_request'],
    ['an agent as a person', { ...ask, for: { sub: 'people:u', kind: 'agent' } }, 400, 'invalid_request'],
    ['an endless chain', { ...ask, via: Array(9).fill('triage-bot') }, 400, 'invalid_request'],
    ['a chain of nobody', { ...ask, via: [CANARY] }, 404, 'not_found'],
  ];
  for (const [name, body, status, error] of HOSTILE) {
    it(`refuses ${name}, and repeats nothing of it`, async () => {
      const answer = await call('POST', '/operator/playground', body);
      assert.deepEqual([answer.status, (answer.body as JsonObject)['error']], [status, error]);
      assert.ok(!JSON.stringify(answer.body).includes(CANARY));
    });
  }
  const ODD: readonly (readonly [string, Change, string])[] = [
    ['attributes of the wrong type', { for: { sub: 'people:u', kind: 'person', attributes: { groups: 'support' } } }, 'input_mistyped'],
    ['an amount as text', { arguments: { ...REFUND, amount_minor: '1' } }, 'arguments_bad'],
    ['the same agent twice in a row', { via: ['refund-bot'] }, 'refund_delegated'],
  ];
  for (const [name, question, code] of ODD) {
    it(`decides ${name} as a no`, async () => {
      const played = await play(question);
      assert.deepEqual([played.decision, played.code ?? played.reason], ['deny', code]);
    });
  }
});

describe('agents', () => {
  it('are listed with what stops them, what they did, and what they never do', async () => {
    const { agents, now } = (await call('GET', '/operator/agents')).body as AgentsStatus;
    assert.deepEqual(
      agents.map(({ id, owner, overdue, owned, suspended, halts, identity }) => [
        id,
        owner,
        overdue,
        owned,
        suspended,
        halts.length,
        identity,
      ]),
      [
        ['nightly-report', 'people:u_alice', true, true, false, 0, 'key'],
        ['refund-bot', 'people:u_alice', false, true, false, 0, 'key'],
        ['triage-bot', 'people:u_bob', false, true, false, 0, 'key'],
      ],
    );
    const [, refunds, triage] = agents;
    assert.ok(refunds?.last_use !== undefined && refunds.last_use <= now && triage?.last_use === undefined);
    assert.deepEqual([triage?.rights, triage?.unused], [2, 2]);
  });

  it('show their mandate, what of it is used, and what is left of their budgets', async () => {
    const { mandate, budgets } = (await call('GET', '/operator/agents/refund-bot')).body as AgentStatus;
    assert.deepEqual(
      mandate.map(({ tool, as, used }) => [tool, as, used]),
      [
        ['tool:list', 'actor', true],
        ['list_orders', 'actor', false],
        ['create_refund', 'actor', true],
        ['delete_customer', 'actor', false],
      ],
    );
    assert.match(
      mandate[2]?.words.join(' ') ?? '',
      /^May call create_refund at Shop for a person when .*Never when amount_minor is more than 5,000\./,
    );
    assert.deepEqual(
      budgets.map(({ id, left }) => [id, left]),
      [
        ['daily', 500],
        ['calls', undefined],
      ],
    );
  });

  it('answer for those that are there, and for days that are days', async () => {
    for (const [path, status] of [
      ['/operator/agents/nobody', 404],
      ['/operator/agents/__proto__', 404],
      ['/operator/agents/..%2fkeys', 404],
      ['/operator/agents?days=0', 400],
      ['/operator/agents?days=1e3', 400],
      ['/operator/agents/refund-bot?days=-1', 400],
      ['/operator/agents/refund-bot?days=30', 200],
    ] as const)
      assert.equal((await call('GET', path)).status, status, path);
  });
});
