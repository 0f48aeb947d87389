/**
 * Refusals of nobody in particular: whoever has not proved who they are pays nothing for a no, and an entry is durable. Beyond a rate they are
 * counted, and an entry tells of all that came together (hazards.md, HTTP). None is dropped: what could not be written is told later.
 */
import type { Reason } from '../errors.ts';

/** So many of one kind, from one address. */
export interface Told {
  readonly from: string;
  readonly reason: Reason;
  readonly count: number;
}
export interface Coalescer {
  /** True: this one is among the many, and has no entry of its own. */
  takes(from: string, reason: Reason): boolean;
  /** Writes down what came together since. One at a time; throws what writing throws, and what was left is still there. */
  tell(): Promise<void>;
}
export interface CoalesceOptions {
  /** Has this one an entry of its own? Asked once for each. */
  readonly alone: (from: string) => boolean;
  /** Something has come together, for the first time since the last word. */
  readonly onFirst: () => void;
  /** Writes one entry, once under a name: after a throw nobody knows whether it is written, and the same is asked for again. */
  readonly write: (told: Told, once: string) => Promise<void>;
  readonly newName: () => string;
}

/** What the entry of many stands under, as `request`; its context has `count` and `address`. */
export const TOGETHER = 'refusals';
/** From more addresses at once than this nobody can be told apart, and they are counted as one. */
const MOST = 1_000;
const OTHERS = 'others';

export function coalesce({ alone, onFirst, write, newName }: CoalesceOptions): Coalescer {
  let counted = new Map<string, { from: string; reason: Reason; count: number }>();
  /** Handed over; the first one may have been written, and nobody said so. */
  let due: { readonly told: Told; readonly once: string }[] = [];
  let telling: Promise<void> | undefined;

  async function tellAll(): Promise<void> {
    if (due.length === 0) {
      due = [...counted.values()].map((told) => ({ told, once: newName() }));
      counted = new Map();
    }
    for (let next = due[0]; next; next = due[0]) {
      await write(next.told, next.once);
      due.shift();
    }
    if (counted.size > 0) await tellAll();
  }
  return {
    takes(from, reason) {
      if (alone(from)) return false;
      const name = counted.size < MOST || counted.has(`${from} ${reason}`) ? from : OTHERS;
      const some = counted.get(`${name} ${reason}`);
      if (some) some.count++;
      else counted.set(`${name} ${reason}`, { from: name, reason, count: 1 });
      if (!some && counted.size === 1) onFirst();
      return true;
    },
    async tell() {
      telling ??= tellAll().finally(() => {
        telling = undefined;
      });
      await telling;
    },
  };
}
