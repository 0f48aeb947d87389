import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProblem } from '../../../src/bundle/bundle.ts';
import { nearest } from '../../../src/bundle/nearest.ts';
import { AGENTS, ALL, compiled, JWK, problems, SCHEMA, SERVER } from '../../policy/fixture.ts';

const agents = (from: string, to: string): Record<string, string> => ({ 'agents.yaml': AGENTS.replace(from, to) });
const server = (from: string, to: string): Record<string, string> => ({ 'servers/shop.yaml': SERVER.replace(from, to) });
const schema = (from: string, to: string): Record<string, string> => ({ 'schema.cedarschema': SCHEMA.replace(from, to) });
const KEY = `{ jwks: { keys: [${JWK}] } }`;
const PRIVATE = JWK.replace('}', ',"d":"AAAA"}');

/** One thing wrong, and all that is said of it. */
const TABLE: readonly (readonly [string, Record<string, string>, readonly string[]])[] = [
  // agents.yaml
  ['an agent twice', agents('id: sub,', 'id: bot,'), ['agents.yaml:5: this agent stands twice']],
  ['a person twice', agents('agents:', '  - { id: people:u_alice, name: Al }\nagents:'), ['agents.yaml:3: this person stands twice']],
  ['an id in capitals', agents('id: sub,', 'id: Sub,'), ['agents.yaml:5: agents.1.id: must be lower-case letters, digits and dashes']],
  ['the id of a tool server', agents('id: sub,', 'id: shop,'), ['agents.yaml:5: a tool server has this id (both log in by it)']],
  [
    'an owner without issuer',
    agents('owner: people:u_alice', 'owner: alice'),
    ['agents.yaml:4: agents.0.owner: must be <issuer id>:<sub>, such as people:u_alice'],
  ],
  ['no purpose', agents('purpose: test,', ''), ['agents.yaml:4: agents.0.purpose is missing']],
  ['an empty purpose', agents('purpose: test', 'purpose: " "'), ['agents.yaml:4: agents.0.purpose: must not be empty']],
  [
    'a review that is no date',
    agents('review: 2030-01-01', 'review: soon'),
    ['agents.yaml:4: agents.0.review: must be a date such as 2027-06-30'],
  ],
  [
    'a review on a day that is not',
    agents('review: 2030-01-01', 'review: 2030-02-30'),
    ['agents.yaml:4: agents.0.review: must be a date such as 2027-06-30'],
  ],
  ['a misspelt key', agents('limits:', 'limit:'), ['agents.yaml:5: unknown key limit (did you mean limits?)']],
  [
    'a limit that is none',
    agents('maxTtlSeconds: 30', 'maxTtlSeconds: 3000'),
    ['agents.yaml:5: agents.1.limits.maxTtlSeconds: Too big: expected number to be <=300'],
  ],
  [
    'a limit as text',
    agents('maxTtlSeconds: 30', 'maxTtlSeconds: "30"'),
    ['agents.yaml:5: agents.1.limits.maxTtlSeconds: Invalid input: expected number, received string'],
  ],
  [
    'two kinds of identity',
    agents(KEY, `{ jwks: { keys: [] }, issuer: "https://x.example", subject: a }`),
    ['agents.yaml:4: agents.0.identity: must be either jwks: {keys: […]} or issuer and subject, and nothing else'],
  ],
  [
    'a private key',
    agents(KEY, `{ jwks: { keys: [${PRIVATE}] } }`),
    ['agents.yaml:4: the key set holds a private or symmetric key: replace that key everywhere, it is known now'],
  ],
  [
    'no key',
    agents(KEY, '{ jwks: { keys: [] } }'),
    ['agents.yaml:4: the key set has no key to verify with (EC P-256 for ES256, RSA of 2048 bits or more for RS256)'],
  ],
  ['keys that are no list', agents(KEY, '{ jwks: { keys: 5 } }'), ['agents.yaml:4: the key set is not of RFC 7517']],
  [
    'a key given twice',
    agents('people:', 'people: []\npeople:'),
    ['agents.yaml:2: Map keys must be unique (the second would replace the first)'],
  ],
  ['an alias', agents('name: Alice', 'name: &a Alice, name2: *a'), ['agents.yaml: has an alias (*name): write it out']],
  [
    'a number no JSON holds',
    agents('maxTtlSeconds: 30', 'maxTtlSeconds: .inf'),
    ['agents.yaml: has a value that strict JSON cannot hold: json_number'],
  ],
  [
    'a key that changes prototypes',
    agents('limits: {', 'limits: { __proto__: { a: 1 },'),
    ['agents.yaml: has a value that strict JSON cannot hold: json_reserved_key'],
  ],
  [
    'two documents',
    { 'agents.yaml': `${AGENTS}---\n${AGENTS}` },
    ['agents.yaml:7: Source contains multiple documents; please use YAML.parseAllDocuments()'],
  ],
  ['a tag', agents('name: Alice', 'name: !!js/function "x"'), ['agents.yaml:2: Unresolved tag: tag:yaml.org,2002:js/function']],
  ['nothing', { 'agents.yaml': '' }, ['agents.yaml: the file: Invalid input: expected object, received null']],
  // servers/*.yaml
  [
    'another id than the file’s',
    server('id: shop', 'id: store'),
    ['servers/shop.yaml:1: the id is not the name of the file (name the file servers/store.yaml)'],
  ],
  ['a relative resource', server('https://shop.example/mcp', '/mcp'), ['servers/shop.yaml:3: resource: must be an absolute http(s) URI']],
  ['a resource with a query', server('/mcp', '/mcp?x'), ['servers/shop.yaml:3: resource: must have no query, fragment or user']],
  ['a resource with a fragment', server('/mcp', '/mcp#'), ['servers/shop.yaml:3: resource: must have no query, fragment or user']],
  ['a resource with a user', server('https://', 'https://u@'), ['servers/shop.yaml:3: resource: must have no query, fragment or user']],
  [
    'a resource that two have',
    { 'servers/a.yaml': SERVER.replace('id: shop', 'id: a').replace('shop.example/mcp', 'SHOP.example:443/mcp') },
    ['servers/shop.yaml:3: the resource is that of servers/a.yaml (a token for one would open the other)'],
  ],
  [
    'a tool name with a colon',
    server('  pay:', '  "tool:list":'),
    ['servers/shop.yaml:5: tools.tool:list: must be letters, digits, _ . or -'],
  ],
  [
    'recordable that is no argument',
    server('[amount]\n  look', '[amuont]\n  look'),
    ['servers/shop.yaml:17: recordable names no argument: amuont (did you mean amount?)'],
  ],
  [
    'recordable and hidden',
    server('arguments: hidden', 'arguments: hidden\n    recordable: [it]'),
    ['servers/shop.yaml:25: hidden arguments cannot be recorded'],
  ],
  [
    'arguments that are no object',
    server('input: { type: object }', 'input: { type: array }'),
    ['servers/shop.yaml:20: input must be a JSON Schema of type object'],
  ],
  [
    'a keyword that is none',
    server('input: { type: object }', 'input: { type: object, requried: [x] }'),
    ['servers/shop.yaml:20: input: strict mode: unknown keyword: "requried"'],
  ],
  [
    'a type that is none',
    server('{ type: boolean, default: false }', '{ type: bool }'),
    [
      'servers/shop.yaml:7: input: schema is invalid: data/properties/fast/type must be equal to one of the allowed values, data/properties/fast/type must be array, data/properties/fast/type must match a schema in anyOf',
    ],
  ],
  [
    'a default of another type',
    server('default: false', 'default: "no"'),
    ['servers/shop.yaml:7: input.fast: the default is not of its own schema'],
  ],
  [
    'a server whose id Cedar keeps for itself',
    { 'servers/in.yaml': SERVER.replace('id: shop', 'id: in').replace('/mcp', '/in') },
    [
      'servers/in.yaml: Cedar takes neither this id nor these names (invalid namespace `in`: this identifier is reserved and cannot be used: in)',
    ],
  ],
  // schema.cedarschema
  [
    'no Actor',
    schema('entity Actor', 'entity Actr'),
    ['schema.cedarschema: entity Actor is missing', 'schema.cedarschema:4: entity Actr never appears in a request (did you mean Actor?)'],
  ],
  [
    'an attribute that nobody knows',
    schema('sponsor?: String', 'sponser?: String'),
    ['schema.cedarschema:3: Agent.sponser is not known of it (known are name, owner, sponsor?: String)'],
  ],
  [
    'an optional attribute as required',
    schema('sponsor?: String', 'sponsor: String'),
    ['schema.cedarschema:3: Agent.sponsor is not known of it (known are name, owner, sponsor?: String)'],
  ],
  [
    'a group of entities',
    schema('entity Person =', 'entity Person in [Service] ='),
    [
      'schema.cedarschema:1: entity Person can have neither groups, tags nor fixed names (write the group as an attribute: groups: Set<String>)',
    ],
  ],
  [
    'tags',
    schema('entity Service = {};', 'entity Service tags String;'),
    [
      'schema.cedarschema:2: entity Service can have neither groups, tags nor fixed names (write the group as an attribute: groups: Set<String>)',
    ],
  ],
  [
    'an attribute that is an entity',
    schema('department?: String', 'boss?: Person'),
    ['schema.cedarschema:1: entity Person has an attribute that nothing can fill (String, Long, Bool, sets and records of these)'],
  ],
  [
    'an action',
    { 'schema.cedarschema': `${SCHEMA}action x;\n` },
    ['schema.cedarschema:6: actions are not the schema’s to declare (they come from servers/*.yaml)'],
  ],
  [
    'a namespace',
    { 'schema.cedarschema': `${SCHEMA}namespace shop { entity X; }\n` },
    ["schema.cedarschema:6: namespace shop is not the schema's to declare (namespaces and actions come from servers/*.yaml)"],
  ],
  [
    'a word out of place',
    { 'schema.cedarschema': `${SCHEMA}entiy X;` },
    ['schema.cedarschema:6: unexpected token `entiy` (expected `@`, `action`, `entity`, `namespace`, or `type`)'],
  ],
  // the folder
  [
    'a file that belongs nowhere',
    { 'budget.yaml': 'x: 1' },
    [
      'budget.yaml: no file of this name belongs to a bundle (schema.cedarschema, agents.yaml, budgets.yaml, servers/<id>.yaml, *.cedar, tests/*.yaml)',
    ],
  ],
];
for (const [name, changed, expected] of TABLE) {
  test(`refused: ${name}`, async () => assert.deepEqual(await problems(ALL, changed), expected));
}

