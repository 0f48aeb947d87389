/** What one action and a plan have in common while people are asked. */
import { type Reason, type Refusal, refuse } from '../errors.ts';
import type { Claim, Demand, EpochSeconds, Facts } from '../model.ts';
import type { Found } from '../store/store.ts';
import type { JsonObject } from '../wire/json.ts';
import { waits, waitsNoMore } from './crowd.ts';
import { type Keeper, type Kept, pollKey, REMEMBER_SECONDS } from './kept.ts';
import { type Approval, step } from './state.ts';

/** Seconds between two polls, and how much longer after one that came too fast (RFC 8628 §3.5). */
const INTERVAL = { first: 5, step: 5, most: 60 } as const;
export type Deferral = NonNullable<Refusal['deferral']>;

export interface Asking {
  deferral(approval: Approval, now: EpochSeconds, interval?: number): Deferral;
  /** Nobody has decided: told at most so often. `kept` may be later than what stands: then it is written. */
  waiting(kept: Kept, poll: Found | undefined, now: EpochSeconds, renewed: boolean): ReturnType<typeof refuse>;
  /** An open approval that can lead to nothing any more is ended by the no that says so. */
  ended(kept: Kept, how: 'lapse' | 'cancel', now: EpochSeconds, otherwise: Reason): { readonly claims?: readonly Claim[] };
}
/** `link`: where a person who has logged in decides on it; absent: there are no such pages. */
export function createAsking(keeper: Keeper, link?: (id: Approval['id']) => string): Asking {
  const deferral: Asking['deferral'] = ({ id, until }, now, interval = INTERVAL.first) => ({
    code: keeper.codeOf(id),
    interval,
    expiresIn: Math.max(0, Math.floor(until - now)),
    ...(link && { uri: link(id) }),
  });
  return {
    deferral,
    waiting(kept, poll, now, renewed) {
      const { approval } = kept;
      const last = poll?.value as { readonly at: number; readonly interval: number } | undefined;
      const early = last !== undefined && now - last.at < last.interval;
      const before = last?.interval ?? INTERVAL.first;
      const interval = early ? Math.min(INTERVAL.most, before + INTERVAL.step) : before;
      const claim: Claim = {
        key: pollKey(approval.id),
        version: poll?.version ?? 0,
        value: { at: now, interval },
        until: approval.until + REMEMBER_SECONDS,
        else: 'approval_too_fast',
      };
      const longer = renewed ? [keeper.write(kept, approval, 'retry_in_flight'), waits(approval)] : [];
      const rest = { detail: approval.id, deferral: deferral(approval, now, interval), claims: [claim, ...longer] };
      return refuse(early ? 'approval_too_fast' : 'approval_pending', rest);
    },
    ended(kept, how, now, otherwise) {
      const next = step(kept.approval, { what: how }, now);
      return next.ok ? { claims: [keeper.write(kept, next.value, otherwise), ...waitsNoMore(kept.approval, next.value)] } : {};
    },
  };
}

export const NEVER = { text: 'Ask a person to do this themselves: there is nobody who can be asked to agree to it here.' };

/** Who is waited for, for the ledger. */
export const wordsOf = ({ who, quorum, confirm, proof }: Demand): string => {
  const all = [...(confirm ? ['the person acted for'] : []), ...(quorum > 0 ? [`${who.join(', ')}; at least ${quorum}`] : [])];
  return all.join(', and ') + (proof ? ', each with a passkey' : '');
};

/** Of the action, for every later entry: no id of one exchange, no outcome. */
const TOLD = [
  'owner',
  'subject',
  'actors',
  'resource',
  'tool',
  'arguments',
  'recorded',
  'purpose',
  'context',
  'jkt',
  'credential',
] as const;
export const factsOf = (facts: Facts): Facts => {
  const all: JsonObject = JSON.parse(JSON.stringify(facts));
  return Object.fromEntries(TOLD.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
};
