/** The rule that is proposed, put into a bundle and asked: it lets through each action that was agreed to, and nothing beyond its bounds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Agent, Bundle, Person } from '../../../src/model.ts';
import { type Asked, type Habit, learn, median } from '../../../src/operate/fatigue-habit.ts';
import { ALWAYS, type Proposal, propose, quoted } from '../../../src/operate/fatigue-rule.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { agentOf, asked, compiled, files, NOW, PAY, PERSON, problems, SERVER } from '../../policy/fixture.ts';

const ASKS = `@id("pay-asks") @approval("team:leads") permit (principal is Person, action == ${PAY}, resource == Server::"shop") when { principal.groups.contains("support") };
@id("agents-pay") permit (principal is Actor, action == ${PAY}, resource == Server::"shop");
`;
const of: Asked = {
  agent: 'bot',
  depth: 1,
  kind: 'person',
  resource: 'https://shop.example/mcp',
  tool: 'pay',
  who: ['team:leads'],
  strong: false,
};
interface Action {
  readonly args: JsonObject;
  readonly subject?: string;
}
function habitOf(actions: readonly Action[], more: Partial<Asked> = {}): Habit {
  let habit: Habit | undefined;
  for (const { args, subject = 'people:u_alice' } of actions) {
    habit = learn(habit, { ...of, ...more }, { what: 'asked', policies: ['agents-pay', 'pay-asks'] }, NOW);
    const filled = { fast: false, ...args };
    habit = learn(habit, { ...of, ...more }, { what: 'approved', subject, arguments: filled, took: 3 }, NOW);
  }
  assert.ok(habit);
  return habit;
}
const ten = (args: JsonObject): readonly Action[] => Array.from({ length: ALWAYS.times }, () => ({ args }));
const { bundle: before } = await compiled(ASKS);
async function proposed(habit: Habit): Promise<{ readonly proposal: Proposal; readonly bundle: Bundle }> {
  const outcome = propose(habit, before, NOW);
  assert.ok(outcome.ok, outcome.ok ? '' : outcome.error);
  const { bundle } = await compiled(ASKS + outcome.value.policy);
  return { proposal: outcome.value, bundle };
}
const person = (subject: string, groups = ['support']): Person => ({ ...PERSON, subject, attributes: { groups } });
/** What comes of it: `free`, `asked` or the refusal; the same whether both are asked at once or one by one. */
function comesOf(
  bundle: Bundle,
  args: JsonObject,
  more: { readonly who?: Person; readonly actors?: readonly Agent[]; readonly now?: number } = {},
): string {
  const all = asked(bundle, { args, ...(more.who && { subject: more.who }), ...(more.actors && { actors: more.actors }) });
  const now = more.now ?? NOW;
  const first = { principal: { as: 'subject', who: all.subject }, asked: all, now } as const;
  const second = { principal: { as: 'actor', who: all.actors[0] ?? all.caller.client }, asked: all, now } as const;
  const one = bundle.policy.decide(first);
  const both = bundle.policy.both?.(first, second);
  if (both) assert.deepEqual(both[0], one);
  return one.allow ? (one.approval ? 'asked' : 'free') : one.code;
}

