/** What agents may do and why: wired for people who look. */
import type { Bundles } from './bundle/bundle.ts';
import type { Config } from './config.ts';
import type { World } from './model.ts';
import { createAgents } from './operate/agents.ts';
import type { Operate } from './operate/operator.ts';
import { createPlayground } from './operate/playground.ts';
import { type ReadUses, scanUses } from './operate/uses.ts';
import type { Store } from './store/store.ts';

export function openAgents(
  config: Config,
  rooms: { readonly store: Store; readonly world: World; readonly bundles: Bundles; readonly revoke: Operate['revoke'] },
  uses: ReadUses = scanUses(rooms.store),
): Pick<Operate, 'agents' | 'playground'> {
  const issuers = config.issuers.filter(({ vouches }) => vouches.some((kind) => kind !== 'agent')).map(({ id }) => id);
  return { agents: createAgents({ ...rooms, uses }), playground: createPlayground({ ...rooms, issuers }) };
}
