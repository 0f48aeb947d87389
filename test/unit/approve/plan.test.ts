import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agreedSteps, isAny, isSpent, type Plan, statesOf, stepOf, take, voteFlaw } from '../../../src/approve/plan.ts';
import { type Approval, step } from '../../../src/approve/state.ts';
import { digest, EMPTY_DIGEST } from '../../../src/wire/digest.ts';

const NOW = 1_795_176_000;
const TAKEN = { txn: 'txn_1', at: NOW };
/** `a`: people are asked about it; `f`: it needs nobody; in capitals: taken. */
const planOf = (letters: string, ordered = false): Plan => ({
  ordered,
  steps: [...letters].map((letter, n) => ({
    resource: 'https://mcp.example/mcp',
    tool: 't',
    digest: digest({ n }),
    asks: letter.toLowerCase() === 'a',
    facts: {},
    ...(letter !== letter.toLowerCase() && { taken: TAKEN }),
  })),
});
const yes = (...steps: readonly number[]) => ({ vote: 'approve', ...(steps.length > 0 && { steps }) }) as const;

describe('a vote on a plan', () => {
  const TABLE: readonly (readonly [string, Plan | undefined, Parameters<typeof voteFlaw>[1], string | undefined])[] = [
    ['names nothing: all', planOf('aa'), yes(), undefined],
    ['names nothing, of a single action', undefined, yes(), undefined],
    ['names a step of a single action', undefined, yes(0), 'no_such_step'],
    ['names one', planOf('aa'), yes(1), undefined],
    ['names one that there is not', planOf('aa'), yes(2), 'no_such_step'],
    ['names one that there is not among those that there are', planOf('aa'), yes(0, 2), 'no_such_step'],
    ['names one twice', planOf('aa'), yes(1, 1), 'no_such_step'],
    ['names none', planOf('aa'), { vote: 'approve', steps: [] }, 'no_such_step'],
    ['names what nobody is asked about', planOf('fa'), yes(0), 'no_such_step'],
    ['names what nobody is asked about beside what they are', planOf('fa'), yes(0, 1), undefined],
    ['says no to one', planOf('aa'), { vote: 'deny', steps: [0] }, 'no_such_step'],
    ['leaves out the last, in order', planOf('aaa', true), yes(0, 1), undefined],
    ['leaves out the first, in order', planOf('aaa', true), yes(1, 2), 'out_of_order'],
    ['leaves out one between, in order', planOf('aaa', true), yes(0, 2), 'out_of_order'],
    ['leaves out what needs nobody, in order', planOf('afa', true), yes(0, 2), undefined],
    ['names in another order than it has', planOf('aaa', true), yes(1, 0), undefined],
  ];
  for (const [name, plan, vote, flaw] of TABLE) it(name, () => assert.equal(voteFlaw(plan, vote), flaw));
});

describe('what was agreed to', () => {
  const TABLE: readonly (readonly [string, Plan, Parameters<typeof agreedSteps>[1], readonly number[]])[] = [
    ['by nobody: what needs nobody', planOf('afa'), [], [1]],
    ['by one, all of it', planOf('afa'), [yes()], [0, 1, 2]],
    ['by one, one of it', planOf('afa'), [yes(2)], [1, 2]],
    ['by two, what both named', planOf('aaa'), [yes(0, 1), yes(1, 2)], [1]],
    ['by two who named nothing in common', planOf('aa'), [yes(0), yes(1)], []],
    ['by two, one of whom denies', planOf('af'), [yes(), { vote: 'deny' }], [1]],
    ['in order, up to the first that was left out', planOf('aafa', true), [yes(0)], [0]],
    ['in order, by nobody', planOf('fafa', true), [], [0]],
  ];
  for (const [name, plan, votes, steps] of TABLE) it(name, () => assert.deepEqual(agreedSteps(plan, votes), steps));
  it('is nothing where two named nothing in common', () => {
    assert.equal(isAny(planOf('aa'), [yes(0), yes(1)]), false);
    assert.equal(isAny(planOf('fa'), []), false);
    assert.equal(isAny(planOf('aa'), [yes(0)]), true);
  });
});

