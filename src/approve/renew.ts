import { type Asked, type EpochSeconds, nameOf } from '../model.ts';
import { canonical } from '../wire/digest.ts';
import type { Keeper } from './kept.ts';
import { type Approval, isOpen, latestOf } from './state.ts';

/** The principals of an approval, proved once more while it waits. */
export type Renewal = Pick<Asked, 'subject' | 'actors' | 'jkt' | 'until'>;

export const isSamePrincipals = ({ subject, actors, jkt }: Approval, again: Renewal): boolean =>
  subject.kind === again.subject.kind &&
  nameOf(subject) === nameOf(again.subject) &&
  jkt === again.jkt &&
  actors.length === again.actors.length &&
  again.actors.every(({ id }, i) => id === actors[i]);

/** Each renewal takes a vote's turn, so what gains less is not worth one. */
const LEAST_GAIN_SECONDS = 60;

/**
 * It lasts as long as policy lets people decide, if the newest proofs do (wire.md §3.4); what they say of the person is what is judged. The
 * very same approval where nothing changes that matters.
 */
export function renewed(approval: Approval, { subject, until: fresh }: Renewal, keeper: Keeper, now: EpochSeconds): Approval {
  if (!isOpen(approval) || now >= approval.until) return approval;
  const proofs = Math.max(approval.proofs, fresh);
  const until = Math.max(approval.until, Math.floor(Math.min(latestOf(approval), proofs)));
  const gains = until - approval.until >= LEAST_GAIN_SECONDS;
  if (subject.kind === 'agent' || approval.subject.kind === 'agent') return gains ? { ...approval, proofs, until } : approval;
  const known = keeper.open(approval);
  const same = canonical(known.attributes) === canonical(subject.attributes);
  if (same && !gains) return approval;
  const sealed = same ? approval.sealed : keeper.seal(approval.id, { ...known, attributes: subject.attributes });
  return { ...approval, proofs, until, sealed, subject: { ...approval.subject, exp: Math.max(approval.subject.exp, subject.exp) } };
}
