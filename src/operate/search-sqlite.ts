/**
 * The index in one SQLite file beside the ledger: segments of some thousands of entries each, and the names in them. Only what fills a segment
 * is written; what came since is read again from the ledger at the next start. Runs where it is put: off the main thread (app-indexer.ts).
 */
import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { namesOf } from './indexed.ts';
import { type Field, type Query, type Range, type SourceRow, SPOKEN, type Tally, type TallyQuery, type Usage } from './search.ts';
import { type Counter, counter, uses } from './search-sqlite-count.ts';
import { createNames } from './search-sqlite-names.ts';
import {
  isBarren,
  type Limits,
  MOST_NEEDS,
  type Needs,
  namesIn,
  OpenSegment,
  type Packed,
  packed,
  type Segment,
  sumOf,
  unpacked,
  visit,
} from './search-sqlite-segment.ts';

/** "CSIX": another program's file is never taken for ours, nor ours of another form. */
const APPLICATION = 0x43534958;
const VERSION = 1;
const SCHEMA = `
  CREATE TABLE name (number INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE segment (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
    anchor TEXT NOT NULL, sum TEXT NOT NULL, dictionary BLOB NOT NULL, lengths BLOB NOT NULL, places BLOB NOT NULL, times BLOB NOT NULL,
    names BLOB NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION};
  PRAGMA user_version = ${VERSION};`;
/** So many names of one field are told. */
const MOST_TOLD = 200;

export interface Index {
  /** Entries up to this one are in it. */
  readonly through: number;
  /** The exchange of the last entry that is in the file: the ledger must have the same there. */
  readonly anchor: { readonly seq: number; readonly exchange: string } | undefined;
  /** Rows that follow, oldest first. */
  take(rows: readonly SourceRow[]): void;
  find(query: Query): readonly number[];
  tally(query: TallyQuery): Omit<Tally, 'indexed'>;
  usage(agent: string): Omit<Usage, 'indexed'>;
  close(): void;
}

/**
 * Opens or makes it; an index that cannot be read is removed, since nothing in it is only there. Throws where something else stands there, which
 * is left alone, or where no file can be. Each call throws where the file is damaged.
 */
export function openIndex(path: string): Index {
  refuseForeign(path);
  try {
    return open(path);
  } catch {
    removeIndex(path);
    return open(path);
  }
}
/** As above: throws, and removes nothing, where something else stands there. */
export function removeIndex(path: string): void {
  refuseForeign(path);
  if (path !== ':memory:') for (const end of ['', '-wal', '-shm', '-journal']) rmSync(path + end, { force: true });
}

