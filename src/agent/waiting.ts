/** Waits until people have decided (wire.md §3.4): polls as often as the broker allows, tells how it goes, and can be cancelled. */
import { GRANT_DEFERRED, PARAM_DEFERRAL_CODE } from '../wire/deferred.ts';
import type { JsonObject } from '../wire/json.ts';
import { AgentError } from './error.ts';
import type { Ask } from './exchange.ts';

/**
 * `refuse`: an action that needs a person is ERR_DENIED. `wait`: people are asked, and the call waits for them. `link`: people are asked, and
 * until they have decided each call is ERR_APPROVAL_PENDING with the page where they do; the same call later goes on with what they decided.
 */
export type ApprovalMode = 'wait' | 'refuse' | 'link';
/** How a wait goes: told when it begins, and after each poll. */
export interface Waiting {
  readonly resource: string;
  readonly tool: string;
  /** Seconds since the wait began, and until nobody may decide any more. */
  readonly waitedSeconds: number;
  readonly secondsLeft: number;
  readonly polls: number;
  /** What the operator's `explain` takes: a person who asks what is being waited for needs this. */
  readonly decisionId?: string;
  /** Where people decide, if the broker has such pages: it shows nothing to whoever has not logged in there. */
  readonly approvalUri?: string;
}
/** What giving up means: people need not look at it any more, or they may still decide and the same action goes on with that. */
export type WhenAborted = 'withdraw' | 'keep';
export interface WaitOptions {
  readonly ask: Ask;
  readonly now: () => number;
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
  readonly whenAborted: WhenAborted;
  readonly tell: (waiting: Omit<Waiting, 'resource' | 'tool'>) => void;
}
/** Seconds: no broker makes us ask without pause, or sleep beyond its own end. */
const INTERVAL = { least: 1, most: 120, slower: 5 } as const;

/**
 * The answer of the exchange that was deferred. Errors: what stands at the end (ERR_DENIED by a person, ERR_APPROVAL_EXPIRED, ERR_LAPSED for a code
 * that is good no more), ERR_PROTOCOL, or the signal's own reason. A broker that cannot be reached meanwhile is asked again until the end.
 */
export async function untilDecided(pending: AgentError, options: WaitOptions): Promise<JsonObject> {
  try {
    return await polled(pending, options);
  } catch (fault) {
    const code = pending.deferral?.code;
    // The caller, or what it told to listen, gave up: it is kept no longer, whatever becomes of telling the broker.
    if (code !== undefined && options.whenAborted === 'withdraw' && !(fault instanceof AgentError))
      withdraw(options.ask, code).catch(() => {});
    throw fault;
  }
}
/** Nobody needs to decide any more (RFC 7009, by the deferral code). */
export async function withdraw(ask: Ask, code: string, signal?: AbortSignal): Promise<void> {
  await ask({ endpoint: 'revoke', form: async () => ({ token: code }), signal });
}
/** The token where people agreed, or undefined where they have not decided yet. */
export async function pollOnce(ask: Ask, code: string, signal: AbortSignal | undefined): Promise<JsonObject | undefined> {
  try {
    return await ask({ form: pollOf(code), signal });
  } catch (fault) {
    if (fault instanceof AgentError && fault.code === 'ERR_APPROVAL_PENDING') return undefined;
    throw fault;
  }
}
const pollOf = (code: string) => async () => ({ grant_type: GRANT_DEFERRED, [PARAM_DEFERRAL_CODE]: code });

async function polled(pending: AgentError, { ask, now, wait, signal, tell }: WaitOptions): Promise<JsonObject> {
  const { deferral, decisionId } = pending;
  if (!deferral) throw pending;
  const { approvalUri } = deferral;
  const began = now();
  let end = began + deferral.expiresInSeconds;
  const form = pollOf(deferral.code);
  const about = { ...(decisionId !== undefined && { decisionId }), ...(approvalUri !== undefined && { approvalUri }) };
  let interval = bounded(deferral.intervalSeconds);
  for (let polls = 0; ; polls++) {
    const at = now();
    tell({ waitedSeconds: at - began, secondsLeft: Math.max(0, end - at), polls, ...about });
    // The last poll comes just past the end, so that it is the broker who says so.
    await wait(Math.max(INTERVAL.least, Math.min(interval, end - at + 1)) * 1_000, signal);
    signal?.throwIfAborted();
    const late = now() > end;
    try {
      return await ask({ form, signal });
    } catch (fault) {
      if (!(fault instanceof AgentError)) throw fault;
      const waits = fault.code === 'ERR_APPROVAL_PENDING' || fault.code === 'ERR_UNAVAILABLE';
      if (!waits) throw fault;
      if (late) throw new AgentError('ERR_APPROVAL_EXPIRED', undefined, decisionId === undefined ? {} : { decisionId }, fault);
      // Fresh proofs on a poll may have given people longer (wire.md §3.4); what an answer's way took has not.
      const later = now() + (fault.deferral?.expiresInSeconds ?? 0);
      if (later > end + interval) end = later;
      // RFC 8628 §3.5: slower from now on.
      if (fault.error === 'slow_down') interval = Math.max(interval + INTERVAL.slower, fault.deferral?.intervalSeconds ?? 0);
      else if (fault.deferral) interval = Math.max(interval, fault.deferral.intervalSeconds);
      interval = bounded(interval);
    }
  }
}
const bounded = (seconds: number): number => Math.min(INTERVAL.most, Math.max(INTERVAL.least, seconds));
