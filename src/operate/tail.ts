/** Follows what people are told of through the ledger, each entry once, on whichever broker: its place moves in the commit of what is made of it. */
import type { Claim, Entry } from '../model.ts';
import { fromBody, NOTABLE } from '../record/entry.ts';
import type { Recorder } from '../record/record.ts';
import type { Store } from '../store/store.ts';
import { isObject, type JsonObject } from '../wire/json.ts';

export interface Row {
  readonly key: string;
  readonly entry: Entry;
}
export interface Tail {
  /** Where there is no place yet, it is after everything that stands now. */
  start(): Promise<void>;
  /** The next entries and what is made of them, as one. True: there may be more, or somebody else was faster. */
  step(make: (rows: readonly Row[], beside: JsonObject) => Promise<Made>): Promise<boolean>;
  /** What stands beside the place; it changes by a claim that fails where the place moved meanwhile. */
  beside(): Promise<JsonObject>;
  leave(beside: JsonObject): Promise<void>;
}
interface Made {
  readonly claims: readonly Claim[];
  /** How many of the rows these are about; absent: all. */
  readonly rows?: number;
}

export function createTail(rooms: {
  readonly store: Store;
  readonly record: Recorder;
  readonly name: string;
  readonly page: number;
}): Tail {
  const { store, record, name, page } = rooms;
  const key = `tail/${name}`;
  const look = async (): Promise<{ readonly version: number; readonly after?: string; readonly beside: JsonObject }> => {
    const [found] = (await store.look([key])).found;
    if (!found || !isObject(found.value)) return { version: found?.version ?? 0, beside: {} };
    const { after, beside } = found.value;
    return {
      version: found.version,
      ...(typeof after === 'string' && after !== '' && { after }),
      beside: beside !== undefined && isObject(beside) ? beside : {},
    };
  };
  const place = (version: number, after: string, beside: JsonObject): Claim => ({
    key,
    version,
    value: { after, beside },
    else: 'state_conflict',
  });
  return {
    async start() {
      const { version } = await look();
      if (version > 0) return;
      const [newest] = await store.scan({ term: NOTABLE, limit: 1, newestFirst: true });
      await record.mark(record.open('tail'), [place(0, newest?.key ?? '', {})]);
    },
    async step(make) {
      const { version, after, beside } = await look();
      const found = await store.scan({ term: NOTABLE, limit: page, ...(after !== undefined && { after }) });
      const rows = found.map((row) => ({ key: row.key, entry: fromBody(row.value as JsonObject) }));
      if (rows.length === 0) return false;
      const { claims, rows: done = rows.length } = await make(rows, beside);
      const last = rows[done - 1];
      if (!last) return false;
      const moved = await record.mark(record.open('tail'), [place(version, last.key, beside), ...claims]);
      return !moved.ok || done < rows.length || rows.length === page;
    },
    beside: async () => (await look()).beside,
    async leave(beside) {
      const { version, after } = await look();
      await record.mark(record.open('tail'), [place(version, after ?? '', beside)]);
    },
  };
}
