/** What the operator API answers, for /openapi.json. Documentation alone, held against real answers by the tests (test/support/documented.ts). */

export type Schema = Readonly<Record<string, unknown>>;
export const text: Schema = { type: 'string' };
export const whole: Schema = { type: 'integer' };
export const flag: Schema = { type: 'boolean' };
const number: Schema = { type: 'number' };
export const anyObject: Schema = { type: 'object', additionalProperties: true };
const value: Schema = {};
export const said = (schema: Schema, description: string): Schema => ({ ...schema, description });
export const at: Schema = said(whole, 'Epoch seconds');
export const list = (items: Schema): Schema => ({ type: 'array', items });
const by = (of: Schema): Schema => ({ type: 'object', additionalProperties: of });
export const oneOf = (...words: readonly string[]): Schema => ({ type: 'string', enum: words });
/** A name that ends in `?` may be absent. */
export const shape = (fields: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties: Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name.replace(/\?$/, ''), schema])),
  required: Object.keys(fields).filter((name) => !name.endsWith('?')),
});
const next = { 'next?': said(text, 'Where the next part begins: its `after`. Absent: this was the last') };
const texts = list(text);

/** What entries are asked for by. */
export const filter = {
  'agent?': said(text, 'It acted, first or further down the chain'),
  'subject?': said(text, 'On whose behalf, as `people:u_alice`'),
  'owner?': text,
  'tool?': text,
  'server?': said(text, 'Its id, or its resource'),
  'outcome?': said(text, 'An entry’s kind, or what a receipt said'),
  'reason?': said(text, 'Ours, or a policy’s own code'),
  'policy?': said(text, 'A rule that decided'),
  'by?': said(text, 'Who decided or operated'),
  'id?': said(text, 'All entries of one action: `txn_`, `exc_`, `tok_`, `apr_`'),
  'q?': said(text, 'An id, or a part of a name'),
  'from?': said(whole, 'Epoch seconds, inclusive'),
  'to?': said(whole, 'Epoch seconds, inclusive'),
};

