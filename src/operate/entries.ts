/** Entries of the ledger, found and read. The index says where they stand; what is told is read there, and must be what was asked for. */
import type { Bundle, Entry } from '../model.ts';
import { fromBody } from '../record/entry.ts';
import { type Head, START } from '../store/chain.ts';
import { entryKey, type Store, type Stored, seqOf } from '../store/store.ts';
import type { JsonObject } from '../wire/json.ts';
import { namesOf } from './indexed.ts';
import { BEHIND, behind, entryAt } from './place.ts';
import { type Indexed, type Range, type Search, SPOKEN, type Usage, type Wanted } from './search.ts';
import { findStory, type Told } from './story.ts';

/** What people ask for. Names are exact; `q` is an id, or a part of a name. */
export interface Asked {
  readonly agent?: string;
  readonly subject?: string;
  readonly owner?: string;
  readonly tool?: string;
  /** Its id, or its resource. */
  readonly server?: string;
  /** What became of it: an entry's kind, or what a receipt said. */
  readonly outcome?: string;
  readonly reason?: string;
  readonly policy?: string;
  /** Who decided or operated. */
  readonly by?: string;
  /** `txn_`, `exc_`, `tok_`, `apr_`: all entries of one action. */
  readonly id?: string;
  readonly q?: string;
  /** Epoch seconds, both inclusive. */
  readonly from?: number;
  readonly to?: number;
}
export interface EntriesPage {
  /** Newest first. */
  readonly entries: readonly Told[];
  /** Where the next page begins; absent: this was the last. */
  readonly before?: number;
  /** Absent where the index was not needed. */
  readonly indexed?: Indexed;
}
export interface Taken {
  readonly row: Stored;
  /** Hashes that it may follow, of the entries before it, the nearest first: each broker has a chain of its own. Of this row alone, until the next is asked for. */
  readonly before: readonly string[];
}
export interface Entries {
  find(asked: Asked, page: { readonly before?: number; readonly limit: number }): Promise<EntriesPage>;
  /** Each of them, oldest first, as it stands in the ledger, up to the entry `through`. */
  each(asked: Asked, through: number): AsyncGenerator<Taken>;
  /** The last entry. */
  head(): Promise<Head>;
  usage(agent: string): Promise<Usage>;
}
export interface EntriesParts {
  readonly store: Pick<Store, 'scan'>;
  readonly search: Search;
  readonly servers: () => Bundle['servers'];
}

const ID = /^(?:exc|txn|tok|apr)_[0-9a-f]{8,64}$/;
/** Brokers’ clocks differ, and an entry is committed a moment after its time. */
const DISORDER_SECONDS = 300;
/** Read at a time for somebody who takes all of it. */
const STEP = 100;

