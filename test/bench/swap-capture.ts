/** Loaded first by a child whose store keeps the last batches it was given: what an exchange writes, to write it again many times. */

import type { Batch } from '../../src/store/store.ts';
import { sqliteStore as real, type SqliteStore } from '../../src/store/store-sqlite.ts';
import { swap } from './swap.ts';

swap('/src/store/store-sqlite.ts', import.meta.url);

const captured: Batch<string>[] = [];

export async function sqliteStore(options: Parameters<typeof real>[0]): Promise<SqliteStore> {
  const store = await real(options);
  return {
    ...store,
    commit(batch) {
      captured.push(batch);
      if (captured.length > 2) captured.shift();
      return store.commit(batch);
    },
  };
}
/** The last two. */
export const work = (): readonly Batch<string>[] => captured;
