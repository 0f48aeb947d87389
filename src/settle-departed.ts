/** Agents that the bundle no longer names while tokens of theirs may live: verifiers are told of them as introspection tells (wire.md §7). */
import type { Bundle, EpochSeconds, World } from './model.ts';
import { fromBody } from './record/entry.ts';
import type { Store } from './store/store.ts';
import type { JsonObject } from './wire/json.ts';

/** No token of ours lives longer. */
const TOKEN_LIFE_SECONDS = 3600;
const PAGE = 1_000;
/** So much of the ledger is read back at the first question. A busier broker's older tokens end by themselves, or by `/revoke`. */
const PAGES = 20;

/** Ids of those who have left, as far as this process and the end of the ledger know. Throws what the store throws. */
export type Departed = (bundle: Bundle) => Promise<readonly string[]>;

export function createDeparted({ store, world }: { readonly store: Store; readonly world: Pick<World, 'now'> }): Departed {
  /** Who ever held a token, and until when one may live. */
  const holders = new Map<string, EpochSeconds>();
  let last: Bundle | undefined;
  let read: Promise<void> | undefined;

  const hold = (id: string, until: EpochSeconds): void => void holders.set(id, Math.max(until, holders.get(id) ?? 0));
  /** The bundle may have lost an agent while no broker ran: the ledger still names it. */
  async function readBack(): Promise<void> {
    const now = world.now();
    let after: string | undefined;
    for (let page = 0; page < PAGES; page++) {
      const rows = await store.scan({ term: 'entry', limit: PAGE, newestFirst: true, ...(after !== undefined && { after }) });
      for (const { value } of rows) {
        const { kind, client, actors = [], exp } = fromBody(value as JsonObject);
        if (kind !== 'minted' || exp === undefined || exp < now) continue;
        for (const id of [...actors, ...(client === undefined ? [] : [client])]) hold(id, exp);
      }
      const oldest = rows.at(-1);
      if (!oldest || rows.length < PAGE || fromBody(oldest.value as JsonObject).at < now - TOKEN_LIFE_SECONDS) return;
      after = oldest.key;
    }
  }

  return async (bundle) => {
    read ??= readBack().catch((fault: unknown) => {
      read = undefined;
      throw fault;
    });
    await read;
    const now = world.now();
    if (bundle !== last) for (const { id } of last?.agents.all ?? []) hold(id, now + TOKEN_LIFE_SECONDS);
    last = bundle;
    for (const [id, until] of holders) if (until < now) holders.delete(id);
    return [...holders.keys()].filter((id) => bundle.agents.byClient(id) === undefined);
  };
}
