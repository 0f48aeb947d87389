/**
 * How often somebody may ask: a window that slides, decided at once and in this process. Several brokers tell each other what they have let
 * through (`Tally`), behind the requests: a limit holds for all of them together to within what passes in a quarter of a second, and costs no
 * request a round trip.
 */

/** So many in so long. Short of it nothing is ever refused; beyond it as many as the limit allows still come through. */
export interface Limit {
  readonly requests: number;
  readonly seconds: number;
}
/** What brokers of one store count together. */
export interface Tally {
  /** Adds to the counts of a window (by name), and answers what they are then. Throws while nobody keeps them: they are added later. */
  add(
    window: { readonly index: number; readonly seconds: number },
    counts: ReadonlyMap<string, number>,
  ): Promise<ReadonlyMap<string, number>>;
}
export interface Rates {
  /** Counts one more. Milliseconds to wait where that is one too many: then it does not count. */
  take(name: string): number | undefined;
  /** The same, without counting. */
  look(name: string): number | undefined;
  /** Tells the other brokers, and hears from them. It happens by itself. */
  exchange(): Promise<void>;
  close(): void;
}
export interface RatesOptions extends Limit {
  /** Epoch seconds, when the rates begin: windows are the same to all brokers, as far as their clocks agree. */
  readonly now: number;
  /** Monotonic milliseconds. */
  readonly elapsed: () => number;
  readonly tally?: Tally;
}
interface Counted {
  window: number;
  /** In the window before. */
  before: number;
  /** In this one: by all brokers as last heard, and by this one since. */
  known: number;
  own: number;
}

/** More names than this are not remembered at once: the oldest go. A name has a few dozen bytes here. */
const MOST_NAMES = 20_000;
const EXCHANGE_MS = 250;

export function createRates({ requests, seconds, now, elapsed, tally }: RatesOptions): Rates {
  const length = seconds * 1000;
  const offset = now * 1000 - elapsed();
  const names = new Map<string, Counted>();
  /** Those with something to tell. */
  const changed = new Set<string>();
  let telling: Promise<void> | undefined;

  function current(name: string, window: number): Counted | undefined {
    const counted = names.get(name);
    if (!counted || counted.window === window) return counted;
    const before = counted.window === window - 1 ? counted.known + counted.own : 0;
    return Object.assign(counted, { window, before, known: 0, own: 0 });
  }
  function remember(name: string, window: number): Counted {
    if (names.size >= MOST_NAMES) {
      const [oldest] = names.keys();
      if (oldest !== undefined) names.delete(oldest);
    }
    const counted = { window, before: 0, known: 0, own: 0 };
    names.set(name, counted);
    return counted;
  }
  /** Of the window before, as much counts as of it lies within one length of now. In whole products: a share of a window has no exact form. */
  function wait({ before, known, own }: Counted, passed: number): number | undefined {
    const used = known + own;
    const left = requests - 1 - used;
    if (before * (length - passed) <= left * length) return undefined;
    if (left >= 0) return length - Math.floor((left * length) / before) - passed;
    return length - passed + Math.max(0, length - Math.floor(((requests - 1) * length) / used));
  }
  function ask(name: string, counts: boolean): number | undefined {
    const at = elapsed() + offset;
    const window = Math.floor(at / length);
    const counted = current(name, window);
    const late = counted && wait(counted, at - window * length);
    if (late !== undefined) return Math.max(1, Math.ceil(late));
    if (!counts) return undefined;
    (counted ?? remember(name, window)).own++;
    if (tally) changed.add(name);
    return undefined;
  }
  async function tell(to: Tally): Promise<void> {
    const index = Math.floor((elapsed() + offset) / length);
    const counts = new Map<string, number>();
    for (const name of changed) {
      const counted = names.get(name);
      if (counted?.window === index && counted.own > 0) counts.set(name, counted.own);
      else changed.delete(name);
    }
    if (counts.size === 0) return;
    let totals: ReadonlyMap<string, number>;
    try {
      totals = await to.add({ index, seconds }, counts);
    } catch {
      // What this broker lets through is limited all the while; the others hear of it when they can.
      return;
    }
    for (const [name, told] of counts) {
      const counted = names.get(name);
      if (counted?.window !== index) continue;
      counted.own -= told;
      counted.known = totals.get(name) ?? counted.known + told;
      if (counted.own === 0) changed.delete(name);
    }
  }
  const exchange = async (): Promise<void> => {
    if (!tally) return;
    telling ??= tell(tally).finally(() => {
      telling = undefined;
    });
    await telling;
  };
  const ticking = tally && setInterval(() => void exchange(), EXCHANGE_MS).unref();

  return {
    take: (name) => ask(name, true),
    look: (name) => ask(name, false),
    exchange,
    close: () => clearInterval(ticking),
  };
}
