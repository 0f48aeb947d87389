/** The index finds what the ledger has, no more and no less: against a reader that looks at every entry, whatever is asked. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { Query, Wanted } from '../../../src/operate/search.ts';
import { openIndex } from '../../../src/operate/search-sqlite.ts';
import { ENTRIES } from '../../../src/operate/search-sqlite-segment.ts';
import { agents, clear, keep, many, named, rows, START, tools, whole } from './search-room.ts';

afterEach(clear);

interface Body {
  readonly at: number;
  readonly exchange: string;
  readonly kind: string;
  readonly client?: string | null;
  readonly actors?: readonly string[] | null;
  readonly subject?: string | null;
  readonly tool?: string | null;
  readonly resource?: string | null;
  readonly reason?: string | null;
  readonly code?: string | null;
  readonly policies?: readonly string[] | null;
}
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null, freq: 5 });
const body = (at: fc.Arbitrary<number>): fc.Arbitrary<Body> =>
  fc.record({
    at,
    exchange: fc.uuid(),
    kind: fc.constantFrom('minted', 'refused', 'pending', 'receipt'),
    client: maybe(fc.constantFrom(...agents)),
    actors: maybe(fc.subarray([...agents])),
    subject: maybe(fc.nat(6).map((n) => `people:u_${n}`)),
    tool: maybe(fc.constantFrom(...tools, 'Ünïcode', "it's_%_odd")),
    resource: maybe(fc.constantFrom('https://a.example/mcp', 'https://b.example/mcp')),
    reason: maybe(fc.constantFrom('policy_denied', 'budget_exhausted')),
    code: maybe(fc.constantFrom('refund_too_large')),
    policies: maybe(fc.subarray(['refund-limit', 'support-refunds'])),
  });

/** By looking at each. Written from what the fields mean, not from how they are indexed. */
const VALUES: Readonly<Record<string, (b: Body) => readonly (string | null | undefined)[]>> = {
  agent: (b) => [b.client, ...(b.actors ?? [])],
  subject: (b) => [b.subject],
  tool: (b) => [b.tool],
  resource: (b) => [b.resource],
  kind: (b) => [b.kind],
  reason: (b) => [b.reason, b.code],
  policy: (b) => b.policies ?? [],
};
function isWanted(b: Body, { wanted, text, from = 0, to = Number.MAX_SAFE_INTEGER }: Query): boolean {
  const spoken = ['agent', 'subject', 'tool', 'resource', 'reason', 'policy'].flatMap((field) => VALUES[field]?.(b) ?? []);
  return (
    b.at >= from &&
    b.at <= to &&
    wanted.every(({ fields, values }) => fields.some((field) => VALUES[field]?.(b).some((value) => values.includes(value ?? '')))) &&
    (text === undefined || spoken.some((value) => value?.toLowerCase().includes(text.toLowerCase())))
  );
}
const wanted: fc.Arbitrary<Wanted> = fc.oneof(
  fc.constantFrom(...agents, 'nobody').map((value): Wanted => ({ fields: ['agent'], values: [value] })),
  fc.nat(7).map((n): Wanted => ({ fields: ['subject'], values: [`people:u_${n}`] })),
  fc.constantFrom(...tools, "it's_%_odd").map((value): Wanted => ({ fields: ['tool'], values: [value] })),
  fc.constantFrom('minted', 'refused').map((value): Wanted => ({ fields: ['kind', 'outcome'], values: [value] })),
  fc.constantFrom('refund_too_large', 'policy_denied').map((value): Wanted => ({ fields: ['reason'], values: [value] })),
  fc.constant<Wanted>({ fields: ['policy'], values: ['refund-limit'] }),
);
const moment = fc.nat(400).map((n) => START + n);
const query: fc.Arbitrary<Query> = fc.record(
  {
    wanted: fc.array(wanted, { maxLength: 3 }),
    text: fc.constantFrom('BOT', 'u_', '%', '_', "'", 'REFUND', 'mcp', 'nowhere'),
    from: moment,
    to: moment,
    before: fc.nat(300),
    limit: fc.nat(60),
  },
  { requiredKeys: ['wanted', 'limit'] },
);

