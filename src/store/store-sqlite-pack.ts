import type { Packed } from './pack.ts';
import type { AddedKeys } from './store-sqlite-log.ts';

export { ENTRY, type Packed, type PackedKey, type PackedSum, pack } from './pack.ts';

export interface Flight {
  readonly batches: readonly Packed[];
  /** The store's clock, epoch seconds, and the monotonic nanoseconds at which it was read: both threads share the second. */
  readonly now: number;
  readonly read: bigint;
  /** The prefixes that somebody follows. */
  readonly watched: readonly string[];
  /** How many of the writer's news the sender has heard. */
  readonly heard: number;
}
/** For one batch: HOLDS, LATE, or the index of the first claim that failed. */
export type Outcome = number;
export const HOLDS = -1;
export const LATE = -2;

export type Landed =
  | {
      readonly ok: true;
      readonly outcomes: readonly Outcome[];
      readonly keys: AddedKeys;
      /** The keys that changed, of those that somebody follows. */
      readonly changed: readonly string[];
      readonly head: { readonly seq: number; readonly hash: string };
    }
  | { readonly ok: false; readonly what: 'disk' | 'busy' | 'poisoned'; readonly poisoned: boolean; readonly cause: unknown };
