import type { Name } from './store-redis-lua.ts';
import { FIRST, MOST_ABSENT } from './store-redis-lua-commit.ts';

export type Reply = readonly unknown[];
export interface Call {
  readonly name: Name;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  /** Of a commit: keys that it claims to be absent (store-redis-words.ts). */
  readonly absent: readonly string[];
  readonly resolve: (reply: Reply) => void;
  readonly reject: (fault: unknown) => void;
}
/** What is many of a kind goes as one call, which costs the server half as much. */
export interface Flight {
  readonly name: Name;
  readonly keys: string[];
  readonly args: (string | number)[];
  readonly calls: Call[];
}

/** Longer ones keep everybody else waiting: what a call changes is passed on at its end, all together. */
const MOST_ABOARD = 16;
/** Nothing is passed on of these. */
const MOST_LOOKS = 64;
/** The keys that all of them have. */
const SHARED = { commit: ['meta', 'log', 'changes', 'chains', 'ends'], look: ['meta'] } as const;
const isShared = (name: Name): name is keyof typeof SHARED => name in SHARED;

/** All of one turn of the loop, in as few calls of the server as is good for it. */
export function flightsOf(calls: readonly Call[], tag: string): readonly Flight[] {
  const flights: Flight[] = [];
  let commits: Commits | undefined;
  let looks: Flight | undefined;
  // What is alone goes first: who asks to be told of changes is told of those in the same turn.
  for (const call of calls) {
    if (!isShared(call.name)) flights.push({ name: call.name, keys: [...call.keys], args: [...call.args], calls: [call] });
  }
  for (const call of calls) {
    if (call.name === 'look') {
      if (!looks || looks.calls.length >= MOST_LOOKS) {
        looks = { name: 'look', keys: SHARED.look.map((what) => `${tag}:${what}`), args: [], calls: [] };
        flights.push(looks);
      }
      for (const key of call.keys) looks.keys.push(key);
      for (const word of call.args) looks.args.push(word);
      looks.calls.push(call);
    } else if (call.name === 'commit') {
      if (!commits?.take(call)) {
        commits?.close();
        commits = new Commits(tag);
        commits.take(call);
        flights.push(commits);
      }
    }
  }
  commits?.close();
  return flights;
}
/** As `commit` in store-redis-lua-commit.ts reads them. */
class Commits implements Flight {
  readonly name = 'commit';
  readonly keys: string[];
  readonly args: (string | number)[] = [0];
  readonly calls: Call[] = [];
  readonly #places = new Map<string, string>();

  constructor(tag: string) {
    this.keys = SHARED.commit.map((what) => `${tag}:${what}`);
  }
  /** False: there is no room for it. */
  take(call: Call): boolean {
    const { keys, args, absent } = call;
    if (this.calls.length > 0 && (this.calls.length >= MOST_ABOARD || this.#places.size + absent.length > MOST_ABSENT)) return false;
    for (const key of keys) this.keys.push(key);
    this.args.push(keys.length, args.length + (absent.length > 0 ? 1 : 0));
    for (const [i, word] of args.entries()) {
      this.args.push(word);
      if (i === 0 && absent.length > 0) this.args.push(this.#placesOf(absent));
    }
    this.calls.push(call);
    return true;
  }
  #placesOf(absent: readonly string[]): string {
    let word = '';
    for (const key of absent) {
      let place = this.#places.get(key);
      if (place === undefined) {
        place = String.fromCharCode(FIRST + this.#places.size);
        this.#places.set(key, place);
      }
      word += place;
    }
    return word;
  }
  close(): void {
    this.args[0] = this.#places.size;
    for (const key of this.#places.keys()) this.keys.push(key);
  }
}
/** Of a flight each has an answer of its own, unless it did not take off. */
export const replyOf = (answer: Reply, name: Name, i: number): Reply =>
  isShared(name) && answer[0] === 'ok' ? ((answer[1 + i] ?? ['other']) as Reply) : answer;
