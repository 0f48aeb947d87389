import type { DatabaseSync } from 'node:sqlite';
import { Held, type Name, nameOf, type Place, packPlace, type Shards, WORDS } from './store-sqlite-held.ts';
import { bytesOf, Names, type Run, wordsOf } from './store-sqlite-runs.ts';

/**
 * Two logs of keys that end: rows that only ever grow at one end and are forgotten at the other, one for lives of minutes and one for
 * lives of hours, so that neither keeps the other's rows. In tables by name each key would be a write in the middle of many.
 */
export type LogName = 'soon' | 'later';
export interface Value {
  readonly version: number;
  readonly value: string;
}
/** What most keys are: seen once. They take no more in a row than their name and end. */
const SEEN: Value = { version: 1, value: '1' };
/** A key's last change, not yet in a row. `until` 0: it was taken away. */
export interface Change extends Value {
  readonly name: Name;
  readonly until: number;
}
/** What a transaction adds to a log. */
export interface Added {
  readonly places: Uint32Array;
  readonly kinds: readonly string[];
}
/** What a transaction adds to what readers know of keys. */
export interface AddedKeys {
  readonly soon: Added | undefined;
  readonly later: Added | undefined;
  /** Kinds that are new in the table. */
  readonly kinds: readonly string[];
}

/** The first part of a key: most claims are about keys of kinds that a place never had, and need not look there. */
export const kindOf = (key: string): string => key.slice(0, key.indexOf('/') + 1);

/** Four of a name, one of its end. */
const ROW_WORDS = 5;
/** Three rows share a page with little left over. */
const ROW_BYTES = 1340;

/** What a log holds when it opens. */
export interface KnownLog {
  readonly kinds: readonly string[];
  readonly runs: readonly Run[];
  /** The names that are in no run; or how many to make room for. */
  readonly held: Shards | number;
}
/** A log as its readers know it: what is committed. */
export class LogView {
  readonly names: Names;
  readonly kinds: Set<string>;
  readonly #read;

  constructor(db: DatabaseSync, log: LogName, known: KnownLog) {
    this.names = new Names(db, known.runs, new Held(known.held));
    this.kinds = new Set(known.kinds);
    this.#read = db.prepare(`SELECT names, vals FROM ${log} WHERE n = ?`);
  }
  /** What the name's row says of it; nothing where the row is forgotten, since its keys have ended then. */
  read(name: Name, place: Place): Value | undefined {
    const row = this.#read.get(place.row);
    if (!row) return undefined;
    const words = wordsOf(row['names']);
    for (let i = 0; i * ROW_WORDS < words.length; i++) {
      const at = i * ROW_WORDS;
      if (words[at] !== name[0] || words[at + 1] !== name[1] || words[at + 2] !== name[2] || words[at + 3] !== name[3]) continue;
      const said = row['vals'] === null ? '' : (String(row['vals']).split('\n')[i] ?? '');
      const space = said.indexOf(' ');
      return space < 0 ? SEEN : { version: Number(said.slice(0, space)), value: said.slice(space + 1) };
    }
    return undefined;
  }
  /** What a transaction added. In `soon` what ended before a second may go; in `later` an end may hide what an older run still has. */
  add({ places, kinds }: Added, before: number): void {
    this.names.held.putAll(places, before);
    for (const kind of kinds) this.kinds.add(kind);
  }
  /** For another thread. */
  known(): KnownLog {
    return { kinds: [...this.kinds], runs: this.names.runs, held: this.names.held.shards() };
  }
}

/** A log as the file has it. `from`: rows up to this one are in the runs. */
export function loadLog(db: DatabaseSync, log: LogName, runs: readonly Run[], before: number): LogView {
  const kinds = db
    .prepare('SELECT kind FROM kind WHERE log = ?')
    .all(log)
    .map((row) => String(row['kind']));
  const from = Math.max(0, ...runs.map((run) => run.last));
  const bytes = db.prepare(`SELECT sum(length(names)) AS bytes FROM ${log} WHERE n > ?`).get(from)?.['bytes'];
  const view = new LogView(db, log, { kinds, runs, held: Number(bytes ?? 0) / (ROW_WORDS * 4) });
  for (const row of db.prepare(`SELECT n, names FROM ${log} WHERE n > ? ORDER BY n`).iterate(from)) {
    const words = wordsOf(row['names']);
    const places = new Uint32Array((words.length / ROW_WORDS) * WORDS);
    for (let at = 0, to = 0; at < words.length; at += ROW_WORDS, to += WORDS) {
      places.set(words.subarray(at, at + ROW_WORDS), to);
      places[to + 5] = Number(row['n']);
      places[to + 6] = Number(row['n']) / 2 ** 32;
    }
    view.names.held.putAll(places, before);
  }
  return view;
}
export const saltOf = (db: DatabaseSync): string => String(db.prepare('SELECT salt FROM salt').get()?.['salt']);

