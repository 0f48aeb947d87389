import type { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { StoreRefused } from './store.ts';
import type { Flight, Landed } from './store-sqlite-pack.ts';
import type { News } from './store-sqlite-runs.ts';
import type { Opened } from './store-sqlite-tail.ts';
import { type FromWorker, type Known, openWriter, type ToWorker, type WriterOptions, workerUrl } from './store-sqlite-worker.ts';

/** A flight lives as long as its transaction; more room for what is young would only be filled with flights long landed. */
const YOUNG_MB = 4;

/** The way to the writer: one flight at a time. */
export interface Line {
  readonly opened: Opened;
  readonly known: Known;
  /** The writer's own connection, where no other can see its data. */
  readonly db: DatabaseSync | undefined;
  send(flight: Flight, arrive: (landed: Landed) => void): void;
  /** Names of keys moved. */
  onNews(tell: (news: News) => void): void;
  /** The terms of the entries up to this one are indexed. */
  onIndexed(tell: (upTo: number) => void): void;
  /** The file was found untrustworthy between flights. */
  onPoisoned(tell: () => void): void;
  /** The writer is gone, and what was flying with it. */
  onDeath(tell: (fault: unknown) => void): void;
  close(): Promise<void>;
}

/** No thread: a database in memory belongs to one connection, and there is no disk to wait for. */
export function memoryLine(options: WriterOptions): Line {
  const { db, writer, opened, known } = openWriter(options);
  let hear: ((news: News) => void) | undefined;
  let index: ((upTo: number) => void) | undefined;
  return {
    opened,
    known,
    db,
    send(flight, arrive) {
      arrive(writer.write(flight));
      const { news, indexed } = writer.tidy(flight.heard);
      if (news) hear?.(news);
      if (indexed !== undefined) index?.(indexed);
    },
    onNews(tell) {
      hear = tell;
    },
    onIndexed(tell) {
      index = tell;
    },
    onPoisoned() {},
    onDeath() {},
    async close() {},
  };
}

/** Throws StoreRefused when the writer cannot open the file. */
export function threadLine(options: WriterOptions): Promise<Line> {
  const worker = new Worker(workerUrl, {
    workerData: { store: options },
    name: 'store',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  const say = (message: ToWorker): void => worker.postMessage(message);
  let arrive: ((landed: Landed) => void) | undefined;
  let hear: ((news: News) => void) | undefined;
  let index: ((upTo: number) => void) | undefined;
  let poison: (() => void) | undefined;
  let die: ((fault: unknown) => void) | undefined;
  let gone: (() => void) | undefined;

  return new Promise((resolve, reject) => {
    const died = (fault: unknown): void => {
      reject(fault);
      if (gone) gone();
      else die?.(fault);
    };
    worker.on('error', died);
    worker.on('exit', () => died(new Error('the writer thread has ended')));
    worker.on('message', (message: FromWorker) => {
      if ('landed' in message) {
        const landing = arrive;
        arrive = undefined;
        worker.unref();
        landing?.(message.landed);
      } else if ('news' in message) hear?.(message.news);
      else if ('indexed' in message) index?.(message.indexed);
      else if ('opened' in message) {
        // An open store does not keep the process alive; what is not yet answered does.
        worker.unref();
        resolve(line(message.opened, message.known));
      } else if ('refused' in message) {
        const { code, message: text, remedy } = message.refused;
        reject(new StoreRefused(code, text, remedy, message.cause));
      } else if ('poisoned' in message) poison?.();
    });
  });

  function line(opened: Opened, known: Known): Line {
    return {
      opened,
      known,
      db: undefined,
      send(flight, landing) {
        arrive = landing;
        worker.ref();
        say(flight);
      },
      onNews(tell) {
        hear = tell;
      },
      onIndexed(tell) {
        index = tell;
      },
      onPoisoned(tell) {
        poison = tell;
      },
      onDeath(tell) {
        die = tell;
      },
      close() {
        return new Promise((resolve) => {
          gone = resolve;
          worker.ref();
          if (worker.threadId === -1) resolve();
          else say('close');
        });
      },
    };
  }
}
