import { link } from '../store/chain.ts';
import type { Store } from '../store/store.ts';
import { canonical } from '../wire/digest.ts';
import type { JsonObject } from '../wire/json.ts';
import { BEHIND, behind, entryAt } from './place.ts';
import { describe, type Explained, findStory, type Told, tell } from './story.ts';

/** Finds the story of one action and tells it; what it can, it checks. */
export function explainer(store: Pick<Store, 'scan'>): (id: string) => Promise<Explained> {
  /** False also where the entry before it in its chain lies further back than is looked. */
  async function stands({ seq, hash }: Told): Promise<boolean> {
    const row = await entryAt(store, seq);
    if (!row || row.hash !== hash) return false;
    const body = canonical(row.value as JsonObject);
    const follows = async (most: number): Promise<boolean> =>
      (await behind(store, seq, most)).some((before) => link(before, body) === hash);
    return (await follows(1)) || (await follows(BEHIND));
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
