/** All that a store holds, as it goes from one back end to another. */
import type { Head, Row } from './chain.ts';

export interface MovedEntry extends Row {
  readonly terms: readonly string[];
}
export interface MovedKey {
  /** 128 bits of SHA-256 over salt and key, hex. */
  readonly name: string;
  /** Absent: nobody knows it any more, and the name stands for it. */
  readonly key?: string;
  readonly version: number;
  readonly value: string;
  readonly until?: number;
  readonly terms: readonly string[];
}
export interface MovedMember {
  readonly sum: string;
  readonly id: string;
  readonly amount: number;
  readonly at: number;
  readonly until?: number;
  /** The last second in which it counts in any window. */
  readonly ends: number;
}
export interface Moving {
  readonly salt: string;
  readonly head: Head;
  /** Names this state of this store, as far as counts tell: another one is another move. What counts do not tell, the comparison does. */
  readonly source: string;
  readonly counts: { readonly entries: number; readonly torn: number; readonly keys: number; readonly members: number };
  /** Each page by page, in order: those after the last one seen. */
  entries(after: number, limit: number): readonly MovedEntry[];
  torn(after: number, limit: number): readonly Row[];
  keys(after: string, limit: number): readonly MovedKey[];
  hasKey(name: string): boolean;
  members(after: readonly [sum: string, id: string], limit: number): readonly MovedMember[];
  /** What each sum comes to in each window that it was ever claimed by, at a second. */
  windows(at: number): readonly { readonly sum: string; readonly span: number; readonly total: number }[];
  close(): void;
}
