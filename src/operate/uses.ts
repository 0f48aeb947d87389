/** When agents last were given something, by the ledger. */
import type { EpochSeconds } from '../model.ts';
import { fromBody } from '../record/entry.ts';
import type { Store, Stored } from '../store/store.ts';
import type { JsonObject } from '../wire/json.ts';
import { SCOPE_LIST } from '../wire/oauth.ts';

export interface Use {
  readonly resource: string;
  /** `tool:list` of a base token. */
  readonly tool: string;
  readonly count: number;
  readonly at: EpochSeconds;
}
export interface Uses {
  readonly of: (agent: string) => readonly Use[];
  /** How far back was looked; absent: to the beginning. */
  readonly since?: EpochSeconds;
}
export type ReadUses = () => Promise<Uses>;
/** When an agent was last granted a tool, however long ago; undefined: never. */
export type LastUse = (wanted: {
  readonly agent: string;
  readonly resource: string;
  readonly tool: string;
}) => Promise<EpochSeconds | undefined>;

const PAGE = 500;

/** The newest entries, at most so many: for a broker without an index, and it says how far it came. */
export function scanUses(store: Pick<Store, 'scan'>, most = 5_000): ReadUses {
  return async () => {
    const found = new Map<string, Map<string, Use>>();
    let oldest: EpochSeconds | undefined;
    let after: string | undefined;
    for (let seen = 0; seen < most; seen += PAGE) {
      const page = { term: 'entry', limit: PAGE, newestFirst: true, ...(after !== undefined && { after }) };
      const rows: readonly Stored[] = await store.scan(page);
      for (const row of rows) {
        const { kind, at, request, client, actors = [], resource, tool = SCOPE_LIST } = fromBody(row.value as JsonObject);
        oldest = at;
        after = row.key;
        // A redemption is the tool server's.
        if (kind !== 'minted' || resource === undefined || request === 'redeem') continue;
        for (const agent of new Set([...actors, ...(client === undefined ? [] : [client])])) {
          const its = found.get(agent) ?? new Map<string, Use>();
          const name = `${resource} ${tool}`;
          const held = its.get(name);
          found.set(agent, its.set(name, { resource, tool, count: (held?.count ?? 0) + 1, at: held?.at ?? at }));
        }
      }
      if (rows.length < PAGE) return { of: usesOf(found) };
    }
    return { of: usesOf(found), ...(oldest !== undefined && { since: oldest }) };
  };
}
const usesOf =
  (found: ReadonlyMap<string, ReadonlyMap<string, Use>>): Uses['of'] =>
  (agent) => [...(found.get(agent)?.values() ?? [])];
