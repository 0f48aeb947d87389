import type { Redis } from 'ioredis';
import { StoreRefused } from './store.ts';
import { LIBRARY } from './store-redis-lua.ts';

/** How a commit that was answered survives a crash of the server. Weaker ones are chosen by name, and renew the memory at every restart. */
export type Persistence = 'always' | 'everysec' | 'none';

const texts = {
  old: ['unsuitable', 'the Redis server is older than version 7', 'Run Redis 7.0 or later, or Valkey.'],
  evicts: ['unsuitable', 'the Redis server may evict what was used up, and then it would work again', 'Set `maxmemory-policy noeviction`.'],
  volatile: [
    'unsuitable',
    'the Redis server does not keep what it answers for',
    'Set `appendonly yes` and `appendfsync always`; or say under `store.persistence` what you accept instead.',
  ],
  replica: ['unsuitable', 'this Redis server is a read-only replica', 'Give the address of the master, or those of the Sentinels.'],
  slots: ['unsuitable', 'the Redis Cluster is not whole', 'Assign every slot to a master that is up: `redis-cli --cluster check`.'],
  cluster: ['unsuitable', 'this Redis server belongs to a Cluster', 'Give its nodes under `store.nodes`.'],
  newer: [
    'newer',
    'the store was written by another form of this program',
    'Run that version, or give this one a store of its own: `store.name`.',
  ],
  moving: [
    'locked',
    'a store is on its way into this Redis and has not arrived',
    'Run `npm run migrate-store` again: it goes on where it was, or with --anew begins again.',
  ],
  other: [
    'unsuitable',
    'another move, or one of an earlier state of this store, stands half done in this Redis',
    'Run it again with --anew: what has arrived is thrown away, and the move begins again. No store is ever thrown away.',
  ],
  alone: [
    'unsuitable',
    'the replicas do not have all of it yet',
    'Check that they are connected, then run `npm run migrate-store` again: it has only this left to do.',
  ],
  taken: [
    'unsuitable',
    'something else stands in this Redis under the name of the store',
    'Give the store another name, or another Redis.',
  ],
  closed: [
    'unreadable',
    'the Redis server does not let this broker in',
    'Check user name, password and what the user may do: all functions, INFO.',
  ],
  away: ['unreadable', 'no Redis server answers here', 'Check that it is up, its address and TLS, and that its data has been loaded.'],
  gone: [
    'missing',
    'what the broker knew is no longer in this Redis: without it what was used up would work again',
    'Put its data back from a copy; or start the broker again, to begin an empty ledger.',
  ],
} as const;
export type Refused = keyof typeof texts;
export function refused(why: Refused, cause?: unknown): StoreRefused {
  const [code, message, remedy] = texts[why];
  return new StoreRefused(code, message, remedy, cause);
}

/** Redis's own word at the head of an error: `OOM`, `READONLY`; or nothing, when the fault is the connection's. */
export const wordOf = (fault: unknown): string =>
  fault instanceof Error && fault.name === 'ReplyError' ? (/^[A-Z]+/.exec(fault.message)?.[0] ?? 'ERR') : '';

const told = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text.split('\r\n').flatMap((line): [string, string][] => {
      const at = line.indexOf(':');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)]] : [];
    }),
  );

export interface Server {
  /** Every commit that was answered is on its disk. */
  readonly keeps: boolean;
}
/**
 * Is this a server that may be trusted with what must not be forgotten? Then it has our functions. Throws StoreRefused for one that may not,
 * and any other fault for one that cannot say yet.
 */
export async function inspect(client: Redis, options: { readonly persistence: Persistence; readonly cluster: boolean }): Promise<Server> {
  const info = told(await client.info());
  if (Number.parseInt(info.get('redis_version') ?? '0', 10) < 7) throw refused('old');
  if (info.get('loading') === '1' || info.get('async_loading') === '1') throw new Error('loading');
  if (info.get('role') !== 'master') throw refused('replica');
  if (info.get('maxmemory_policy') !== 'noeviction') throw refused('evicts');
  if (info.get('cluster_enabled') === '1') {
    if (!options.cluster) throw refused('cluster');
    const cluster = told(String(await client.cluster('INFO')));
    if (cluster.get('cluster_state') !== 'ok' || cluster.get('cluster_slots_ok') !== '16384') throw refused('slots');
  }
  const appends = info.get('aof_enabled') === '1';
  const always = appends && (await policyOf(client)) === 'always';
  if ((options.persistence === 'always' && !always) || (options.persistence === 'everysec' && !appends)) throw refused('volatile');
  try {
    await client.function('LOAD', LIBRARY);
  } catch (fault) {
    if (!(fault instanceof Error && fault.message.includes('already exists'))) throw fault;
  }
  // A promoted replica remembers the history that it was copied from; what its master had answered since is not in it.
  return { keeps: always && /^0+$/.test(info.get('master_replid2') ?? '') };
}
/** Where CONFIG is forbidden nobody can tell: then it is not the strongest. */
async function policyOf(client: Redis): Promise<string> {
  try {
    const answer = (await client.config('GET', 'appendfsync')) as readonly unknown[];
    return String(answer[1]);
  } catch (fault) {
    if (wordOf(fault) === '') throw fault;
    return 'unknown';
  }
}
