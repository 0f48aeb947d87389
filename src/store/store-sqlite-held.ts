import { hash } from 'node:crypto';

/**
 * A key as 128 bits of SHA-256 over the store's own salt and the key's text. It stands for the key: no text is kept, in memory or in the
 * file. Who does not know the salt cannot look for two keys of one name, and by chance there are none (2^-76 among as many as live at once).
 */
export type Name = readonly [number, number, number, number];
export const nameOf = (salt: string, key: string): Name => {
  const bytes = hash('sha256', salt + key, 'binary');
  return [word(bytes, 0), word(bytes, 4), word(bytes, 8), word(bytes, 12)];
};
const word = (bytes: string, at: number): number =>
  (bytes.charCodeAt(at) | (bytes.charCodeAt(at + 1) << 8) | (bytes.charCodeAt(at + 2) << 16) | (bytes.charCodeAt(at + 3) << 24)) >>> 0;

/** Where a key's last change stands: in which row, and until when it counts (epoch seconds; 0: it was taken away). */
export interface Place {
  readonly until: number;
  readonly row: number;
}
/** A name, its end and its row, as they stand in memory, in a leaf (store-sqlite-runs.ts) and in messages between the threads. */
export const WORDS = 7;
export const SHARDS = 256;
export const shardOf = (first: number): number => first >>> 24;
export function packPlace(into: Uint32Array, at: number, [a, b, c, d]: Name, { until, row }: Place): void {
  into[at] = a;
  into[at + 1] = b;
  into[at + 2] = c;
  into[at + 3] = d;
  into[at + 4] = until;
  into[at + 5] = row;
  into[at + 6] = row / 2 ** 32;
}
export const isAt = (words: Uint32Array, at: number, name: Name): boolean =>
  words[at] === name[0] && words[at + 1] === name[1] && words[at + 2] === name[2] && words[at + 3] === name[3];
export const placeAt = (words: Uint32Array, at: number): Place => ({ until: words[at + 4] ?? 0, row: rowAt(words, at) });
/** Never 0 where something stands. */
export const rowAt = (words: Uint32Array, at: number): number => (words[at + 5] ?? 0) + (words[at + 6] ?? 0) * 2 ** 32;
const isFree = (words: Uint32Array, at: number): boolean => words[at + 5] === 0 && words[at + 6] === 0;

/** A shard is made anew, with what has not ended in it, when it is this full; then it is less than two thirds full. */
const FULLEST = 0.8;
const ROOMIER = 1.7;
const slotsFor = (count: number): number => WORDS * (Math.ceil(count * ROOMIER) + 4);

/** What another thread can be given. */
export interface Shards {
  readonly slots: readonly Uint32Array[];
  readonly counts: Uint32Array;
}

/**
 * Names in memory, 28 bytes each and a half of air: hundreds of thousands without an object of their own, which the collector would have to
 * walk. In shards by the first byte, so that none takes long to grow, and so that a shard is a leaf when it moves to the file.
 */
export class Held {
  readonly #shards: Uint32Array[];
  readonly #counts: Uint32Array;
  readonly #swept = new Float64Array(SHARDS);
  #size = 0;

  /** `known`: so many are to come, or these are there. */
  constructor(known: number | Shards = 0) {
    const given = typeof known === 'number' ? undefined : known;
    const slots = typeof known === 'number' && known > 0 ? slotsFor(known / SHARDS) : 0;
    this.#shards = given ? [...given.slots] : Array.from({ length: SHARDS }, () => new Uint32Array(slots));
    this.#counts = given ? given.counts : new Uint32Array(SHARDS);
    for (const count of this.#counts) this.#size += count;
  }
  /** A copy. */
  shards(): Shards {
    return { slots: this.#shards.map((slots) => slots.slice()), counts: this.#counts.slice() };
  }

  /** Ended ones too, until their shard is made anew. */
  get size(): number {
    return this.#size;
  }
  find(name: Name): Place | undefined {
    const slots = this.#shards[shardOf(name[0])] ?? NONE;
    const at = slotOf(slots, name[0], name[1], name[2], name[3]);
    return at >= 0 && !isFree(slots, at) ? placeAt(slots, at) : undefined;
  }
  /** The place at `at` in `from`, instead of the name's last one. What ended before a second may be forgotten. */
  put(from: Uint32Array, at: number, before: number): void {
    const shard = shardOf(from[at] ?? 0);
    let slots = this.#shards[shard] ?? NONE;
    const count = this.#counts[shard] ?? 0;
    if (count + 1 > (slots.length / WORDS) * FULLEST) slots = this.#renew(shard, before);
    const slot = slotOf(slots, from[at] ?? 0, from[at + 1] ?? 0, from[at + 2] ?? 0, from[at + 3] ?? 0);
    if (isFree(slots, slot)) {
      this.#counts[shard] = (this.#counts[shard] ?? 0) + 1;
      this.#size++;
    }
    for (let i = 0; i < WORDS; i++) slots[slot + i] = from[at + i] ?? 0;
  }
  putAll(from: Uint32Array, before: number): void {
    for (let at = 0; at < from.length; at += WORDS) this.put(from, at, before);
  }
  /** Is there room for one more among so many? Looks for what ended before a second, though not at every call. */
  hasRoom(name: Name, most: number, before: number): boolean {
    if (this.#size < most) return true;
    const shard = shardOf(name[0]);
    if (before - (this.#swept[shard] ?? 0) >= 5) this.#renew(shard, before);
    return this.#size < most;
  }
  /** What is in a shard, in no order. */
  places(shard: number): Uint32Array {
    const slots = this.#shards[shard] ?? NONE;
    const found = new Uint32Array(WORDS * (this.#counts[shard] ?? 0));
    let end = 0;
    for (let at = 0; at < slots.length; at += WORDS) {
      if (isFree(slots, at)) continue;
      copy(slots, at, found, end);
      end += WORDS;
    }
    return found;
  }

  #renew(shard: number, before: number): Uint32Array {
    const old = this.#shards[shard] ?? NONE;
    let living = 0;
    for (let at = 0; at < old.length; at += WORDS) if (!isFree(old, at) && (old[at + 4] ?? 0) >= before) living++;
    const slots = new Uint32Array(slotsFor(living));
    for (let at = 0; at < old.length; at += WORDS) {
      if (isFree(old, at) || (old[at + 4] ?? 0) < before) continue;
      copy(old, at, slots, slotOf(slots, old[at] ?? 0, old[at + 1] ?? 0, old[at + 2] ?? 0, old[at + 3] ?? 0));
    }
    this.#size += living - (this.#counts[shard] ?? 0);
    this.#counts[shard] = living;
    this.#swept[shard] = before;
    this.#shards[shard] = slots;
    return slots;
  }
}
const NONE = new Uint32Array(0);
function copy(from: Uint32Array, at: number, into: Uint32Array, to: number): void {
  for (let i = 0; i < WORDS; i++) into[to + i] = from[at + i] ?? 0;
}
/** Where the name stands, or would; -1 where nothing can. There is always a free slot. */
function slotOf(slots: Uint32Array, a: number, b: number, c: number, d: number): number {
  if (slots.length === 0) return -1;
  // The second word, as a fraction of all there are: any number of slots will do.
  let at = Math.floor((b / 2 ** 32) * (slots.length / WORDS)) * WORDS;
  while (!isFree(slots, at) && !(slots[at] === a && slots[at + 1] === b && slots[at + 2] === c && slots[at + 3] === d)) {
    at += WORDS;
    if (at === slots.length) at = 0;
  }
  return at;
}
