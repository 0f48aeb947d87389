/** A store with behaviour and no disk: everything the port promises, one process long. It passes the contract suite. */
import { GENESIS, link } from '../../src/store/chain.ts';
import { createFollowers } from '../../src/store/follow.ts';
import { type PackedKey, type PackedSum, pack } from '../../src/store/pack.ts';
import { type Batch, type Store, type Stored, StoreFault } from '../../src/store/store.ts';
import { lastSecond } from '../../src/store/window.ts';
import { canonical } from '../../src/wire/digest.ts';
import type { Json } from '../../src/wire/json.ts';

export interface MemoryStore extends Store {
  /** From now on every call throws this; undefined heals it. */
  break(what: StoreFault['what'] | undefined): void;
  /** Every commit waits for this before it is decided, as for a slow disk. */
  hold(until: Promise<void> | undefined): void;
  /** What stands, behind the port's back: for tests that edit, remove or copy it. */
  readonly keys: Map<string, Kept>;
  readonly entries: readonly Stored[];
}
interface Kept {
  readonly version: number;
  readonly value: Json;
  readonly until: number | undefined;
  readonly terms: readonly string[];
}
interface Share {
  readonly amount: number;
  readonly at: number;
  readonly until: number | undefined;
}
interface Sum {
  readonly shares: Map<string, Share>;
  /** Every window it was ever claimed by: a share has gone once it is past all of them. */
  readonly windows: Set<number>;
}

/** `now`: epoch seconds, the store's own clock. */
export function memoryStore(options: { readonly now: () => number }): MemoryStore {
  const keys = new Map<string, Kept>();
  const sums = new Map<string, Sum>();
  const entries: (Stored & { readonly terms: readonly string[] })[] = [];
  const followers = createFollowers();
  let head = GENESIS;
  let fault: StoreFault['what'] | undefined;
  let held: Promise<void> | undefined;
  let closed = false;

  const check = (): void => {
    if (closed) throw new StoreFault('closed');
    if (fault) throw new StoreFault(fault);
  };
  const found = (key: string, now: number): Kept | undefined => {
    const kept = keys.get(key);
    return kept && (kept.until === undefined || now <= kept.until) ? kept : undefined;
  };
  const total = (name: string, window: number, now: number, but?: string): number => {
    let amount = 0;
    for (const [id, share] of sums.get(name)?.shares ?? []) if (id !== but) amount += counted(share, window, now);
    return amount;
  };

  /** What a batch has changed so far, so that all of it can be taken back. */
  interface Doing {
    readonly at: number;
    readonly undo: (() => void)[];
    readonly changed: Set<string>;
    /** Shares as they were before the batch: a second window of one sum is judged against these too. */
    readonly before: Map<string, Share | undefined>;
  }
  function setKey(claim: PackedKey, { at, undo, changed }: Doing): boolean {
    const { key, version, value, until, terms = [] } = claim;
    const stands = found(key, at);
    if ((stands?.version ?? 0) !== version) return claim.same && stands !== undefined && canonical(stands.value) === value;
    if (value === undefined) return true;
    const old = keys.get(key);
    undo.push(() => (old ? keys.set(key, old) : keys.delete(key)));
    keys.set(key, { version: version + 1, value: JSON.parse(value) as Json, until, terms });
    changed.add(key);
    return true;
  }
  function addSum(claim: PackedSum, { at, undo, before }: Doing): boolean {
    const { sum: name, id, amount, limit, span, until } = claim;
    const sum = sums.get(name) ?? { shares: new Map<string, Share>(), windows: new Set<number>() };
    sums.set(name, sum);
    sum.windows.add(span);
    const old = sum.shares.get(id);
    const own = old && [...sum.windows].some((window) => counted(old, window, at) > 0) ? old : undefined;
    const label = JSON.stringify([name, id]);
    if (!before.has(label)) before.set(label, own);
    const share = { amount, at: own?.at ?? at, until };
    const raises = counted(share, span, at) > counted(before.get(label), span, at);
    if (raises && !(Number.isFinite(amount) && total(name, span, at, id) + amount <= limit)) return false;
    undo.push(() => (old ? sum.shares.set(id, old) : sum.shares.delete(id)));
    if (amount === 0) sum.shares.delete(id);
    else sum.shares.set(id, share);
    return true;
  }

  return {
    keys,
    entries,
    break: (what) => {
      fault = what;
    },
    hold: (until) => {
      held = until;
    },

    async commit<R extends string>(batch: Batch<R>): Promise<R | undefined> {
      check();
      const packed = pack(batch);
      if (held) await held;
      if (fault) throw new StoreFault(fault);
      if (options.now() > packed.notAfter) throw new StoreFault('deadline');
      const doing: Doing = { at: packed.at, undo: [], changed: new Set(), before: new Map() };
      for (const [i, claim] of packed.claims.entries()) {
        if ('sum' in claim ? addSum(claim, doing) : setKey(claim, doing)) continue;
        for (const back of doing.undo.reverse()) back();
        return batch.claims[i]?.else;
      }
      for (const { body, terms } of packed.entries) {
        head = link(head, body);
        const key = `entry/${String(entries.length + 1).padStart(16, '0')}`;
        entries.push({ key, version: 1, value: JSON.parse(body) as Json, hash: head, terms });
      }
      followers.tell(doing.changed);
      return undefined;
    },

    async look(names, queries = []) {
      check();
      const now = options.now();
      return {
        found: names.map((name) => {
          const kept = found(name, now);
          return kept && { version: kept.version, value: structuredClone(kept.value) };
        }),
        sums: queries.map(({ sum, windowSeconds }) => total(sum, windowSeconds, now)),
      };
    },

    async scan({ term, after, limit, newestFirst = false }) {
      check();
      const now = options.now();
      const rows: Stored[] = [];
      for (const [key, { terms, version, value }] of keys) if (terms.includes(term) && found(key, now)) rows.push({ key, version, value });
      for (const { terms, ...entry } of entries) if (term === 'entry' || terms.includes(term)) rows.push(entry);
      rows.sort((a, b) => (a.key < b.key ? -1 : 1));
      if (newestFirst) rows.reverse();
      const rest = rows.filter((row) => after === undefined || (newestFirst ? row.key < after : row.key > after));
      return structuredClone(rest.slice(0, limit));
    },

    follow(prefix, signal) {
      check();
      return followers.follow(prefix, signal);
    },

    async close() {
      closed = true;
      followers.end();
    },
  };
}

const counted = (share: Share | undefined, window: number, now: number): number =>
  share && lastSecond(share.at, share.until, window) >= now ? share.amount : 0;
