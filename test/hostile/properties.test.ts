/** What must hold of every bundle and request, not of those that somebody thought of. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { formats } from '../../src/bundle/bundle-folder-formats.ts';
import { compileBundle } from '../../src/bundle/compile.ts';
import { decide } from '../../src/decide/decide.ts';
import { cedarEngine } from '../../src/decide/policy-cedar.ts';
import type { Agent, Asked, Bundle, Person } from '../../src/model.ts';
import { createRecord } from '../../src/record/record.ts';
import { digest } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';
import { asItself, claimsOf, revoke } from '../flow/front-door.ts';
import { agentOf, files, NOW, SERVER } from '../policy/fixture.ts';
import { memoryStore } from '../support/memory-store.ts';
import { REFUND } from '../support/rig.ts';
import { testWorld } from '../support/test-world.ts';
import { type Ground, openGround, settled } from './oracle.ts';
import { opinion, type RandomRequest, randomPolicy, randomRequest, situations, written } from './policy-oracle.ts';

/** The fixture's shop with a second tool of the same arguments. */
const PAY = /\n {2}pay:[\s\S]*?recordable: \[amount\]/.exec(SERVER)?.[0] ?? '';
const TWO_TOOLS = SERVER.replace('\n  look:', () => `${PAY.replace('pay:', 'hold:')}\n  look:`);

function asked(bundle: Bundle, request: RandomRequest): Asked {
  const server = bundle.servers.byId('shop');
  const tool = server?.tools.get(request.tool);
  assert.ok(server && tool);
  const client = agentOf(bundle, 'bot');
  const { kind, id, groups, department } = request.subject;
  const args = request.args as JsonObject;
  const subject: Person | Agent =
    kind === 'agent'
      ? client
      : {
          kind,
          issuer: 'people',
          subject: id,
          exp: 2e9,
          attributes: kind === 'person' ? { ...(groups && { groups: [...groups] }), ...(department !== undefined && { department }) } : {},
        };
  return {
    caller: { client },
    subject,
    actors: kind === 'agent' ? [] : request.actors.map((actor) => agentOf(bundle, actor)),
    server,
    action: {
      kind: 'call',
      tool,
      call: {
        resource: server.resource,
        tool: tool.name,
        digest: digest(args),
        arguments: args,
        ...(request.session !== undefined && { context: { session: request.session } }),
      },
    },
    kind: 'jwt',
    until: 2e9,
    deferred: false,
  };
}
const world = testWorld(NOW);
const record = createRecord({ store: memoryStore({ now: world.now }), world, deadlineMs: 5_000, readers: [], onFault: assert.ifError });

describe('the broker’s yes is a second opinion’s yes', () => {
  test('random bundles, random requests', async () => {
    let judged = 0;
    let allowed = 0;
    let loaded = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(randomPolicy, { minLength: 2, maxLength: 10 }),
        fc.array(randomRequest, { minLength: 60, maxLength: 60 }),
        async (policies, requests) => {
          const text = `${written(policies)}\n@id("all") permit (principal, action in [shop::Action::"pay", shop::Action::"hold"], resource) when { context.input.amount == 100 };`;
          const compiled = await compileBundle(files(text, { 'servers/shop.yaml': TWO_TOOLS }), cedarEngine(), formats);
          // A rule that can never hold does not load: then there is nothing to compare.
          if (!compiled.ok) return;
          loaded += 1;
          const everybody = {
            effect: 'permit',
            principal: { text: '', of: () => true },
            action: { text: '', of: () => true },
            condition: { text: '', of: ({ input }: { input: { amount?: number } }) => input.amount === 100 },
          } as const;
          const all = [...policies, everybody];
          for (const request of requests) {
            const said: boolean = decide(asked(compiled.value.bundle, request), compiled.value.bundle, record.open('exchange')).ok;
            const expected = situations(request).every((situation) => opinion(all, situation) === 'allow');
            assert.equal(said, expected, JSON.stringify({ text, request }));
            judged += 1;
            if (said) allowed += 1;
          }
        },
      ),
      { numRuns: 60 },
    );
    assert.ok(
      loaded > 30 && judged > 1_500 && allowed > judged / 20,
      `${loaded} bundles, ${judged} judged, ${allowed} allowed: too few to mean anything`,
    );
  });
});

