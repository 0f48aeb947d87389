/** What an agent may do, in words: from a bundle that says it in every way a bundle can. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Demand } from '../../../src/model.ts';
import { demanded, type Right, rightOf, scopesOf } from '../../../src/operate/mandate.ts';
import { agentOf, compiled, forbid, NOW, PAY, permit } from '../../policy/fixture.ts';

const LOOK = 'shop::Action::"look"';
async function rights(policies: string, agent = 'bot'): Promise<readonly Right[]> {
  const { bundle } = await compiled(policies);
  const one = agentOf(bundle, agent);
  return scopesOf(one, bundle, NOW).map((scope) => rightOf(one, scope));
}
const wordsOf = async (policies: string, agent?: string): Promise<readonly (readonly string[])[]> =>
  (await rights(policies, agent)).map(({ words }) => words);
const BOT_PAYS = `@id("pays") @ttl("30s") permit (principal == Actor::"bot", action == ${PAY}, resource);`;
const SUPPORT = permit('support', `principal is Person, action == ${PAY}, resource`, 'principal.groups.contains("support")');

const TABLE: readonly (readonly [string, string, string, readonly (readonly string[])[]])[] = [
  ['nothing', SUPPORT, 'bot', []],
  [
    'for people',
    BOT_PAYS + SUPPORT,
    'bot',
    [['May call pay at Shop for a person when the person’s groups include “support”.', 'Its token lives 30 seconds.']],
  ],
  ['not another’s', BOT_PAYS + SUPPORT, 'third', []],
  [
    'for nobody',
    BOT_PAYS,
    'bot',
    [['May call pay at Shop for others.', 'No permit lets anybody have this done for them, so it is never granted.']],
  ],
  [
    'for itself, and sooner over by its own limit',
    permit('alone', `principal == Agent::"sub", action == ${LOOK}, resource`),
    'sub',
    [['May call look at Shop for itself.', 'Its token lives 30 seconds.']],
  ],
  [
    'both, one after the other',
    `${permit('alone', `principal == Agent::"bot", action == ${LOOK}, resource`)}${permit('acts', `principal == Actor::"bot", action == ${LOOK}, resource`)}${permit('seen', `principal is Service, action == ${LOOK}, resource`)}`,
    'bot',
    [
      ['May call look at Shop for a service.', 'Its token lives 60 seconds.'],
      ['May call look at Shop for itself.', 'Its token lives 60 seconds.'],
    ],
  ],
  [
    'a condition of its own, and one of either',
    `${permit('small', `principal == Actor::"bot", action == ${PAY}, resource`, 'context.input.amount < 10')}${SUPPORT}${permit('leads', `principal is Person, action == ${PAY}, resource`, 'principal.groups.contains("leads")')}`,
    'bot',
    [
      [
        'May call pay at Shop for a person when the person’s groups include “support”, or a person when the person’s groups include “leads” when amount is less than 10.',
      ],
    ],
  ],
  [
    'a forbid with a remedy, one without, one that is another’s',
    `${BOT_PAYS}${SUPPORT}${forbid('limit', `principal, action == ${PAY}, resource`, 'context.input.amount > 50', '@reason("too_much") @remedy("Ask less")')}${forbid('mute', `principal is Actor, action == ${PAY}, resource`, 'context.input has note')}${forbid('theirs', `principal == Actor::"third", action == ${PAY}, resource`, 'context.input.fast')}`,
    'bot',
    [
      [
        'May call pay at Shop for a person when the person’s groups include “support”.',
        'Never when amount is more than 50. Ask less.',
        'Never when note is given.',
        'Its token lives 30 seconds.',
      ],
    ],
  ],
  [
    'people to ask',
    `${BOT_PAYS}@id("asked") @approval("team:leads,people:u_alice") @quorum("2") @approval_ttl("4h") permit (principal is Person, action == ${PAY}, resource);`,
    'bot',
    [
      [
        'May call pay at Shop for a person.',
        'All of people:u_alice and team:leads must agree, at least 2 people, within 4 hours.',
        'Its token lives 30 seconds.',
      ],
    ],
  ],
  [
    'until a day, and not after it',
    `@id("past") @until("2020-01-31") permit (principal == Actor::"bot", action == ${LOOK}, resource);@id("now") @until("2030-01-31") permit (principal == Actor::"bot", action == ${PAY}, resource);${SUPPORT}`,
    'bot',
    [['May call pay at Shop for a person when the person’s groups include “support” until 2030-01-31.', 'Its token lives 60 seconds.']],
  ],
  [
    'a question that is taken away is no right of its own',
    `${BOT_PAYS}@id("asked") @approval("team:leads") permit (principal is Person, action == ${PAY}, resource);@id("small") @approval_instead_of("asked") permit (principal is Person, action == ${PAY}, resource) when { context.input.amount < 10 };`,
    'bot',
    [
      [
        'May call pay at Shop for a person.',
        '1 of team:leads must agree within 15 minutes.',
        'Instead of what asked demands, nobody needs to agree when amount is less than 10.',
        'Its token lives 30 seconds.',
      ],
    ],
  ],
];
for (const [name, policies, agent, expected] of TABLE) {
  test(name, async () => assert.deepEqual(await wordsOf(policies, agent), expected));
}

test('a scope left open is every tool, and the base token is told as what it is', async () => {
  const all = await rights(permit('anything', 'principal, action, resource'));
  assert.deepEqual(
    all.map(({ as, tool }) => `${as} ${tool}`),
    ['tool:list', 'pay', 'look', 'secret'].flatMap((tool) => [`actor ${tool}`, `subject ${tool}`]),
  );
  assert.equal(all[0]?.words[0], 'May list the tools of Shop for anybody.');
  assert.deepEqual(
    all[0]?.permits.map(({ id, file, line, last_line }) => [id, file, line, last_line]),
    [['anything', 'p.cedar', 1, 1]],
  );
});

test('a person who is barred is no part of an agent’s mandate', async () => {
  const barred = forbid('barred', `principal == Person::"people:u_carol", action == ${PAY}, resource`, 'context.input.fast');
  assert.deepEqual(
    (await rights(BOT_PAYS + SUPPORT + barred)).map(({ never }) => never.length),
    [0],
  );
});

const DEMANDS: readonly (readonly [Demand, string])[] = [
  [{ who: ['team:a'], quorum: 1, ttlSeconds: 900 }, '1 of team:a must agree within 15 minutes'],
  [
    { who: ['owner', 'team:a'], quorum: 2, ttlSeconds: 90, proof: 'passkey' },
    'all of its owner and team:a must agree, at least 2 people, within 90 seconds, signed with a passkey',
  ],
  [{ who: ['owner'], quorum: 1, ttlSeconds: 90 }, 'its owner must agree within 90 seconds'],
  [{ who: [], quorum: 0, ttlSeconds: 900, confirm: true }, 'the person acted for must confirm it within 15 minutes'],
  [
    { who: ['team:a', 'team:b'], quorum: 1, ttlSeconds: 900, confirm: true },
    'all of team:a and team:b must agree, and the person acted for must confirm it within 15 minutes',
  ],
  [{ who: ['team:a'], quorum: 1, ttlSeconds: 172_800 }, '1 of team:a must agree within 2 days'],
];
test('a demand in words', () => {
  for (const [demand, words] of DEMANDS) assert.equal(demanded(demand), words);
});