describe('what is found', () => {
  it('is what stands there, whatever is asked: random ledgers, random questions', () => {
    fc.assert(
      fc.property(fc.array(body(moment), { maxLength: 200 }), fc.array(query, { minLength: 1, maxLength: 8 }), (bodies, queries) => {
        const index = openIndex(':memory:');
        index.take(rows(bodies));
        for (const asked of queries) {
          const all = rows(bodies).filter(({ seq, body: b }) => seq < (asked.before ?? 1e9) && isWanted(b as Body, asked));
          const expected = all.map(({ seq }) => seq).reverse();
          assert.deepEqual(index.find(asked), expected.slice(0, asked.limit));
        }
        index.close();
      }),
      { numRuns: 150 },
    );
  });

  it('is found page by page, across segments, each entry once', async () => {
    const ledger = many(2 * ENTRIES + 500);
    const search = keep(':memory:', ledger);
    await whole(search);
    const asked: Query = {
      wanted: [
        { fields: ['kind'], values: ['refused'] },
        { fields: ['agent'], values: ['triage-bot'] },
      ],
      limit: 100,
    };
    const seen: number[] = [];
    for (let before: number | undefined; ; before = seen.at(-1)) {
      const { seqs } = await search.find({ ...asked, ...(before !== undefined && { before }) });
      seen.push(...seqs);
      if (seqs.length < asked.limit) break;
    }
    const expected = ledger.filter(({ body: b }) => isWanted(b as Body, asked)).map(({ seq }) => seq);
    assert.deepEqual(seen, expected.reverse());
  });

  it('is found by its very second, the first and the last', () => {
    const index = openIndex(':memory:');
    index.take(many(200));
    const within = (from: number, to: number): number => index.find({ wanted: [], from: START + from, to: START + to, limit: 500 }).length;
    assert.deepEqual([within(3, 3), within(0, 0), within(3, 9), within(4, 9), within(-9, -1), within(0, 3)], [50, 50, 50, 0, 0, 200]);
    index.close();
  });

  it('is what was committed a moment before the question', async () => {
    const ledger = [...many(10)];
    const search = keep(':memory:', ledger);
    await whole(search);
    ledger.push({ seq: 11, body: { at: START, exchange: 'exc_new', kind: 'minted', subject: 'people:u_new' } });
    assert.deepEqual(await search.find(named('people:u_new')), { seqs: [11], indexed: { through: 11, whole: true } });
  });
});

describe('what is counted', () => {
  it('are the kinds over time, and the names by how often, as in the ledger', async () => {
    const ledger = many(ENTRIES + 1_000);
    const search = keep(':memory:', ledger);
    await whole(search);
    const [from, to] = [START + 20, START + 99];
    const inside = ledger.map(({ body: b }) => b as Body).filter(({ at }) => at >= from && at <= to);
    const { total, groups, slices } = await search.tally({ wanted: [], from, to, by: ['agent', 'why'], sliceSeconds: 40 });
    assert.equal(total, inside.length);
    assert.equal(slices.length, 2);
    for (const [i, slice] of slices.entries())
      for (const kind of ['minted', 'refused'])
        assert.equal(slice[kind], inside.filter((b) => b.kind === kind && Math.floor((b.at - from) / 40) === i).length, `${kind} ${i}`);
    for (const agent of agents)
      assert.equal(groups.agent?.find(({ value }) => value === agent)?.count, inside.filter((b) => b.client === agent).length, agent);
    assert.deepEqual(
      groups.why?.map(({ value, count }) => [value, count]),
      [['refund_too_large', inside.filter((b) => b.kind === 'refused').length]],
    );
  });

  it('is what an agent used: each tool with each outcome, the last time, each rule', async () => {
    const ledger = many(ENTRIES + 1_000);
    const search = keep(':memory:', ledger);
    await whole(search);
    const { tools: used, kinds, policies, last } = await search.usage('triage-bot');
    const its = ledger.filter(({ body: b }) => (b as Body).client === 'triage-bot');
    assert.equal(last?.seq, its.at(-1)?.seq);
    assert.equal(
      Object.values(kinds).reduce((sum, n) => sum + n, 0),
      its.length,
    );
    assert.deepEqual([policies[0]?.value, policies[0]?.count], ['support-refunds', its.length]);
    for (const tool of tools) {
      const of = its.filter(({ body: b }) => (b as Body).tool === tool);
      const use = used.find((one) => one.tool === tool);
      assert.equal(use?.seq, of.at(-1)?.seq);
      for (const kind of ['minted', 'refused'])
        assert.equal(use?.kinds[kind] ?? 0, of.filter(({ body: b }) => (b as Body).kind === kind).length);
    }
    assert.deepEqual((await search.usage('nobody')).tools, []);
  });
});
