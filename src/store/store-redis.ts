/**
 * The store in Redis, for any number of brokers: one server, or one behind Sentinels, or one slot of a Cluster. A commit is one function
 * inside the server (store-redis-lua.ts), so it is decided and written as one there; this file packs, waits and reads answers. A commit whose
 * answer does not come is in doubt: it is reported as such and never sent again. Knows no more of what it keeps than the port says.
 */
import { randomBytes } from 'node:crypto';
import type { Json, JsonObject } from '../wire/json.ts';
import type { Head } from './chain.ts';
import { trimBody } from './chains.ts';
import { createFollowers } from './follow.ts';
import { ENTRY, type Packed, pack } from './pack.ts';
import { type Batch, type Found, type Store, type Stored, StoreFault, type StoreRefused } from './store.ts';
import { chainsOf, OwnChain } from './store-redis-chain.ts';
import type { Access } from './store-redis-connect.ts';
import { type LineOptions, openLine } from './store-redis-line.ts';
import type { Persistence } from './store-redis-open.ts';
import { keepUp } from './store-redis-pace.ts';
import { kindOf, lookWords, namesUnder, wordsOf } from './store-redis-words.ts';

export interface RedisStore extends Store {
  /** Since when, epoch seconds, this memory is whole: what was issued before may have been used up unseen (`issued` in a claim). */
  readonly since: number;
  /** Entries of this broker are not what it wrote: tampering, or a server that lost them. verify-ledger tells more. */
  readonly broken: { readonly seq: number; readonly why: string } | undefined;
  /** The server no longer has the store that this broker knew: every commit is refused until the process starts again. */
  readonly poisoned: StoreRefused | undefined;
  /** Links what was committed here so far. It happens by itself within a moment; a broker that stops does it too. Throws StoreFault. */
  seal(): Promise<void>;
  /**
   * Takes the entries through this one away, all of which stand in an export with this digest. An entry that says so comes first. Answers how
   * many went: called again after a fault it goes on. Throws RangeError when the entry is not there, or something before it is not sealed.
   */
  trim(exported: { readonly through: Head; readonly digest: string }): Promise<number>;
}
export interface RedisOptions extends Pick<Access, 'place' | 'username' | 'password' | 'sentinelPassword' | 'tls'> {
  /** Stores of several names share a server; in a Cluster each is one slot. */
  readonly name?: string;
  readonly persistence?: Persistence;
  /** A commit is answered when so many replicas have it too. Default: 1 behind Sentinels and in a Cluster, else 0. */
  readonly replicas?: number | undefined;
  /** How long one answer may take. Default: 1000. */
  readonly timeoutMs?: number;
  /** How often this broker notes what the others' chains have come to. Default: 60. */
  readonly noteSeconds?: number;
  /** Epoch seconds, in the place of the server's own clock. */
  readonly now?: () => number;
}

const PAGE = 500;
const TRIMMED = 200;
const refOf = (seq: number): string => ENTRY + String(seq).padStart(16, '0');
const newId = (): string => randomBytes(12).toString('base64url');

