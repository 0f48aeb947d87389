/** Where an entry stands in the ledger, and what it follows there. */
import { GENESIS } from '../store/chain.ts';
import { entryKey, type Store, type Stored } from '../store/store.ts';

/** So far back is looked for the entry before one in its chain: each broker has a chain of its own. */
export const BEHIND = 256;

export async function entryAt(store: Pick<Store, 'scan'>, seq: number): Promise<Stored | undefined> {
  const [row] = await store.scan({ term: 'entry', limit: 1, ...(seq > 1 && { after: entryKey(seq - 1) }) });
  return row?.key === entryKey(seq) ? row : undefined;
}
/** Hashes that the entry of this number may follow: of those before it, the nearest first, and of what stands before all. */
export async function behind(store: Pick<Store, 'scan'>, seq: number, limit = BEHIND): Promise<string[]> {
  const rows = seq > 1 ? await store.scan({ term: 'entry', after: entryKey(seq), limit, newestFirst: true }) : [];
  return [...rows.flatMap(({ hash }) => hash || []), GENESIS];
}
