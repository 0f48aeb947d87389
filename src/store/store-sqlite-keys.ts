import type { DatabaseSync } from 'node:sqlite';
import type { PackedKey } from './store-sqlite-pack.ts';
import type { Change, Recent, RecentKeys } from './store-sqlite-recent.ts';

/** A key that ends within this time, is small and has no terms is held in memory; the file keeps its changes only that long. Seconds. */
const SOON = 900;
const SMALL = 1024;
/** Beyond so many, new ones go to the table: memory stays bounded whatever the load. */
const MOST_RECENT = 200_000;

interface Row {
  readonly version: number;
  readonly value: string;
  readonly until: number | undefined;
  readonly terms: readonly string[];
}
interface Staged {
  readonly version: number;
  readonly value: string;
  readonly until: number | undefined;
  readonly terms: readonly string[] | undefined;
  /** What the table holds under the key, ended or not. */
  readonly row: Row | undefined;
}

/** The writer's keys. Each exchange is decided first and written only when all of it holds, so that a refusal leaves nothing to undo. */
export class Keys {
  readonly #recent: RecentKeys;
  readonly #staged = new Map<string, Staged>();
  readonly #undo: [string, Recent | undefined][] = [];
  readonly #sql;
  /** First parts of the names that the table has, or had: most claims are about names of other kinds, and need not look there. */
  readonly #kinds: Set<string>;
  /** What this transaction changes, for its one row. */
  changes: Change[] = [];
  /** The keys it changes in the table. */
  changed: string[] = [];

  constructor(db: DatabaseSync, recent: RecentKeys) {
    this.#recent = recent;
    this.#kinds = kindsOf(db);
    this.#sql = {
      read: db.prepare('SELECT version, value, until, terms FROM key WHERE key = ?'),
      write: db.prepare('INSERT OR REPLACE INTO key VALUES (?, ?, ?, ?, ?)'),
      remove: db.prepare('DELETE FROM key WHERE key = ?'),
      index: db.prepare('INSERT OR IGNORE INTO term VALUES (?, ?)'),
      unindex: db.prepare('DELETE FROM term WHERE term = ? AND ref = ?'),
      ended: db.prepare('SELECT key, terms FROM key WHERE until < ? ORDER BY until LIMIT ?'),
    };
  }

  beginTransaction(): void {
    this.changes = [];
    this.changed = [];
    this.#undo.length = 0;
  }
  /** The transaction is not in the file: memory goes back to where it was. */
  abandon(): void {
    for (const [key, recent] of this.#undo.reverse()) this.#recent.set(key, recent);
    this.#undo.length = 0;
  }
  beginExchange(): void {
    this.#staged.clear();
  }

  /** Does the claim hold, after the exchange's earlier ones? */
  holds(claim: PackedKey, at: number): boolean {
    const staged = this.#staged.get(claim.key);
    const row = staged ? staged.row : this.#row(claim.key);
    const held = alive(staged, at) ?? alive(staged ? undefined : this.#recent.get(claim.key), at) ?? alive(staged ? undefined : row, at);
    if ((held?.version ?? 0) !== claim.version) return claim.same && claim.value !== undefined && held?.value === claim.value;
    if (claim.value === undefined) return true;
    this.#staged.set(claim.key, { version: claim.version + 1, value: claim.value, until: claim.until, terms: claim.terms, row });
    return true;
  }

  /** Writes what the exchange has claimed. */
  write(at: number): void {
    for (const [key, next] of this.#staged) {
      const inMemory = this.#recent.get(key);
      // A key that stands in the table stays there: a reader must find it in one place or the other at every moment.
      if (this.#isRecent(next, inMemory, at)) {
        this.#remember(key, inMemory, next);
        continue;
      }
      for (const term of next.row?.terms ?? []) if (!next.terms?.includes(term)) this.#sql.unindex.run(term, key);
      const terms = next.terms?.length ? JSON.stringify(next.terms) : null;
      this.#kinds.add(kindOf(key));
      this.#sql.write.run(key, next.version, next.value, next.until ?? null, terms);
      for (const term of next.terms ?? []) this.#sql.index.run(term, key);
      if (inMemory) this.#forget(key, inMemory);
      this.changed.push(key);
    }
  }

  /** Deletes at most so many that ended before a second. */
  prune(before: number, most: number): void {
    for (const row of this.#sql.ended.all(before, most)) {
      const key = String(row['key']);
      for (const term of termsOf(row['terms'])) this.#sql.unindex.run(term, key);
      this.#sql.remove.run(key);
    }
  }

  #isRecent(next: Staged, inMemory: Recent | undefined, at: number): next is Staged & { readonly until: number } {
    if (next.until === undefined || next.until - at > SOON || next.value.length > SMALL || next.terms?.length) return false;
    if (alive(next.row, at) || next.row?.terms.length) return false;
    return inMemory !== undefined || this.#recent.size < MOST_RECENT;
  }
  #remember(key: string, before: Recent | undefined, next: Staged & { readonly until: number }): void {
    this.#undo.push([key, before]);
    this.#recent.set(key, { version: next.version, value: next.value, until: next.until });
    this.changes.push([key, next.version, next.until, next.value]);
  }
  #forget(key: string, before: Recent): void {
    this.#undo.push([key, before]);
    this.#recent.set(key, undefined);
    this.changes.push([key]);
  }
  #row(key: string): Row | undefined {
    if (!this.#kinds.has(kindOf(key))) return undefined;
    const row = this.#sql.read.get(key);
    if (!row) return undefined;
    const until = row['until'] === null ? undefined : Number(row['until']);
    return { version: Number(row['version']), value: String(row['value']), until, terms: termsOf(row['terms']) };
  }
}

const kindOf = (key: string): string => key.slice(0, key.indexOf('/') + 1);
/** One step of the index a kind, however many keys there are. */
function kindsOf(db: DatabaseSync): Set<string> {
  const kinds = new Set<string>();
  const next = db.prepare('SELECT min(key) AS key FROM key WHERE key >= ?');
  for (let from = ''; ; ) {
    const key = next.get(from)?.['key'];
    if (typeof key !== 'string') return kinds;
    const kind = kindOf(key);
    kinds.add(kind);
    // `0` follows `/`; a name without a part before a slash is followed by itself and the least character.
    from = kind === '' ? `${key}\u0001` : `${kind.slice(0, -1)}0`;
  }
}

/** A key lives through its `until`. */
export const alive = <T extends { readonly until: number | undefined }>(held: T | undefined, at: number): T | undefined =>
  held && (held.until === undefined || held.until >= at) ? held : undefined;
const termsOf = (text: unknown): readonly string[] => (typeof text === 'string' ? (JSON.parse(text) as readonly string[]) : []);