/** Opens the store, or makes it where there is none. Throws StoreRefused, with a remedy, when the server may not be trusted with one. */
export async function redisStore(options: RedisOptions): Promise<RedisStore> {
  const { place, now } = options;
  const seconds = (): number => Math.floor(now?.() ?? Date.now() / 1000);
  const tag = `{${options.name ?? 'countersign'}}`;
  const followers = createFollowers();
  let up = (_: { readonly lost: boolean }): void => undefined;
  const settings: LineOptions = {
    ...options,
    tag,
    persistence: options.persistence ?? 'always',
    replicas: options.replicas ?? ('url' in place ? 0 : 1),
    timeoutMs: options.timeoutMs ?? 1_000,
    newId,
    onUp: (how) => up(how),
  };
  const line = await openLine(settings);
  const names = namesUnder(tag, line.salt);
  const chains = chainsOf(line, tag);
  const own = new OwnChain(chains, newId);
  const pace = keepUp({ line, names, chains, own, followers, now: seconds, noteMs: (options.noteSeconds ?? 60) * 1000, append });
  up = pace.up;
  const underWay = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  const open = (): void => {
    if (closing) throw new StoreFault('closed');
  };
  /** The index of the first claim that failed, and whether nobody knows any more; or the number of the first entry. */
  async function write(packed: Packed): Promise<{ readonly failed: number; readonly unknown: boolean } | { readonly first: number }> {
    for (;;) {
      const chain = own.id;
      const { keys, args, absent, order } = wordsOf(packed, chain, names);
      let reply: readonly unknown[];
      try {
        reply = await line.ask('commit', keys, args, absent);
      } catch (fault) {
        // Its entries may stand in the chain, and then are linked like any other.
        if (packed.entries.length > 0) own.doubt();
        throw fault;
      }
      const [word, one, first] = reply;
      if (word === 'no') {
        const failed = reply.slice(1).map((place) => {
          const unknown = Number(place) < 0;
          return { unknown, failed: order[unknown ? -1 - Number(place) : Number(place)] ?? 0 };
        });
        return failed.reduce((first, one) => (one.failed < first.failed ? one : first));
      }
      if (word === 'late') throw new StoreFault('deadline');
      if (word === 'ahead') throw new StoreFault('clock');
      if (word === 'closed') {
        // Nothing was written: this chain was ended for us while we stood still.
        if (own.id === chain) own.begin();
        continue;
      }
      line.learn(Number(one));
      if (packed.entries.length > 0 && own.id === chain) {
        own.landed(Number(first), packed);
        pace.soon();
      }
      return { first: Number(first) };
    }
  }
  async function commit<R extends string>(batch: Batch<R>): Promise<R | undefined> {
    const written = await write(pack(batch));
    if (!('failed' in written)) return undefined;
    const claim = batch.claims[written.failed];
    return (written.unknown && claim && 'key' in claim ? claim.unknown : undefined) ?? claim?.else;
  }
  async function append(bodies: readonly JsonObject[]): Promise<number> {
    const entries = bodies.map((body) => ({ body, terms: [] }));
    const written = await write(pack({ at: seconds(), notAfter: Number.MAX_SAFE_INTEGER, claims: [], entries }));
    return 'first' in written ? written.first : 0;
  }
  function counted<T>(work: Promise<T>): Promise<T> {
    underWay.add(work);
    const done = (): void => void underWay.delete(work);
    work.then(done, done);
    return work;
  }

  return {
    get since() {
      return line.since;
    },
    get broken() {
      return own.broken;
    },
    get poisoned() {
      return line.poisoned;
    },
    seal: () => own.flush(),

    async commit(batch) {
      open();
      return counted(commit(batch));
    },

    async look(wanted, sums = []) {
      open();
      const { keys, args } = lookWords(wanted, sums, names);
      const reply = await line.ask('look', keys, args);
      const found = wanted.map((_, i): Found | undefined => {
        const version = Number(reply[1 + 2 * i]);
        return version === 0 ? undefined : { version, value: JSON.parse(String(reply[2 + 2 * i])) as Json };
      });
      return { found, sums: sums.map((_, i) => Number(reply[1 + 2 * wanted.length + i])) };
    },

    async scan({ term, after = '', limit, newestFirst = false }) {
      open();
      if (!Number.isSafeInteger(limit) || limit < 0) throw new RangeError('a limit is a whole number, not below zero');
      const ledger = term === 'entry';
      if (ledger && after !== '' && !/^entry\/\d{16}$/.test(after)) throw new RangeError('the ledger is paged by the keys of its entries');
      await own.flush();
      const rows: Stored[] = [];
      let from = ledger ? after.slice(ENTRY.length) : after;
      while (rows.length < limit) {
        const keys = [names.meta, names.log, ledger ? names.log : names.of('t', term)];
        const reply = await line.ask('scan', keys, [
          from && ledger ? Number(from) : from,
          Math.min(PAGE, limit - rows.length),
          newestFirst ? 1 : 0,
        ]);
        for (let i = 2; i < reply.length; i += 5) rows.push(storedOf(reply, i));
        if (reply[1] === '') break;
        from = String(reply[1]);
      }
      return rows;
    },

    async trim({ through, digest }) {
      open();
      const reply = await line.ask('scan', [names.meta, names.log, names.log], [through.seq - 1, 1, 0]);
      if (reply[2] !== refOf(through.seq) || reply[5] !== through.hash) throw new RangeError('there is no such entry');
      await append([trimBody(seconds(), { through: through.seq, digest })]);
      for (let count = 0; ; ) {
        const [, gone] = await line.ask('trim', [names.meta, names.log, names.the('floor')], [through.seq, TRIMMED]);
        count += Number(gone);
        if (Number(gone) < TRIMMED) return count;
      }
    },

    follow(prefix, signal) {
      open();
      if (!signal.aborted) pace.watch(prefix.includes('/') ? kindOf(prefix) : '*', prefix);
      return followers.follow(prefix, signal);
    },

    close() {
      closing ??= (async () => {
        await Promise.allSettled(underWay);
        await pace.stop();
        followers.end();
        line.close();
      })();
      return closing;
    },
  };
}
function storedOf(reply: readonly unknown[], at: number): Stored {
  const [key, version, value, hash] = reply.slice(at, at + 4);
  return {
    key: String(key),
    version: Number(version),
    value: JSON.parse(String(value)) as Json,
    ...(hash !== '' && { hash: String(hash) }),
  };
}
