/** Where anything lasts: one port. Knows atomicity, durability and time; may not know what an agent, a token or an approval is. */
import type { Json, JsonObject } from '../wire/json.ts';

/**
 * What must be true, and what is true afterwards. Two shapes carry every room's state: single use, idempotency, approvals,
 * leases, keys and suspensions are versioned keys; budgets and lease caps are bounded sums.
 */
export type Claim<R extends string = string> =
  /**
   * `key` stands at `version` (0: absent), else `R`. With `value` it is then set at version + 1; without, it is only checked.
   * Past `until` (epoch seconds) the key is absent again. `orSame`: it also holds, unchanged, where the key already has this very value.
   * `issued` (epoch seconds, no later than it was): when that which the key uses up was made. A store whose memory begins later, since it was
   * emptied or promoted, cannot know whether it was used up, and refuses: with `unknown`, where that is given.
   */
  | {
      readonly key: string;
      readonly version: number;
      readonly value?: Json;
      readonly until?: number;
      readonly terms?: readonly string[];
      readonly orSame?: true;
      readonly issued?: number;
      readonly unknown?: R;
      readonly else: R;
    }
  /**
   * The sum under this name within the window, plus `amount`, stays ≤ `limit`, else `R`. The same `id` replaces its amount
   * (settle; 0 releases). Past `until` the amount counts no longer.
   */
  | {
      readonly sum: string;
      readonly id: string;
      readonly amount: number;
      readonly limit: number;
      readonly windowSeconds: number;
      readonly until?: number;
      readonly else: R;
    };

/**
 * Takes a key away. Its end is before every clock, since the clocks of brokers and of the store differ: by an end of a moment ago it would stand for
 * a while longer to whichever is behind.
 */
export const takeAway = <R extends string>(key: string, version: number, otherwise: R): Claim<R> => ({
  key,
  version,
  value: null,
  until: 0,
  else: otherwise,
});

export interface Batch<R extends string> {
  /** Epoch seconds, by the broker's clock. */
  readonly at: number;
  /** Refused by the store's own clock past this second: a broker that slept does not act on what it once knew. */
  readonly notAfter: number;
  readonly claims: readonly Claim<R>[];
  /** Appended to the ledger in this order, chained. `terms` find them again. */
  readonly entries: readonly { readonly body: JsonObject; readonly terms: readonly string[] }[];
}
export interface Found {
  readonly version: number;
  readonly value: Json;
}
/** A key, or a ledger entry: then `key` is `entry/<seq>` with the sequence number in 16 digits, `version` 1, and `hash` its place in the chain. */
export interface Stored extends Found {
  readonly key: string;
  readonly hash?: string;
}
/** The key of an entry, by its number in the ledger. */
export const entryKey = (seq: number): string => `entry/${String(seq).padStart(16, '0')}`;
export const seqOf = (key: string): number => Number(key.slice('entry/'.length));
export interface Page {
  /** A term given with a claim or an entry; `entry` is the ledger itself. */
  readonly term: string;
  /** The `key` of the last one seen. */
  readonly after?: string;
  readonly limit: number;
  readonly newestFirst?: boolean;
}
export interface SumQuery {
  readonly sum: string;
  readonly windowSeconds: number;
}

/** Atomic, durable, linearizable. Throws `StoreFault` when it cannot answer: then nothing may be granted. */
export interface Store {
  /** All of it, or none and the `else` of the first claim that fails. Durable when it resolves. */
  commit<R extends string>(batch: Batch<R>): Promise<R | undefined>;
  /** One round trip; as fresh as the last resolved commit anywhere. Keys past their end are absent. */
  look(
    keys: readonly string[],
    sums?: readonly SumQuery[],
  ): Promise<{ readonly found: readonly (Found | undefined)[]; readonly sums: readonly number[] }>;
  /** Keys and entries by term, in order of key. */
  scan(page: Page): Promise<readonly Stored[]>;
  /**
   * Names of keys under a prefix as they change, on any broker, within a second; the prefix itself when any of them may have changed, as
   * after a connection was lost. Ends when the signal aborts.
   */
  follow(prefix: string, signal: AbortSignal): AsyncIterable<string>;
  close(): Promise<void>;
}

/**
 * The store cannot answer. `what` is a constant: it reaches logs and /readyz. `deadline`: the batch came after its `notAfter` and was not
 * written; `clock`: the broker's clock is ahead of the store's. After `unreachable` nobody knows whether a batch was written.
 */
export class StoreFault extends Error {
  readonly what: 'closed' | 'disk' | 'full' | 'poisoned' | 'unreachable' | 'deadline' | 'clock' | 'busy';
  constructor(what: StoreFault['what'], cause?: unknown) {
    super(`store ${what}`, { cause });
    this.what = what;
  }
}
/** The store cannot be used as it is: locked by another broker, newer than this program, damaged, gone, no keeper of what must last. Shown to the operator at start. */
export class StoreRefused extends Error {
  readonly code: 'locked' | 'newer' | 'corrupt' | 'missing' | 'unreadable' | 'unsuitable';
  /** What to do next, in a sentence. */
  readonly remedy: string;
  constructor(code: StoreRefused['code'], message: string, remedy: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
    this.remedy = remedy;
  }
}
