import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decide } from '../../../src/decide/decide.ts';
import type { Agent, Asked, Bundle, Draft, Facts, Question, Verdict } from '../../../src/model.ts';
import { ALL, agentOf, asked, compiled, NOW, PERSON } from '../../policy/fixture.ts';

const { bundle: base } = await compiled(ALL);
/** A policy that answers as told, and remembers what it was asked. */
function answering(say: (name: string) => Verdict): { readonly bundle: Bundle; readonly heard: string[] } {
  const heard: string[] = [];
  const policy = {
    size: 1,
    decide({ principal, now }: Question): Verdict {
      assert.equal(now, NOW);
      const name = `${principal.as} ${principal.who.kind === 'agent' ? principal.who.id : principal.who.subject}`;
      heard.push(name);
      return say(name);
    },
  };
  return { bundle: { ...base, policy }, heard };
}
function draft(): Draft & { said(): Facts } {
  let facts: Facts = {};
  return {
    id: 'exc_1',
    now: NOW,
    signal: new AbortController().signal,
    late: false,
    turn: async (_kind, work) => work(),
    get facts() {
      return facts;
    },
    note: (more) => {
      facts = { ...facts, ...more };
    },
    spend: () => assert.fail('nothing is spent here'),
    said: () => facts,
  };
}
const yes = (more: object = {}): Verdict => ({ allow: true, policies: ['p'], ...more });
const nay = (more: object = {}): Verdict => ({ allow: false, cause: 'denied', policies: ['f'], code: 'too_large', ...more });
const bot = agentOf(base, 'bot');
const sub = agentOf(base, 'sub');
const third = agentOf(base, 'third');

const WHO: readonly (readonly [string, Partial<Asked>, readonly string[]])[] = [
  ['a person’s agent', {}, ['subject u_alice', 'actor bot']],
  ['a chain', { actors: [sub, bot] }, ['subject u_alice', 'actor sub', 'actor bot']],
  ['an agent for itself', { subject: bot, actors: [] }, ['subject bot']],
  ['an agent for itself through a sub-agent', { subject: bot, actors: [sub] }, ['subject bot', 'actor sub']],
  ['a caller left out of the chain is asked about all the same', { actors: [sub] }, ['subject u_alice', 'actor sub', 'actor bot']],
  ['another agent as subject', { subject: third, actors: [] }, ['subject third', 'actor bot']],
];
for (const [name, part, expected] of WHO) {
  test(`who is asked about: ${name}`, () => {
    const { bundle, heard } = answering(() => yes());
    assert.ok(decide({ ...asked(base), ...part }, bundle, draft()).ok);
    assert.deepEqual(heard, expected);
  });
}

test('all must allow: one no is a no, with its code and remedy, and every policy is noted', () => {
  const remedy = { text: 'ask less' };
  for (const no of ['subject u_alice', 'actor sub', 'actor bot']) {
    const { bundle } = answering((name) => (name === no ? nay({ remedy }) : yes()));
    const at = draft();
    const decided = decide({ ...asked(base), actors: [sub, bot] }, bundle, at);
    assert.deepEqual(decided, { ok: false, error: { reason: 'policy_denied', code: 'too_large', detail: no.split(' ')[0], remedy } });
    assert.deepEqual(at.said(), { bundle: base.hash, policies: no.startsWith('subject') ? ['f'] : ['p', 'f'] });
  }
});

test('three kinds of no', () => {
  for (const [cause, reason] of [
    ['denied', 'policy_denied'],
    ['input', 'policy_input'],
    ['error', 'policy_error'],
  ] as const) {
    const { bundle } = answering(() => nay({ cause }));
    const decided = decide(asked(base), bundle, draft());
    assert.equal(!decided.ok && decided.error.reason, reason);
  }
});

