/** What people have got used to: of one agent, tool and demand how often they were asked and what they always said yes to. Pure. */
import type { EpochSeconds } from '../model.ts';
import type { Json, JsonObject } from '../wire/json.ts';

/** What one argument was in everything that was agreed to. `times`: how often it was there; what is given seldom is optional. */
export type Seen =
  | { readonly kind: 'integer'; readonly times: number; readonly min: number; readonly max: number }
  | { readonly kind: 'string'; readonly times: number; readonly values: readonly string[] | 'many' }
  | { readonly kind: 'boolean'; readonly times: number; readonly values: readonly boolean[] }
  /** Nothing that a rule could hold it against. */
  | { readonly kind: 'other'; readonly times: number };
export interface Habit {
  readonly agent: string;
  /** How many agents act in a row. */
  readonly depth: number;
  readonly kind: 'person' | 'service' | 'agent';
  readonly resource: string;
  readonly tool: string;
  readonly who: readonly string[];
  /** A confirmation or a signature is wanted: somebody meant it to be hard. */
  readonly strong: boolean;
  /** What took part in the decision when it was asked last. */
  readonly policies: readonly string[];
  readonly since: EpochSeconds;
  readonly last: EpochSeconds;
  readonly asked: number;
  readonly approved: number;
  readonly denied: number;
  readonly expired: number;
  readonly deniedAt?: EpochSeconds;
  /** Agreed to in a row, since the last no. */
  readonly streak: number;
  /** Of those in a row. */
  readonly subjects: readonly string[] | 'many';
  readonly seen: Readonly<Record<string, Seen>>;
  /** Seconds from the question to the answer, the latest ones. */
  readonly took: readonly number[];
}
export type Asked = Pick<Habit, 'agent' | 'depth' | 'kind' | 'resource' | 'tool' | 'who' | 'strong'>;
export type Turn =
  | { readonly what: 'asked'; readonly policies: readonly string[] }
  | { readonly what: 'approved'; readonly subject: string; readonly arguments: JsonObject; readonly took: number }
  | { readonly what: 'denied'; readonly took: number }
  | { readonly what: 'expired' };

/** More different ones than this are no bound that a person would read. */
export const FEW = { subjects: 10, values: 5 } as const;
const TIMES = 50;
const MAX_TEXT = 256;

/** What is known after one more turn. A no begins the row anew: what was said no to once is not always agreed to. */
export function learn(before: Habit | undefined, of: Asked, turn: Turn, now: EpochSeconds): Habit {
  const it: Habit = { ...(before ?? { ...NEW, since: now, policies: [] }), ...of, last: now };
  switch (turn.what) {
    case 'asked':
      return { ...it, asked: it.asked + 1, policies: turn.policies };
    case 'expired':
      return { ...it, expired: it.expired + 1 };
    case 'denied':
      return { ...it, denied: it.denied + 1, deniedAt: now, streak: 0, subjects: [], seen: {}, took: later(it.took, turn.took) };
    case 'approved':
      return {
        ...it,
        approved: it.approved + 1,
        streak: it.streak + 1,
        subjects: one(it.subjects, turn.subject, FEW.subjects),
        seen: seenWith(it.seen, turn.arguments),
        took: later(it.took, turn.took),
      };
    default:
      return turn satisfies never;
  }
}
const NEW = { asked: 0, approved: 0, denied: 0, expired: 0, streak: 0, subjects: [], seen: {}, took: [] } as const;
const later = (took: readonly number[], seconds: number): readonly number[] => [...took, Math.max(0, seconds)].slice(-TIMES);
function one<T>(known: readonly T[] | 'many', value: T, few: number): readonly T[] | 'many' {
  if (known === 'many' || known.includes(value)) return known;
  return known.length < few ? [...known, value] : 'many';
}

function seenWith(seen: Habit['seen'], args: JsonObject): Habit['seen'] {
  const next = new Map(Object.entries(seen));
  for (const [name, value] of Object.entries(args)) {
    // Null counts as absent, as it does for policies.
    if (value !== null) next.set(name, with_(next.get(name), value));
  }
  return Object.fromEntries(next);
}
function with_(seen: Seen | undefined, value: Json): Seen {
  const times = (seen?.times ?? 0) + 1;
  if (typeof value === 'number' && Number.isSafeInteger(value) && (!seen || seen.kind === 'integer'))
    return { kind: 'integer', times, min: Math.min(value, seen?.min ?? value), max: Math.max(value, seen?.max ?? value) };
  if (typeof value === 'boolean' && (!seen || seen.kind === 'boolean'))
    return { kind: 'boolean', times, values: [...new Set([...(seen?.values ?? []), value])] };
  if (typeof value === 'string' && (!seen || seen.kind === 'string'))
    return { kind: 'string', times, values: value.length > MAX_TEXT ? 'many' : one(seen?.values ?? [], value, FEW.values) };
  return { kind: 'other', times };
}

/** The middle one, of an odd number; the lower of two in the middle. Undefined of none. */
export function median(numbers: readonly number[]): number | undefined {
  return [...numbers].sort((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)];
}
