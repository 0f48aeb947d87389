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
export const isAt = (words: Uint32Array, at: number, [a, b, c, d]: Name): boolean =>
  words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d;
export const placeAt = (words: Uint32Array, at: number): Place => ({ until: words[at + 4] ?? 0, row: rowAt(words, at) });
/** Never 0 where something stands. */
export const rowAt = (words: Uint32Array, at: number): number => (words[at + 5] ?? 0) + (words[at + 6] ?? 0) * 2 ** 32;

/** A shard is made anew, with what has not ended in it, when it is this full; then it is less than two thirds full. */
const FULLEST = 0.8;
const ROOMIER = 1.7;

/**
 * Names in memory, 28 bytes each and a half of air: hundreds of thousands without an object of their own, which the collector would have to
 * walk. In shards by the first byte, so that none takes long to grow, and so that a shard is a leaf when it moves to the file.
 */
export class Held {
  readonly #shards: Uint32Array[] = Array.from({ length: SHARDS }, () => new Uint32Array(0));
  readonly #counts = new Uint32Array(SHARDS);
  readonly #swept = new Float64Array(SHARDS);
  #size = 0;

  /** Ended ones too, until their shard is made anew. */
  get size(): number {
    return this.#size;
  }
  find(name: Name): Place | undefined {
    const slots = this.#shards[shardOf(name[0])] ?? EMPTY;
    const at = slotOf(slots, name);
    return at >= 0 && rowAt(slots, at) > 0 ? placeAt(slots, at) : undefined;
  }
  /** The place at `at` in `from`, instead of the name's last one. What ended before a second may be forgotten. */
  put(from: Uint32Array, at: number, before: number): void {
    const shard = shardOf(from[at] ?? 0);
    let slots = this.#shards[shard] ?? EMPTY;
    const capacity = slots.length / WORDS;
    if ((this.#counts[shard] ?? 0) + 1 > capacity * FULLEST) slots = this.#renew(shard, before);
    const name: Name = [from[at] ?? 0, from[at + 1] ?? 0, from[at + 2] ?? 0, from[at + 3] ?? 0];
    const slot = slotOf(slots, name);
    if (rowAt(slots, slot) === 0) {
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
  /** What is in a shard, or in all, in no order. */
  places(shard?: number): Uint32Array {
    const shards = shard === undefined ? this.#shards : [this.#shards[shard] ?? EMPTY];
    const found = new Uint32Array(WORDS * (shard === undefined ? this.#size : (this.#counts[shard] ?? 0)));
    let end = 0;
    for (const slots of shards) {
      for (let at = 0; at < slots.length; at += WORDS) {
        if (rowAt(slots, at) === 0) continue;
        found.set(slots.subarray(at, at + WORDS), end);
        end += WORDS;
      }
    }
    return found;
  }

  #renew(shard: number, before: number): Uint32Array {
    const all = this.places(shard);
    let living = 0;
    for (let at = 4; at < all.length; at += WORDS) if ((all[at] ?? 0) >= before) living++;
    const slots = new Uint32Array(WORDS * (Math.ceil(living * ROOMIER) + 4));
    for (let at = 0; at < all.length; at += WORDS) {
      if ((all[at + 4] ?? 0) < before) continue;
      const entry = all.subarray(at, at + WORDS);
      slots.set(entry, slotOf(slots, [entry[0] ?? 0, entry[1] ?? 0, entry[2] ?? 0, entry[3] ?? 0]));
    }
    this.#size += living - (this.#counts[shard] ?? 0);
    this.#counts[shard] = living;
    this.#swept[shard] = before;
    this.#shards[shard] = slots;
    return slots;
  }
}
const EMPTY = new Uint32Array(0);
/** Where the name stands, or would; -1 where nothing can. There is always a free slot. */
function slotOf(slots: Uint32Array, name: Name): number {
  const capacity = slots.length / WORDS;
  if (capacity === 0) return -1;
  // The second word, as a fraction of all there are: any number of slots will do.
  let slot = Math.floor((name[1] / 2 ** 32) * capacity);
  for (;;) {
    const at = slot * WORDS;
    if (rowAt(slots, at) === 0 || isAt(slots, at, name)) return at;
    slot = slot + 1 === capacity ? 0 : slot + 1;
  }
}