describe('a step', () => {
  const TABLE: readonly (readonly [string, Plan, Parameters<typeof take>[1], number, string])[] = [
    ['agreed to', planOf('aa'), [yes()], 1, 'aA'],
    ['that needs nobody', planOf('fa'), [yes(1)], 0, 'Fa'],
    ['left out', planOf('aa'), [yes(0)], 1, 'step_not_agreed'],
    ['taken', planOf('aA'), [yes()], 1, 'step_taken'],
    ['that there is not', planOf('aa'), [yes()], 2, 'step_not_agreed'],
    ['that there is not, at all', planOf('aa'), [yes()], -1, 'step_not_agreed'],
    ['the first, in order', planOf('aa', true), [yes()], 0, 'Aa'],
    ['the second before the first', planOf('aa', true), [yes()], 1, 'step_early'],
    ['the second after the first', planOf('Aa', true), [yes()], 1, 'AA'],
    ['the third after the first', planOf('Aaa', true), [yes()], 2, 'step_early'],
  ];
  for (const [name, plan, votes, at, expected] of TABLE)
    it(name, () => {
      const next = take(plan, votes, at, TAKEN);
      const letters = next.ok
        ? next.value.steps.map(({ asks, taken }) => (asks ? 'a' : 'f')[taken ? 'toUpperCase' : 'toLowerCase']()).join('')
        : next.error;
      assert.equal(letters, expected);
    });
  it('is known by resource, tool and digest', () => {
    const call = { resource: 'https://mcp.example/mcp', tool: 't', digest: digest({ n: 1 }) };
    assert.equal(stepOf(planOf('aa'), call), 1);
    for (const other of [{ resource: 'https://mcp.example/' }, { tool: 'u' }, { digest: EMPTY_DIGEST }])
      assert.equal(stepOf(planOf('aa'), { ...call, ...other }), -1);
  });
  it('stands as waiting, agreed, refused or granted', () => {
    assert.deepEqual(statesOf(planOf('Aaf'), [yes(0)], false), ['granted', 'refused', 'agreed']);
    assert.deepEqual(statesOf(planOf('af'), [], true), ['waiting', 'waiting']);
    assert.deepEqual([isSpent(planOf('Aaf'), [yes(0)]), isSpent(planOf('AaF'), [yes(0)])], [false, true]);
  });
});

describe('the approval of a plan', () => {
  const approval = (state: Approval['state'], letters = 'aa'): Approval => ({
    id: 'apr_1',
    state,
    bind: 'b',
    client: 'bot',
    key: 'k',
    jkt: 'k',
    subject: { kind: 'person', issuer: 'people', subject: 'u_carol', exp: NOW + 900 },
    actors: [],
    resource: 'https://broker.example/plans',
    tool: 'plan',
    digest: EMPTY_DIGEST,
    credential: 'jwt',
    bundle: 'h',
    demand: { who: ['team:privacy'], quorum: 2, ttlSeconds: 900 },
    made: NOW,
    until: NOW + 900,
    proofs: NOW + 900,
    retry: { key: 'r', fingerprint: 'f' },
    votes: state === 'pending' ? [] : [{ ...ballot('people:u_a').vote, at: NOW }],
    facts: {},
    sealed: '',
    plan: planOf(letters),
  });
  const ballot = (by: string, steps?: readonly number[]) => ({
    what: 'vote' as const,
    vote: { by, vote: 'approve' as const, reason: 'r', stands: ['team:privacy'], via: 'local:root', ...(steps && { steps }) },
  });
  const happenings = { take: { what: 'take', at: 0, txn: 'txn_1' }, redeem: { what: 'redeem' } } as const;

  it('is taken step by step, never as a whole, and only once people have agreed', () => {
    const states = ['pending', 'approved', 'redeemed', 'denied', 'expired', 'cancelled'] as const;
    const what = (name: keyof typeof happenings, now: number) =>
      states.map((state) => {
        const next = step(approval(state), happenings[name], now);
        return next.ok ? next.value.state : next.error;
      });
    const ends = ['decided', 'decided', 'decided', 'decided'];
    assert.deepEqual(what('take', NOW), ['undecided', 'approved', ...ends]);
    assert.deepEqual(what('take', NOW + 900), ['lapsed', 'lapsed', ...ends]);
    assert.deepEqual(what('redeem', NOW), ['undecided', 'undecided', ...ends]);
  });
  it('is redeemed with its last step', () => {
    const next = step(approval('approved', 'Aa'), { what: 'take', at: 1, txn: 'txn_2' }, NOW);
    assert.deepEqual(next.ok && [next.value.state, next.value.plan?.steps[1]?.taken], ['redeemed', { txn: 'txn_2', at: NOW }]);
  });
  it('is denied where those who agreed agreed to nothing together', () => {
    const first = step(approval('pending'), ballot('people:u_a', [0]), NOW);
    assert.equal(first.ok && first.value.state, 'pending');
    for (const [steps, state] of [
      [[1], 'denied'],
      [[0], 'approved'],
      [undefined, 'approved'],
    ] as const) {
      const second = first.ok ? step(first.value, ballot('people:u_b', steps), NOW) : first;
      assert.equal(second.ok && second.value.state, state);
    }
  });
  it('a single action has no steps to take', () => {
    const { plan: _, ...single } = approval('approved');
    const next = step(single, happenings.take, NOW);
    assert.equal(!next.ok && next.error, 'undecided');
  });
});
