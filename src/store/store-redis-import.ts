/**
 * A store that stood in a file moves into Redis. Every step says in the same write how far it has come, so a move that was killed goes on; until
 * all has arrived no broker takes what stands there for a store. Then it is compared, from its first entry to its last amount.
 */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { MovedEntry, MovedKey, MovedMember, Moving } from './moving.ts';
import { type Access, connect } from './store-redis-connect.ts';
import type { Reply } from './store-redis-flights.ts';
import { FORM } from './store-redis-line.ts';
import { functionOf, type Name } from './store-redis-lua.ts';
import { MOVING } from './store-redis-lua-import.ts';
import { inspect, type Persistence, refused } from './store-redis-open.ts';
import { digestOf, type Names, namesUnder } from './store-redis-words.ts';

export const STAGES = ['entries', 'torn', 'keys', 'members'] as const;
export type Stage = (typeof STAGES)[number];
/** How far a move has come; `done` of `all` in this stage. */
export type Progress = (stage: Stage, done: number, all: number) => void;
export interface Target extends Omit<Access, 'tag'> {
  readonly name: string;
  readonly persistence: Persistence;
  /** So many replicas must have all of it before it counts as arrived. */
  readonly replicas: number;
}
/** Where it moves to: our own half-done try, or nothing yet. */
export interface Landing {
  /** What stands there: nothing, part of this move, all of it. */
  readonly state: 'empty' | 'begun' | 'done';
  /** Carries what has not arrived. Throws what the client throws: called again, by whomever, it goes on. */
  carry(progress: Progress): Promise<void>;
  /** What stands there under the names of these, for a comparison. */
  readonly names: Names;
  readonly client: Redis;
  readonly tag: string;
  readonly chain: string;
  call(name: Name, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply>;
  /** From now on brokers take it for a store. */
  finish(): Promise<void>;
  /** Throws until the replicas have it too: only then may the file be put away. */
  copied(): Promise<void>;
  close(): void;
}

const PAGE = 200;

/** Throws StoreRefused: no server for a store, or something else stands there. With `anew` a half-done move of whatever store is thrown away. */
export async function landOn(target: Target, source: Moving, { anew = false } = {}): Promise<Landing> {
  const tag = `{${target.name}}`;
  const client = await connect({ ...target, tag }).catch((fault: unknown) => {
    throw refused('away', fault);
  });
  try {
    await inspect(client, { persistence: target.persistence, cluster: 'nodes' in target.place });
    if (anew) await discard(client, tag);
    return await land(client, tag, source, target);
  } catch (fault) {
    client.disconnect();
    throw fault;
  }
}

async function land(client: Redis, tag: string, source: Moving, { replicas, timeoutMs }: Target): Promise<Landing> {
  const names = namesUnder(tag, source.salt);
  const move = names.the('move');
  const chain = `file-${digestOf(source.salt).slice(0, 16)}`;
  const [[id, form], [was, stage = '']] = await Promise.all([
    client.hmget(names.meta, 'id', 'form'),
    client.hmget(move, 'source', 'stage'),
  ]);
  const ours = was === source.source;
  if (id && (!ours || (form !== MOVING && stage !== 'done'))) throw refused(form === MOVING ? 'other' : 'taken');
  if (!id && (await anything(client, tag))) throw refused('taken');
  const call = async (name: Name, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply> =>
    (await client.fcall(functionOf(name), keys.length, ...keys, ...args)) as Reply;

  async function carry(progress: Progress): Promise<void> {
    const begun = await call('movein', [names.meta, move], [randomBytes(12).toString('base64url'), source.source]);
    const [, own, , theirs, reached, cursor] = begun.map(String);
    if (own === undefined || theirs !== source.source) throw refused('other');
    if (reached === 'done') return;
    const send = async (stage: Stage, at: string, words: readonly (string | number)[]): Promise<void> => {
      const reply = await call('carry', [names.meta, move], [own, stage, at, chain, ...words]);
      if (reply[0] !== 'ok') throw refused('other');
    };
    const first = Math.max(0, STAGES.indexOf(reached as Stage));
    for (const stage of STAGES.slice(first)) {
      await CARRIERS[stage](source, names, stage === reached ? (cursor ?? '') : '', (at, words) => send(stage, at, words), progress);
    }
  }
  return {
    state: !id ? 'empty' : form === MOVING ? 'begun' : 'done',
    names,
    client,
    tag,
    chain,
    call,
    carry,
    async finish() {
      const own = await client.hget(names.meta, 'id');
      const [entry] = source.entries(0, 1);
      const words = [own ?? '', chain, source.head.seq, source.head.hash, entry?.seq ?? 0, source.salt, FORM];
      const reply = await call('moved', [names.meta, move, names.the('chains')], words);
      if (reply[0] !== 'ok') throw refused('other');
    },
    async copied() {
      if (replicas === 0) return;
      // Of a connection's own writes alone does a server know which replicas have them.
      await client.hset(move, 'stage', 'done');
      if ((await client.wait(replicas, Math.ceil(timeoutMs / 2))) < replicas) throw refused('alone');
    },
    close: () => client.disconnect(),
  };
}

type Send = (cursor: string, words: readonly (string | number)[]) => Promise<void>;
type Carrier = (source: Moving, names: Names, from: string, send: Send, progress: Progress) => Promise<void>;
/** Page by page; `from`: the last that has arrived. What had arrived before counts as done. */
async function pages<T>(
  options: {
    readonly stage: Stage;
    readonly all: number;
    readonly page: (last: T | undefined) => readonly T[];
    readonly cursor: (last: T) => string;
    readonly words: (one: T) => readonly (string | number)[];
    /** How many come before where it goes on. */
    readonly done: number;
  },
  send: Send,
  progress: Progress,
): Promise<void> {
  let { done } = options;
  let last: T | undefined;
  for (;;) {
    progress(options.stage, done, options.all);
    const page = options.page(last);
    last = page.at(-1);
    if (last === undefined) return;
    await send(options.cursor(last), page.flatMap(options.words));
    done += page.length;
  }
}
const hashesOf = (names: Names, terms: readonly string[]): readonly string[] =>
  terms.map((term) => names.of('t', term).slice(names.the('t:').length));
export const wordsOfEntry = (names: Names, { seq, hash, body, terms }: MovedEntry): readonly (string | number)[] => [
  'e',
  seq,
  hash,
  body,
  terms.length,
  ...hashesOf(names, terms),
];
export const wordsOfKey = (names: Names, { name, key = '', version, value, until = -1, terms }: MovedKey): readonly (string | number)[] => [
  'k',
  name,
  version,
  until,
  value,
  key,
  terms.length,
  ...hashesOf(names, terms),
];
export const wordsOfMember = (names: Names, { sum, id, amount, at, until = -1, ends }: MovedMember): readonly (string | number)[] => [
  'm',
  names.of('n', sum).slice(names.the('n:').length),
  digestOf(id),
  String(amount),
  at,
  until,
  ends,
];

const CARRIERS: Readonly<Record<Stage, Carrier>> = {
  entries: (source, names, from, send, progress) => {
    const { entries: all } = source.counts;
    const start = Number(from);
    const page = (last?: MovedEntry) => source.entries(last?.seq ?? start, PAGE);
    return pages(
      {
        stage: 'entries',
        all,
        page,
        cursor: ({ seq }) => String(seq),
        words: (one) => wordsOfEntry(names, one),
        done: Math.min(start, all),
      },
      send,
      progress,
    );
  },
  torn: (source, _names, from, send, progress) => {
    const start = Number(from);
    const page = (last?: { readonly seq: number }) => source.torn(last?.seq ?? start, PAGE);
    const words = ({ seq, hash, body }: { readonly seq: number; readonly hash: string; readonly body: string }) => ['t', seq, hash, body];
    return pages({ stage: 'torn', all: source.counts.torn, page, cursor: ({ seq }) => String(seq), words, done: 0 }, send, progress);
  },
  keys: (source, names, from, send, progress) => {
    const page = (last?: MovedKey) => source.keys(last?.name ?? from, PAGE);
    return pages(
      { stage: 'keys', all: source.counts.keys, page, cursor: ({ name }) => name, words: (one) => wordsOfKey(names, one), done: 0 },
      send,
      progress,
    );
  },
  members: (source, names, from, send, progress) => {
    const start = (from === '' ? ['', ''] : JSON.parse(from)) as readonly [string, string];
    const page = (last?: MovedMember) => source.members(last ? [last.sum, last.id] : start, PAGE);
    const cursor = ({ sum, id }: MovedMember): string => JSON.stringify([sum, id]);
    return pages(
      { stage: 'members', all: source.counts.members, page, cursor, words: (one) => wordsOfMember(names, one), done: 0 },
      send,
      progress,
    );
  },
};

/** Names under the tag, but for what brokers count beside the store (store-redis-rates.ts). */
export async function* namesThere(client: Redis, tag: string): AsyncGenerator<readonly string[]> {
  for (let cursor = '0'; ; ) {
    const [next, found] = await client.scan(cursor, 'MATCH', `${tag.replaceAll(/[[\]*?\\]/g, '\\$&')}:*`, 'COUNT', 1_000);
    yield found.filter((name) => !name.startsWith(`${tag}:rate:`));
    if (next === '0') return;
    cursor = next;
  }
}
async function anything(client: Redis, tag: string): Promise<boolean> {
  for await (const found of namesThere(client, tag)) if (found.length > 0) return true;
  return false;
}
/** A half-done move goes away; a store never does. */
async function discard(client: Redis, tag: string): Promise<void> {
  if ((await client.hget(`${tag}:meta`, 'form')) !== MOVING) return;
  for await (const found of namesThere(client, tag)) {
    const rest = found.filter((name) => name !== `${tag}:meta`);
    if (rest.length > 0) await client.unlink(...rest);
  }
  // Last, so that nobody takes what is left for nothing.
  await client.unlink(`${tag}:meta`);
}
