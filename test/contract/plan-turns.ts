/** Whatever two brokers do at once with one plan: each step at most once, none that was not agreed to, in order where there is one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { createAsking } from '../../src/approve/asking.ts';
import { createKeeper } from '../../src/approve/kept.ts';
import { agreedSteps, type Plan } from '../../src/approve/plan.ts';
import { createPlans } from '../../src/approve/plans.ts';
import type { Approval } from '../../src/approve/state.ts';
import { createWithdraw } from '../../src/approve/withdraw.ts';
import { openSecret } from '../../src/keys/secret-file.ts';
import type { Agent, Asked, Claim, Draft, Id, Tool, ToolServer } from '../../src/model.ts';
import type { Store } from '../../src/store/store.ts';
import { digest } from '../../src/wire/digest.ts';
import { isObject } from '../../src/wire/json.ts';
import { ok } from '../../src/wire/result.ts';

/** Two brokers' stores, which may be one. `now`: epoch seconds by the stores' clock. */
export interface Pair {
  readonly stores: readonly [Store, Store];
  readonly now: () => number;
}
const STEPS = 4;
const RESOURCE = 'https://mcp.example/mcp';
/** Who does what; those of one moment at the same time. */
type Deed = { readonly broker: 0 | 1; readonly step: number | 'withdraw' };
const deeds = fc.array(
  fc.array(
    fc.record({
      broker: fc.constantFrom<0 | 1>(0, 1),
      step: fc.oneof({ weight: 12, arbitrary: fc.nat(STEPS - 1) }, { weight: 1, arbitrary: fc.constant('withdraw' as const) }),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  { minLength: 1, maxLength: 8 },
);
const shape = fc.record({
  ordered: fc.boolean(),
  asks: fc.array(fc.boolean(), { minLength: STEPS, maxLength: STEPS }),
  named: fc.option(fc.subarray([0, 1, 2, 3], { minLength: 1 }), { nil: undefined }),
  moments: deeds,
});

const secret = openSecret({ value: Buffer.alloc(32, 7).toString('base64url') });
const args = { n: 0 };
const callOf = (step: number) => ({ resource: RESOURCE, tool: 't', digest: digest({ ...args, n: step }), arguments: { ...args, n: step } });
const bot = { kind: 'agent', id: 'bot' } as Agent;
const askedFor = (step: number, plan: string): Asked => ({
  caller: { client: bot, jkt: 'k' },
  subject: bot,
  actors: [],
  jkt: 'k',
  server: { resource: RESOURCE } as ToolServer,
  action: { kind: 'call', call: callOf(step), tool: {} as Tool },
  kind: 'jwt',
  until: Number.MAX_SAFE_INTEGER,
  deferred: false,
  plan,
  // Each asking has a name of its own: what keeps a step from being taken twice is the plan alone.
  retry: { key: `retry/${randomBytes(8).toString('hex')}`, fingerprint: 'f' },
});
function draftOf(now: number): Draft {
  return { id: `exc_${randomBytes(16).toString('hex')}`, now, facts: {}, note() {}, spend() {} } as unknown as Draft;
}

/** One broker: what it knows is the store alone. */
function broker(store: Store, now: () => number) {
  const keeper = createKeeper(secret);
  const parts = { store, keeper, asking: createAsking(keeper), unhalted: () => [], reaches: () => true, proofs: false };
  const plans = createPlans({ ...parts, resource: 'https://broker.example/plans' });
  const withdraw = createWithdraw(parts);
  const commit = (claims: readonly Claim[], id: string, what: Deed['step']): Promise<string | undefined> =>
    store.commit({ at: now(), notAfter: now() + 30, claims, entries: [{ body: { what }, terms: [`plan/${id}`] }] });
  return {
    keeper,
    /** As a conductor does: what is claimed holds at the moment it becomes durable, or nothing is granted. */
    async act({ step }: Deed, id: Id<'apr'>, code: string): Promise<void> {
      const draft = draftOf(now());
      if (step === 'withdraw') {
        const ended = await withdraw(code, 'bot', draft);
        if (ended.ok && ended.value) await commit(ended.value, id, step);
        return;
      }
      const asked = await plans.step(ok(askedFor(step, code)), draft);
      if (!asked.ok) return;
      const { agreed, retry } = asked.value;
      if (!agreed || agreed.spend.length === 0 || !retry) return;
      // Others do something meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
      await commit([...agreed.spend, { key: retry.key, version: 0, value: 1, until: now() + 60, else: 'retry_in_flight' }], id, step);
    },
  };
}

export function planTurns(name: string, open: () => Promise<Pair>, runs: number): void {
  test(`steps of one plan, taken by two brokers on ${name}`, async () => {
    const { stores, now } = await open();
    const brokers = [broker(stores[0], now), broker(stores[1], now)] as const;
    await fc.assert(
      fc.asyncProperty(shape, async ({ ordered, asks, named, moments }) => {
        const { keeper } = brokers[0];
        const id: Id<'apr'> = `apr_${randomBytes(16).toString('hex')}`;
        const plan: Plan = { ordered, steps: asks.map((one, step) => ({ ...callOf(step), asks: one, facts: {} })) };
        const votes = [
          { by: 'people:u_a', vote: 'approve', at: 0, reason: '', stands: [], via: '', ...(named && { steps: named }) },
        ] as const;
        const approval = {
          id,
          state: 'approved',
          bind: 'b',
          client: 'bot',
          key: 'k',
          jkt: 'k',
          subject: { kind: 'agent', id: 'bot' },
          actors: [],
          resource: '',
          tool: 'plan',
          digest: digest({}),
          credential: 'jwt',
          bundle: '',
          demand: { who: [], quorum: 1, ttlSeconds: 900 },
          made: now(),
          until: now() + 900,
          proofs: now() + 900,
          retry: { key: 'r', fingerprint: 'f' },
          votes,
          facts: {},
          sealed: '',
          plan,
        } as const satisfies Approval;
        await stores[0].commit({
          at: now(),
          notAfter: now() + 30,
          claims: [keeper.write({ version: 0, approval }, approval, 'fault')],
          entries: [],
        });
        const code = keeper.codeOf(id);
        for (const moment of moments) await Promise.all(moment.map((deed) => brokers[deed.broker].act(deed, id, code)));

        const rows = await stores[1].scan({ term: `plan/${id}`, limit: 100 });
        const done = rows.flatMap(({ value }) => (isObject(value) ? [value['what']] : []));
        const taken = done.filter((one) => one !== 'withdraw').map(Number);
        const agreed = agreedSteps(plan, votes);
        assert.equal(new Set(taken).size, taken.length, 'no step twice');
        assert.ok(
          taken.every((step) => agreed.includes(step)),
          'none that was not agreed to',
        );
        if (ordered) assert.deepEqual(taken, agreed.slice(0, taken.length), 'in order');
        assert.ok(!done.slice(0, -1).includes('withdraw'), 'nothing after it was withdrawn');
        const [found] = (await stores[1].look([`approval/${id}`])).found;
        const stands = keeper.read(id, found)?.approval;
        assert.deepEqual(
          stands?.plan?.steps.flatMap((step, at) => (step.taken ? [at] : [])),
          [...taken].sort(),
          'the record tells what was taken',
        );
        // Each moment somebody could move, somebody did: a plan is never stuck.
        const asked = new Set(moments.flat().map(({ step }) => step));
        if (!ordered && !asked.has('withdraw'))
          assert.equal(
            taken.length > 0,
            agreed.some((step) => asked.has(step)),
          );
      }),
      { numRuns: runs },
    );
  });
}
