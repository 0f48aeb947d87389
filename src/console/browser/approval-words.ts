/** What is said of an approval: why somebody cannot decide it, and what happens next. Constant texts. */
import { type Approval, agreed, type Bar, type State } from './approval.ts';
import { spanOf } from './kit.ts';

export const BARRED: Readonly<Record<Exclude<Bar, 'not_waiting'>, (one: Approval) => string>> = {
  own_action: () => 'This is done on your behalf, so somebody else has to agree to it: four eyes.',
  already_voted: (one) =>
    `Your word is recorded. ${one.demand.quorum - agreed(one)} more ${one.demand.quorum - agreed(one) === 1 ? 'person has' : 'people have'} to agree before it can run.`,
  not_approver: () => 'You may look at this, and not decide it: that takes the role approver.',
  not_asked: (one) => `Only ${one.demand.who.join(' or ')} can decide this, and you are not of them.`,
  local: () => 'You came in by a one-time link, as this machine’s user. Only a person who logs in at the issuer can decide this.',
};
export function aftermath({ client, until, made }: Approval, state: State): string {
  switch (state) {
    case 'approved':
      return `${client} learns of it when it next asks, within seconds, and may do this once: these arguments, this key, until its time is over. The rules in force then are asked once more.`;
    case 'redeemed':
      return `${client} was given its token for this one action. Nothing more can come of this approval.`;
    case 'denied':
      return `${client} is told no. It stays refused: asking again in the same words gives the same answer until this request is forgotten.`;
    case 'expired':
      return `Nobody decided it within ${spanOf(until - made)}, so nothing was done. ${client} may ask again.`;
    case 'cancelled':
      return 'It was withdrawn, or somebody in it was suspended: nothing was done.';
    case 'pending':
      return 'It waits.';
  }
}
/** Of a vote that the broker did not take. By the refusal's code and detail. */
export function refusedVote(code: string, detail: string | undefined): string {
  switch (detail) {
    case 'decided':
      return 'Somebody else decided this first. Your vote was not counted.';
    case 'lapsed':
      return 'Its time was over before your vote came. Nothing was done; the agent may ask again.';
    case 'already_voted':
      return 'You have voted on this before: one person, one vote.';
    case 'own_action':
      return 'This is done on your behalf: somebody else has to agree. Your vote was refused, and that is recorded.';
    case 'not_an_approver':
      return 'You are not among those who can decide this. Your vote was refused, and that is recorded.';
    case 'not_a_person':
      return 'Only a person who logged in at the issuer can decide this. Your vote was refused, and that is recorded.';
    case 'too_many':
      return 'You have agreed to as much as one person may for now. Somebody else can agree, or you later; a no is always taken. That is recorded.';
    case 'passkey_none':
      return 'This wants your yes signed, and you have no passkey here yet: register one on your own page first. Nothing was sent.';
    case 'passkey_unknown':
      return 'That passkey is not registered here as yours. Your vote was refused, and that is recorded.';
    case 'proof_needed':
      return 'This wants your yes signed by a passkey. Your vote was refused, and that is recorded.';
    case 'proof_challenge':
      return 'What you signed is not what stands here now: look at it again. Your vote was refused, and that is recorded.';
    case 'proof_unverified':
      return 'Your passkey did not check that it was you: set up its PIN or fingerprint. Your vote was refused, and that is recorded.';
    case 'out_of_order':
      return 'These steps run in their order: agree to those before, too, or to none after.';
    case 'edited':
      return 'This request was changed in the store since it was made. It cannot be decided any more; tell whoever runs this broker.';
    default:
      return code === 'state_conflict' ? 'This changed a moment ago. Look at it again before you decide.' : 'Your vote was not taken.';
  }
}
