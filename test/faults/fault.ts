/** What a fault of Redis or of brokers is, and on whom it strikes. */
import type { Kind, Pair, Side } from './pair.ts';

export interface Struck {
  readonly pair: Pair;
  /** The side that it befalls, where it befalls one; chosen anew each time. */
  readonly side: Side;
  readonly other: Side;
  /** What must be said of this time in the summary. */
  note(what: string): void;
  /** A part of this time, in milliseconds from its beginning. */
  took(part: string, ms: number): void;
}
export interface Fault {
  readonly about: string;
  readonly on?: Kind;
  /** Lines of Redis' configuration. */
  readonly config?: readonly string[];
  /** The server is in a network of its own, where the machine allows that. */
  readonly apart?: true;
  /** Whose door must say that it cannot grant while it lasts; `some`: now and then. */
  readonly away: 'both' | 'one' | 'some';
  /** The store has forgotten all: what was granted before has its entries no more. */
  readonly forgets?: true;
  begin(struck: Struck): Promise<void>;
  end(struck: Struck): Promise<void>;
}
/** At random. */
export const upTo = (ms: number): number => Math.random() * ms;
