/** How it goes: decisions over time, what is refused and what helps against it, what waits. Counts and names of ours, no arguments. */
import { termOfState } from '../approve/kept.ts';
import { type Reason, toWire } from '../errors.ts';
import type { Bundle, EpochSeconds, World } from '../model.ts';
import { rootOf } from '../record/entry.ts';
import type { Store } from '../store/store.ts';
import { ASIDES, isAside } from '../wire/asides.ts';
import type { Indexed, Search, Wanted } from './search.ts';

/** Of one slice of time. */
export interface Slice {
  readonly at: EpochSeconds;
  readonly granted: number;
  readonly refused: number;
  /** Began to wait for people. */
  readonly waiting: number;
  readonly faulted: number;
}
/** One reason for which requests were refused. */
export interface Refusals {
  /** The deciding policy's own code, else ours. */
  readonly code: string;
  readonly count: number;
  /** The latest, and its entry. */
  readonly at: EpochSeconds;
  readonly seq: number;
  /** What the one who was refused is told. */
  readonly text?: string;
  /** What the policy teaches. */
  readonly remedy?: string;
  readonly policies: readonly string[];
}
export interface Overview {
  readonly from: EpochSeconds;
  readonly to: EpochSeconds;
  readonly sliceSeconds: number;
  readonly slices: readonly Slice[];
  readonly total: Omit<Slice, 'at'>;
  readonly refusals: readonly Refusals[];
  /** Who asked most. */
  readonly agents: readonly { readonly agent: string; readonly count: number }[];
  /** `more`: at least so many. `oldest`: when the one that waits longest was asked for. */
  readonly waiting: { readonly count: number; readonly more: boolean; readonly oldest?: EpochSeconds };
  readonly halts: number;
  /** Milliseconds from first byte read to durable entry, at this broker, of its latest decisions. */
  readonly latency?: { readonly p50: number; readonly p99: number; readonly count: number };
  readonly indexed: Indexed;
}
export interface OverviewParts {
  readonly search: Search;
  readonly store: Pick<Store, 'scan'>;
  readonly world: Pick<World, 'now' | 'elapsed'>;
  readonly bundle: () => Bundle;
  readonly halts: () => Promise<readonly unknown[]>;
  readonly latency: () => Overview['latency'];
}
export const MINUTES = { default: 60, most: 7 * 24 * 60 } as const;

const DECISIONS: readonly Wanted[] = [{ fields: ['kind'], values: ['minted', 'refused', 'pending', 'faulted'] }];
const REFUSED: Wanted = { fields: ['kind'], values: ['refused'] };
const SLICES = 60;
const TOLD = 8;
const COUNTED = 1_000;
/** Many people look at the same; it is counted once for all of them. */
const FRESH_MS = 1_000;

/** `minutes`: back from now. */
export function createOverview(parts: OverviewParts): (minutes: number) => Promise<Overview> {
  const { search, store, world, bundle, latency } = parts;
  const kept = new Map<number, { readonly at: number; readonly answer: Promise<Overview> }>();

  async function count(minutes: number): Promise<Overview> {
    const to = world.now();
    const sliceSeconds = Math.max(1, Math.ceil((minutes * 60) / SLICES));
    // Slices begin where they did a moment ago, so that the picture moves and does not flicker.
    const from = Math.floor((to - minutes * 60) / sliceSeconds + 1) * sliceSeconds;
    const range = { from, to };
    const [all, asides, refused, waiting, halts] = await Promise.all([
      search.tally({ ...range, wanted: DECISIONS, by: ['kind', 'agent'], sliceSeconds }),
      search.tally({
        ...range,
        wanted: [REFUSED, { fields: ['why'], values: ASIDES satisfies readonly Reason[] }],
        by: ['kind'],
        sliceSeconds,
      }),
      search.tally({ ...range, wanted: [REFUSED], by: ['why'] }),
      whatWaits(),
      parts.halts(),
    ]);
    const kinds = kindsOf(all);
    const beside = kindsOf(asides);
    const { agents } = bundle();
    const measured = latency();
    return {
      ...range,
      sliceSeconds,
      slices: all.slices.map((one, i) => ({ at: from + i * sliceSeconds, ...outcomes(one, asides.slices[i]) })),
      total: outcomes(kinds, beside),
      refusals: (refused.groups.why ?? [])
        .filter(({ value }) => !isAside(value))
        .slice(0, TOLD)
        .map(({ value, count: of, at, seq }) => ({
          code: value,
          count: of,
          at,
          seq,
          ...teaching(bundle(), value),
        })),
      agents: (all.groups.agent ?? [])
        .filter(({ value }) => agents.byClient(value) !== undefined)
        .slice(0, TOLD)
        .map(({ value, count: of }) => ({ agent: value, count: of })),
      waiting,
      halts: halts.length,
      ...(measured && { latency: measured }),
      indexed: all.indexed,
    };
  }
  async function whatWaits(): Promise<Overview['waiting']> {
    const rows = await store.scan({ term: termOfState('pending'), limit: COUNTED });
    const [first] = rows;
    const oldest = first && Math.floor(Number.parseInt(rootOf(first.key).slice(0, 12), 16) / 65_536);
    return { count: rows.length, more: rows.length === COUNTED, ...(oldest !== undefined && Number.isFinite(oldest) && { oldest }) };
  }
  return (minutes) => {
    const at = world.elapsed();
    const known = kept.get(minutes);
    if (known && at - known.at < FRESH_MS) return known.answer;
    for (const [other, { at: then }] of kept) if (at - then >= FRESH_MS) kept.delete(other);
    const answer = count(minutes);
    kept.set(minutes, { at, answer });
    // What failed is not what the next one is told.
    answer.catch(() => kept.delete(minutes));
    return answer;
  };
}

type Kinds = Readonly<Record<string, number>>;
const kindsOf = ({ groups }: Awaited<ReturnType<Search['tally']>>): Kinds =>
  Object.fromEntries((groups.kind ?? []).map(({ value, count }) => [value, count]));
const outcomes = (kinds: Kinds, asides: Kinds | undefined): Omit<Slice, 'at'> => ({
  granted: kinds['minted'] ?? 0,
  refused: (kinds['refused'] ?? 0) - (asides?.['refused'] ?? 0),
  waiting: kinds['pending'] ?? 0,
  faulted: kinds['faulted'] ?? 0,
});
/** Of the policies in force now: those of then may have taught something else. */
function teaching(bundle: Bundle, code: string): Pick<Refusals, 'text' | 'remedy' | 'policies'> {
  const rules = (bundle.policy.rules ?? []).filter((rule) => rule.code === code);
  const remedy = rules.find((rule) => rule.remedy)?.remedy?.text;
  const text = textOf(code);
  return { policies: rules.map(({ id }) => id), ...(remedy !== undefined && { remedy }), ...(text !== undefined && { text }) };
}
/** Undefined: a policy's code. */
function textOf(code: string): string | undefined {
  const known: { readonly text: string } | undefined = toWire(code as Reason);
  return known?.text;
}
