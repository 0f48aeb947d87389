import type { DatabaseSync } from 'node:sqlite';
import type { Json } from '../wire/json.ts';
import type { Found, Page, Stored, SumQuery } from './store.ts';
import { kindOf, type Passing } from './store-sqlite-log.ts';
import { ENTRY } from './store-sqlite-pack.ts';
import { endsParameters, HAS_SPAN, TOTAL, TOTAL_OF_MEMBERS } from './store-sqlite-sums.ts';
import { loadNewTerms, type NewTerms, refOf } from './store-sqlite-terms.ts';

export interface Reader extends Scanner {
  key(key: string, at: number): Found | undefined;
  sum(query: SumQuery, at: number): number;
}
export interface Scanner {
  /** Epoch seconds by the database's own clock. */
  clock(): number;
  scan(page: Page, at: number): readonly Stored[];
}

/** What is committed and not, or not only, in the tables that a reader searches. */
export interface InMemory {
  /** The keys of the logs. */
  readonly passing: Passing;
  /** Those that the table of keys has. */
  readonly kinds: ReadonlySet<string>;
  readonly terms: NewTerms;
}
/** Reads what is committed. */
export function createReader(db: DatabaseSync, { passing, kinds, terms }: InMemory): Reader {
  const read = db.prepare('SELECT version, value, until FROM key WHERE key = ?');
  const total = db.prepare(TOTAL);
  const hasSpan = db.prepare(HAS_SPAN);
  const totalOfMembers = db.prepare(TOTAL_OF_MEMBERS);
  return {
    ...createScanner(db, terms),

    key(key, at) {
      const held = passing.value(key, at);
      if (held) return { version: held.version, value: JSON.parse(held.value) as Json };
      if (!kinds.has(kindOf(key))) return undefined;
      const row = read.get(key);
      if (!row || (row['until'] !== null && Number(row['until']) < at)) return undefined;
      return { version: Number(row['version']), value: JSON.parse(String(row['value'])) as Json };
    },

    sum({ sum, windowSeconds }, at) {
      const span = Math.ceil(windowSeconds);
      const row = hasSpan.get(sum, span) ? total.get(sum, span, at) : totalOfMembers.get(sum, ...endsParameters(span), at, at);
      return Number(row?.['total']);
    },
  };
}

/** Entries, and keys that have terms: all that is found without a name. */
export function createScanner(db: DatabaseSync, newest = loadNewTerms(db)): Scanner {
  const clock = db.prepare('SELECT unixepoch() AS now');
  const ledger = {
    up: db.prepare('SELECT seq, hash, body FROM entry WHERE seq > ? ORDER BY seq LIMIT ?'),
    down: db.prepare('SELECT seq, hash, body FROM entry WHERE seq < ? ORDER BY seq DESC LIMIT ?'),
    one: db.prepare('SELECT hash, body FROM entry WHERE seq = ?'),
  };
  // What a term has outlived drops out.
  const byTerm = (compare: string, order: string): string => `
    SELECT t.ref, k.version, k.value, e.hash, e.body FROM term t
      LEFT JOIN key k ON k.key = t.ref AND (k.until IS NULL OR k.until >= ?1)
      LEFT JOIN entry e ON t.ref >= '${ENTRY}' AND t.ref < 'entry0' AND e.seq = CAST(substr(t.ref, ${ENTRY.length + 1}) AS INTEGER)
    WHERE t.term = ?2 AND t.ref ${compare} ?3 AND (k.key IS NOT NULL OR e.seq IS NOT NULL) ORDER BY t.ref ${order} LIMIT ?4`;
  const terms = { up: db.prepare(byTerm('>', 'ASC')), down: db.prepare(byTerm('<', 'DESC')) };

  return {
    clock: () => Number(clock.get()?.['now']),

    scan({ term, after, limit, newestFirst }, at) {
      if (!Number.isSafeInteger(limit) || limit < 0) throw new RangeError('a limit is a whole number, not below zero');
      const way = newestFirst ? 'down' : 'up';
      if (term === 'entry') {
        const rows = ledger[way].all(after === undefined ? (newestFirst ? Number.MAX_SAFE_INTEGER : 0) : seqOf(after), limit);
        return rows.map((row) => stored(refOf(Number(row['seq'])), row['body'], row['hash']));
      }
      const rows = terms[way].all(at, term, after ?? (newestFirst ? '\u{10ffff}' : ''), limit);
      const found = rows.map((row) =>
        row['body'] === null
          ? { key: String(row['ref']), version: Number(row['version']), value: JSON.parse(String(row['value'])) as Json }
          : stored(String(row['ref']), row['body'], row['hash']),
      );
      return withNewest(found, { term, limit, ...(after !== undefined && { after }), ...(newestFirst && { newestFirst }) });
    },
  };

  /** A page with those of its entries that were not indexed when it was read, or only just. */
  function withNewest(found: readonly Stored[], { term, after, limit, newestFirst }: Page): readonly Stored[] {
    const seqs = newest.seqs(term);
    if (seqs.length === 0) return found;
    const all = new Map(found.map((one) => [one.key, one]));
    for (const seq of seqs) {
      const key = refOf(seq);
      const row = after === undefined || (newestFirst ? key < after : key > after) ? ledger.one.get(seq) : undefined;
      if (row) all.set(key, stored(key, row['body'], row['hash']));
    }
    // As the index sorts: by bytes.
    const order = newestFirst ? -1 : 1;
    return [...all.values()].sort((a, b) => order * Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))).slice(0, limit);
  }
}

const stored = (key: string, body: unknown, hash: unknown): Stored => ({
  key,
  version: 1,
  value: JSON.parse(String(body)) as Json,
  hash: String(hash),
});
function seqOf(key: string): number {
  if (!/^entry\/\d{16}$/.test(key)) throw new RangeError('the ledger is paged by the keys of its entries');
  return Number(key.slice(ENTRY.length));
}
