import type { DatabaseSync } from 'node:sqlite';
import { ENTRY } from './pack.ts';

/** Names of entries by term. A term may outlive its entry (set aside by a repair) or its key (ended, not yet pruned). */
export const refOf = (seq: number): string => ENTRY + String(seq).padStart(16, '0');
/** So many entries wait before their terms are indexed. */
export const TOGETHER = 2_048;
/** The next transaction waits no longer for a step than for another transaction. */
const A_STEP = 256;

/**
 * Terms of the newest entries, which stand in the entries' own rows and are not yet in the index: there, one transaction's few would each
 * write a page again that many share. Each thread has its own.
 */
export class NewTerms {
  readonly #seqs = new Map<string, number[]>();
  #entries: { readonly seq: number; readonly terms: readonly string[] }[] = [];

  get size(): number {
    return this.#entries.length;
  }
  add(seq: number, terms: readonly string[]): void {
    if (terms.length === 0) return;
    this.#entries.push({ seq, terms });
    for (const term of terms) {
      const seqs = this.#seqs.get(term);
      if (seqs) seqs.push(seq);
      else this.#seqs.set(term, [seq]);
    }
  }
  seqs(term: string): readonly number[] {
    return this.#seqs.get(term) ?? [];
  }
  all(): readonly { readonly seq: number; readonly terms: readonly string[] }[] {
    return this.#entries;
  }
  /** Those up to this entry are in the index. */
  drop(upTo: number): void {
    const left = this.#entries.filter(({ seq }) => seq > upTo);
    this.#entries = [];
    this.#seqs.clear();
    for (const { seq, terms } of left) this.add(seq, terms);
  }
}
/** Those that the file has not indexed. */
export function loadNewTerms(db: DatabaseSync): NewTerms {
  const found = new NewTerms();
  const rows = db.prepare('SELECT seq, terms FROM entry WHERE seq > (SELECT seq FROM indexed) AND terms IS NOT NULL ORDER BY seq');
  for (const row of rows.iterate()) found.add(Number(row['seq']), JSON.parse(String(row['terms'])) as readonly string[]);
  return found;
}

/** The writer's: puts what has gathered into the index, in its order, so that each page is written once for many. */
export class Indexing {
  readonly added: NewTerms;
  readonly #db;
  readonly #sql;
  #doing: { readonly upTo: number; readonly rows: readonly (readonly [string, string])[]; next: number } | undefined;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.added = loadNewTerms(db);
    this.#sql = {
      index: db.prepare('INSERT OR IGNORE INTO term VALUES (?, ?)'),
      done: db.prepare('UPDATE indexed SET seq = ?'),
    };
  }
  /** One step, if there is one to do, in a transaction of its own; up to which entry all is indexed now. Throws what SQLite throws: then nothing was done. */
  step(): number | undefined {
    this.#doing ??= this.#begin();
    const doing = this.#doing;
    if (!doing) return undefined;
    const end = doing.next + A_STEP;
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const [term, ref] of doing.rows.slice(doing.next, end)) this.#sql.index.run(term, ref);
      if (end >= doing.rows.length) this.#sql.done.run(doing.upTo);
      this.#db.exec('COMMIT');
    } catch (fault) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw fault;
    }
    doing.next = end;
    if (end < doing.rows.length) return undefined;
    this.#doing = undefined;
    this.added.drop(doing.upTo);
    return doing.upTo;
  }
  #begin() {
    if (this.added.size < TOGETHER) return undefined;
    const all = this.added.all();
    const rows = all.flatMap(({ seq, terms }) => terms.map((term) => [term, refOf(seq)] as const));
    rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return { upTo: all.at(-1)?.seq ?? 0, rows, next: 0 };
  }
}