test('an owner who is not among people is a fact, not a problem: the agent is not owned', async () => {
  const { bundle, warnings } = await compiled(ALL, agents('owner: people:u_alice', 'owner: people:u_alicia'));
  assert.equal(bundle.agents.byClient('bot')?.owned, false);
  assert.equal(bundle.agents.byClient('sub')?.owned, true);
  assert.ok(
    warnings.map(formatProblem).includes('agents.yaml:4: bot has no owner among people: it is refused (did you mean people:u_alice?)'),
  );
});

test('agents are found by client id and by the issuer and subject of their workload', async () => {
  const federated = agents(KEY, '{ issuer: "https://ci.example", subject: "repo:x" }');
  const { bundle } = await compiled(ALL, federated);
  assert.equal(bundle.agents.byIdentity('https://ci.example', 'repo:x')?.id, 'bot');
  assert.equal(bundle.agents.byIdentity('https://ci.example', 'repo:y'), undefined);
  assert.equal(bundle.servers.byResource('https://shop.example/mcp')?.id, 'shop');
  assert.equal(bundle.servers.byResource('https://shop.example/mcp/'), undefined);
  assert.equal(bundle.agents.byClient('sub')?.limits.maxTtlSeconds, 30);
});

test('an agent that a policy names and nobody registered is told of; what a comment names is not', async () => {
  const rule = (scope: string, rest = ''): string =>
    `\n@id("x") permit (${scope}, action == shop::Action::"pay", resource) // unlike Agent::"gone"\n${rest};`;
  const said = async (text: string) => (await compiled(ALL + text)).warnings.map(formatProblem);
  const told = ['p.cedar:3: there is no agent bott (did you mean bot?)'];
  assert.deepEqual(await said(rule('principal == Actor::"bott"')), told);
  assert.deepEqual(await said(rule('principal', 'unless { principal == Agent::"bott" }')), told);
  assert.deepEqual(await said(rule('principal == Agent::"bot"')), []);
});