export const halt = shape({ scope: oneOf('all', 'agent', 'owner', 'subject', 'server', 'tool'), target: text, by: text, at, reason: text });
export const halts = shape({ halts: list(halt), ...next });
const problem = shape({ file: text, 'line?': whole, text, 'hint?': text });
export const report = shape({ ok: flag, hash: text, changed: flag, problems: list(problem), warnings: list(problem) });
export const status = shape({
  issuer: text,
  bundle: text,
  report,
  checks: list(shape({ name: text, state: oneOf('ok', 'degraded', 'down'), 'detail?': text })),
});
const lease = shape({
  id: text,
  kind: text,
  where: text,
  txn: text,
  state: oneOf('opening', 'outstanding', 'ending', 'gone'),
  'tool?': text,
  'client?': text,
  since: at,
  exp: at,
  next: said(at, 'When somebody sees to it again'),
  tries: whole,
  'why?': text,
  overdue: flag,
});
export const leases = shape({ now: at, open: whole, overdue: whole, leases: list(lease), ...next });
export const endedLease = shape({ state: oneOf('ending', 'gone'), isFree: said(flag, 'Its back end has nothing left of it') });
export const backends = shape({
  backends: list(shape({ kind: text, ready: flag, detail: text, standing: flag })),
  registrations: list(
    shape({
      server: text,
      tool: text,
      kind: text,
      deliver: text,
      where: text,
      cap: whole,
      standing: flag,
      schema: anyObject,
      hidden: flag,
    }),
  ),
  environment: said(texts, 'Names of variables of the broker that may hold a secret that stands'),
});
export const tried = shape({ 'lease?': text, txn: text, exp: at, seconds: number, milliseconds: number, 'credential?': text });
const stepName = oneOf('publish', 'activate', 'retire', 'emergency');
export const keys = shape({
  version: said(whole, 'Of the ring: given back with a step, the step holds only if nobody was faster'),
  now: at,
  timing: shape({ maxAgeSeconds: whole, maxTokenSeconds: whole, skewSeconds: whole }),
  keys: list(
    shape({
      kid: text,
      alg: text,
      state: oneOf('next', 'current', 'retiring', 'gone', 'distrusted'),
      since: at,
      'next?': shape({ step: stepName, at }),
    }),
  ),
  steps: list(shape({ step: stepName, possible: flag, due: flag, 'detail?': text, 'at?': at, kids: texts })),
});
export const keyStep = shape({
  ok: flag,
  step: stepName,
  dry_run: flag,
  changed: list(shape({ kid: text, alg: text, 'from?': text, to: text })),
  status: keys,
});
const entry: Schema = {
  ...shape({ kind: text, at, exchange: text, 'client?': text, 'subject?': text, 'tool?': text, 'txn?': text }),
  description: 'As it stands in the ledger, without what is null there',
  additionalProperties: true,
};
const told = shape({ seq: whole, hash: said(text, 'Of the chain; empty for a moment where another broker wrote it'), entry });
const indexed = shape({ through: whole, whole: flag });
export const entries = shape({
  entries: list(told),
  'before?': said(whole, 'Where the next part begins. Absent: this was the last'),
  'indexed?': said(indexed, 'How far the index that was asked had come'),
});
export const explained = shape({
  story: list(told),
  words: texts,
  told: list(shape({ headline: text, rows: list(list(text)) })),
  follows: said(list(whole), 'Those whose hash follows from their body and the entry before them'),
});
const counts = by(whole);
const count = shape({ value: text, count: whole, seq: whole, at });
export const usage = shape({
  kinds: counts,
  tools: list(shape({ resource: text, tool: text, kinds: counts, seq: whole, at })),
  policies: list(count),
  'last?': shape({ seq: whole, at }),
  indexed,
});
const total = { granted: whole, refused: whole, waiting: whole, faulted: whole };
export const overview = shape({
  from: at,
  to: at,
  sliceSeconds: whole,
  slices: list(shape({ at, ...total })),
  total: shape(total),
  refusals: list(shape({ code: text, count: whole, at, seq: whole, 'text?': text, 'remedy?': text, policies: texts })),
  agents: list(shape({ agent: text, count: whole })),
  waiting: shape({ count: whole, more: said(flag, 'At least so many'), 'oldest?': at }),
  halts: whole,
  'latency?': said(shape({ p50: number, p99: number, count: whole }), 'Milliseconds, of the latest decisions of this broker'),
  indexed,
});
const outstanding = shape({
  txn: text,
  kind: text,
  client: text,
  subject: text,
  'tool?': text,
  resource: text,
  exp: at,
  state: said(oneOf('revoked', 'dies', 'unknown'), 'dies: a signed token cannot be called back, and ends at `exp`'),
});
export const revoked = shape({
  ok: flag,
  dry_run: flag,
  scope: text,
  target: text,
  at,
  counts: shape({ revoked: whole, dies: whole, unknown: whole }),
  outstanding: said(list(outstanding), 'The latest first, at most 1,000'),
});
export const undone = shape({ ok: flag, undone: halt });
export const verifiers = shape({
  verifiers: list(
    shape({ server: text, resource: text, last_seen: { type: ['integer', 'null'] }, seq: { type: ['integer', 'null'] }, waiting: whole }),
  ),
});
const agent = {
  id: text,
  name: text,
  owner: text,
  owned: said(flag, 'false: its owner has left, and it is refused'),
  'sponsor?': text,
  purpose: text,
  review: said(text, 'ISO date'),
  overdue: flag,
  suspended: flag,
  halts: list(halt),
  identity: oneOf('key', 'federated'),
  'max_ttl_seconds?': whole,
  'last_use?': at,
  rights: whole,
  unused: said(whole, 'Rights that were not used within `unused_days`'),
};
const known = { now: at, bundle: text, unused_days: whole, 'uses_since?': said(at, 'Uses before it are not known; absent: all are') };
export const agents = shape({ ...known, agents: list(shape(agent)), ...next });
const rule = shape({
  id: text,
  effect: oneOf('permit', 'forbid'),
  file: text,
  line: whole,
  last_line: whole,
  text,
  'owner?': text,
  conditions: texts,
  'ttl_seconds?': whole,
  'code?': text,
  'remedy?': text,
  'approval?': text,
  'until?': text,
});
export const oneAgent = shape({
  ...known,
  agent: shape({ ...agent, 'issuer?': text, 'subject?': text }),
  mandate: list(
    shape({
      as: oneOf('actor', 'subject'),
      server: text,
      server_name: text,
      tool: text,
      description: text,
      words: texts,
      permits: list(rule),
      people: list(rule),
      never: list(rule),
      dead: said(flag, 'No permit lets anybody have it done'),
      used: flag,
      'uses?': whole,
      'last_use?': at,
    }),
  ),
  budgets: list(
    shape({ id: text, title: text, server: text, 'tool?': text, 'sum?': text, per: texts, limit: number, window: text, 'left?': number }),
  ),
});
export const stage = shape({
  agents: list(shape({ id: text, name: text, owner: text })),
  servers: list(shape({ id: text, name: text, tools: list(shape({ name: text, description: text, schema: anyObject, hidden: flag })) })),
  issuers: texts,
  attributes: list(shape({ name: text, list: flag, values: list(value) })),
});
export const question = shape({
  agent: text,
  'via?': texts,
  'for?': said(shape({ sub: text, 'kind?': oneOf('person', 'service'), 'attributes?': anyObject }), 'Absent: it acts for itself'),
  server: text,
  tool: text,
  'arguments?': anyObject,
});
export const played = shape({
  bundle: text,
  now: at,
  decision: oneOf('allow', 'approval', 'deny'),
  'reason?': text,
  'code?': text,
  'text?': text,
  'remedy?': shape({ text, 'hints?': list(anyObject) }),
  'detail?': text,
  'ttl_seconds?': whole,
  'approval?': shape({ who: texts, quorum: whole, ttlSeconds: whole, 'confirm?': flag, 'proof?': text, words: text }),
  halts: list(halt),
  verdicts: list(shape({ as: oneOf('subject', 'actor'), who: text, allow: flag, 'cause?': text, 'code?': text, policies: texts })),
  policies: list(rule),
  silent: list(rule),
  budgets: list(shape({ id: text, title: text, limit: number, left: number, amount: number, window_seconds: whole })),
  flips: shape({
    tried: whole,
    complete: flag,
    found: list(shape({ change: text, path: texts, from: value, to: value, fate: text, distance: number, question })),
  }),
});
