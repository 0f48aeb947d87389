import type { Batch, Claim, Store } from '../../src/store/store.ts';
import type { Json, JsonObject } from '../../src/wire/json.ts';

export interface Made {
  readonly store: Store;
  /** The store's own clock, epoch seconds, to be set. */
  readonly clock: { at: number };
}
export const T = 1_795_176_000;

/** The store under test, and the short words that its tests are written in. */
export class Room {
  #made: Made | undefined;
  #round = 0;
  /** Begins every name that a test uses, so that none meets another's. */
  n = '';

  enter(made: Made): void {
    this.#made = made;
  }
  next(): void {
    this.clock.at = T;
    this.n = `t${this.#round++}`;
  }
  get store(): Store {
    if (!this.#made) throw new Error('the store is not open yet');
    return this.#made.store;
  }
  get clock(): { at: number } {
    if (!this.#made) throw new Error('the store is not open yet');
    return this.#made.clock;
  }
  commit<R extends string>(claims: readonly Claim<R>[], more: Partial<Batch<R>> = {}): Promise<R | undefined> {
    return this.store.commit<R>({ at: this.clock.at, notAfter: this.clock.at + 30, claims, entries: [], ...more });
  }
  put(key: string, version: number, value: Json, rest: object = {}): Claim<string> {
    return { key, version, value, else: `${key}@${version}`, ...rest };
  }
  add(sum: string, id: string, amount: number, limit = 100, rest: { windowSeconds?: number; until?: number } = {}): Claim<string> {
    return { sum, id, amount, limit, windowSeconds: 3600, else: 'full', ...rest };
  }
  async get(key: string) {
    return (await this.store.look([key])).found[0];
  }
  async sum(sum: string, windowSeconds = 3600) {
    return (await this.store.look([], [{ sum, windowSeconds }])).sums[0];
  }
  entry(body: JsonObject, ...terms: string[]) {
    return { body, terms };
  }
  ledger() {
    return this.store.scan({ term: 'entry', limit: 1_000_000 });
  }
}
