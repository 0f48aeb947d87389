/** A bundle of many policies is read a few at a time, and no further than it must be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StatedRule } from '../../../src/model.ts';
import { findFlips } from '../../../src/operate/flip.ts';
import { readRules } from '../../../src/operate/read-rules.ts';
import { compiled } from '../../policy/fixture.ts';

const ruleOf = (id: string, read: string[], more: Partial<StatedRule> = {}): StatedRule => ({
  id,
  effect: 'forbid',
  file: 'p.cedar',
  line: 1,
  lastLine: 1,
  text: '',
  ...more,
  said: () => {
    read.push(id);
    return { conditions: [], compared: [] };
  },
});

test('whatever waits has its turn in between, and what is too much is left', async () => {
  const read: string[] = [];
  const rules = Array.from({ length: 100 }, (_, i) => ruleOf(`r${i}`, read));
  let turns = 0;
  const waiting = setInterval(() => turns++, 0);
  const done = readRules(rules, 60).then((all) => all.length);
  assert.ok(read.length <= 8, `${read.length} at once`);
  assert.equal(await done, 60);
  clearInterval(waiting);
  assert.equal(read.length, 60);
  assert.ok(turns >= 1);
});

test('a flip reads what concerns those who ask, and says where that was too much', async () => {
  const { bundle } = await compiled('@id("all") permit (principal, action, resource);');
  const question = {
    agent: 'bot',
    via: [],
    for: { kind: 'person', issuer: 'people', subject: 'u_alice', attributes: {} },
    server: 'shop',
    tool: 'look',
    arguments: {},
  } as const;
  const look = async (rules: readonly StatedRule[]) =>
    findFlips({ bundle: { ...bundle, policy: { ...bundle.policy, rules } }, question, fate: 'refused', ask: async () => 'refused' });
  const read: string[] = [];
  const person = (id: string) => ({ principal: { type: 'Person', id } });
  const some = await look([
    ruleOf('hers', read, person('people:u_alice')),
    ruleOf('his', read, person('people:u_bob')),
    ruleOf('any', read),
  ]);
  assert.deepEqual([[...new Set(read)], some.complete], [['hers', 'any'], true]);
  const many = await look(Array.from({ length: 1_001 }, (_, i) => ruleOf(`r${i}`, [])));
  assert.equal(many.complete, false);
});