test('an agent without owner, or suspended, is refused wherever it stands, before any policy', () => {
  const table: readonly (readonly [Partial<Agent>, string])[] = [
    [{ owned: false }, 'owner_missing'],
    [{ suspended: true }, 'client_suspended'],
  ];
  for (const [change, reason] of table) {
    const gone = { ...bot, ...change };
    const places: readonly Partial<Asked>[] = [
      { caller: { client: gone }, actors: [gone] },
      { actors: [gone, sub] },
      { subject: gone, actors: [] },
      { caller: { client: gone }, actors: [sub] },
    ];
    for (const place of places) {
      const { bundle, heard } = answering(() => yes());
      const decided = decide({ ...asked(base), ...place }, bundle, draft());
      assert.equal(!decided.ok && decided.error.reason, reason);
      assert.deepEqual(heard, []);
    }
  }
});

const TTL: readonly (readonly [string, readonly (number | undefined)[], readonly Agent[], number])[] = [
  ['where nobody says', [undefined, undefined], [bot], 60],
  ['the shortest', [120, 90], [bot], 90],
  ['one may be silent', [undefined, 120], [bot], 120],
  ['an agent’s own limit', [120, 120, 120], [sub, bot], 30],
  ['never more than five minutes', [9_000, 9_000], [bot], 300],
];
for (const [name, ttls, actors, expected] of TTL) {
  test(`how long: ${name}`, () => {
    const left = [...ttls];
    const { bundle } = answering(() => {
      const ttlSeconds = left.shift();
      return yes(ttlSeconds === undefined ? {} : { ttlSeconds });
    });
    const decided = decide({ ...asked(base), actors }, bundle, draft());
    assert.equal(decided.ok && decided.value.ttlSeconds, expected);
  });
}

test('demands come together: everyone, the larger quorum, the shorter time', () => {
  const { bundle } = answering((name) =>
    yes({
      approval: name.startsWith('subject')
        ? { who: ['team:b', 'team:a'], quorum: 1, ttlSeconds: 900 }
        : { who: ['team:a'], quorum: 2, ttlSeconds: 60 },
    }),
  );
  const decided = decide(asked(base), bundle, draft());
  assert.deepEqual(decided.ok && decided.value.approval, { who: ['team:a', 'team:b'], quorum: 2, ttlSeconds: 60 });
});

const OWNERS: readonly (readonly [string, 'subject' | 'actor', Partial<Asked>, readonly string[]])[] = [
  ['demanded of what is done for a person: of whoever acts', 'subject', { actors: [sub, bot] }, ['people:u_sub']],
  ['demanded of an agent in the chain: its own', 'actor', { actors: [sub, bot] }, ['people:u_alice', 'people:u_sub']],
  ['demanded of an agent for itself', 'subject', { subject: bot, actors: [] }, ['people:u_alice']],
];
for (const [name, about, place, expected] of OWNERS)
  test(`the owner, ${name}`, () => {
    const owned = (agent: Agent): Agent => (agent.id === sub.id ? { ...agent, owner: 'people:u_sub' } : agent);
    const { bundle } = answering((one) => yes(one.startsWith(about) ? { approval: { who: ['owner'], quorum: 1, ttlSeconds: 60 } } : {}));
    const it = { ...asked(base), ...place };
    const decided = decide({ ...it, actors: it.actors.map(owned) }, bundle, draft());
    assert.deepEqual(decided.ok && decided.value.approval?.who, expected);
  });

test('a grant depends on nothing being halted', () => {
  const { bundle } = answering(() => yes());
  const decided = decide({ ...asked(base), actors: [sub, bot], subject: PERSON }, bundle, draft());
  assert.deepEqual(
    decided.ok && decided.value.claims,
    [
      'halt/all',
      'halt/agent/bot',
      'halt/owner/people:u_alice',
      'halt/agent/sub',
      'halt/subject/people:u_alice',
      'halt/server/shop',
      'halt/tool/shop/pay',
    ].map((key) => ({
      key,
      version: 0,
      else: 'suspended',
    })),
  );
});
