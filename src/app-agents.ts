/** What agents may do and why: wired for people who look. */
import type { Bundles } from './bundle/bundle.ts';
import type { Config } from './config.ts';
import type { World } from './model.ts';
import { createAgents } from './operate/agents.ts';
import type { Operate } from './operate/operator.ts';
import { createPlayground } from './operate/playground.ts';
import { type LastUse, scanUses } from './operate/uses.ts';
import type { Store } from './store/store.ts';

interface Rooms {
  readonly store: Store;
  readonly world: World;
  readonly bundles: Bundles;
  readonly revoke: Operate['revoke'];
  readonly entries: Operate['entries'];
}
export function openAgents(config: Config, { entries, ...rooms }: Rooms): Pick<Operate, 'agents' | 'playground'> {
  const issuers = config.issuers.filter(({ vouches }) => vouches.some((kind) => kind !== 'agent')).map(({ id }) => id);
  const lastUse: LastUse = async ({ agent, resource, tool }) => {
    const found = await entries.find({ agent, server: resource, tool, outcome: 'minted' }, { limit: 1 });
    return found.entries[0]?.entry.at;
  };
  return { agents: createAgents({ ...rooms, uses: scanUses(rooms.store), lastUse }), playground: createPlayground({ ...rooms, issuers }) };
}
