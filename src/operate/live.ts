/** Decisions as they are committed, on whatever broker of the store: read from the ledger, so that nobody waits for a listener. */
import type { Entry, World } from '../model.ts';
import { fromBody } from '../record/entry.ts';
import type { Reader } from '../record/record.ts';
import { entryKey, type Store, type Stored, StoreFault, seqOf } from '../store/store.ts';
import type { JsonObject } from '../wire/json.ts';

/** What everybody with a role may see: who, for whom, what, and what became of it. No argument, purpose or key. */
const SHOWN = [
  'kind',
  'at',
  'exchange',
  'request',
  'client',
  'owner',
  'subject',
  'actors',
  'resource',
  'tool',
  'policies',
  'approval',
  'txn',
  'reason',
  'code',
  'outcome',
  'by',
  'again',
] as const satisfies readonly (keyof Entry)[];
export type LiveEntry = Pick<Entry, (typeof SHOWN)[number]> & { readonly seq: number };
/** `skipped`: so many came too fast to be shown. */
export type LiveEvent = { readonly entry: LiveEntry } | { readonly skipped: number };

export interface Listener {
  readonly take: (event: LiveEvent) => void;
  /** The broker stops. */
  readonly end: () => void;
}
export interface Live {
  /** Something was committed here. */
  readonly read: Reader;
  /** From the entry after `after` on, else from the latest few on. False: there are too many listeners, or the broker stops. Throws StoreFault. */
  listen(listener: Listener, after?: number): Promise<boolean>;
  leave(listener: Listener): void;
  /** Nobody is told anything more. */
  release(): void;
  readonly released: AbortSignal;
  readonly after: World['after'];
}
const MOST_LISTENERS = 64;
const AT_FIRST = 20;
/** Told at a time; of more than that only the latest. */
const MOST_TOLD = 100;
/** What comes within this is told together. */
const GATHER_MS = 100;
/** What another broker wrote is seen within this. */
const LOOK_MS = 700;

export interface LiveRooms {
  readonly store: Pick<Store, 'scan'>;
  readonly world: Pick<World, 'after'>;
  readonly onFault: (fault: unknown) => void;
}
export function createLive({ store, world, onFault }: LiveRooms): Live {
  const listeners = new Map<Listener, number>();
  const released = new AbortController();
  let cursor = 0;
  let running = false;
  let nudge: () => void = () => undefined;

  const passed = (ms: number): Promise<void> =>
    new Promise((resolve) => world.after(ms).addEventListener('abort', () => resolve(), { once: true }));
  async function run(): Promise<void> {
    if (running) return;
    running = true;
    while (listeners.size > 0) {
      const nudged = new Promise<void>((resolve) => {
        nudge = resolve;
      });
      await Promise.race([nudged, passed(LOOK_MS)]);
      await passed(GATHER_MS);
      // While the store cannot answer nothing is committed either. Anything else is a bug, and somebody is told.
      if (listeners.size > 0)
        await look().catch((fault: unknown) => {
          if (!(fault instanceof StoreFault)) onFault(fault);
        });
    }
    running = false;
  }
  async function since(after: number): Promise<readonly LiveEvent[]> {
    const rows = await store.scan({ term: 'entry', limit: MOST_TOLD, ...(after > 0 && { after: entryKey(after) }) });
    if (rows.length < MOST_TOLD) return rows.map(told);
    const newest = (await latest(MOST_TOLD / 2)).filter(({ entry }) => entry.seq > after);
    const first = newest[0]?.entry.seq ?? after + 1;
    return [...(first > after + 1 ? [{ skipped: first - after - 1 }] : []), ...newest];
  }
  async function latest(count: number): Promise<readonly { readonly entry: LiveEntry }[]> {
    return (await store.scan({ term: 'entry', limit: count, newestFirst: true })).toReversed().map(told);
  }
  async function look(): Promise<void> {
    const from = cursor;
    const events = await since(from);
    for (const [listener, last] of [...listeners])
      try {
        give(listener, last, events);
      } catch (fault) {
        // It keeps nobody else from being told.
        onFault(fault);
        listeners.delete(listener);
        listener.end();
      }
    cursor = Math.max(cursor, lastOf(events, from));
    // Somebody joined who had seen less.
    for (const last of listeners.values()) cursor = Math.min(cursor, last);
  }
  function give(listener: Listener, last: number, events: readonly LiveEvent[]): void {
    for (const event of events) if (!('entry' in event) || event.entry.seq > last) listener.take(event);
    if (listeners.has(listener)) listeners.set(listener, Math.max(last, lastOf(events, last)));
  }

  return {
    released: released.signal,
    after: world.after,
    read: () => nudge(),
    async listen(listener, after) {
      const room = (): boolean => !released.signal.aborted && listeners.size < MOST_LISTENERS;
      if (!room()) return false;
      const events = after === undefined ? await latest(AT_FIRST) : await since(after);
      if (!room()) return false;
      const last = lastOf(events, after ?? 0);
      if (listeners.size === 0 || last < cursor) cursor = last;
      listeners.set(listener, last);
      for (const event of events) listener.take(event);
      void run();
      return true;
    },
    leave: (listener) => void listeners.delete(listener),
    release() {
      released.abort();
      for (const listener of [...listeners.keys()]) listener.end();
      listeners.clear();
      nudge();
    },
  };
}
const lastOf = (events: readonly LiveEvent[], otherwise: number): number =>
  events.reduce((last, event) => ('entry' in event ? event.entry.seq : last), otherwise);
function told(row: Stored): { readonly entry: LiveEntry } {
  const entry = fromBody(row.value as JsonObject);
  const shown = Object.fromEntries(SHOWN.flatMap((name) => (entry[name] === undefined ? [] : [[name, entry[name]]])));
  return { entry: { ...(shown as unknown as Omit<LiveEntry, 'seq'>), seq: seqOf(row.key) } };
}
