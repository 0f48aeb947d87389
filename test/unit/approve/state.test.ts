import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Approval,
  type Happening,
  hasLapsed,
  isCovered,
  isMeetable,
  isMet,
  isOpen,
  STATES,
  type Subject,
  step,
  type Vote,
} from '../../../src/approve/state.ts';
import type { Demand } from '../../../src/model.ts';
import { EMPTY_DIGEST } from '../../../src/wire/digest.ts';

const MADE = 1_795_176_000;
const UNTIL = MADE + 900;
const ONE: Demand = { who: ['team:privacy'], quorum: 1, ttlSeconds: 900 };
const TWO: Demand = { who: ['team:legal', 'team:privacy'], quorum: 2, ttlSeconds: 900 };
const approval = (more: Partial<Approval> = {}): Approval => ({
  id: 'apr_1',
  state: 'pending',
  bind: 'b',
  client: 'bot',
  key: 'k',
  jkt: 'k',
  subject: { kind: 'person', issuer: 'people', subject: 'u_carol', exp: UNTIL },
  actors: ['bot'],
  resource: 'https://mcp.example/mcp',
  tool: 'delete_customer',
  digest: EMPTY_DIGEST,
  credential: 'jwt',
  bundle: 'h',
  demand: ONE,
  made: MADE,
  until: UNTIL,
  proofs: UNTIL,
  retry: { key: 'r', fingerprint: 'f' },
  votes: [],
  facts: {},
  sealed: '',
  ...more,
});
const vote = (by: string, how: Vote['vote'], stands: readonly string[] = ['team:privacy']): Happening & { readonly what: 'vote' } => ({
  what: 'vote',
  vote: { by, vote: how, reason: 'r', stands, via: 'local:root' },
});
const SELF: Demand = { who: [], quorum: 0, ttlSeconds: 900, confirm: true };
const confirm = (by: string, how: Vote['vote'] = 'approve'): Happening => ({
  what: 'vote',
  vote: { by, vote: how, reason: 'r', stands: [], via: 'console', confirms: true },
});
const signed = (by: string, stands: readonly string[] = ['team:privacy']): Happening => ({
  what: 'vote',
  vote: { by, vote: 'approve', reason: 'r', stands, via: 'console', passkey: 'c' },
});
const HAPPENINGS = {
  approve: vote('people:u_alice', 'approve'),
  deny: vote('people:u_alice', 'deny'),
  redeem: { what: 'redeem' },
  cancel: { what: 'cancel' },
  lapse: { what: 'lapse' },
} as const satisfies Record<string, Happening>;
type Name = keyof typeof HAPPENINGS;
const NAMES = ['approve', 'deny', 'redeem', 'cancel', 'lapse'] as const;
const end = { approve: 'decided', deny: 'decided', redeem: 'decided', cancel: 'decided', lapse: 'decided' } as const;
const late = { approve: 'lapsed', deny: 'lapsed', redeem: 'lapsed', cancel: 'lapsed', lapse: '→ expired' } as const;
/** Every state, every happening, before the end and from it on: what stands then, or the flaw. */
const IN_TIME: Record<Approval['state'], Record<Name, string>> = {
  pending: { approve: '→ approved', deny: '→ denied', redeem: 'undecided', cancel: '→ cancelled', lapse: 'too_early' },
  approved: { approve: 'decided', deny: '→ denied', redeem: '→ redeemed', cancel: '→ cancelled', lapse: 'too_early' },
  redeemed: end,
  denied: end,
  expired: end,
  cancelled: end,
};
const LATE: typeof IN_TIME = { pending: late, approved: late, redeemed: end, denied: end, expired: end, cancelled: end };

function outcome(it: Approval, happening: Happening, now: number): string {
  const next = step(it, happening, now);
  return next.ok ? `→ ${next.value.state}` : next.error;
}

describe('every state and every happening', () => {
  for (const [table, times] of [
    [IN_TIME, [MADE, UNTIL - 1]],
    [LATE, [UNTIL, UNTIL + 1, UNTIL + 1e6]],
  ] as const)
    for (const now of times)
      for (const state of STATES)
        for (const name of NAMES)
          it(`${state}, ${name}, ${now - UNTIL} s from its end: ${table[state][name]}`, () => {
            const before = approval({ state });
            const copy = structuredClone(before);
            assert.equal(outcome(before, HAPPENINGS[name], now), table[state][name]);
            assert.deepEqual(before, copy, 'nothing is changed in place');
          });

  it('only the state and the votes ever change', () => {
    const next = step(approval(), HAPPENINGS.approve, MADE + 3);
    const by = { ...HAPPENINGS.approve.vote, at: MADE + 3 };
    assert.deepEqual(next, { ok: true, value: approval({ state: 'approved', votes: [by] }) });
  });

  it('is open, and lapses, where its table says so', () => {
    for (const state of STATES) {
      const open = state === 'pending' || state === 'approved';
      assert.deepEqual([isOpen({ state }), hasLapsed({ state, until: 5 }, 5), hasLapsed({ state, until: 5 }, 4)], [open, open, false]);
    }
  });
});

