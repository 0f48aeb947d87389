/** The index finds what the ledger has, no more and no less: against a reader that looks at every entry, whatever is asked. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { PAGE, type Query, type Search, type SourceRow, type Wanted } from '../../../src/operate/search.ts';
import { openIndex } from '../../../src/operate/search-sqlite.ts';
import { keepIndex } from '../../../src/operate/search-sqlite-keep.ts';
import { ENTRIES } from '../../../src/operate/search-sqlite-segment.ts';

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
const START = 1_795_176_000;
const agents = ['refund-bot', 'triage-bot', 'nightly-report'];
const tools = ['create_refund', 'list_payments'];
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: null, freq: 5 });
const body = (at: fc.Arbitrary<number>): fc.Arbitrary<Body> =>
  fc.record({
    at,
    exchange: fc.uuid(),
    kind: fc.constantFrom('minted', 'refused', 'pending', 'receipt'),
    client: maybe(fc.constantFrom(...agents)),
    actors: maybe(fc.subarray(agents)),
    subject: maybe(fc.nat(6).map((n) => `people:u_${n}`)),
    tool: maybe(fc.constantFrom(...tools, 'Ünïcode', "it's_%_odd")),
    resource: maybe(fc.constantFrom('https://a.example/mcp', 'https://b.example/mcp')),
    reason: maybe(fc.constantFrom('policy_denied', 'budget_exhausted')),
    code: maybe(fc.constantFrom('refund_too_large')),
    policies: maybe(fc.subarray(['refund-limit', 'support-refunds'])),
  });
const rows = (bodies: readonly Body[], first = 1): readonly SourceRow[] => bodies.map((one, i) => ({ seq: first + i, body: one }));

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

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-search-'));
  folders.push(folder);
  return folder;
};
const open: Search[] = [];
afterEach(async () => {
  for (const search of open.splice(0)) await search.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});
const sourceOf = (ledger: readonly SourceRow[]) => async (after: number) => ledger.filter(({ seq }) => seq > after).slice(0, PAGE);
function keep(path: string, ledger: readonly SourceRow[], onRemade: () => void = () => undefined): Search {
  const search = keepIndex({
    path,
    source: sourceOf(ledger),
    rest: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, 20)).unref()),
    onRemade,
  });
  open.push(search);
  return search;
}
async function whole(search: Search): Promise<number> {
  for (;;) {
    const { through, whole: done } = await search.indexed();
    if (done) return through;
  }
}
/** More than one segment, and each entry another's like. */
const many = (count: number): readonly SourceRow[] =>
  rows(
    Array.from({ length: count }, (_, i) => ({
      at: START + Math.floor(i / 50),
      exchange: `exc_${i}`,
      kind: i % 7 === 0 ? 'refused' : 'minted',
      client: agents[i % 3] ?? '',
      subject: `people:u_${i % 1_000}`,
      tool: tools[i % 2] ?? '',
      resource: 'https://a.example/mcp',
      ...(i % 7 === 0 && { reason: 'policy_denied', code: 'refund_too_large' }),
      policies: ['support-refunds'],
    })),
  );
const named = (subject: string, limit = 50): Query => ({ wanted: [{ fields: ['subject'], values: [subject] }], limit });

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

describe('the file', () => {
  it('is its owner’s alone, and goes on where it was', async () => {
    const path = join(newFolder(), 'index');
    const ledger = [...many(ENTRIES + 300)];
    await whole(keep(path, ledger));
    await open.pop()?.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    let read = Number.POSITIVE_INFINITY;
    const source = async (after: number): Promise<readonly SourceRow[]> => {
      if (after !== ENTRIES - 1) read = Math.min(read, after);
      return sourceOf(ledger)(after);
    };
    const again = keepIndex({ path, source, rest: () => new Promise((resolve) => setTimeout(resolve, 5).unref()) });
    open.push(again);
    assert.equal(await whole(again), ENTRIES + 300);
    assert.equal(read, ENTRIES, 'only what no segment has is read again');
    assert.equal((await again.find(named('people:u_7'))).seqs.length, 9);
  });

  it('is made again where it is missing, another ledger’s, damaged, or no index at all', async () => {
    const ledger = many(ENTRIES + 300);
    const expected = ledger.filter(({ body: b }) => (b as Body).subject === 'people:u_7').map(({ seq }) => seq);
    const spoil: Readonly<Record<string, (path: string) => void>> = {
      missing: (path) => rmSync(path),
      'of no program': (path) => writeFileSync(path, 'not a database'),
      truncated: (path) => writeFileSync(path, readFileSync(path).subarray(0, 8_192)),
      'an edited segment': (path) => {
        const db = new DatabaseSync(path);
        db.exec('UPDATE segment SET names = zeroblob(length(names))');
        db.close();
      },
      'of another form': (path) => {
        const db = new DatabaseSync(path);
        db.exec('PRAGMA user_version = 99');
        db.close();
      },
    };
    for (const [how, harm] of Object.entries(spoil)) {
      const path = join(newFolder(), 'index');
      const made = keep(path, ledger);
      await whole(made);
      await made.close();
      harm(path);
      const search = keep(path, ledger);
      await whole(search);
      // The first question may be the one that finds the damage.
      await search.find(named('people:u_7')).catch(() => undefined);
      assert.equal(await whole(search), ledger.length, how);
      assert.deepEqual((await search.find(named('people:u_7'))).seqs, expected.toReversed(), how);
    }
  });

  it('is made again where it is of another ledger, as long as this one', async () => {
    const path = join(newFolder(), 'index');
    const other = many(ENTRIES + 300).map(({ seq, body: b }) => ({
      seq,
      body: { ...b, exchange: `exc_other_${seq}`, subject: 'people:u_other' },
    }));
    const made = keep(path, other);
    await whole(made);
    await made.close();
    let remade = 0;
    const search = keep(path, many(ENTRIES + 300), () => void remade++);
    await whole(search);
    assert.deepEqual(
      [(await search.find(named('people:u_other'))).seqs, (await search.find(named('people:u_7'))).seqs.length, remade],
      [[], 9, 1],
    );
  });
});
