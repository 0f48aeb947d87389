/** How keys come and go: next → current → retiring → gone, or distrusted at once. Pure; may not know stores, ciphers or what is signed. */
import { type Result, refuse } from '../errors.ts';
import type { EpochSeconds, Id } from '../model.ts';
import type { JsonObject } from '../wire/json.ts';
import type { Alg } from '../wire/jws.ts';
import { ok } from '../wire/result.ts';

/** `next` is published and does not sign yet; `retiring` signs no more and is still published; `gone` and `distrusted` are a name alone. */
export type KeyState = 'next' | 'current' | 'retiring' | 'gone' | 'distrusted';
export const STEPS = ['publish', 'activate', 'retire', 'emergency'] as const;
export type Step = (typeof STEPS)[number];

export interface NewKey {
  readonly id: Id<'key'>;
  readonly kid: string;
  readonly alg: Alg;
  readonly publicJwk: JsonObject;
  /** The sealed private JWK, or a reference to where the private key lives. */
  readonly sealed: string;
}
export interface RingKey {
  readonly id: Id<'key'>;
  /** Unique for ever: a key that is gone keeps its name, so that no later one takes it. */
  readonly kid: string;
  readonly alg: Alg;
  readonly state: KeyState;
  /** When it entered this state. */
  readonly since: EpochSeconds;
  /** As long as it is published. */
  readonly publicJwk?: JsonObject;
  /** As long as it signs or will sign: a retiring key has none, so a store that leaks gives nothing old. */
  readonly sealed?: string;
}
export interface Ring {
  readonly keys: readonly RingKey[];
}
export const NO_KEYS: Ring = { keys: [] };

export interface Timing {
  /** `max-age` of /jwks: how long a verifier may know nothing of a new key. */
  readonly maxAgeSeconds: number;
  /** The longest life of anything signed by these keys. */
  readonly maxTokenSeconds: number;
  /** What clocks may differ by, and how late a broker may learn of a step. */
  readonly skewSeconds: number;
}
/** Why a step is refused: stable codes, the refusal's `detail`. */
export type StepDetail = 'nothing_to_do' | 'already_published' | 'too_early';
export interface Change {
  readonly kid: string;
  readonly alg: Alg;
  readonly from?: KeyState;
  readonly to: KeyState;
}
export interface PlannedStep {
  readonly step: Step;
  readonly possible: boolean;
  /** Possible, and part of a rotation that has begun. */
  readonly due: boolean;
  readonly detail?: StepDetail;
  /** From when on it is possible, where waiting helps. */
  readonly at?: EpochSeconds;
  /** The keys it would move. */
  readonly kids: readonly string[];
}

const isPublished = (key: RingKey): boolean => key.state === 'next' || key.state === 'current' || key.state === 'retiring';
const has = (ring: Ring, alg: Alg, state: KeyState): boolean => ring.keys.some((key) => key.alg === alg && key.state === state);
const algsOf = (keys: readonly { readonly alg: Alg }[]): readonly Alg[] => [...new Set(keys.map((key) => key.alg))];

/** The algorithms among `algs` that nothing can sign yet. */
export const missing = (ring: Ring, algs: readonly Alg[]): readonly Alg[] => algs.filter((alg) => !has(ring, alg, 'current'));
/** The algorithms that `publish` and `emergency` need a new key for. */
export const algsToMake = (ring: Ring, algs: readonly Alg[]): readonly Alg[] => [
  ...new Set([...algs, ...algsOf(ring.keys.filter((key) => key.state === 'current'))]),
];

/** What this key waits for, and the second from which that may be. */
export function awaits(key: RingKey, timing: Timing): { readonly step: 'activate' | 'retire'; readonly at: EpochSeconds } | undefined {
  const { maxAgeSeconds, maxTokenSeconds, skewSeconds } = timing;
  // Every verifier's cached set must hold the key before a token names it.
  if (key.state === 'next') return { step: 'activate', at: key.since + maxAgeSeconds + skewSeconds };
  // The last token that it signed must have ended.
  if (key.state === 'retiring') return { step: 'retire', at: key.since + maxTokenSeconds + skewSeconds };
  return undefined;
}

/** Every step: whether it is possible, when, and what it would move. `algs`: those that new keys are made for. */
export function plan(ring: Ring, now: EpochSeconds, timing: Timing, algs: readonly Alg[]): readonly PlannedStep[] {
  return STEPS.map((step): PlannedStep => {
    const { detail, at, keys } = survey(ring, step, now, timing, algs);
    return {
      step,
      possible: detail === undefined,
      due: detail === undefined && (step === 'activate' || step === 'retire'),
      ...(detail !== undefined && { detail }),
      ...(at !== undefined && { at }),
      kids: keys.map((key) => key.kid),
    };
  });
}