/** Votes in their order, and what each leads to. */
const BALLOTS: readonly (readonly [string, Demand, readonly (readonly [Happening, string])[]])[] = [
  [
    'two people of two teams',
    TWO,
    [
      [vote('people:u_a', 'approve', ['team:legal']), '→ pending'],
      [vote('people:u_b', 'approve', ['team:privacy']), '→ approved'],
    ],
  ],
  [
    'one person of both teams is still one person',
    TWO,
    [
      [vote('people:u_a', 'approve', TWO.who), '→ pending'],
      [vote('people:u_a', 'approve', TWO.who), 'already_voted'],
      [vote('corp:u_a', 'approve', TWO.who), 'already_voted'],
      [vote('people:u_b', 'approve', ['team:legal']), '→ approved'],
    ],
  ],
  [
    'two of one team leave the other team to be asked',
    TWO,
    [
      [vote('people:u_a', 'approve', ['team:legal']), '→ pending'],
      [vote('people:u_b', 'approve', ['team:legal']), '→ pending'],
      [vote('people:u_c', 'approve', ['team:privacy']), '→ approved'],
    ],
  ],
  [
    'one no among many',
    TWO,
    [
      [vote('people:u_a', 'approve', ['team:legal']), '→ pending'],
      [vote('people:u_b', 'deny', ['team:privacy']), '→ denied'],
      [vote('people:u_c', 'approve', ['team:privacy']), 'decided'],
    ],
  ],
  [
    'who agreed may still say no',
    TWO,
    [
      [vote('people:u_a', 'approve', ['team:legal']), '→ pending'],
      [vote('people:u_a', 'deny', ['team:legal']), '→ denied'],
    ],
  ],
  ['the person acted for', ONE, [[vote('people:u_carol', 'approve'), 'own_action']]],
  ['the person acted for, known to another issuer', ONE, [[vote('corp:u_carol', 'approve'), 'own_action']]],
  ['the person acted for, saying no', ONE, [[vote('people:u_carol', 'deny'), 'own_action']]],
  ['somebody of no team', ONE, [[vote('people:u_a', 'approve', []), 'not_an_approver']]],
  ['somebody of another team', ONE, [[vote('people:u_a', 'approve', ['team:legal']), 'not_an_approver']]],
  ['somebody of another team, saying no', ONE, [[vote('people:u_a', 'deny', ['team:legal']), 'not_an_approver']]],
  ['a confirmation that is all that is asked', SELF, [[confirm('people:u_carol'), '→ approved']]],
  ['a confirmation refused', SELF, [[confirm('people:u_carol', 'deny'), '→ denied']]],
  ['somebody else’s confirmation', SELF, [[confirm('people:u_a'), 'not_asked']]],
  ['somebody else’s no in place of a confirmation', SELF, [[confirm('people:u_a', 'deny'), 'not_asked']]],
  ['the same subject at another issuer, who may be somebody else', SELF, [[confirm('corp:u_carol'), 'not_asked']]],
  ['the person acted for, as one of four eyes', { ...ONE, confirm: true }, [[vote('people:u_carol', 'approve'), 'own_action']]],
  ['somebody of a team where only a confirmation is asked', SELF, [[vote('people:u_a', 'approve'), 'not_an_approver']]],
  ['a confirmation that nobody asked for', ONE, [[confirm('people:u_carol'), 'not_asked']]],
  [
    'a confirmation, then four eyes',
    { ...ONE, confirm: true },
    [
      [confirm('people:u_carol'), '→ pending'],
      [confirm('people:u_carol'), 'already_voted'],
      [vote('people:u_a', 'approve'), '→ approved'],
      [confirm('people:u_carol', 'deny'), '→ denied'],
    ],
  ],
  [
    'four eyes, then a confirmation',
    { ...ONE, confirm: true },
    [
      [vote('people:u_a', 'approve'), '→ pending'],
      [confirm('people:u_carol'), '→ approved'],
    ],
  ],
  [
    'a confirmation is no second person of a quorum',
    { ...ONE, quorum: 2, confirm: true },
    [
      [vote('people:u_a', 'approve'), '→ pending'],
      [confirm('people:u_carol'), '→ pending'],
      [vote('people:u_b', 'approve'), '→ approved'],
    ],
  ],
  ['a proof that was not given', { ...ONE, proof: 'passkey' }, [[vote('people:u_a', 'approve'), 'proof_needed']]],
  ['a no needs no proof', { ...ONE, proof: 'passkey' }, [[vote('people:u_a', 'deny'), '→ denied']]],
  ['a proof that was given', { ...ONE, proof: 'passkey' }, [[signed('people:u_a'), '→ approved']]],
  ['a proof that nobody asked for', ONE, [[signed('people:u_a'), '→ approved']]],
  ['a proof by somebody of no team', { ...ONE, proof: 'passkey' }, [[signed('people:u_a', []), 'not_an_approver']]],
  ['a confirmation without the proof', { ...SELF, proof: 'passkey' }, [[confirm('people:u_carol'), 'proof_needed']]],
];
describe('votes', () => {
  for (const [name, demand, ballots] of BALLOTS)
    it(name, () => {
      let it = approval({ demand });
      for (const [happening, expected] of ballots) {
        const next = step(it, happening, MADE + 1);
        assert.equal(next.ok ? `→ ${next.value.state}` : next.error, expected);
        if (next.ok) it = next.value;
      }
    });

  it('no vote meets no demand', () => {
    for (const demand of [{ ...ONE, quorum: 0 }, SELF, { ...SELF, confirm: undefined }])
      assert.equal(isMet(JSON.parse(JSON.stringify(demand)) as Demand, []), false);
  });
});

