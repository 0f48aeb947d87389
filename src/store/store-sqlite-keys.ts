import type { DatabaseSync } from 'node:sqlite';
import { type Name, nameOf, type Place } from './store-sqlite-held.ts';
import { type AddedKeys, type Change, kindOf, Log, type Passing, type Value } from './store-sqlite-log.ts';
import type { PackedKey } from './store-sqlite-pack.ts';

/** A key that ends within this time, is small and has no terms is held in memory; the file keeps its changes only that long. Seconds. */
const SOON = 900;
/** And within this one it stands in a log, whose names move from memory into runs. */
const LATER = 2 * 86_400;
const SMALL = 1024;
/** Beyond so many, new ones are treated as if they lived for hours: memory stays bounded whatever the load. */
const MOST_SOON = 400_000;
/** As many seconds as a place holds. */
const MOST_SECONDS = 2 ** 32;

interface Row extends Value {
  readonly until: number | undefined;
  readonly terms: readonly string[];
}
/** All that is known of a key, in whatever place, ended or not. */
interface Standing {
  readonly name: Name | undefined;
  readonly soon: Change | Place | undefined;
  readonly later: Change | Place | undefined;
  readonly row: Row | undefined;
}
interface Staged extends Value {
  readonly until: number | undefined;
  readonly terms: readonly string[] | undefined;
  readonly standing: Standing;
}
type Short = Staged & { readonly until: number };

/** The writer's keys. Each exchange is decided first and written only when all of it holds, so that a refusal leaves nothing to undo. */
export class Keys {
  readonly later: Log;
  readonly #soon: Log;
  readonly #salt: string;
  readonly #staged = new Map<string, Staged>();
  readonly #kinds: Set<string>;
  #newKinds: string[] = [];
  #watched: readonly string[] = [];
  readonly #sql;
  /** The keys that this transaction changes, of those that somebody follows. */
  changed: string[] = [];

  constructor(db: DatabaseSync, passing: Passing) {
    this.#salt = passing.salt;
    this.#soon = new Log(db, 'soon', passing.soon);
    this.later = new Log(db, 'later', passing.later);
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

  /** `watched`: the prefixes that are followed. */
  beginTransaction(watched: readonly string[]): void {
    this.#watched = watched;
    this.changed = [];
    this.#newKinds = [];
  }
  /** Before the transaction ends: what it changes goes into the logs' rows. */
  append(): AddedKeys {
    return { soon: this.#soon.write(), later: this.later.write(), kinds: this.#newKinds };
  }
  /** The transaction is in the file. What ended before a second may be forgotten. */
  landed({ soon, later }: AddedKeys, before: number): void {
    if (soon) this.#soon.view.add(soon, before);
    if (later) this.later.view.add(later, 0);
    this.#soon.end();
    this.later.end();
  }
  /** The transaction is not in the file: memory never knew of it. */
  abandon(): void {
    this.#soon.end();
    this.later.end();
    for (const kind of this.#newKinds) this.#kinds.delete(kind);
  }
  beginExchange(): void {
    this.#staged.clear();
  }

  /** Does the claim hold, after the exchange's earlier ones? */
  holds(claim: PackedKey, at: number): boolean {
    const staged = this.#staged.get(claim.key);
    const standing = staged ? staged.standing : this.#standing(claim.key);
    const held = staged ? alive(staged, at) : this.#living(standing, at);
    if ((held?.version ?? 0) !== claim.version) return claim.same && claim.value !== undefined && held?.value === claim.value;
    if (claim.value === undefined) return true;
    const { version, value, until, terms } = claim;
    this.#staged.set(claim.key, { version: version + 1, value, until, terms, standing });
    return true;
  }

  /** Writes what the exchange has claimed. */
  write(at: number, before: number): void {
    for (const [key, next] of this.#staged) {
      if (this.#watched.some((prefix) => key.startsWith(prefix))) this.changed.push(key);
      const { standing } = next;
      const { name = nameOf(this.#salt, key), soon, later } = standing;
      const place = isShort(next, at) ? this.#placeOf(next, name, at, before) : 'table';
      if (place !== 'table') this.#log(place).set(key, { name, version: next.version, value: next.value, until: next.until ?? 0 });
      else this.#writeRow(key, next);
      // A key stands in one place. Where it is seldom looked for after it has ended, what ended there may stay.
      if (place !== 'soon' && soon && soon.until > 0) this.#soon.take(key, name);
      if (place === 'table' && later && later.until > 0) this.later.take(key, name);
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
  /** The same for rows of the logs. */
  forget(before: number): void {
    this.#soon.forget(before);
    this.later.forget(before);
  }

  #log(place: 'soon' | 'later'): Log {
    return place === 'soon' ? this.#soon : this.later;
  }
  #standing(key: string): Standing {
    const kind = kindOf(key);
    const row = this.#kinds.has(kind) ? this.#row(key) : undefined;
    const [inSoon, inLater] = [this.#soon.hasKind(kind), this.later.hasKind(kind)];
    if (!inSoon && !inLater) return { name: undefined, soon: undefined, later: undefined, row };
    const name = nameOf(this.#salt, key);
    return { name, soon: inSoon ? this.#soon.find(key, name) : undefined, later: inLater ? this.later.find(key, name) : undefined, row };
  }
  #living({ name, soon, later, row }: Standing, at: number): Value | undefined {
    if (name && soon && alive(soon, at)) return this.#soon.read(name, soon);
    if (name && later && alive(later, at)) return this.later.read(name, later);
    return alive(row, at);
  }
  /** A key that stands in the table or in `later` stays there: a reader must find it in one place or the other at every moment. */
  #placeOf({ until, standing }: Short, name: Name, at: number, before: number): 'soon' | 'later' | 'table' {
    const { soon, later, row } = standing;
    if (alive(row, at) || row?.terms.length) return 'table';
    const isSoon = until - at <= SOON && !alive(later, at);
    if (isSoon && (soon || this.#soon.view.names.held.hasRoom(name, MOST_SOON - this.#soon.pending, before))) return 'soon';
    return 'later';
  }
  #writeRow(key: string, { version, value, until, terms, standing }: Staged): void {
    for (const term of standing.row?.terms ?? []) if (!terms?.includes(term)) this.#sql.unindex.run(term, key);
    const kind = kindOf(key);
    if (!this.#kinds.has(kind)) {
      this.#kinds.add(kind);
      this.#newKinds.push(kind);
    }
    this.#sql.write.run(key, version, value, until ?? null, terms?.length ? JSON.stringify(terms) : null);
    for (const term of terms ?? []) this.#sql.index.run(term, key);
  }
  #row(key: string): Row | undefined {
    const row = this.#sql.read.get(key);
    if (!row) return undefined;
    const until = row['until'] === null ? undefined : Number(row['until']);
    return { version: Number(row['version']), value: String(row['value']), until, terms: termsOf(row['terms']) };
  }
}

const isShort = (next: Staged, at: number): next is Short =>
  next.until !== undefined &&
  next.until > 0 &&
  next.until < MOST_SECONDS &&
  next.until - at <= LATER &&
  next.value.length <= SMALL &&
  !next.terms?.length;
/** The kinds that the table has. One step of the index a kind, however many keys there are. */
export function kindsOf(db: DatabaseSync): Set<string> {
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
