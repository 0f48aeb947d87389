/** How many requests of one agent wait for people at once: whoever is asked too much looks at nothing. */
import type { Claim } from '../model.ts';
import type { SumQuery } from '../store/store.ts';
import type { Approval } from './state.ts';

/** A plan counts as one: people decide on it once. */
export const MAX_WAITING = 100;
/** Longer than anything may wait: each ends by itself at its own end. */
const WINDOW_SECONDS = 8 * 24 * 3600;
export const TOO_MANY = {
  text: 'Wait until people have decided on some of them, or withdraw what is not needed any more: POST /revoke with its deferral_code.',
  hints: [{ waiting_at_most: MAX_WAITING }],
} as const;

export const waitingOf = (client: string): SumQuery => ({ sum: `approvals/${client}`, windowSeconds: WINDOW_SECONDS });
export const isCrowded = (waiting: number | undefined): boolean => !(waiting !== undefined && waiting < MAX_WAITING);
/** Holds while this one is within what may wait, on every broker of the store. */
export const waits = ({ client, id, until }: Pick<Approval, 'client' | 'id' | 'until'>): Claim => ({
  ...waitingOf(client),
  id,
  amount: 1,
  limit: MAX_WAITING,
  until,
  else: 'approvals_too_many',
});
/** Its place is free once nobody is waited for any more. */
export const waitsNoMore = (before: Pick<Approval, 'state'>, next: Pick<Approval, 'state' | 'client' | 'id'>): readonly Claim[] =>
  before.state !== 'pending' || next.state === 'pending'
    ? []
    : [{ ...waitingOf(next.client), id: next.id, amount: 0, limit: Number.MAX_SAFE_INTEGER, else: 'state_conflict' }];