describe('a demand of today against what was given', () => {
  const given = { demand: TWO, by: ['people:u_a', 'people:u_b'] };
  const TABLE: readonly (readonly [string, Partial<Demand>, boolean])[] = [
    ['the same', {}, true],
    ['fewer', { who: ['team:legal'], quorum: 1 }, true],
    ['one who agreed, by name', { who: ['people:u_b'] }, true],
    ['one who was not asked', { who: ['people:u_z'] }, false],
    ['another team', { who: ['team:security'] }, false],
    ['one team more', { who: [...TWO.who, 'team:security'] }, false],
    ['one person more', { quorum: 3 }, false],
    ['a passkey', { proof: 'passkey' }, false],
    ['a longer time', { ttlSeconds: 9_999 }, true],
    ['a confirmation', { confirm: true }, false],
  ];
  for (const [name, part, expected] of TABLE) it(name, () => assert.equal(isCovered({ ...TWO, ...part }, given), expected));
  it('a proof was given where it was demanded', () =>
    assert.equal(
      isCovered({ ...TWO, proof: 'passkey' }, { demand: { ...TWO, proof: 'passkey' }, by: ['people:u_a', 'people:u_b'] }),
      true,
    ));
  it('a confirmation was given where it was demanded', () =>
    assert.deepEqual(
      [SELF, { ...SELF, quorum: 1 }, ONE].map((today) => isCovered(today, { demand: SELF, by: [] })),
      [true, false, false],
    ));
  it('one person under two names is one', () => assert.equal(isCovered(TWO, { demand: TWO, by: ['people:u_a', 'corp:u_a'] }), false));
});

const CAROL: Subject = { kind: 'person', issuer: 'people', subject: 'u_carol', exp: UNTIL };
describe('is there anybody who could agree', () => {
  const TABLE: readonly (readonly [string, Partial<Demand>, Subject, boolean])[] = [
    ['a team', {}, CAROL, true],
    ['somebody by name', { who: ['people:u_a'] }, CAROL, true],
    ['the person acted for by name', { who: ['people:u_carol'] }, CAROL, false],
    ['the person acted for, at another issuer', { who: ['corp:u_carol'] }, CAROL, false],
    ['the person acted for beside a team', { who: ['people:u_carol', 'team:privacy'] }, CAROL, false],
    ['an owner of nobody', { who: ['owner'] }, CAROL, false],
    ['two of one', { who: ['people:u_a'], quorum: 2 }, CAROL, false],
    ['two of one person under two names', { who: ['corp:u_a', 'people:u_a'], quorum: 2 }, CAROL, false],
    ['two of two', { who: ['people:u_a', 'people:u_b'], quorum: 2 }, CAROL, true],
    ['two of one and a team', { who: ['people:u_a', 'team:privacy'], quorum: 2 }, CAROL, true],
    ['a confirmation by a person', { ...SELF }, CAROL, true],
    ['a confirmation by a service', { ...SELF }, { ...CAROL, kind: 'service' }, false],
    ['a confirmation by an agent', { ...SELF }, { kind: 'agent', id: 'bot' }, false],
    ['the owner of an agent for itself', { who: ['people:u_carol'] }, { kind: 'agent', id: 'bot' }, true],
  ];
  for (const [name, part, subject, expected] of TABLE)
    it(name, () => assert.equal(isMeetable({ ...ONE, confirm: undefined, ...part } as Demand, subject, { proofs: false }), expected));
  it('a proof, where people can log in and nowhere else', () =>
    assert.deepEqual(
      [false, true].map((proofs) => isMeetable({ ...ONE, proof: 'passkey' }, CAROL, { proofs })),
      [false, true],
    ));
});
