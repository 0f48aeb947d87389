import type { DatabaseSync } from 'node:sqlite';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { StoreRefused } from './store.ts';
import { kindsOf } from './store-sqlite-keys.ts';
import type { KnownLog } from './store-sqlite-log.ts';
import { openForWriting, refusalOf } from './store-sqlite-open.ts';
import type { Flight, Landed } from './store-sqlite-pack.ts';
import type { News } from './store-sqlite-runs.ts';
import { type Opened, openTail } from './store-sqlite-tail.ts';
import { createWriter, passingIn, type Writer } from './store-sqlite-writer.ts';

/** This file is its own worker, so that the address holds in src/ and, compiled, in dist/. */
export const workerUrl = new URL(import.meta.url);

export interface WriterOptions {
  readonly path: string;
  /** Epoch seconds at opening; without it SQLite's own clock tells. */
  readonly at: number | undefined;
}
export type ToWorker = Flight | 'close';
/** What the logs and the table of keys hold, for the reader. */
export interface Known {
  readonly salt: string;
  readonly soon: KnownLog;
  readonly later: KnownLog;
  readonly kinds: readonly string[];
}
export type FromWorker =
  | { readonly opened: Opened; readonly known: Known }
  | { readonly refused: Pick<StoreRefused, 'code' | 'message' | 'remedy'>; readonly cause: string }
  | { readonly landed: Landed }
  | { readonly news: News }
  | { readonly indexed: number }
  | { readonly poisoned: true }
  | { readonly closed: true };

/** Opens the store's write side. Under the lock. Throws StoreRefused. */
export function openWriter(options: WriterOptions): {
  readonly db: DatabaseSync;
  readonly writer: Writer;
  readonly opened: Opened;
  readonly known: Known;
} {
  const db = openForWriting(options.path);
  try {
    const at = options.at ?? Number(db.prepare('SELECT unixepoch() AS now').get()?.['now']);
    const opened = openTail(db, at);
    const passing = passingIn(db, at);
    const { salt, soon, later } = passing;
    const known: Known = { salt, soon: soon.known(), later: later.known(), kinds: [...kindsOf(db)] };
    return { db, opened, known, writer: createWriter({ db, path: options.path, head: opened.head, passing }) };
  } catch (fault) {
    db.close();
    throw refusalOf(fault);
  }
}

const port = parentPort;
if (!isMainThread && port && (workerData as { store?: WriterOptions } | null)?.store) {
  const tell = (message: FromWorker): void => port.postMessage(message);
  try {
    const { writer, opened, known } = openWriter((workerData as { store: WriterOptions }).store);
    tell({ opened, known });
    port.on('message', (message: ToWorker) => {
      if (message === 'close') {
        writer.close();
        tell({ closed: true });
        port.close();
        return;
      }
      tell({ landed: writer.write(message) });
      const { ok, news, indexed } = writer.tidy(message.heard);
      if (news) tell({ news });
      if (indexed !== undefined) tell({ indexed });
      if (!ok) tell({ poisoned: true });
    });
  } catch (fault) {
    const { code, message, remedy, cause } = refusalOf(fault);
    tell({ refused: { code, message, remedy }, cause: String(cause) });
  }
}
