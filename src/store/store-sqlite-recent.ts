/** A key that will soon be gone: held in memory, its changes written in rows that only ever grow at the end (hazards: random writes). */
export interface Recent {
  readonly version: number;
  readonly value: string;
  readonly until: number;
}
/** [key, version, until, value]; or [key]: it now stands in the table. */
export type Change = readonly [string, number, number, string] | readonly [string];

/**
 * The short-lived keys. The writer decides by its own; readers keep a second one, fed with the very rows that are written, so that it is
 * as fresh as the last commit that was answered. Both are rebuilt from the rows when the store opens.
 */
export class RecentKeys {
  readonly #held = new Map<string, Recent>();
  #walk: Iterator<[string, Recent]> | undefined;

  get size(): number {
    return this.#held.size;
  }
  get(key: string): Recent | undefined {
    return this.#held.get(key);
  }
  set(key: string, recent: Recent | undefined): void {
    if (recent) this.#held.set(key, recent);
    else this.#held.delete(key);
  }
  /** One row of changes. Returns the names that changed value. */
  apply(row: string): readonly string[] {
    const names: string[] = [];
    for (const change of JSON.parse(row) as readonly Change[]) {
      if (change.length === 1) {
        this.#held.delete(change[0]);
        continue;
      }
      const [key, version, until, value] = change;
      this.#held.set(key, { version, until, value });
      names.push(key);
    }
    return names;
  }
  /** Forgets what ended before a second, looking at no more than so many keys: call it with more than were added, and it keeps up. */
  sweep(steps: number, before: number): void {
    for (let i = 0; i < steps; i++) {
      this.#walk ??= this.#held.entries();
      const next = this.#walk.next();
      if (next.done) {
        this.#walk = undefined;
        return;
      }
      const [key, recent] = next.value;
      if (recent.until < before) this.#held.delete(key);
    }
  }
}
