import { GENESIS, link } from '../store/chain.ts';
import type { Store } from '../store/store.ts';
import { canonical } from '../wire/digest.ts';
import type { JsonObject } from '../wire/json.ts';
import { describe, type Explained, findStory, type Told, tell } from './story.ts';

/** Finds the story of one action and tells it; what it can, it checks. */
export function explainer(store: Pick<Store, 'scan'>): (id: string) => Promise<Explained> {
  /** False where several brokers write, too: the entry before it in the ledger may be of another's chain. */
  async function stands({ seq, hash }: Told): Promise<boolean> {
    const rows = await store.scan({ term: 'entry', limit: 2, ...(seq > 2 && { after: keyOf(seq - 2) }) });
    const at = rows.findIndex(({ key }) => key === keyOf(seq));
    const [row, before] = [rows[at], seq === 1 ? GENESIS : rows[at - 1]?.hash];
    return row !== undefined && before !== undefined && row.hash === hash && link(before, canonical(row.value as JsonObject)) === hash;
  }
  return async (id) => {
    const story = await findStory(store, id);
    const checked = await Promise.all(story.map(stands));
    return {
      story,
      words: tell(story),
      told: story.map(({ entry }) => describe(entry)),
      follows: story.flatMap(({ seq }, i) => (checked[i] ? [seq] : [])),
    };
  };
}
const keyOf = (seq: number): string => `entry/${String(seq).padStart(16, '0')}`;
