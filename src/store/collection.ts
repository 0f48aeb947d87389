import type { Json } from '../wire/json.ts';
import type { Claim, Store } from './store.ts';

/** How records are kept unreadable and unmovable at rest. `open` throws when the text was changed or stands under another name. */
export interface Seal {
  seal(name: string, value: Json): Json;
  open(name: string, sealed: Json): Json;
}
/**
 * One kind of record in the store: sealed under the key's name as associated data, so an edited or moved one reads as a fault.
 * Writes are claims, for `record` to commit.
 */
export interface Collection<T> {
  get(id: string): Promise<{ readonly value: T; readonly version: number } | undefined>;
  /** `version`: the one this replaces, 0 for none. */
  put<R extends string>(
    id: string,
    value: T,
    version: number,
    otherwise: R,
    rest?: { readonly until?: number; readonly terms?: readonly string[] },
  ): Claim<R>;
}

export function collection<T>(store: Store, name: string, seal: Seal): Collection<T> {
  const keyOf = (id: string): string => `${name}/${id}`;
  return {
    async get(id) {
      const key = keyOf(id);
      const {
        found: [hit],
      } = await store.look([key]);
      return hit && { value: seal.open(key, hit.value) as unknown as T, version: hit.version };
    },
    put: (id, value, version, otherwise, rest = {}) => ({
      key: keyOf(id),
      version,
      value: seal.seal(keyOf(id), value as unknown as Json),
      else: otherwise,
      ...rest,
    }),
  };
}
