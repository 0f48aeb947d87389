import type { Demand } from '../model.ts';

/** In place of a name: whoever owns the agent that the permit is about. */
export const OWNER = 'owner';

/**
 * What holds where several permits demand something: everyone whom one of them wants asked, the larger quorum, the shorter time, a
 * confirmation and a proof if one wants them. So no permit that is added makes another one's demand smaller.
 */
export function strictest(demands: readonly Demand[]): Demand | undefined {
  if (demands.length === 0) return undefined;
  return {
    who: [...new Set(demands.flatMap(({ who }) => who))].sort(),
    quorum: Math.max(...demands.map(({ quorum }) => quorum)),
    ttlSeconds: Math.min(...demands.map(({ ttlSeconds }) => ttlSeconds)),
    ...(demands.some(({ confirm }) => confirm) && { confirm: true as const }),
    ...(demands.some(({ proof }) => proof === 'passkey') && { proof: 'passkey' as const }),
  };
}
/** With the owner by name. Without one it is left as it stands, and nobody can stand for it. */
export const routed = (demand: Demand, owner: string | undefined): Demand =>
  owner === undefined ? demand : { ...demand, who: [...new Set(demand.who.map((name) => (name === OWNER ? owner : name)))].sort() };
