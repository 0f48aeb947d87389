/** Subject and actor asked at once are answered as one after the other: over random bundles and requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Bundle, Question, Verdict } from '../../../src/model.ts';
import { asked, compiled, forbid, NOW, PERSON, permit } from '../../policy/fixture.ts';
import { ask, bundleOf, rule, textsOf, toAsk } from './random-rules.ts';

type Two = readonly [Question, Question];
const verdicts = (bundle: Bundle, [subject, actor]: Two) => [bundle.policy.decide(subject), bundle.policy.decide(actor)];
/** Asked twice: a pair that is met for the first time is not made yet. */
function both(bundle: Bundle, [subject, actor]: Two): readonly Verdict[] | undefined {
  assert.equal(typeof bundle.policy.both, 'function');
  bundle.policy.both?.(subject, actor);
  return bundle.policy.both?.(subject, actor);
}

test('random bundles, random requests', async () => {
  const seen = { once: 0, apart: 0, denied: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(rule, { minLength: 1, maxLength: 12 }),
      fc.array(ask, { minLength: 6, maxLength: 12 }),
      async (rules, asks) => {
        const texts = [
          ...textsOf(rules),
          '@id("a") permit (principal is Actor, action, resource);',
          '@id("b") permit (principal is Person, action, resource);',
        ];
        const bundle = await bundleOf(texts);
        for (const one of asks) {
          if (one.who === 'agent') continue;
          const it = asked(bundle, toAsk(one, bundle));
          const [who] = it.actors;
          assert.ok(who);
          const two: Two = [
            { principal: { as: 'subject', who: it.subject }, asked: it, now: NOW },
            { principal: { as: 'actor', who }, asked: it, now: NOW },
          ];
          const plain = verdicts(bundle, two);
          const joint = both(bundle, two);
          if (joint) {
            assert.deepEqual(joint, plain, `${texts.join('\n')}\n${JSON.stringify(one)}`);
            seen.once++;
          } else if (plain.every(({ allow }) => allow)) {
            // Only a rule of the actor's that looks at the principal, or places it, keeps the two apart.
            assert.ok(
              texts.some((text) => /when \{.*principal|is Actor in/.test(text)),
              texts.join('\n'),
            );
            seen.apart++;
          } else seen.denied++;
        }
      },
    ),
    { numRuns: 150, seed: 20261122 },
  );
  for (const [kind, count] of Object.entries(seen)) assert.ok(count > 50, `${kind}: ${count}`);
});

const actorOf = (bundle: Bundle): Two => {
  const it = asked(bundle, { args: { amount: 10 } });
  const [who] = it.actors;
  assert.ok(who);
  return [
    { principal: { as: 'subject', who: PERSON }, asked: it, now: NOW },
    { principal: { as: 'actor', who }, asked: it, now: NOW },
  ];
};
const PEOPLE = permit('people', 'principal is Person, action, resource');
const ACTOR = permit('bot', 'principal == Actor::"bot", action, resource');
/** Policies, and whether one call may say yes. */
const TABLE: readonly (readonly [string, string, boolean])[] = [
  ['a permit of each', PEOPLE + ACTOR, true],
  ['the person alone', PEOPLE, false],
  ['the actor alone', ACTOR, false],
  ["two permits of the person's and none of the actor's", PEOPLE + permit('more', 'principal is Person, action, resource'), false],
  ['one permit for anybody is one of each', permit('all'), true],
  ["the actor's forbid", PEOPLE + ACTOR + forbid('no', 'principal is Actor, action, resource', 'context.subject.kind == "person"'), false],
  [
    "the actor's forbid that errs",
    PEOPLE +
      ACTOR +
      forbid('no', 'principal is Actor, action == shop::Action::"pay", resource', 'context.input.amount * 4611686018427387904 > 1'),
    false,
  ],
  ['an actor in what it is not', PEOPLE + permit('in', 'principal is Actor in Actor::"sub", action, resource'), false],
  [
    'an actor whose own name is looked at',
    PEOPLE + permit('own', 'principal is Actor, action, resource', 'principal.owner == "people:u_alice"'),
    false,
  ],
];
for (const [what, policies, once] of TABLE) {
  test(what, async () => {
    const { bundle } = await compiled(policies);
    const two = actorOf(bundle);
    const joint = both(bundle, two);
    assert.equal(joint !== undefined, once);
    if (joint) assert.deepEqual(joint, verdicts(bundle, two));
  });
}
