/**
 * What can be asked of the ledger by name and time. An index answers, and is believed in nothing: it says where an entry stands, and what is
 * shown is read from the ledger there. It may lag by a second, and is made again from the ledger whenever it is missing, behind or damaged.
 */

/** By what an entry is found. `why`: its policy's own code, else its reason; `by`: a person who decided or operated. */
export const FIELDS = [
  'agent',
  'subject',
  'owner',
  'tool',
  'resource',
  'kind',
  'reason',
  'policy',
  'by',
  'request',
  'outcome',
  'why',
] as const;
export type Field = (typeof FIELDS)[number];
/** What a text is looked for in: whatever people know by name. */
export const SPOKEN: ReadonlySet<Field> = new Set<Field>(['agent', 'subject', 'owner', 'tool', 'resource', 'reason', 'policy', 'by']);

/** An entry has one of these values in one of these fields. */
export interface Wanted {
  readonly fields: readonly Field[];
  readonly values: readonly string[];
}
export interface Range {
  /** All of them hold. */
  readonly wanted: readonly Wanted[];
  /** Some name in the entry has this within it, in whatever case. */
  readonly text?: string;
  /** Epoch seconds, both inclusive. */
  readonly from?: number;
  readonly to?: number;
}
export interface Query extends Range {
  /** Entries before this one. */
  readonly before?: number;
  readonly limit: number;
}
export interface Found {
  /** Newest first. */
  readonly seqs: readonly number[];
  readonly indexed: Indexed;
}
export interface Indexed {
  /** Entries up to this one are found. */
  readonly through: number;
  /** Nothing that stood there when this was asked is missing. */
  readonly whole: boolean;
}
export interface Count {
  readonly value: string;
  readonly count: number;
  /** The last entry of it, and when (epoch seconds). */
  readonly seq: number;
  readonly at: number;
}
export interface TallyQuery extends Range {
  readonly by: readonly Field[];
  /** Also the kinds over time, in slices of so many seconds from `from` on, which then must stand, as `to` must. */
  readonly sliceSeconds?: number;
}
export interface Tally {
  readonly total: number;
  /** Most first, by field. */
  readonly groups: Readonly<Partial<Record<Field, readonly Count[]>>>;
  /** How many of each kind, by slice. */
  readonly slices: readonly Readonly<Record<string, number>>[];
  readonly indexed: Indexed;
}
/** What was done with one tool of one server. */
export interface ToolUse {
  readonly resource: string;
  readonly tool: string;
  readonly kinds: Readonly<Record<string, number>>;
  readonly seq: number;
  readonly at: number;
}
export interface Usage {
  readonly kinds: Readonly<Record<string, number>>;
  readonly tools: readonly ToolUse[];
  /** How often each rule decided. */
  readonly policies: readonly Count[];
  readonly last?: { readonly seq: number; readonly at: number };
  readonly indexed: Indexed;
}
/** Throws what the back end throws when it cannot answer: then it is made again, and may be asked again. */
export interface Search {
  find(query: Query): Promise<Found>;
  tally(query: TallyQuery): Promise<Tally>;
  /** Of everything that an agent took part in. */
  usage(agent: string): Promise<Usage>;
  indexed(): Promise<Indexed>;
  close(): Promise<void>;
}
/** Entries of the ledger after this number, oldest first; fewer than PAGE at its end alone. */
export type Source = (after: number) => Promise<readonly SourceRow[]>;
export interface SourceRow {
  readonly seq: number;
  readonly body: object;
}
export const PAGE = 200;
