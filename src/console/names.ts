/** What those who have logged in are called: their issuer's word, to be shown beside their names and never for them; forgotten a while after they were last here. */
import type { Secret } from '../keys/secret.ts';
import type { EpochSeconds, World } from '../model.ts';
import type { Called, ListCalled } from '../operate/operator.ts';
import type { Recorder } from '../record/record.ts';
import { collection } from '../store/collection.ts';
import type { Store, Stored } from '../store/store.ts';
import { notOurs } from './sealed.ts';
import { digestOf, type Visitor } from './session.ts';

const KEPT_SECONDS = 90 * 86_400;
/** A write a day is enough to know that somebody comes. */
const STALE_SECONDS = 86_400;
const TERM = 'called';

export interface Names {
  /** After a login. Somebody else who says so at the same moment has said it for both. */
  learn(visitor: Pick<Visitor, 'name' | 'display'>): Promise<void>;
  readonly list: ListCalled;
}
interface Kept extends Called {
  readonly at: EpochSeconds;
}
export function createNames(rooms: {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly secret: Secret;
}): Names {
  const { store, world, record, secret } = rooms;
  const kept = collection<Kept>(store, 'called', secret);
  return {
    async learn({ name, display }) {
      // Their issuer has no word for them.
      if (name.endsWith(`:${display}`)) return;
      const id = digestOf(name);
      const now = world.now();
      const row = (await store.look([`called/${id}`])).found[0];
      const before = row && opened({ key: `called/${id}`, ...row });
      if (before?.called === display && now - before.at < STALE_SECONDS) return;
      const claim = kept.put(id, { name, called: display, at: now }, row?.version ?? 0, 'state_conflict', {
        until: now + KEPT_SECONDS,
        terms: [TERM],
      });
      await record.mark(record.open('console'), [claim]);
    },
    async list({ after, limit }) {
      const found = await store.scan({ term: TERM, limit: limit + 1, ...(after !== undefined && { after: `called/${after}` }) });
      const begins = world.now() - KEPT_SECONDS;
      const rows = found.slice(0, limit).flatMap((row) => opened(row) ?? []);
      const last = found[limit - 1];
      return {
        rows: rows.filter(({ at }) => at > begins).map(({ name, called }) => ({ name, called })),
        ...(found.length > limit && last && { next: last.key.slice('called/'.length) }),
      };
    },
  };
  /** What does not open was not written by a broker of this secret: it names nobody. */
  function opened({ key, value }: Pick<Stored, 'key' | 'value'>): Kept | undefined {
    try {
      return secret.open(key, value) as unknown as Kept;
    } catch (fault) {
      return notOurs(fault);
    }
  }
}
