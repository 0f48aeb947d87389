import type { Rule } from './policy-cedar-source.ts';

/**
 * Of the permits whose conditions hold, those that count now. One whose last day is over grants nothing. One that takes the place of another's
 * demand counts beside that other alone: it can take a question away, and give nobody what the other would not have given.
 */
export function standing(met: readonly Rule[], now: number): readonly Rule[] {
  const current = met.filter((rule) => !hasEnded(rule, now));
  const own = new Set(current.filter(({ insteadOf }) => insteadOf === undefined).map(({ id }) => id));
  return current.filter(({ insteadOf }) => insteadOf === undefined || insteadOf.some((id) => own.has(id)));
}
export const hasEnded = ({ ends }: Rule, now: number): boolean => ends !== undefined && now >= ends;