/** A log as its writer knows it: with what this transaction changes. */
export class Log {
  readonly view: LogView;
  lastRow: number;
  readonly #pending = new Map<string, Change>();
  readonly #newKinds = new Set<string>();
  #added = 0;
  readonly #sql;

  constructor(db: DatabaseSync, log: LogName, view: LogView) {
    this.view = view;
    // Numbers go on after the last row that was ever moved, though it be forgotten.
    const last = Number(db.prepare(`SELECT max(n) AS n FROM ${log}`).get()?.['n'] ?? 0);
    this.lastRow = Math.max(last, ...view.names.runs.map((run) => run.last));
    this.#sql = {
      append: db.prepare(`INSERT INTO ${log} VALUES (?, ?, ?, ?)`),
      kind: db.prepare(`INSERT INTO kind VALUES ('${log}', ?)`),
      oldest: db.prepare(`SELECT n, until FROM ${log} ORDER BY n LIMIT ?`),
      forget: db.prepare(`DELETE FROM ${log} WHERE n <= ?`),
      first: db.prepare(`SELECT min(n) AS n FROM ${log}`),
    };
  }

  hasKind(kind: string): boolean {
    return this.view.kinds.has(kind) || this.#newKinds.has(kind);
  }
  get pending(): number {
    return this.#pending.size;
  }
  find(key: string, name: Name): Change | Place | undefined {
    return this.#pending.get(key) ?? this.view.names.find(name);
  }
  /** A row that is forgotten, of a key that a batch from long ago thinks alive: it was there, and that is a no. */
  read(name: Name, found: Change | Place): Value {
    return 'value' in found ? found : (this.view.read(name, found) ?? SEEN);
  }
  set(key: string, change: Change): void {
    this.#pending.set(key, change);
    if (!this.hasKind(kindOf(key))) this.#newKinds.add(kindOf(key));
  }
  /** From now on the key stands somewhere else. */
  take(key: string, name: Name): void {
    this.#pending.set(key, { ...SEEN, name, until: 0 });
  }

  /** Appends what the transaction changes; undefined: nothing. */
  write(): Added | undefined {
    if (this.#pending.size === 0) return undefined;
    const places = new Uint32Array(this.#pending.size * WORDS);
    let row: { readonly change: Change; readonly said: string }[] = [];
    let bytes = 0;
    let at = 0;
    const close = (): void => {
      const names = new Uint32Array(row.length * ROW_WORDS);
      this.lastRow++;
      this.#added++;
      for (const [i, { change }] of row.entries()) {
        packPlace(places, at, change.name, { until: change.until, row: this.lastRow });
        names.set(places.subarray(at, at + ROW_WORDS), i * ROW_WORDS);
        at += WORDS;
      }
      const vals = row.some(({ said }) => said !== '') ? row.map(({ said }) => said).join('\n') : null;
      this.#sql.append.run(this.lastRow, Math.max(...row.map(({ change }) => change.until)), bytesOf(names), vals);
      row = [];
      bytes = 0;
    };
    for (const change of this.#pending.values()) {
      // JSON has no line feed of its own, so that one can stand between two.
      const said = change.version === SEEN.version && change.value === SEEN.value ? '' : `${change.version} ${change.value}`;
      const size = ROW_WORDS * 4 + said.length + 1;
      if (row.length > 0 && bytes + size > ROW_BYTES) close();
      row.push({ change, said });
      bytes += size;
    }
    close();
    for (const kind of this.#newKinds) this.#sql.kind.run(kind);
    return { places, kinds: [...this.#newKinds] };
  }
  /** The transaction is in the file, or it is not: what it changed is known, or forgotten. */
  end(): void {
    this.#pending.clear();
    this.#newKinds.clear();
  }

  /**
   * Forgets rows that ended before a second: a few, and twice as many as were added since the last time. Strictly from the oldest on: a
   * later row may take back what an earlier one says, so it must not go before it.
   */
  forget(before: number): void {
    let last: number | undefined;
    for (const row of this.#sql.oldest.iterate(2 * this.#added + 64)) {
      if (Number(row['until']) >= before) break;
      last = Number(row['n']);
    }
    this.#added = 0;
    if (last !== undefined) this.#sql.forget.run(last);
  }
  /** The oldest row that is there; the next one's number where none is. */
  firstRow(): number {
    return Number(this.#sql.first.get()?.['n'] ?? this.lastRow + 1);
  }
}

/** What both logs hold, for whoever reads. */
export class Passing {
  readonly salt: string;
  readonly soon: LogView;
  readonly later: LogView;

  constructor(salt: string, soon: LogView, later: LogView) {
    this.salt = salt;
    this.soon = soon;
    this.later = later;
  }
  value(key: string, at: number): Value | undefined {
    const kind = kindOf(key);
    const views = [this.soon, this.later].filter((view) => view.kinds.has(kind));
    if (views.length === 0) return undefined;
    const name = nameOf(this.salt, key);
    for (const view of views) {
      const place = view.names.find(name);
      if (place && place.until >= at) return view.read(name, place);
    }
    return undefined;
  }
}
