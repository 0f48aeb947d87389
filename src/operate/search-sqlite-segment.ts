import { createHash } from 'node:crypto';

/**
 * Some thousands of entries in a row, by columns: where each stands, when it was, and its names as numbers of a dictionary of the segment's
 * own. So a question is looked up in the dictionary once, and then two bytes a name decide.
 */
export type Dictionary = readonly number[] | Uint32Array;
export interface Segment {
  readonly first: number;
  readonly last: number;
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** The index's number of each name in it. */
  readonly dictionary: Dictionary;
  /** From `first` on. */
  readonly places: ArrayLike<number>;
  readonly times: ArrayLike<number>;
  /** How many names each entry has, and all of them in a row, by their place in the dictionary. */
  readonly lengths: ArrayLike<number>;
  readonly names: ArrayLike<number>;
  /** Of all names. */
  readonly size: number;
}
export const ENTRIES = 8_192;
const MOST_NAMES = 65_535;

/** The latest entries, until there are enough of them. */
export class OpenSegment implements Segment {
  first = 0;
  last = 0;
  from = Number.MAX_SAFE_INTEGER;
  to = 0;
  count = 0;
  size = 0;
  readonly dictionary: number[] = [];
  readonly places = new Uint32Array(ENTRIES);
  readonly times = new Uint32Array(ENTRIES);
  readonly lengths = new Uint8Array(ENTRIES);
  names = new Uint16Array(16 * ENTRIES);
  readonly #known = new Map<number, number>();

  /** Nothing more fits. */
  get full(): boolean {
    return this.count === ENTRIES || this.dictionary.length > MOST_NAMES - 255;
  }
  add(seq: number, at: number, names: readonly number[]): void {
    if (this.count === 0) this.first = seq;
    this.last = seq;
    this.from = Math.min(this.from, at);
    this.to = Math.max(this.to, at);
    this.places[this.count] = seq - this.first;
    this.times[this.count] = at;
    const few = names.slice(0, 255);
    if (this.size + few.length > this.names.length) {
      const more = new Uint16Array(this.names.length * 2);
      more.set(this.names);
      this.names = more;
    }
    for (const name of few) {
      let local = this.#known.get(name);
      if (local === undefined) {
        local = this.dictionary.length;
        this.#known.set(name, local);
        this.dictionary.push(name);
      }
      this.names[this.size++] = local;
    }
    this.lengths[this.count++] = few.length;
  }
}

/** As it stands in the file. */
export interface Packed {
  readonly first: number;
  readonly last: number;
  readonly since: number;
  readonly until: number;
  readonly dictionary: Uint8Array;
  readonly places: Uint8Array;
  readonly times: Uint8Array;
  readonly lengths: Uint8Array;
  readonly names: Uint8Array;
}
export function packed(segment: OpenSegment): Packed {
  const { first, last, from, to, count, size } = segment;
  return {
    first,
    last,
    since: from,
    until: to,
    dictionary: bytesOf(Uint32Array.from(segment.dictionary)),
    places: bytesOf(segment.places.subarray(0, count)),
    times: bytesOf(segment.times.subarray(0, count)),
    lengths: segment.lengths.subarray(0, count),
    names: bytesOf(segment.names.subarray(0, size)),
  };
}
export function unpacked(row: Packed): Segment {
  const names = new Uint16Array(...aligned(row.names, 2));
  return {
    first: row.first,
    last: row.last,
    from: row.since,
    to: row.until,
    count: row.lengths.length,
    dictionary: namesIn(row.dictionary),
    places: new Uint32Array(...aligned(row.places, 4)),
    times: new Uint32Array(...aligned(row.times, 4)),
    lengths: row.lengths,
    names,
    size: names.length,
  };
}
/** What a disk or a hand has changed shows. Whoever changes the file on purpose can change this too: the index is no evidence. */
export function sumOf(row: Packed): string {
  const hash = createHash('sha256');
  hash.update(`${row.first} ${row.last} ${row.since} ${row.until}\n`);
  for (const part of [row.dictionary, row.places, row.times, row.lengths, row.names]) hash.update(`${part.length}\n`).update(part);
  return hash.digest('hex');
}
export const namesIn = (bytes: Uint8Array): Dictionary => new Uint32Array(...aligned(bytes, 4));
function aligned(bytes: Uint8Array, size: number): [ArrayBufferLike, number, number] {
  const whole = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return [whole.buffer, whole.byteOffset, Math.floor(whole.byteLength / size)];
}
const bytesOf = (of: Uint16Array | Uint32Array): Uint8Array => new Uint8Array(of.buffer, of.byteOffset, of.byteLength);

/** Each of these needs a name that an entry has; by the index's numbers of names. */
export type Needs = readonly ReadonlySet<number>[];
/** No more than there are bits for. */
export const MOST_NEEDS = 16;
export interface Limits {
  readonly from: number;
  readonly to: number;
  readonly before: number;
}
/** A row and where its names begin. `stop`: no further. */
export type Each = (row: number, start: number) => 'stop' | undefined;

/** Where what is needed stands in the dictionary. */
function placesOf(need: ReadonlySet<number>, dictionary: Dictionary): readonly number[] {
  if (need.size <= FEW) return [...need].map((name) => dictionary.indexOf(name)).filter((place) => place >= 0);
  const places: number[] = [];
  for (let i = 0; i < dictionary.length; i++) if (need.has(dictionary[i] ?? 0)) places.push(i);
  return places;
}
/** So many are looked for one by one. */
const FEW = 4;
/** Nothing in a segment with these names can fulfil them. */
export const isBarren = (dictionary: Dictionary, needs: Needs): boolean => needs.some((need) => placesOf(need, dictionary).length === 0);

/** Visits what fulfils every need, newest first. True: somebody said stop. */
export function visit(segment: Segment, needs: Needs, { from, to, before }: Limits, each: Each): boolean {
  if (segment.to < from || segment.from > to || segment.first >= before) return false;
  const { dictionary, names, lengths, places, times, first } = segment;
  const bits = new Uint16Array(dictionary.length);
  const all = (1 << needs.length) - 1;
  for (const [bit, need] of needs.entries()) {
    const places = placesOf(need, dictionary);
    if (places.length === 0) return false;
    for (const place of places) bits[place] = (bits[place] ?? 0) | (1 << bit);
  }
  let end = segment.size;
  for (let row = segment.count - 1; row >= 0; row--) {
    const start = end - (lengths[row] ?? 0);
    let met = 0;
    for (let i = start; i < end; i++) met |= bits[names[i] ?? 0] ?? 0;
    end = start;
    if (met !== all) continue;
    const at = times[row] ?? 0;
    if (at < from || at > to || first + (places[row] ?? 0) >= before) continue;
    if (each(row, start) === 'stop') return true;
  }
  return false;
}