function open(path: string): Index {
  const db = openFile(path);
  const names = createNames(db);
  const insert = db.prepare(
    'INSERT INTO segment (first, last, since, until, anchor, sum, dictionary, lengths, places, times, names) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const within = db.prepare('SELECT first FROM segment WHERE first < ? AND until >= ? AND since <= ? ORDER BY first DESC');
  const dictionary = db.prepare('SELECT dictionary FROM segment WHERE first = ?');
  const load = db.prepare('SELECT * FROM segment WHERE first = ?');
  const newest = db.prepare('SELECT last, anchor FROM segment ORDER BY first DESC LIMIT 1').get();
  const anchor = newest && { seq: Number(newest['last']), exchange: String(newest['anchor']) };
  const sound = new Set<number>();
  let through = anchor?.seq ?? 0;
  let latest = new OpenSegment();

  function take(rows: readonly SourceRow[]): void {
    db.exec('BEGIN');
    try {
      for (const { seq, body } of rows) {
        if (seq <= through) continue;
        const entry = body as Readonly<Record<string, unknown>>;
        const numbers = namesOf(body).map(([field, value]) => names.take(field, value));
        latest.add(seq, Math.min(Math.max(0, Math.floor(Number(entry['at'])) || 0), 0xffffffff), numbers);
        through = seq;
        if (!latest.full) continue;
        const row = packed(latest);
        const exchange = String(entry['exchange'] ?? '');
        const { first, last, since, until, dictionary, lengths, places, times } = row;
        insert.run(first, last, since, until, exchange, sumOf(row), dictionary, lengths, places, times, row.names);
        latest = new OpenSegment();
      }
      db.exec('COMMIT');
    } catch (fault) {
      if (db.isTransaction) db.exec('ROLLBACK');
      throw fault;
    }
  }
  function read(first: number): Segment {
    const row = load.get(first) as unknown as (Packed & { readonly sum: string }) | undefined;
    if (!row || (!sound.has(first) && sumOf(row) !== row.sum)) throw new Error('the index is damaged');
    sound.add(first);
    return unpacked(row);
  }
  /** Undefined: nothing can fulfil them. */
  function needsOf({ wanted, text }: Range): Needs | undefined {
    const needs = wanted.map(
      ({ fields, values }) => new Set(fields.flatMap((field) => values.flatMap((value) => names.find(field, value) ?? []))),
    );
    if (text !== undefined) needs.push(new Set(names.search(text, SPOKEN)));
    if (needs.length > MOST_NEEDS) throw new RangeError('more is asked for than an entry can be');
    return needs.some(({ size }) => size === 0) ? undefined : needs;
  }
  /** Those that may have what is needed: most have not, where it is rare, and their dictionary tells. */
  function* segments({ from, to, before }: Limits, needs: Needs): Generator<Segment> {
    if (latest.count > 0) yield latest;
    for (const row of within.all(before, from, to)) {
      const first = Number(row['first']);
      if (sound.has(first) && isBarren(namesIn(dictionary.get(first)?.['dictionary'] as Uint8Array), needs)) continue;
      yield read(first);
    }
  }
  const limitsOf = (range: Range, before = Number.MAX_SAFE_INTEGER): Limits => ({
    from: range.from ?? 0,
    to: range.to ?? Number.MAX_SAFE_INTEGER,
    before,
  });
  function count(range: Range, counters: readonly Counter[]): void {
    const needs = needsOf(range);
    const limits = limitsOf(range);
    if (!needs) return;
    for (const segment of segments(limits, needs)) {
      const each = counters.map((one) => one.in(segment));
      visit(segment, needs, limits, (row, start) => {
        for (const take of each) take(row, start);
        return undefined;
      });
      for (const one of counters) one.out();
    }
  }

  return {
    get through() {
      return through;
    },
    anchor,
    take,
    find(query) {
      const needs = needsOf(query);
      const limits = limitsOf(query, query.before);
      const seqs: number[] = [];
      if (!needs || query.limit < 1) return seqs;
      for (const segment of segments(limits, needs)) {
        const done = visit(segment, needs, limits, (row) => {
          seqs.push(segment.first + (segment.places[row] ?? 0));
          return seqs.length >= query.limit ? 'stop' : undefined;
        });
        if (done) break;
      }
      return seqs;
    },
    tally(query) {
      const { sliceSeconds: seconds, from, to } = query;
      const slices = seconds !== undefined && from !== undefined && to !== undefined ? { from, to, seconds } : undefined;
      const counts = counter(new Set(query.by), slices);
      count(query, [counts]);
      return counts.told(names.valueOf, MOST_TOLD);
    },
    usage(agent) {
      const [tools, counts] = [uses(), counter(new Set<Field>(['agent', 'kind', 'policy']))];
      count({ wanted: [{ fields: ['agent'], values: [agent] }] }, [tools, counts]);
      const { groups } = counts.told(names.valueOf, MOST_TOLD);
      const own = groups.agent?.find(({ value }) => value === agent);
      return {
        kinds: Object.fromEntries((groups.kind ?? []).map(({ value, count: of }) => [value, of])),
        tools: tools.told(names.valueOf),
        policies: groups.policy ?? [],
        ...(own && { last: { seq: own.seq, at: own.at } }),
      };
    },
    close: () => db.close(),
  };
}

/** A path that somebody mistook must not cost them a file, least of all the ledger's: only what says of itself that it is ours is touched. */
function refuseForeign(path: string): void {
  const size = path === ':memory:' ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined || size === 0) return;
  const head = Buffer.alloc(HEADER_BYTES);
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(file);
  }
  // SQLite's file format, section 1.3.
  if (head.toString('latin1', 0, 16) !== 'SQLite format 3\0' || head.readUInt32BE(68) !== APPLICATION)
    throw new Error('what stands there is no index of this program');
}
const HEADER_BYTES = 100;
/** Only its owner may read it: it has the names of people. */
function openFile(path: string): DatabaseSync {
  const made = path !== ':memory:' && makePrivately(path);
  const db = new DatabaseSync(path, { timeout: 1_000 });
  try {
    // Before there is a log beside it: the file itself says from the first that it is ours.
    if (made || path === ':memory:') db.exec(`BEGIN; ${SCHEMA} COMMIT`);
    // What a power cut takes from it is made again.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -4096');
    const pragma = (name: string): number => Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
    if (pragma('application_id') !== APPLICATION || pragma('user_version') !== VERSION) throw new Error('not an index of this program');
    return db;
  } catch (fault) {
    db.close();
    throw fault;
  }
}
function makePrivately(path: string): boolean {
  try {
    closeSync(openSync(path, 'wx', 0o600));
    return true;
  } catch (fault) {
    if (fault instanceof Error && 'code' in fault && fault.code === 'EEXIST') return false;
    throw fault;
  }
}