test('what no rule can see is said, and typed as nothing', async () => {
  const odd = server(
    'amount: { type: integer }',
    'amount: { type: integer }\n        either: { anyOf: [{ type: string }, { type: integer }] }\n        many: { type: array, items: { type: object } }\n        when: { type: string, format: date-time }',
  );
  const { warnings } = await compiled(ALL, odd);
  assert.deepEqual(warnings.map(formatProblem), [
    'servers/shop.yaml: pay: policies cannot see input.either: its schema states no single type',
    'servers/shop.yaml: pay: policies cannot see input.many: only lists of plain values of one type can be judged',
    'servers/shop.yaml:7: input.when: format is a comment here and checked by nobody',
  ]);
  const unseen = await problems(
    `${ALL}@id("x") permit (principal, action == shop::Action::"pay", resource) when { context.input.either == "x" };`,
    odd,
  );
  assert.match(unseen.join(), /p\.cedar:2: attribute `input\.either` in context .* not found/);
});

test('the nearest word', () => {
  const known = ['owner', 'sponsor', 'purpose'];
  const table = [
    ['ownr', 'owner'],
    ['Owner', 'owner'],
    ['porpuse', 'purpose'],
    ['x', undefined],
    ['suspended', undefined],
    ['', undefined],
  ] as const;
  for (const [word, expected] of table) assert.equal(nearest(word, known), expected, word);
});

test('reviews are due by the day they are given', async () => {
  const { formats } = await import('../../../src/bundle/bundle-folder-formats.ts');
  const { compileBundle } = await import('../../../src/bundle/compile.ts');
  const { cedarEngine } = await import('../../../src/decide/policy-cedar.ts');
  const { files } = await import('../../policy/fixture.ts');
  for (const [today, due] of [
    ['2030-01-01', 0],
    ['2030-01-02', 3],
  ] as const) {
    const result = await compileBundle(files(ALL), cedarEngine(), formats, { today });
    assert.ok(result.ok);
    assert.equal(result.value.warnings.filter(({ text }) => text.includes('is due since 2030-01-01')).length, due);
  }
});