describe('the proposed rule', () => {
  test('lets through what was always agreed to, holds at every bound, and ends by itself', async () => {
    const actions = [5, 900, 40, 41, 42, 43, 44, 45, 46, 47].map((amount) => ({ args: { amount, note: 'duplicate charge' } }));
    const { proposal, bundle } = await proposed(habitOf(actions));
    assert.deepEqual(proposal.insteadOf, ['pay-asks']);
    for (const { args } of actions) assert.equal(comesOf(bundle, args), 'free');
    const good = { amount: 900, note: 'duplicate charge' };
    const table: readonly (readonly [string, JsonObject, Parameters<typeof comesOf>[2]?])[] = [
      ['asked', { ...good, amount: 901 }],
      ['asked', { ...good, amount: 4 }],
      ['asked', { ...good, note: 'duplicate charge ' }],
      ['asked', { amount: 900 }],
      ['asked', { ...good, fast: true }],
      ['asked', { ...good, tags: [] }],
      ['asked', { ...good, price: 1 }],
      ['asked', { ...good, place: { country: 'DE' } }],
      ['asked', good, { who: person('u_bob') }],
      ['asked', good, { actors: [agentOf(bundle, 'third')] }],
      ['asked', good, { actors: [agentOf(bundle, 'bot'), agentOf(bundle, 'third')] }],
      ['no_permit', good, { who: person('u_alice', []) }],
    ];
    for (const [expected, args, more] of table) assert.equal(comesOf(bundle, args, more), expected, JSON.stringify([args, more]));
    const end = Date.parse(`${proposal.until}T00:00:00Z`) / 1000 + 86_400;
    assert.deepEqual([comesOf(bundle, good, { now: end - 1 }), comesOf(bundle, good, { now: end })], ['free', 'asked']);
  });

  test('property: each action that was agreed to is free, and one step beyond its bounds is asked about', async () => {
    const action = fc.record(
      {
        amount: fc.integer({ min: -1_000_000, max: 1_000_000 }),
        note: fc.oneof(fc.constantFrom('a', 'b"c', 'd\\', 'e\n\u202E', '§'), fc.string({ unit: 'binary', maxLength: 20 })),
        fast: fc.boolean(),
      },
      { requiredKeys: ['amount'] },
    );
    const subjects = fc.constantFrom('u_1', 'u_2', 'u_"3', 'u_\\4');
    const row = fc.array(fc.tuple(action, subjects), { minLength: ALWAYS.times, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(row, async (actions) => {
        const habit = habitOf(actions.map(([args, subject]) => ({ args: args as JsonObject, subject: `people:${subject}` })));
        const { bundle } = await proposed(habit);
        for (const [args, subject] of actions) assert.equal(comesOf(bundle, args as JsonObject, { who: person(subject) }), 'free');
        const [[args, subject]] = actions as [(typeof actions)[0]];
        const who = person(subject);
        const amounts = actions.map(([{ amount }]) => amount);
        for (const amount of [Math.max(...amounts) + 1, Math.min(...amounts) - 1])
          assert.equal(comesOf(bundle, { ...args, amount } as JsonObject, { who }), 'asked');
        assert.equal(comesOf(bundle, args as JsonObject, { who: person('u_5') }), 'asked');
        const notes = new Set(actions.map(([{ note }]) => note));
        const { note: _, ...without } = args;
        const texts = [...notes].filter((note) => note !== undefined);
        if (!notes.has(undefined)) assert.equal(comesOf(bundle, without as JsonObject, { who }), 'asked');
        if (texts.length <= 5) assert.equal(comesOf(bundle, { ...args, note: `${texts.join('')}x` } as JsonObject, { who }), 'asked');
        const speeds = new Set(actions.map(([{ fast = false }]) => fast));
        if (speeds.size === 1) assert.equal(comesOf(bundle, { ...args, fast: !args.fast } as JsonObject, { who }), 'asked');
      }),
      { numRuns: 25 },
    );
  });

  test('an agent for itself is another habit than an agent for somebody', async () => {
    const own = `@id("own") @approval("team:leads") permit (principal == Agent::"bot", action == ${PAY}, resource == Server::"shop");\n`;
    const { bundle: asking } = await compiled(ASKS + own);
    let habit: Habit | undefined;
    const self: Asked = { ...of, kind: 'agent', depth: 0 };
    for (let i = 0; i < ALWAYS.times; i++) {
      habit = learn(habit, self, { what: 'asked', policies: ['own'] }, NOW);
      habit = learn(habit, self, { what: 'approved', subject: 'bot', arguments: { amount: 1, fast: false }, took: 1 }, NOW);
    }
    assert.ok(habit);
    const outcome = propose(habit, asking, NOW);
    assert.ok(outcome.ok);
    const { bundle } = await compiled(ASKS + own + outcome.value.policy);
    const bot = agentOf(bundle, 'bot');
    const verdict = (subject: Agent | Person, actors: readonly Agent[]) =>
      bundle.policy.decide({
        principal: { as: 'subject', who: subject },
        asked: asked(bundle, { args: { amount: 1 }, subject, actors }),
        now: NOW,
      });
    const free = verdict(bot, []);
    assert.equal(free.allow && free.approval, undefined);
    assert.ok(free.allow);
    const other = verdict(PERSON, [bot]);
    assert.ok(other.allow && other.approval);
  });
});

describe('there is none', () => {
  const seldom = habitOf(ten({ amount: 1 }).slice(1));
  const quiet = ALWAYS.quietSeconds;
  const denied = learn(habitOf(ten({ amount: 1 })), of, { what: 'denied', took: 1 }, NOW);
  const since = ten({ amount: 1 }).reduce(
    (habit) => learn(habit, of, { what: 'approved', subject: 's', arguments: { amount: 1, fast: false }, took: 1 }, NOW),
    denied,
  );
  const TABLE: readonly (readonly [string, Habit, string, number?])[] = [
    ['before it was asked often enough', seldom, 'asked_too_seldom'],
    ['right after a no', denied, 'asked_too_seldom'],
    ['soon after a no', since, 'denied_lately', NOW + quiet - 1],
    ['where a signature is wanted', habitOf(ten({ amount: 1 }), { strong: true }), 'meant_to_be_asked'],
    ['where several agents act in a row', habitOf(ten({ amount: 1 }), { depth: 2 }), 'meant_to_be_asked'],
    ['for a tool that has gone', habitOf(ten({ amount: 1 }), { tool: 'gone' }), 'not_in_force'],
    ['for a server that has gone', habitOf(ten({ amount: 1 }), { resource: 'https://gone.example' }), 'not_in_force'],
    ['where a price was agreed to', habitOf(ten({ amount: 1, price: 2.5 })), 'unbounded'],
    ['where a list was agreed to', habitOf(ten({ amount: 1, tags: ['a'] })), 'unbounded'],
    ['where something was that the tool does not know any more', habitOf(ten({ amount: 1, old: 'x' })), 'unbounded'],
    ['where one argument was of two types', habitOf([...ten({ amount: 1 }), { args: { amount: 'one' } }]), 'unbounded'],
  ];
  for (const [name, habit, expected, now = NOW] of TABLE)
    test(name, () => {
      const outcome = propose(habit, before, now);
      assert.equal(outcome.ok ? outcome.value.policy : outcome.error, expected);
    });
  test('but there is one again when the no is long ago', () => assert.ok(propose(since, before, NOW + quiet).ok));
  test('where the tool takes what no policy sees', async () => {
    for (const schema of [
      SERVER.replace('note: { type: string }', 'note: { anyOf: [{ type: string }] }'),
      SERVER.replace('note: { type: string }', 'note: { type: [string, integer] }'),
      SERVER.replace('      required: [amount]\n', '      required: [amount]\n      additionalProperties: true\n'),
    ]) {
      const { bundle } = await compiled(ASKS, { 'servers/shop.yaml': schema });
      const outcome = propose(habitOf(ten({ amount: 1 })), bundle, NOW);
      assert.equal(outcome.ok ? outcome.value.policy : outcome.error, 'unbounded');
    }
  });
  test('where the policy that asked has gone', async () => {
    const { bundle } = await compiled(ASKS.replace('pay-asks', 'other'));
    assert.equal(propose(habitOf(ten({ amount: 1 })), bundle, NOW).ok, false);
  });
});

describe('text of an agent’s', () => {
  const HOSTILE = [
    '"',
    '\\',
    '\\"',
    '") permit (principal, action, resource); //',
    '\n@id("x") permit (principal, action, resource);',
    '\u202E',
    '\u0000',
    '*',
    '{{x}}',
    '// x',
    '\u{1F600}',
    'e\u0301',
    '\u2028',
  ];
  for (const text of HOSTILE)
    test(`${JSON.stringify(text)} stays a text`, async () => {
      const { bundle, proposal } = await proposed(habitOf(ten({ amount: 1, note: text })));
      assert.deepEqual([comesOf(bundle, { amount: 1, note: text }), comesOf(bundle, { amount: 1, note: `${text}x` })], ['free', 'asked']);
      assert.equal(bundle.policy.size, 3);
      assert.equal(/[\p{Cf}\u2028]/u.test(proposal.policy + proposal.bounds.join('')), false);
      assert.equal(quoted(text).split('\n').length, 1);
    });
});

test('an @until that is no day does not load, nor one on a forbid', async () => {
  const rule = (annotation: string, effect = 'permit'): string =>
    `@id("x") ${annotation} ${effect} (principal, action == ${PAY}, resource);\n`;
  for (const day of ['2026-02-30', '2026-13-01', '26-01-01', 'tomorrow', '2026-01-01T00:00', '+02026-01-01'])
    assert.deepEqual(await problems(rule(`@until("${day}")`)), [
      'p.cedar:1: @until must be a day such as 2026-12-31: the last on which it holds, UTC',
    ]);
  assert.deepEqual(await problems(rule('@until("2026-12-31")', 'forbid') + ASKS), [
    'p.cedar:1: @until on a forbid means nothing (it belongs to the permit)',
  ]);
  assert.deepEqual(await problems(rule('@until("2028-02-29")')), []);
});
test('a permit grants through its last day, and then nothing, whoever it was for', async () => {
  const { bundle } = await compiled(`@id("x") @ttl("5s") @until("2026-12-31") permit (principal, action == ${PAY}, resource);\n`);
  const at = (iso: string): string => comesOf(bundle, { amount: 1 }, { now: Date.parse(iso) / 1000 });
  assert.deepEqual(
    [at('2026-12-31T23:59:59Z'), at('2027-01-01T00:00:00Z'), at('2999-01-01T00:00:00Z')],
    ['free', 'permit_expired', 'permit_expired'],
  );
});
test('a permit that has ended takes part in nothing: neither its time to live nor its demand', async () => {
  const { bundle } = await compiled(
    `${ASKS}@id("x") @ttl("5s") @until("2020-01-01") @approval("team:old") permit (principal, action == ${PAY}, resource);\n`,
  );
  const verdict = bundle.policy.decide({ principal: { as: 'subject', who: PERSON }, asked: asked(bundle), now: NOW });
  assert.deepEqual(verdict, { allow: true, policies: ['pay-asks'], approval: { who: ['team:leads'], quorum: 1, ttlSeconds: 900 } });
});
test('a middle is a middle', () => {
  assert.deepEqual([median([]), median([3]), median([9, 1]), median([5, 1, 9])], [undefined, 3, 1, 5]);
  assert.ok(files(ASKS).has('p.cedar'));
});
