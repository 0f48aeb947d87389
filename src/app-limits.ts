/** How often who may ask, by configuration. */
import { redisAccess } from './app-backends.ts';
import type { Config } from './config.ts';
import { createRates, type Limit, type Rates, type Tally } from './http/rates.ts';
import type { World } from './model.ts';

export interface AppLimits {
  readonly perAddress?: Rates;
  readonly perAgent?: Rates;
  /** Has a refusal from this address an entry of its own? */
  readonly alone: (from: string) => boolean;
  close(): void;
}
type Parts = { readonly world: World; readonly environment: Readonly<Record<string, string | undefined>> };

/** From more addresses at once than this, even the first refusals of each are told together: else many addresses would do what one cannot. */
const ADDRESSES = 20;

/** Brokers of one Redis count together. Throws ConfigError. */
export async function openLimits({ limits, store }: Config, { world, environment }: Parts): Promise<AppLimits> {
  const clock = { now: world.now(), elapsed: world.elapsed };
  const shares = store.use === 'redis' && (limits.perAddress !== 'none' || limits.perAgent !== 'none');
  const tally = shares ? (await import('./store/store-redis-rates.ts')).redisTally(redisAccess(store, environment)) : undefined;
  const counted = (kind: string): { readonly tally?: Tally } =>
    tally ? { tally: { add: (window, counts) => tally.add(kind, window, counts) } } : {};
  const rates = (limit: Limit | 'none', kind: string): Rates | undefined =>
    limit === 'none' ? undefined : createRates({ ...limit, ...clock, ...counted(kind) });
  const perAddress = rates(limits.perAddress, 'address');
  const perAgent = rates(limits.perAgent, 'agent');
  return {
    ...(perAddress && { perAddress }),
    ...(perAgent && { perAgent }),
    alone: limits.refusals === 'none' ? () => true : twice(limits.refusals, clock),
    close() {
      perAddress?.close();
      perAgent?.close();
      tally?.close();
    },
  };
}
function twice(limit: Limit, clock: { readonly now: number; readonly elapsed: () => number }): (from: string) => boolean {
  const each = createRates({ ...limit, ...clock });
  const all = createRates({ requests: limit.requests * ADDRESSES, seconds: limit.seconds, ...clock });
  return (from) => each.take(from) === undefined && all.take('') === undefined;
}
