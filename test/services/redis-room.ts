/** Stores on a Redis of the tests, and the short words that these are written in. */
import type { Claim, StoreFault } from '../../src/store/store.ts';
import { type RedisOptions, type RedisStore, redisStore } from '../../src/store/store-redis.ts';
import type { Json, JsonObject } from '../../src/wire/json.ts';
import type { Redis } from './redis.ts';

export const seconds = (): number => Math.floor(Date.now() / 1000);
export const at = (redis: Pick<Redis, 'host' | 'port'>): RedisOptions['place'] => ({ url: `redis://${redis.host}:${redis.port}` });
const opened = new Set<RedisStore>();
export async function openAt(options: RedisOptions): Promise<RedisStore> {
  const store = await redisStore(options);
  opened.add(store);
  return store;
}
export const openOn = (redis: Pick<Redis, 'host' | 'port' | 'password'>, more: Partial<RedisOptions> = {}): Promise<RedisStore> =>
  openAt({ place: at(redis), password: redis.password, ...more });
/** Those that a failed test left open would keep the process. */
export async function closeAll(): Promise<void> {
  await Promise.all([...opened].map((store) => store.close()));
  opened.clear();
}

export const put = (key: string, version: number, value: Json, rest: object = {}): Claim<string> => ({
  key,
  version,
  value,
  else: `${key}@${version}`,
  ...rest,
});
export const entry = (body: JsonObject, ...terms: string[]) => ({ body, terms });
export const commit = (store: RedisStore, claims: readonly Claim<string>[], ...bodies: readonly JsonObject[]) =>
  store.commit({ at: seconds(), notAfter: seconds() + 30, claims, entries: bodies.map((body) => entry(body)) });
export const get = async (store: RedisStore, key: string) => (await store.look([key])).found[0];
export const isFault =
  (...what: readonly StoreFault['what'][]) =>
  (fault: unknown): boolean =>
    fault instanceof Error && 'what' in fault && what.includes(fault.what as StoreFault['what']);
/** Milliseconds that it takes, however it ends. */
export async function took(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work().catch(() => undefined);
  return performance.now() - began;
}