export function createEntries({ store, search, servers }: EntriesParts): Entries {
  function rangeOf({ server, outcome, q, from, to, ...names }: Asked): Range {
    const wanted: Wanted[] = [];
    for (const field of ['agent', 'subject', 'owner', 'tool', 'reason', 'policy', 'by'] as const) {
      const value = names[field];
      if (value !== undefined) wanted.push({ fields: [field], values: [value] });
    }
    if (server !== undefined) wanted.push({ fields: ['resource'], values: [servers().byId(server)?.resource ?? server] });
    if (outcome !== undefined) wanted.push({ fields: ['kind', 'outcome'], values: [outcome] });
    return { wanted, ...(q !== undefined && { text: q }), ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
  }
  const idOf = ({ id, q }: Asked): string | undefined => id ?? (q !== undefined && ID.test(q) ? q : undefined);
  const read = (seq: number): Promise<Stored | undefined> => entryAt(store, seq);
  /** Of one action: few, and the store itself finds them. */
  async function ofOne(id: string, { q, ...asked }: Asked): Promise<readonly Told[]> {
    const range = rangeOf(q === id ? asked : { ...asked, ...(q !== undefined && { q }) });
    return (await findStory(store, id)).filter(({ entry }) => fulfils(entry, range)).reverse();
  }
  /** The last entry that is surely older; 0: none. */
  async function olderThan(at: number | undefined): Promise<number> {
    if (at === undefined) return 0;
    let [low, high] = [0, (await head()).seq];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      const row = await read(middle);
      if (row && atOf(row) < at - DISORDER_SECONDS) low = middle;
      else high = middle - 1;
    }
    return low;
  }
  async function head(): Promise<Head> {
    const [row] = await store.scan({ term: 'entry', limit: 1, newestFirst: true });
    return row ? { seq: seqOf(row.key), hash: row.hash ?? '' } : START;
  }
  async function byIndex(range: Range, before: number | undefined, limit: number): Promise<EntriesPage> {
    const { seqs, indexed } = await search.find({ ...range, limit: limit + 1, ...(before !== undefined && { before }) });
    const page = seqs.slice(0, limit);
    const rows = await Promise.all(page.map(read));
    const entries = rows.flatMap((row) => (row ? [told(row)] : [])).filter(({ entry }) => fulfils(entry, range));
    const last = page.at(-1);
    return { entries, ...(seqs.length > limit && last !== undefined && { before: last }), indexed };
  }
  async function latest(before: number | undefined, limit: number): Promise<EntriesPage> {
    const after = before === undefined ? {} : { after: entryKey(before) };
    const rows = await store.scan({ term: 'entry', limit: limit + 1, newestFirst: true, ...after });
    const entries = rows.slice(0, limit).map(told);
    const last = entries.at(-1);
    return { entries, ...(rows.length > limit && last && { before: last.seq }) };
  }

  return {
    async find(asked, { before, limit }) {
      const id = idOf(asked);
      if (id !== undefined) {
        const all = (await ofOne(id, asked)).filter(({ seq }) => before === undefined || seq < before);
        const last = all[limit - 1];
        return { entries: all.slice(0, limit), ...(all.length > limit && last && { before: last.seq }) };
      }
      const range = rangeOf(asked);
      return isOpen(range) ? latest(before, limit) : byIndex(range, before, limit);
    },
    async *each(asked, through) {
      const range = rangeOf(asked);
      const id = idOf(asked);
      const seqs = id === undefined ? undefined : (await ofOne(id, asked)).map(({ seq }) => seq).reverse();
      if (seqs) {
        for (const seq of seqs) {
          const row = await read(seq);
          if (row) yield { row, before: await behind(store, seq) };
        }
        return;
      }
      // From the ledger itself: who takes it away wants all of it, not what an index knows.
      let after = await olderThan(asked.from);
      const before = await behind(store, after + 1);
      for (;;) {
        const rows = await store.scan({ term: 'entry', limit: STEP, ...(after > 0 && { after: entryKey(after) }) });
        for (const row of rows) {
          after = seqOf(row.key);
          if (after > through || (asked.to !== undefined && atOf(row) > asked.to + DISORDER_SECONDS)) return;
          if (fulfils(fromBody(row.value as JsonObject), range)) yield { row, before };
          if (row.hash) before.unshift(row.hash);
          // The last one is what stands before all.
          if (before.length > BEHIND) before.splice(-2, 1);
        }
        if (rows.length < STEP) return;
        await turn();
      }
    },
    head,
    usage: (agent) => search.usage(agent),
  };
}

const atOf = (row: Stored): number => Number((row.value as JsonObject)['at'] ?? 0);
const told = (row: Stored): Told => ({ seq: seqOf(row.key), hash: row.hash ?? '', entry: fromBody(row.value as JsonObject) });
/** Others have theirs in between. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const isOpen = ({ wanted, text, from, to }: Range): boolean =>
  wanted.length === 0 && text === undefined && from === undefined && to === undefined;

function fulfils(entry: Entry, range: Range): boolean {
  if (isOpen(range)) return true;
  const { wanted, text, from, to } = range;
  const names = namesOf(entry);
  const all = wanted.every(({ fields, values }) => names.some(([field, value]) => fields.includes(field) && values.includes(value)));
  const within = text === undefined || names.some(([field, value]) => SPOKEN.has(field) && lower(value).includes(lower(text)));
  return all && within && (from === undefined || entry.at >= from) && (to === undefined || entry.at <= to);
}
/** As SQLite's lower() does: ASCII alone. */
const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
