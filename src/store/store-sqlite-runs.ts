import type { DatabaseSync } from 'node:sqlite';
import { Held, isAt, type Name, type Place, placeAt, rowAt, SHARDS, WORDS } from './store-sqlite-held.ts';

/**
 * Names of keys that live for hours are too many for memory. The newest are held; when there are FULL of them they move to the file as a
 * *run*: written once, in leaves by the name's first bits, never changed. Eight runs of a level become one of the next, leaf by leaf
 * (store-sqlite-moves.ts); a run whose rows are all forgotten goes whole. So a name is written a few times, sorted, instead of somewhere in
 * the middle of everything; and it is looked for in a few runs, nearly always in vain, which the run's *sieve* tells without the file.
 */
export const FULL = 112 * SHARDS;
export const FANOUT = 8;
export const LEVEL_BITS = 3;
/** Eight bytes a name, four bits set for each: two of a hundred names that are not there are looked for all the same. */
const SIEVE_WORDS = 32;
/** A run has no more leaves than this. */
const MOST_LEAVES = 2 ** 24;
export const leavesOf = (level: number): number => SHARDS * FANOUT ** level;
/** A hundred million names: runs of this level stay as they are. */
export const DEEPEST = 4;

export interface Run {
  readonly run: number;
  readonly level: number;
  /** It has the names of the rows up to this one, from where the run before it ends. */
  readonly last: number;
  readonly sieve: Uint32Array;
}
export const newSieve = (level: number): Uint32Array => new Uint32Array(new SharedArrayBuffer(leavesOf(level) * SIEVE_WORDS * 4));
export const leafOf = (level: number, first: number): number => first >>> (32 - 8 - LEVEL_BITS * level);
/** The row of a leaf, and of the sieve's part that begins with it. */
export const leafKey = (run: number, leaf: number): number => run * MOST_LEAVES + leaf;
export const sieveOf = ({ sieve }: Pick<Run, 'sieve'>, leaf: number, count: number): Uint8Array =>
  new Uint8Array(sieve.buffer, leaf * SIEVE_WORDS * 4, count * SIEVE_WORDS * 4);

/** Writes into the sieve what is in a leaf. */
export function sift({ sieve }: Pick<Run, 'sieve'>, leaf: number, places: Uint32Array): void {
  const base = leaf * SIEVE_WORDS;
  const mark = (bit: number): void => {
    sieve[base + (bit >>> 5)] = (sieve[base + (bit >>> 5)] ?? 0) | (1 << (bit & 31));
  };
  for (let at = 0; at < places.length; at += WORDS) {
    const [c, d] = [places[at + 2] ?? 0, places[at + 3] ?? 0];
    mark(c & 1023);
    mark((c >>> 10) & 1023);
    mark((c >>> 20) & 1023);
    mark(d & 1023);
  }
}
function mayHave({ sieve }: Run, leaf: number, [, , c, d]: Name): boolean {
  const base = leaf * SIEVE_WORDS;
  const marked = (bit: number): boolean => ((sieve[base + (bit >>> 5)] ?? 0) & (1 << (bit & 31))) !== 0;
  return marked(c & 1023) && marked((c >>> 10) & 1023) && marked((c >>> 20) & 1023) && marked(d & 1023);
}

/** Numbers as the file gives them, in this machine's own order of bytes. */
export const wordsOf = (bytes: unknown): Uint32Array =>
  bytes instanceof Uint8Array ? new Uint32Array(bytes.slice().buffer) : new Uint32Array(0);
export const bytesOf = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer, words.byteOffset, words.byteLength);

/** What a writer's move of names changes for everybody who looks for them. In order, and each in its place among the transactions. */
export type News =
  /** What is held now is leaving. */
  | { readonly is: 'full' }
  /** A run is whole: instead of what was leaving, or of other runs. */
  | { readonly is: 'run'; readonly run: Run; readonly instead: readonly number[] }
  /** Nobody needs these runs any more. */
  | { readonly is: 'ended'; readonly runs: readonly number[] };

/** The names of one log, wherever they are. Each thread has its own, and both are told the same. */
export class Names {
  held: Held;
  leaving: Held | undefined;
  /** Newest first. */
  runs: readonly Run[];
  /** How many news were heard. */
  heard = 0;
  readonly #leaf;

  constructor(db: DatabaseSync, runs: readonly Run[], held: Held) {
    this.held = held;
    this.runs = newestFirst(runs);
    this.#leaf = db.prepare('SELECT names FROM leaf WHERE at = ?');
  }

  /** The newest place of a name. */
  find(name: Name): Place | undefined {
    const held = this.held.find(name) ?? this.leaving?.find(name);
    if (held) return held;
    for (const run of this.runs) {
      const leaf = leafOf(run.level, name[0]);
      if (!mayHave(run, leaf, name)) continue;
      const words = wordsOf(this.#leaf.get(leafKey(run.run, leaf))?.['names']);
      let found: Place | undefined;
      for (let at = 0; at < words.length; at += WORDS) {
        if (isAt(words, at, name) && rowAt(words, at) > (found?.row ?? 0)) found = placeAt(words, at);
      }
      if (found) return found;
    }
    return undefined;
  }
  hear(news: News): void {
    this.heard++;
    if (news.is === 'full') {
      this.leaving = this.held;
      this.held = new Held();
    } else if (news.is === 'run') {
      if (news.instead.length === 0) this.leaving = undefined;
      this.runs = newestFirst([...this.runs.filter(({ run }) => !news.instead.includes(run)), news.run]);
    } else this.runs = this.runs.filter(({ run }) => !news.runs.includes(run));
  }
}
const newestFirst = (runs: readonly Run[]): readonly Run[] => runs.toSorted((a, b) => b.last - a.last);
