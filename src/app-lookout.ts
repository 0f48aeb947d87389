/** Composition of what people see of the ledger: searched, taken away, counted and live. */
import type { Logger } from 'pino';
import { openSearch } from './app-search.ts';
import type { Bundles } from './bundle/bundle.ts';
import type { Config } from './config.ts';
import type { Signer } from './keys/signer.ts';
import type { World } from './model.ts';
import { createEntries } from './operate/entries.ts';
import { explainer } from './operate/explain.ts';
import { createExport } from './operate/export.ts';
import { createLive } from './operate/live.ts';
import type { Operate } from './operate/operator.ts';
import { createOverview } from './operate/overview.ts';
import { latencies } from './record/reader-latency.ts';
import type { Reader, Recorder } from './record/record.ts';
import type { Store } from './store/store.ts';

export interface Lookout extends Pick<Operate, 'entries' | 'explain' | 'takeOut' | 'live' | 'overview'> {}
/** `readers`: who hears of what is committed; ours are added. `held`: what is given back at the end. */
export function openLookout(
  config: Pick<Config, 'issuer' | 'store' | 'console'>,
  rooms: {
    readonly store: Store;
    readonly world: World;
    readonly record: Recorder;
    readonly bundles: Bundles;
    readonly signer: Signer;
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly log: Logger;
    readonly halts: () => Promise<readonly unknown[]>;
    readonly readers: Reader[];
    readonly onFault: (fault: unknown) => void;
  },
  held: (() => void | Promise<void>)[],
): Lookout {
  const { store, world, record, bundles, halts, log } = rooms;
  const search = openSearch(config, { ...rooms, onRemade: () => log.warn('the index of the ledger is made again') });
  held.push(() => search.close());
  const live = createLive({ store, world, onFault: rooms.onFault });
  held.push(() => live.release());
  const latency = latencies();
  rooms.readers.push(live.read, latency.read);
  const entries = createEntries({ store, search, servers: () => bundles.current().servers });
  return {
    entries,
    live,
    explain: explainer(store),
    takeOut: createExport({ issuer: config.issuer, entries, record, signer: rooms.signer, world }),
    overview: createOverview({ search, store, world, bundle: bundles.current, halts, latency: latency.told }),
  };
}