/** One asking under an Idempotency-Key; each client has keys of its own, however they are spelt. */
interface Asking {
  readonly client: 'refund-bot' | 'nightly-report';
  readonly key: 'k1' | 'k2';
  readonly what: 'one' | 'two' | 'denied';
}
interface Outcome {
  readonly asking: Asking;
  readonly said: string;
  readonly txn?: string;
  readonly token?: string;
}
/** What stands under a key: which request it is, and whether its grant has been ended. */
interface Remembered {
  readonly what: Asking['what'];
  readonly txn: string | undefined;
  readonly token: string;
  ended: boolean;
}
const askings: fc.Arbitrary<Asking> = fc.record({
  client: fc.constantFrom<Asking['client']>('refund-bot', 'refund-bot', 'nightly-report'),
  key: fc.constantFrom<Asking['key']>('k1', 'k1', 'k2'),
  what: fc.constantFrom<Asking['what']>('one', 'one', 'one', 'two', 'denied'),
});
const slot = ({ client, key }: Asking): string => `${client}/${key}`;

describe('an Idempotency-Key under random interleavings, at a real broker', () => {
  let ground: Ground;
  before(async () => {
    ground = await openGround();
  });
  after(() => ground.stop());

  async function ask({ client, key, what }: Asking, run: string): Promise<Outcome> {
    const { rig } = ground;
    const amount = { one: 1, two: 2, denied: 9_000 }[what];
    const headers = { 'idempotency-key': `${run}-${key}` };
    const itself = asItself(rig, client, what === 'denied' ? { entry: { identifier: 'create_refund' } } : { args: { limit: amount } });
    const args = { ...REFUND, amount_minor: amount };
    const { status, body } = await rig.ask(
      client === 'refund-bot' ? { args, headers } : { ...itself, ...(what === 'denied' && { args }), headers },
    );
    const token = body['access_token'];
    const said = [status, body['error']].filter((part) => part !== undefined).join(' ');
    return { asking: { client, key, what }, said, ...(typeof token === 'string' && { token, txn: String(claimsOf(token)['txn']) }) };
  }
  function check(outcomes: readonly Outcome[], stands: Remembered | undefined): Remembered | undefined {
    if (stands) {
      for (const { asking, said, txn } of outcomes) {
        if (asking.what !== stands.what) assert.equal(said, '400 invalid_request');
        else if (stands.ended) assert.equal(said, '400 invalid_grant');
        else assert.deepEqual([said, txn], ['200', stands.txn], 'the first grant again');
      }
      return stands;
    }
    const granted = outcomes.filter(({ said }) => said === '200');
    assert.ok(new Set(granted.map(({ txn }) => txn)).size <= 1, 'one grant');
    assert.ok(new Set(granted.map(({ asking }) => asking.what)).size <= 1, 'of one request');
    const [first] = granted;
    for (const { asking, said } of outcomes) {
      const possible = asking.what === 'denied' ? ['403 access_denied'] : ['409 temporarily_unavailable'];
      if (first && asking.what === first.asking.what) possible.push('200');
      if (first && asking.what !== first.asking.what) possible.push('400 invalid_request');
      assert.ok(possible.includes(said), `${JSON.stringify(asking)}: ${said}`);
    }
    assert.ok(first || outcomes.every(({ asking }) => asking.what === 'denied'), 'somebody is granted');
    return first?.token === undefined ? undefined : { what: first.asking.what, txn: first.txn, token: first.token, ended: false };
  }

  test('the first request that is granted owns the key; a refusal owns nothing', async () => {
    let runs = 0;
    const batch = fc.record({
      askings: fc.array(askings, { minLength: 1, maxLength: 7 }),
      revoke: fc.constantFrom<string | null>(null, null, 'refund-bot/k1', 'nightly-report/k1'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), async (batches) => {
        const run = `run-${++runs}`;
        const memory = new Map<string, Remembered>();
        for (const { askings: together, revoke: ended } of batches) {
          const outcomes = await Promise.all(together.map((each) => ask(each, run)));
          for (const [name, its] of Map.groupBy(outcomes, ({ asking }) => slot(asking))) {
            const now = check(its, memory.get(name));
            if (now) memory.set(name, now);
          }
          const held = ended === null ? undefined : memory.get(ended);
          if (!held || ended === null) continue;
          assert.equal((await revoke(ground.rig, held.token, ended.split('/')[0])).status, 200);
          held.ended = true;
        }
      }),
      { numRuns: 25 },
    );
    await settled(ground);
  });
});
