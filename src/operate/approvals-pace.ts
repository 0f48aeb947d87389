import type { Keeper } from '../approve/kept.ts';
import type { Claim } from '../model.ts';

/** How often one person may agree within a sliding window. */
export interface Pace {
  readonly max: number;
  readonly windowSeconds: number;
}
/**
 * Holds while this person has not agreed too often, at any broker of the store; it fails with `vote_refused`. A no is never refused: whoever is
 * tired must still be able to stop something. One subject known to several issuers is one person.
 */
export function paced(pace: Pace | undefined, keeper: Keeper, by: string, approval: string): readonly Claim[] {
  if (!pace) return [];
  const sum = `votes/${keeper.bind(['votes', by.slice(by.indexOf(':') + 1)])}`;
  return [{ sum, id: approval, amount: 1, limit: pace.max, windowSeconds: pace.windowSeconds, else: 'vote_refused' }];
}