interface Survey {
  readonly detail?: StepDetail;
  readonly at?: EpochSeconds;
  readonly keys: readonly RingKey[];
}
function survey(ring: Ring, step: Step, now: EpochSeconds, timing: Timing, algs: readonly Alg[]): Survey {
  switch (step) {
    case 'publish':
      return algs.some((alg) => !has(ring, alg, 'next')) ? { keys: [] } : { detail: 'already_published', keys: [] };
    case 'emergency': {
      const keys = ring.keys.filter(isPublished);
      return keys.length > 0 ? { keys } : { detail: 'nothing_to_do', keys };
    }
    case 'activate':
    case 'retire': {
      const waiting = ring.keys.flatMap((key) => {
        const next = awaits(key, timing);
        return next?.step === step ? [{ key, at: next.at }] : [];
      });
      if (waiting.length === 0) return { detail: 'nothing_to_do', keys: [] };
      const ready = waiting.filter(({ at }) => at <= now);
      const at = Math.min(...waiting.map((one) => one.at));
      if (ready.length === 0) return { detail: 'too_early', at, keys: waiting.map(({ key }) => key) };
      return { at, keys: ready.map(({ key }) => key) };
    }
    default:
      return step satisfies never;
  }
}

/**
 * A fresh `current` for each algorithm of `newKeys` that has none: the first ring, and an algorithm that the configuration has gained.
 * No verifier can hold a token of it yet, and one that meets an unknown `kid` fetches the set again.
 */
export function begin(ring: Ring, now: EpochSeconds, newKeys: readonly NewKey[]): Ring {
  const wanted = newKeys.filter((key) => !has(ring, key.alg, 'current'));
  return withNew(ring, wanted, 'current', now);
}

/**
 * One step of every algorithm that is ready for it. `newKeys`: one for each of `algsToMake`, for `publish` and `emergency`.
 *
 * publish — a `next` key for each algorithm without one: in the published set, not yet signing.
 * activate — once published for max-age and skew: `next` signs, `current` retires and its private half is dropped.
 * retire — once the longest token's life and skew have passed since it last signed: the public half is dropped too.
 * emergency — whatever could sign or is still believed is distrusted at once and a fresh key signs at once. Tokens outstanding fail as soon as
 * a verifier fetches the set again: at the first token of the new key, or after max-age at the latest.
 *
 * Errors: state_conflict with a StepDetail.
 */
export function step(ring: Ring, what: Step, now: EpochSeconds, newKeys: readonly NewKey[], timing: Timing): Result<Ring> {
  const { detail, keys } = survey(ring, what, now, timing, algsOf(newKeys));
  if (detail !== undefined) return refuse('state_conflict', { detail });
  const moving = new Set(keys.map((key) => key.kid));
  switch (what) {
    case 'publish': {
      const wanted = newKeys.filter((key) => !has(ring, key.alg, 'next'));
      return ok(withNew(ring, wanted, 'next', now));
    }
    case 'activate': {
      const algs = new Set(keys.map((key) => key.alg));
      return ok(
        change(ring, (key) => {
          if (moving.has(key.kid)) return { ...key, state: 'current', since: now };
          if (key.state === 'current' && algs.has(key.alg)) return stripped(key, 'retiring', now);
          return key;
        }),
      );
    }
    case 'retire':
      return ok(change(ring, (key) => (moving.has(key.kid) ? stripped(key, 'gone', now) : key)));
    case 'emergency': {
      const cleared = change(ring, (key) => (isPublished(key) ? stripped(key, 'distrusted', now) : key));
      const fresh = withNew(cleared, newKeys, 'current', now);
      if (missing(fresh, algsOf(keys.filter((key) => key.state === 'current'))).length > 0) throw new Error('an algorithm has no new key');
      return ok(fresh);
    }
    default:
      return what satisfies never;
  }
}

/** What differs, in the order of the later ring. */
export function changes(before: Ring, after: Ring): readonly Change[] {
  const old = new Map(before.keys.map((key) => [key.kid, key.state]));
  return after.keys.flatMap(({ kid, alg, state }) => {
    const from = old.get(kid);
    return from === state ? [] : [{ kid, alg, ...(from !== undefined && { from }), to: state }];
  });
}

/** The key set that verifiers fetch (RFC 7517 §5): every key from its publication until it is gone. */
export function publishedKeys(ring: Ring): JsonObject {
  const keys = ring.keys.filter(isPublished);
  return { keys: keys.map(({ kid, alg, publicJwk = {} }) => ({ ...publicJwk, kid, alg, use: 'sig' })) };
}

const change = (ring: Ring, each: (key: RingKey) => RingKey): Ring => ({ keys: ring.keys.map(each) });

/** Signs no more: the private half goes; with `retiring` the public half stays. */
function stripped(key: RingKey, state: 'retiring' | 'gone' | 'distrusted', now: EpochSeconds): RingKey {
  const { id, kid, alg, publicJwk } = key;
  return { id, kid, alg, state, since: now, ...(state === 'retiring' && publicJwk && { publicJwk }) };
}
/** Throws where the maker of keys gives a name or an algorithm twice: that is a bug, and a ring made of it would not verify. */
function withNew(ring: Ring, newKeys: readonly NewKey[], state: 'next' | 'current', now: EpochSeconds): Ring {
  const kids = new Set(ring.keys.flatMap((key) => [key.kid, key.id]));
  if (algsOf(newKeys).length !== newKeys.length) throw new Error('two new keys of one algorithm');
  for (const { id, kid } of newKeys) {
    if (kids.has(kid) || kids.has(id)) throw new Error('a key is named as another was');
    kids.add(kid).add(id);
  }
  return {
    keys: [...ring.keys, ...newKeys.map(({ id, kid, alg, publicJwk, sealed }) => ({ id, kid, alg, state, since: now, publicJwk, sealed }))],
  };
}
