/** The smallest change that decides otherwise: exact answers, and two ways to check them that know nothing of the search. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { type Rehearsal, rehearse, toAsked } from '../../../src/decide/rehearse.ts';
import type { Bundle } from '../../../src/model.ts';
import { type Fate, type Flips, findFlips } from '../../../src/operate/flip.ts';
import { nearest } from '../../../src/operate/flip-integer.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { compiled, forbid, NOW, PAY, permit, SERVER } from '../../policy/fixture.ts';

const MORE = SERVER.replace('amount: { type: integer }', 'amount: { type: integer, minimum: 1, maximum: 100000 }').replace(
  'note: { type: string }',
  'note: { type: string }\n        currency: { type: string, enum: [EUR, GBP, USD] }',
);
const bundleOf = async (policies: string): Promise<Bundle> => (await compiled(policies, { 'servers/shop.yaml': MORE })).bundle;
const BASE: Rehearsal = {
  agent: 'bot',
  via: [],
  for: { kind: 'person', issuer: 'people', subject: 'u_alice', attributes: { groups: ['support'] } },
  server: 'shop',
  tool: 'pay',
  arguments: { amount: 100 },
};
type Change = Partial<Rehearsal> & { readonly args?: JsonObject; readonly groups?: readonly string[] };
const asking = ({ args, groups, ...more }: Change): Rehearsal => ({
  ...BASE,
  ...more,
  ...(args && { arguments: args }),
  ...(groups && BASE.for && { for: { ...BASE.for, attributes: { groups } } }),
});
function fateIn(bundle: Bundle, question: Rehearsal): Fate {
  const asked = toAsked(bundle, question);
  assert.ok(asked.ok);
  const { decided } = rehearse(bundle, asked.value, NOW, () => 0);
  if (decided.ok) return decided.value.approval ? 'approval' : 'allowed';
  return decided.error.reason === 'arguments_bad' ? 'unfit' : 'refused';
}
async function flipsOf(policies: string, change: Change): Promise<Flips & { readonly bundle: Bundle; readonly question: Rehearsal }> {
  const bundle = await bundleOf(policies);
  const question = asking(change);
  const flips = await findFlips({ bundle, question, fate: fateIn(bundle, question), ask: async (other) => fateIn(bundle, other) });
  return { ...flips, bundle, question };
}

const ANY = `principal, action == ${PAY}, resource`;
const PERSON = `principal is Person, action == ${PAY}, resource`;
const ACTORS = permit('acts', 'principal is Actor, action, resource');
const SUPPORT = permit('support', `principal is Person, action == ${PAY}, resource`, 'principal.groups.contains("support")');
const LIMIT = forbid('limit', `principal, action == ${PAY}, resource`, 'context.input.amount > 5000');
const TABLE: readonly (readonly [string, string, Change, readonly string[]])[] = [
  ['a limit passed: back to it', ACTORS + SUPPORT + LIMIT, { args: { amount: 9000 } }, ['amount: 9000 → 5000, allowed']],
  [
    'below it: the first amount that is too much',
    ACTORS + SUPPORT + LIMIT,
    { args: { amount: 4250 } },
    ['amount: 4250 → 5001, refused', 'groups: ["support"] → [], refused'],
  ],
  [
    'from above to the nearer end of a window',
    ACTORS + SUPPORT + forbid('hole', ANY, 'context.input.amount > 90 && context.input.amount < 110'),
    { args: { amount: 105 } },
    ['amount: 105 → 110, allowed'],
  ],
  [
    'a window two wide, far from powers of anything',
    ACTORS + permit('window', PERSON, 'context.input.amount >= 70001 && context.input.amount <= 70002'),
    { args: { amount: 100 } },
    ['amount: 100 → 70001, allowed'],
  ],
  [
    'a reckoning: found by halves',
    ACTORS + SUPPORT + forbid('double', ANY, 'context.input.amount * 7 > 91'),
    { args: { amount: 100 } },
    ['amount: 100 → 13, allowed'],
  ],
  [
    'another of an enumeration',
    ACTORS + permit('euro', PERSON, 'context.input has currency && context.input.currency == "EUR"'),
    { args: { amount: 1, currency: 'USD' } },
    ['currency: "USD" → "EUR", allowed'],
  ],
  [
    'an argument that is not there yet',
    ACTORS + permit('euro', PERSON, 'context.input has currency && context.input.currency == "GBP"'),
    { args: { amount: 1 } },
    ['currency: null → "GBP", allowed'],
  ],
  [
    'one that had better not be there',
    ACTORS + SUPPORT + forbid('mute', ANY, 'context.input has note'),
    { args: { amount: 1, note: 'x' } },
    ['note: "x" → null, allowed'],
  ],
  [
    'a switch',
    ACTORS + SUPPORT + forbid('slow', ANY, 'context.input.fast'),
    { args: { amount: 1, fast: true } },
    ['fast: true → false, allowed'],
  ],
  [
    'a place within the arguments',
    ACTORS + permit('home', PERSON, 'context.input has place && context.input.place.country == "DE"'),
    { args: { amount: 1, place: { country: 'FR' } } },
    ['place.country: "FR" → "DE", allowed'],
  ],
  ['a group that the person is not in', ACTORS + SUPPORT, { groups: ['sales'] }, ['groups: ["sales"] → ["sales","support"], allowed']],
  [
    'a group that they had better not be in',
    ACTORS + SUPPORT + forbid('barred', PERSON, 'principal.groups.contains("barred")'),
    { groups: ['support', 'barred'] },
    ['groups: ["support","barred"] → ["support"], allowed'],
  ],
  [
    'fewer agents in a row',
    ACTORS + SUPPORT + forbid('row', ANY, 'context has actor && context.actor.depth > 1'),
    { via: ['sub'] },
    ['chain: "sub" → null, allowed'],
  ],
  [
    'another tool of the server',
    ACTORS + permit('looks', 'principal is Person, action == shop::Action::"look", resource'),
    {},
    ['tool: "pay" → "look", allowed'],
  ],
  ['another agent', permit('third', 'principal == Actor::"third", action, resource') + SUPPORT, {}, ['agent: "bot" → "third", allowed']],
  [
    'people to ask, where nobody was needed',
    `${ACTORS + SUPPORT}@id("big") @approval("team:leads") permit (${PERSON}) when { context.input.amount > 1000 };`,
    { args: { amount: 1000 } },
    ['amount: 1000 → 1001, approval', 'groups: ["support"] → [], refused'],
  ],
  ['arguments that are none of the schema', ACTORS + SUPPORT, { args: { amount: -5 } }, ['amount: -5 → 1, allowed']],
  ['nothing there is to be had', forbid('never', ANY, 'true') + ACTORS, {}, []],
];

describe('the smallest change', () => {
  for (const [name, policies, change, expected] of TABLE) {
    it(name, async () => {
      const { found, complete, bundle, question } = await flipsOf(policies, change);
      assert.ok(complete);
      const shown = found.map(
        ({ change: of, path, from, to, fate }) => `${path.join('.') || of}: ${JSON.stringify(from)} → ${JSON.stringify(to)}, ${fate}`,
      );
      assert.deepEqual(shown.slice(0, Math.max(1, expected.length)), expected);
      const before = fateIn(bundle, question);
      for (const flip of found) {
        assert.equal(fateIn(bundle, flip.question), flip.fate, 'asked again, it says the same');
        assert.notEqual(flip.fate, before);
      }
      assert.deepEqual(
        found.map(({ distance }) => distance),
        found.map(({ distance }) => distance).toSorted((a, b) => a - b),
      );
    });
  }

  it('nothing smaller does: every amount between has the same fate', async () => {
    const windows = [
      ACTORS + SUPPORT + LIMIT,
      ACTORS + SUPPORT + forbid('odd', ANY, 'context.input.amount > 4991 && context.input.amount != 4995 && context.input.amount < 5200'),
    ];
    for (const policies of windows) {
      for (const amount of [1, 4989, 4995, 5000, 5001, 5107, 5300]) {
        const { found, bundle, question } = await flipsOf(policies, { args: { amount } });
        const before = fateIn(bundle, question);
        const integer = found.find(({ path }) => path.join() === 'amount');
        const least = [...Array(6000).keys()]
          .slice(1)
          .find((step) =>
            [amount - step, amount + step].some((at) => at >= 1 && fateIn(bundle, asking({ args: { amount: at } })) !== before),
          );
        assert.equal(integer && Math.abs(Number(integer.to) - amount), least, `${amount}`);
      }
    }
  });

  it('says that it has not asked everything, where it may not', async () => {
    const bundle = await bundleOf(ACTORS + SUPPORT + LIMIT);
    const question = asking({ args: { amount: 9000 } });
    let asked = 0;
    const ask = async (other: Rehearsal): Promise<Fate> => {
      asked++;
      return fateIn(bundle, other);
    };
    const cut = await findFlips({ bundle, question, fate: 'refused', ask, limit: 5 });
    assert.deepEqual([cut.tried, cut.complete, asked], [5, false, 5]);
    const whole = await findFlips({ bundle, question, fate: 'refused', ask });
    assert.ok(whole.complete && whole.tried < 200, `${whole.tried}`);
  });
});

test('the nearest integer: against a search that tries them all', async () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 300; round++) {
    const marks = Array.from({ length: random(4) }, () => random(400));
    const value = random(400);
    const outcomes = Array.from({ length: marks.length * 2 + 1 }, () => random(2) === 1);
    // One outcome between two neighbouring marks, and one at each.
    const at = (x: number): boolean =>
      outcomes[marks.filter((mark) => mark < x).length + marks.filter((mark) => mark <= x).length] ?? false;
    const found = await nearest({ value, from: 0, to: 399, marks, differs: async (x) => at(x) !== at(value) });
    const least = [...Array(400).keys()].find(
      (step) => step > 0 && [value - step, value + step].some((x) => x >= 0 && x < 400 && at(x) !== at(value)),
    );
    assert.equal(found === undefined ? undefined : Math.abs(found - value), least, `${value} among ${marks}`);
    if (found !== undefined) assert.notEqual(at(found), at(value));
  }
});

test('the nearest integer: without a mark, each single boundary by halves', async () => {
  for (let boundary = 1; boundary <= 300; boundary++) {
    const differs = async (x: number): Promise<boolean> => x >= boundary !== 150 >= boundary;
    assert.equal(await nearest({ value: 150, from: 0, to: 300, marks: [], differs }), boundary > 150 ? boundary : boundary - 1);
  }
});
