/** Bundles that are whole by their manifest and mean nothing, or nothing good. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { add, type Damage, edit, remove } from './broken-bundles.ts';

const FORBID = '@id("more")\nforbid (principal, action == shop::Action::"create_refund", resource)';
const policy = (text: string): Pick<Damage, 'to' | 'listed'> => ({ to: add('more.cedar', text), listed: true });

export const CONTENTS: readonly Damage[] = [
  {
    name: 'a byte-order mark before the policies',
    to: edit('refunds.cedar', (text) => `\ufeff${text}`),
    listed: true,
    said: ['refunds.cedar: begins with a byte order mark'],
  },
  {
    name: 'a byte-order mark before the agents',
    to: edit('agents.yaml', (text) => `\ufeff${text}`),
    listed: true,
    said: ['agents.yaml: begins with a byte order mark'],
  },
  {
    name: 'a byte that is not UTF-8',
    to: edit('refunds.cedar', (text) => Buffer.concat([Buffer.from(text), Buffer.from([0xff])])),
    listed: true,
    said: ['refunds.cedar: is not UTF-8'],
  },
  {
    name: 'UTF-16',
    to: edit('refunds.cedar', (text) => Buffer.from(text, 'utf16le')),
    listed: true,
    said: ['refunds.cedar:1: invalid token', 'refunds.cedar:14: invalid token', 'refunds.cedar:26: invalid token'],
  },
  {
    name: 'a policy cut in the middle',
    to: edit('refunds.cedar', (text) => text.slice(0, 400)),
    listed: true,
    said: ['refunds.cedar:8: invalid token (try checking that all strings are closed properly)'],
  },
  {
    name: 'two policies with one id',
    ...policy('@id("refund-limit") permit (principal, action, resource);'),
    said: ['refunds.cedar:4: @id refund-limit stands twice (first at more.cedar:1)'],
  },
  {
    name: 'two policies with one id in one file',
    ...policy(`${FORBID};\n${FORBID};`),
    said: ['more.cedar:3: @id more stands twice (first at more.cedar:1)'],
  },
  {
    name: 'a policy without id',
    ...policy('permit (principal, action, resource);'),
    said: ['more.cedar:1: the policy has no @id (every decision names the policies that made it)'],
  },
  {
    name: 'a policy with an empty id',
    ...policy('@id("") permit (principal, action, resource);'),
    said: ['more.cedar:1: @id says nothing', 'more.cedar:1: @id must be letters, digits, dots, dashes and underscores'],
  },
  {
    name: 'an id of another alphabet',
    ...policy('@id("more\\u{202e}") permit (principal, action, resource);'),
    said: ['more.cedar:1: @id must be letters, digits, dots, dashes and underscores'],
  },
  {
    name: 'a misspelt annotation',
    ...policy('@id("more") @reson("x") forbid (principal, action, resource);'),
    said: ['more.cedar:1: unknown annotation @reson (did you mean reason?)'],
  },
  {
    name: 'a lifetime that is none',
    ...policy('@id("more") @ttl("1 day") permit (principal, action, resource);'),
    said: ['more.cedar:1: @ttl must be a time such as 90s or 2m, at most 5m'],
  },
  {
    name: 'a tool that is not registered',
    ...policy('@id("more") permit (principal, action == shop::Action::"drop_tables", resource);'),
    said: ['more.cedar:1: unrecognized action `shop::Action::"drop_tables"` (did you mean `shop::Action::"tool:list"`?)'],
  },
  {
    name: 'a forbid on a server that is not registered',
    ...policy('@id("more")\nforbid (principal, action, resource == Server::"shops");'),
    said: ['more.cedar:1: there is no server shops (did you mean shop?)'],
  },
  {
    name: 'a misspelt argument',
    ...policy(`${FORBID} when { context.input.amount_minro > 1 };`),
    said: [
      'more.cedar:2: attribute `input.amount_minro` in context for shop::Action::"create_refund" not found (did you mean `amount_minor`?)',
    ],
  },
  {
    name: 'text compared with a number',
    ...policy(`${FORBID} when { context.input.currency > 1 };`),
    said: ['more.cedar:2: unexpected type: expected Long but saw String'],
  },
  {
    name: 'an optional attribute read without asking',
    ...policy('@id("more") permit (principal is Person, action, resource) when { principal.department == "x" };'),
    said: [
      "more.cedar:1: unable to guarantee safety of access to optional attribute `department` on entity type `Person` (try testing for the attribute's presence with `e has department && ..`)",
    ],
  },
  {
    name: 'a forbid that can never hold',
    ...policy(`${FORBID} when { principal is Server };`),
    said: ['more.cedar:1: policy is impossible: the policy expression evaluates to false for all valid requests'],
  },
  {
    name: 'an unknown function',
    ...policy(`${FORBID} when { regex(context.input.currency) };`),
    said: ['more.cedar:2: `regex` is not a valid function'],
  },
  {
    name: 'a template',
    ...policy('@id("more") permit (principal == ?principal, action, resource);'),
    said: [
      'more.cedar:1: expected a static policy, got a template containing the slot ?principal (try removing the template slot(s) from this policy)',
    ],
  },
  {
    name: 'an open comment of another language',
    ...policy('/* @id("more") */ permit (principal, action, resource);'),
    said: ['more.cedar:1: unexpected token `/` (expected `@` or identifier)'],
  },
  {
    name: 'no policy at all',
    to: async (folder) => {
      for (const file of ['agents', 'people', 'refunds']) await remove(`${file}.cedar`)(folder);
    },
    listed: true,
    said: ['*.cedar: there is no policy file: nothing could ever be allowed'],
  },
  { name: 'no schema', to: remove('schema.cedarschema'), listed: true, said: ['schema.cedarschema: is missing'] },
  { name: 'no agents', to: remove('agents.yaml'), listed: true, said: ['agents.yaml: is missing'] },
  {
    name: 'a tool removed that policies name',
    to: edit('servers/shop.yaml', (text) => text.replace(/\n {2}delete_customer:[\s\S]*$/, '\n')),
    listed: true,
    said: [
      'agents.cedar:11: unrecognized action `shop::Action::"delete_customer"` (did you mean `shop::Action::"list_orders"`?)',
      'people.cedar:33: unrecognized action `shop::Action::"delete_customer"` (did you mean `shop::Action::"list_orders"`?)',
    ],
  },
  {
    name: 'two servers of one resource',
    to: async (folder) =>
      add('servers/evil.yaml', (await readFile(join(folder, 'servers/shop.yaml'), 'utf8')).replace('id: shop', 'id: evil'))(folder),
    listed: true,
    said: ['servers/shop.yaml:4: the resource is that of servers/evil.yaml (a token for one would open the other)'],
  },
  {
    name: 'an agent that is a tool server',
    to: edit('agents.yaml', (text) => text.replace('id: triage-bot', 'id: shop')),
    listed: true,
    said: ['agents.yaml:29: a tool server has this id (both log in by it)'],
  },
  {
    name: 'a key in YAML twice',
    to: edit('agents.yaml', (text) => `${text}\npeople: []\n`),
    listed: true,
    said: ['agents.yaml:63: Map keys must be unique (the second would replace the first)'],
  },
  {
    name: 'a billion laughs',
    to: add(
      'agents.yaml',
      `a: &a [x,x]\n${'bcdefghi'
        .split('')
        .map((c, i) => `${c}: &${c} [*${'abcdefgh'[i]},*${'abcdefgh'[i]}]`)
        .join('\n')}\n`,
    ),
    listed: true,
    said: ['agents.yaml: has an alias (*name): write it out'],
  },
  {
    name: 'a file that belongs nowhere',
    to: add('budget.yaml', 'x: 1'),
    listed: true,
    said: [
      'budget.yaml: no file of this name belongs to a bundle (schema.cedarschema, agents.yaml, budgets.yaml, servers/<id>.yaml, *.cedar, tests/*.yaml)',
    ],
  },
];
