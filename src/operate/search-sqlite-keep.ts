import { type Indexed, PAGE, type Search, type Source } from './search.ts';
import { type Index, openIndex, removeIndex } from './search-sqlite.ts';

export interface KeepOptions {
  /** `:memory:`: made again at each start. */
  readonly path: string;
  readonly source: Source;
  /** Resolves after so many milliseconds; keeps no process alive. */
  readonly rest: (ms: number) => Promise<void>;
  /** Its file was damaged, or of another ledger, and is made again. */
  readonly onRemade?: () => void;
}
/** Between two looks at the end of the ledger. */
const IDLE_MS = 500;
/** Between two pages while there is more: others need this machine too. */
const BUSY_MS = 8;
/** A question waits for so many pages of what it has not seen, and else is answered from what is there. */
const PAGES_AWAITED = 3;

/** An index that follows its ledger for as long as it is open. */
export function keepIndex({ path, source, rest, onRemade }: KeepOptions): Search {
  let index = openSomewhere();
  let checked = false;
  let closed = false;
  let reading: Promise<boolean> | undefined;

  function remake(): void {
    onRemade?.();
    quietly(() => index.close());
    quietly(() => removeIndex(path));
    index = openSomewhere();
  }
  /** In memory where no file of ours can be: then it is made anew at each start. */
  function openSomewhere(): Index {
    try {
      return openIndex(path);
    } catch {
      onRemade?.();
      return openIndex(':memory:');
    }
  }
  /** It was made of this ledger, as it stands? */
  async function check(): Promise<void> {
    const { anchor } = index;
    if (anchor) {
      const [row] = await source(anchor.seq - 1);
      const exchange = row?.seq === anchor.seq ? (row.body as Readonly<Record<string, unknown>>)['exchange'] : undefined;
      if (exchange !== anchor.exchange) remake();
    }
    checked = true;
  }
  /** True: that was the end of the ledger. */
  async function page(): Promise<boolean> {
    if (!checked) await check();
    const rows = await source(index.through);
    if (closed || rows.length === 0) return true;
    mending(() => index.take(rows));
    return rows.length < PAGE;
  }
  const next = (): Promise<boolean> =>
    (reading ??= page().finally(() => {
      reading = undefined;
    }));
  async function follow(): Promise<void> {
    while (!closed) {
      const ended = await next().catch(() => true);
      await rest(ended ? IDLE_MS : BUSY_MS);
    }
  }
  function mending<T>(work: () => T): T {
    try {
      return work();
    } catch (fault) {
      if (!(fault instanceof RangeError) && !closed) remake();
      throw fault;
    }
  }
  async function upToDate(): Promise<Indexed> {
    let whole = false;
    // A page under way may have begun before what this question is about.
    if (reading) await reading;
    for (let pages = 0; pages < PAGES_AWAITED && !whole; pages++) whole = await next();
    return { through: index.through, whole };
  }
  async function ask<T>(work: (of: Index) => T): Promise<T & { readonly indexed: Indexed }> {
    const indexed = await upToDate();
    return { ...mending(() => work(index)), indexed };
  }
  void follow();
  return {
    find: (query) => ask((of) => ({ seqs: of.find(query) })),
    tally: (query) => ask((of) => of.tally(query)),
    usage: (agent) => ask((of) => of.usage(agent)),
    indexed: upToDate,
    async close() {
      closed = true;
      await reading?.catch(() => undefined);
      quietly(() => index.close());
    },
  };
}
function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // It is closed already, or as good as; or it is not ours to remove.
  }
}
