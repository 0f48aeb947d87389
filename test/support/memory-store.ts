/** A store with behaviour and no disk: everything the port promises, one process long. */
import { createHash } from 'node:crypto';
import { type Batch, type Claim, type Store, type Stored, StoreFault } from '../../src/store/store.ts';
import { lastSecond } from '../../src/store/window.ts';
import type { Json, JsonObject } from '../../src/wire/json.ts';

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
  readonly terms: ReadonlySet<string>;
}
interface Share {
  readonly amount: number;
  readonly at: number;
  readonly until: number | undefined;
}
interface Listener {
  readonly prefix: string;
  readonly changed: Set<string>;
  wake: () => void;
}

/** `now`: epoch seconds, the store's own clock. A key or a share counts through the second of its `until`. */
export function memoryStore(options: { readonly now: () => number }): MemoryStore {
  const keys = new Map<string, Kept>();
  const sums = new Map<string, Map<string, Share>>();
  const entries: (Stored & { readonly terms: readonly string[] })[] = [];
  const listeners = new Set<Listener>();
  let hash = '0'.repeat(64);
  let fault: StoreFault['what'] | undefined;
  let held: Promise<void> | undefined;
  let closed = false;

  const check = (): void => {
    if (closed) throw new StoreFault('closed');
    if (fault) throw new StoreFault(fault);
  };
  const lives = (until: number | undefined, now: number): boolean => until === undefined || now <= until;
  const found = (key: string, now: number): Kept | undefined => {
    const kept = keys.get(key);
    return kept && lives(kept.until, now) ? kept : undefined;
  };
  const total = (sum: string, windowSeconds: number, now: number, but?: string): number => {
    let amount = 0;
    for (const [id, share] of sums.get(sum) ?? [])
      if (id !== but && now <= lastSecond(share.at, share.until, windowSeconds)) amount += share.amount;
    return amount;
  };

  /** Checks and, where it holds, applies; `undo` takes it back if a later claim of the batch fails. */
  function apply(claim: Claim, at: number, undo: (() => void)[], changed: Set<string>): boolean {
    if ('sum' in claim) {
      if (total(claim.sum, claim.windowSeconds, at, claim.id) + claim.amount > claim.limit) return false;
      const shares = sums.get(claim.sum) ?? new Map<string, Share>();
      sums.set(claim.sum, shares);
      const before = shares.get(claim.id);
      undo.push(() => (before ? shares.set(claim.id, before) : shares.delete(claim.id)));
      shares.set(claim.id, { amount: claim.amount, at: before?.at ?? at, until: claim.until });
      return true;
    }
    const { key } = claim;
    const stands = found(key, at);
    if ((stands?.version ?? 0) !== claim.version)
      return claim.orSame === true && stands !== undefined && text(stands.value) === text(claim.value);
    if (claim.value === undefined) return true;
    const before = keys.get(key);
    undo.push(() => (before ? keys.set(key, before) : keys.delete(key)));
    const terms = new Set([...(stands?.terms ?? []), ...(claim.terms ?? [])]);
    keys.set(key, { version: claim.version + 1, value: copy(claim.value), until: claim.until, terms });
    changed.add(key);
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
      await held;
      check();
      if (options.now() > batch.notAfter) throw new StoreFault('deadline');
      const undo: (() => void)[] = [];
      const changed = new Set<string>();
      for (const claim of batch.claims) {
        if (apply(claim, batch.at, undo, changed)) continue;
        for (const back of undo.reverse()) back();
        return claim.else;
      }
      for (const { body, terms } of batch.entries) {
        hash = createHash('sha256')
          .update(hash + text(body))
          .digest('hex');
        const key = `entry/${String(entries.length + 1).padStart(16, '0')}`;
        entries.push({ key, version: 1, value: copy(body) as JsonObject, hash, terms });
      }
      for (const listener of listeners) {
        for (const key of changed) if (key.startsWith(listener.prefix)) listener.changed.add(key);
        listener.wake();
      }
      return undefined;
    },

    async look(names, queries = []) {
      check();
      const now = options.now();
      return {
        found: names.map((name) => {
          const kept = found(name, now);
          return kept && { version: kept.version, value: copy(kept.value) };
        }),
        sums: queries.map(({ sum, windowSeconds }) => total(sum, windowSeconds, now)),
      };
    },

    async scan({ term, after, limit, newestFirst = false }) {
      check();
      const now = options.now();
      const kept = [...keys]
        .filter(([, one]) => one.terms.has(term) && lives(one.until, now))
        .map(([key, one]): Stored => ({ key, version: one.version, value: copy(one.value) }));
      const told = entries
        .filter((entry) => term === 'entry' || entry.terms.includes(term))
        .map(
          ({ key, version, value, hash: link }): Stored => ({
            key,
            version,
            value: copy(value),
            ...(link !== undefined && { hash: link }),
          }),
        );
      const rows = [...kept, ...told].sort((a, b) => (a.key < b.key ? -1 : 1));
      if (newestFirst) rows.reverse();
      return rows.filter((row) => after === undefined || (newestFirst ? row.key < after : row.key > after)).slice(0, limit);
    },

    async *follow(prefix, signal) {
      check();
      const listener: Listener = { prefix, changed: new Set(), wake: () => undefined };
      listeners.add(listener);
      const wake = (): void => listener.wake();
      signal.addEventListener('abort', wake);
      try {
        while (!signal.aborted) {
          check();
          const names = [...listener.changed];
          listener.changed.clear();
          yield* names;
          if (listener.changed.size === 0 && !signal.aborted)
            await new Promise<void>((resolve) => {
              listener.wake = resolve;
            });
        }
      } finally {
        signal.removeEventListener('abort', wake);
        listeners.delete(listener);
      }
    },

    async close() {
      closed = true;
      for (const listener of listeners) listener.wake();
    },
  };
}

/** Equal values have one text, whatever the order of their members. */
const text = (value: Json | undefined): string =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
/** As through a disk: nobody holds a reference into the store. */
const copy = <T extends Json>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
