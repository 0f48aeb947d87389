/** Composition of the ledger's index: beside a ledger file, or wherever the configuration says; in a thread of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { redisAccess } from './app-backends.ts';
import type { FromIndexer, IndexerOptions, Question, ToIndexer } from './app-indexer.ts';
import type { Config } from './config.ts';
import { Unavailable } from './errors.ts';
import type { Found, Indexed, Search, Tally, Usage } from './operate/search.ts';
import { PAGE } from './operate/search.ts';
import { entryKey, type Store, seqOf } from './store/store.ts';

export interface SearchParts {
  readonly store: Pick<Store, 'scan'>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The index was damaged, or another ledger's, or its thread has ended: it is made again. */
  readonly onRemade: () => void;
}
/** Indexes from now on where there is a console, else from the first question on: a broker that nobody asks pays nothing. */
export function openSearch(config: Pick<Config, 'store' | 'console'>, parts: SearchParts): Search {
  let open: Promise<Search> | undefined;
  const opened = (): Promise<Search> => {
    open ??= begin(config, parts, () => {
      open = undefined;
    });
    return open;
  };
  if (config.console) void opened().catch(parts.onRemade);
  return {
    find: async (query) => (await opened()).find(query),
    tally: async (query) => (await opened()).tally(query),
    usage: async (agent) => (await opened()).usage(agent),
    indexed: async () => (await opened()).indexed(),
    close: async () => (await open?.catch(() => undefined))?.close(),
  };
}

async function begin({ store, console: pages }: Pick<Config, 'store' | 'console'>, parts: SearchParts, onEnd: () => void): Promise<Search> {
  if (store.use === 'sqlite' && store.path === ':memory:') return inThisThread(parts);
  const path = pages?.index ?? (store.use === 'sqlite' ? `${store.path}.search` : ':memory:');
  const ledger = store.use === 'sqlite' ? { file: store.path } : { redis: redisAccess(store, parts.environment) };
  return inAThread({ path, ledger }, parts, onEnd);
}
/** What is in memory alone can be read here alone: for trials, where it is small. */
async function inThisThread({ store, onRemade }: SearchParts): Promise<Search> {
  const { keepIndex } = await import('./operate/search-sqlite-keep.ts');
  return keepIndex({
    path: ':memory:',
    rest: (ms) => sleep(ms, undefined, { ref: false }),
    onRemade,
    async source(after) {
      const rows = await store.scan({
        term: 'entry',
        limit: PAGE,
        ...(after > 0 && { after: entryKey(after) }),
      });
      return rows.map(({ key, value }) => ({ seq: seqOf(key), body: value as object }));
    },
  });
}

/** So much is read and counted at a time, whatever the ledger's size. */
const MEMORY = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 4 };

async function inAThread(options: IndexerOptions, { onRemade }: SearchParts, onEnd: () => void): Promise<Search> {
  const { indexerUrl } = await import('./app-indexer.ts');
  const worker = new Worker(indexerUrl, { workerData: { indexer: options }, name: 'indexer', resourceLimits: MEMORY });
  const waiting = new Map<number, { readonly resolve: (answer: unknown) => void; readonly reject: (fault: unknown) => void }>();
  let last = 0;
  let closing = false;
  let ended = false;
  // It keeps no process alive; a question does.
  worker.unref();
  const settle = (id: number): ReturnType<typeof waiting.get> => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) worker.unref();
    return asked;
  };
  worker.on('message', (message: FromIndexer) => {
    if ('remade' in message) onRemade();
    else if ('answer' in message) settle(message.id)?.resolve(message.answer);
    else settle(message.id)?.reject(new Unavailable('search'));
  });
  const end = (): void => {
    if (ended) return;
    ended = true;
    onEnd();
    if (!closing) onRemade();
    for (const id of [...waiting.keys()]) settle(id)?.reject(new Unavailable('search'));
  };
  worker.on('error', end);
  worker.on('exit', end);
  const ask = <T>(question: Question): Promise<T> =>
    new Promise((resolve, reject) => {
      if (ended) throw new Unavailable('search');
      const id = ++last;
      waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject });
      worker.ref();
      worker.postMessage({ id, question } satisfies ToIndexer);
    });
  return {
    find: (query) => ask<Found>({ find: query }),
    tally: (query) => ask<Tally>({ tally: query }),
    usage: (agent) => ask<Usage>({ usage: agent }),
    indexed: () => ask<Indexed>({ indexed: true }),
    async close() {
      closing = true;
      await ask({ close: true }).catch(() => undefined);
      await worker.terminate();
    },
  };
}
