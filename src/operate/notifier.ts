/** How people hear of what waits for them: a port. Knows a notice and a receiver; may not know approvals, a store or how to decide. */
import type { EpochSeconds } from '../model.ts';
import type { JsonObject } from '../wire/json.ts';

export type NoticeEvent = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled' | 'halt';
/** What is told. Every text in it is fit for a chat, a mail or a terminal: what is not a plain name is spelt out or left away. */
export interface Notice {
  /** The same however often it is sent: receivers know by it what they have seen. */
  readonly id: string;
  readonly event: NoticeEvent;
  readonly at: EpochSeconds;
  /** Where it is looked at and decided: a page of ours, behind a login. Absent where there is no console. */
  readonly link?: string;
  /** Whom it is for: teams and persons, as the demand names them. */
  readonly who: readonly string[];
  readonly facts: JsonObject;
  /** After this nobody needs to hear of it. */
  readonly until: EpochSeconds;
}
/** Why it was not delivered: a code for log and metrics. */
export type DeliveryFlaw = 'timeout' | 'network' | 'inward' | 'unresolved' | 'redirect' | 'status' | 'tls' | 'refused';
export type Delivery =
  | { readonly ok: true }
  /** `gone`: the receiver wants nothing more, ever (410). */
  | { readonly ok: false; readonly flaw: DeliveryFlaw | 'gone'; readonly status?: number; readonly afterSeconds?: number };

/** One receiver. It may be down, slow or hostile: whatever it does is a Delivery, and nothing it answers is kept. */
export interface Notifier {
  /** Of the configuration: for log, metrics and what waits for it. */
  readonly name: string;
  /** Another one where address or secret are others: what one receiver has said does not hold for the next. */
  readonly receiver: string;
  wants(notice: Notice): boolean;
  /** Never throws; ends with the signal. */
  send(notice: Notice, now: EpochSeconds, signal: AbortSignal): Promise<Delivery>;
}
