/** The thread in which the ledger is indexed: an exchange's own thread neither reads a row for it nor waits. Reads the ledger by itself, and writes nothing there. */
import { platform, setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import type { Query, Search, Source, TallyQuery } from './operate/search.ts';
import { PAGE } from './operate/search.ts';
import { entryKey, seqOf } from './store/store.ts';
import type { Access } from './store/store-redis-connect.ts';

/** It has a third of the weight of a thread that answers. */
const BEHIND = 5;

/** Where this thread's code is: the address holds in src/ and, compiled, in dist/. */
export const indexerUrl = new URL(import.meta.url);

export type Ledger = { readonly file: string } | { readonly redis: Omit<Access, 'tag'> & { readonly name?: string } };
export interface IndexerOptions {
  readonly path: string;
  readonly ledger: Ledger;
}
export type Question =
  | { readonly find: Query }
  | { readonly tally: TallyQuery }
  | { readonly usage: string }
  | { readonly indexed: true }
  | { readonly close: true };
export type ToIndexer = { readonly id: number; readonly question: Question };
export type FromIndexer =
  | { readonly remade: true }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly failed: true };

function sourceOf(ledger: Ledger): Source {
  return 'file' in ledger ? fileSource(ledger.file) : redisSource(ledger.redis);
}
/** Each page is a statement of its own, so that no checkpoint waits for it. */
function fileSource(path: string): Source {
  const opened = (async () => {
    const [{ openForReading }, { createScanner }] = await Promise.all([
      import('./store/store-sqlite-open.ts'),
      import('./store/store-sqlite-reader.ts'),
    ]);
    return createScanner(openForReading(path));
  })();
  return async (after) => {
    const scanner = await opened;
    const rows = scanner.scan({ term: 'entry', limit: PAGE, ...(after > 0 && { after: entryKey(after) }) }, 0);
    return rows.map(({ key, value }) => ({ seq: seqOf(key), body: value as object }));
  };
}
/** A connection of its own, made anew after each fault. */
function redisSource(access: Extract<Ledger, { readonly redis: unknown }>['redis']): Source {
  let open: Promise<import('./store/store-redis-ledger.ts').OpenLedger> | undefined;
  return async (after) => {
    open ??= import('./store/store-redis-ledger.ts').then(({ openLedger }) => openLedger(access));
    const using = open;
    try {
      const rows = await (await using).rows(after);
      return rows.map(({ seq, body }) => ({ seq, body: JSON.parse(body) as object }));
    } catch (fault) {
      if (open === using) open = undefined;
      void using.then((ledger) => ledger.close()).catch(() => undefined);
      throw fault;
    }
  };
}
function ask(search: Search, question: Question): Promise<unknown> {
  if ('find' in question) return search.find(question.find);
  if ('tally' in question) return search.tally(question.tally);
  if ('usage' in question) return search.usage(question.usage);
  return 'indexed' in question ? search.indexed() : search.close();
}

const port = parentPort;
if (!isMainThread && port && (workerData as { readonly indexer?: IndexerOptions } | null)?.indexer) {
  const { path, ledger } = (workerData as { readonly indexer: IndexerOptions }).indexer;
  const tell = (message: FromIndexer): void => port.postMessage(message);
  // There a thread has a priority of its own, and where there are too few processors exchanges go first.
  if (platform() === 'linux') setPriority(0, BEHIND);
  const { keepIndex } = await import('./operate/search-sqlite-keep.ts');
  const search = keepIndex({ path, source: sourceOf(ledger), rest: (ms) => sleep(ms), onRemade: () => tell({ remade: true }) });
  port.on('message', ({ id, question }: ToIndexer) => {
    ask(search, question).then(
      (answer) => {
        tell({ id, answer });
        if ('close' in question) port.close();
      },
      () => tell({ id, failed: true }),
    );
  });
}
