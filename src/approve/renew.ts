import { type Asked, type EpochSeconds, nameOf } from '../model.ts';
import type { Keeper } from './kept.ts';
import { type Approval, isOpen } from './state.ts';

/** The principals of an approval, proved once more while it waits. */
export type Renewal = Pick<Asked, 'subject' | 'actors' | 'jkt' | 'until'>;

export const isSamePrincipals = ({ subject, actors, jkt }: Approval, again: Renewal): boolean =>
  subject.kind === again.subject.kind &&
  nameOf(subject) === nameOf(again.subject) &&
  jkt === again.jkt &&
  actors.length === again.actors.length &&
  again.actors.every(({ id }, i) => id === actors[i]);

/** It lasts as long as policy lets people decide, if the newest proofs do (wire.md §3.4); what they say of the person is what is judged. */
export function renewed(approval: Approval, { subject, until: fresh }: Renewal, keeper: Keeper, now: EpochSeconds): Approval {
  if (!isOpen(approval) || now >= approval.until) return approval;
  const proofs = Math.max(approval.proofs, fresh);
  const until = Math.max(approval.until, Math.floor(Math.min(approval.made + approval.demand.ttlSeconds, proofs)));
  if (subject.kind === 'agent' || approval.subject.kind === 'agent') return { ...approval, proofs, until };
  const sealed = keeper.seal(approval.id, { ...keeper.open(approval), attributes: subject.attributes });
  return { ...approval, proofs, until, sealed, subject: { ...approval.subject, exp: Math.max(approval.subject.exp, subject.exp) } };
}
