/** An approval as GET /operator/approvals serves it, and what can be said of it without asking anybody. */
import type { JsonValue, Me, Schema } from './kit.ts';

export type State = 'pending' | 'approved' | 'redeemed' | 'denied' | 'expired' | 'cancelled';
type Arguments = { readonly [name: string]: JsonValue };
export interface Vote {
  readonly by: string;
  readonly vote: 'approve' | 'deny';
  readonly at: number;
  readonly reason: string;
  readonly via: string;
  readonly confirms?: true;
  readonly steps?: readonly number[];
}
export interface Step {
  readonly resource: string;
  readonly tool: string;
  readonly description?: string;
  readonly schema?: Schema;
  readonly arguments?: Arguments;
  readonly arguments_digest: string;
  readonly purpose?: string;
  readonly needs_approval: boolean;
  readonly state: string;
}
export interface Approval {
  readonly id: string;
  readonly state: State;
  readonly client: string;
  readonly owner?: string;
  readonly subject: string;
  readonly actors: readonly string[];
  readonly resource: string;
  readonly tool: string;
  readonly description?: string;
  readonly schema?: Schema;
  readonly arguments: Arguments;
  readonly arguments_digest: string;
  readonly purpose?: string;
  readonly demand: { readonly who: readonly string[]; readonly quorum: number; readonly confirm?: boolean; readonly proof?: 'passkey' };
  readonly votes: readonly Vote[];
  readonly credential: string;
  readonly bundle: string;
  readonly made: number;
  readonly until: number;
  readonly latest: number;
  readonly ordered?: boolean;
  readonly steps?: readonly Step[];
}
export interface Ballot {
  readonly vote: 'approve' | 'deny';
  readonly reason: string;
  readonly steps?: readonly number[];
}

/** As it is now: what nobody decided in time has expired, whether or not the broker has said so. */
export const stateOf = ({ state, until }: Pick<Approval, 'state' | 'until'>, now: number): State =>
  (state === 'pending' || state === 'approved') && now >= until ? 'expired' : state;
export const TONE = { pending: 'warn', approved: 'good', redeemed: 'good', denied: 'bad', expired: 'quiet', cancelled: 'quiet' } as const;
export const WORD: Readonly<Record<State, string>> = {
  pending: 'waits',
  approved: 'approved',
  redeemed: 'approved and used',
  denied: 'denied',
  expired: 'expired',
  cancelled: 'cancelled',
};

/** Why this person cannot vote on it; undefined: they can, as far as can be known here. The broker decides. */
export type Bar = 'not_waiting' | 'own_action' | 'already_voted' | 'not_approver' | 'not_asked' | 'local';
export function barOf(approval: Approval, me: Me, now: number): Bar | undefined {
  if (stateOf(approval, now) !== 'pending') return 'not_waiting';
  if (approval.votes.some((vote) => vote.by === me.name && !vote.confirms)) return 'already_voted';
  if (approval.subject === me.name) return 'own_action';
  if (!me.roles.includes('approver')) return 'not_approver';
  if (me.name.startsWith('local:')) return 'local';
  return approval.demand.who.some((who) => who === me.name || me.teams.includes(who)) ? undefined : 'not_asked';
}
/** Those who agreed in place of the person acted for do not count as that person's own word. */
export const agreed = ({ votes }: Approval): number => votes.filter(({ vote, confirms }) => vote === 'approve' && !confirms).length;
