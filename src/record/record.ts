/** What happened? Owns the entry and the moment it is committed, and with it every claim; may not know why. */
import { type Reason, type Refusal, type Result, refuse, Unavailable } from '../errors.ts';
import type { Claim, Draft, Entry, EntryKind, Facts, Id, World } from '../model.ts';
import { type Store, StoreFault } from '../store/store.ts';
import { SKEW_SECONDS } from '../wire/jws.ts';
import { ok } from '../wire/result.ts';
import { coalesce, TOGETHER } from './coalesce.ts';
import { BLANK, newRoot, ROOT_BYTES, termsOf, toBody } from './entry.ts';

export interface Recorder {
  /**
   * Never throws: while the clock is in doubt the draft's `now` comes from the monotonic clock. `request` names what was asked; `from` is the
   * address it came from, of which many refusals before anybody is known may be told in one entry.
   */
  open(request: string, from?: () => string): Draft;
  /** Entry, spent marks and claims, durable as one; a claim that fails is the refusal, for the conductor to record. */
  commit(draft: Draft, kind: EntryKind, claims: readonly Claim[]): Promise<Result<void>>;
  /** Marks and claims alone, where nothing happened that an entry would tell (an introspection, whose turn it is). */
  mark(draft: Draft, claims?: readonly Claim[]): Promise<Result<void>>;
  /**
   * Entry and marks of a no. A mark that was spent before becomes the no itself: a replay outranks every other reason; where the store's
   * memory begins too late to tell, the no is `unavailable` for a while. What is beyond a limit is
   * not recorded (wire.md §3.3), and of what nobody in particular asked too often there is one entry for many.
   */
  refuse(draft: Draft, refusal: Refusal): Promise<Refusal>;
  /** Throws what a commit would throw now: a disk that is full or no longer trusted can still be read. Leaves no entry. */
  probe(): Promise<void>;
  /** Writes what still has to be told of many refusals. Throws what a commit throws: then it is tried again by itself. */
  flush(): Promise<void>;
  /** Never throws: when the entry cannot be written either, nothing was granted and the reader `onFault` knows. */
  fault(draft: Draft, fault: unknown): Promise<Refusal>;
}
/** Readers of what has become durable: metrics, log, live feed, exporters. They cannot fail an exchange. */
export type Reader = (entry: Entry, took: { readonly milliseconds: number }) => void;

export interface RecordOptions {
  readonly store: Store;
  readonly world: World;
  readonly deadlineMs: number;
  readonly readers: readonly Reader[];
  /** Has a refusal from this address an entry of its own, as long as nobody has proved who they are? Asked once for each. Absent: always. */
  readonly alone?: (from: string) => boolean;
  /** For the operator's log; the ledger holds only that there was a fault. */
  readonly onFault: (fault: unknown, exchange: Id<'exc'>) => void;
}
/** How long refusals may come together before their entry is written. */
const TOGETHER_MS = 2_000;
/** The store was emptied, or promoted, after this was made: whether it was seen is not known (`issued` in a claim). */
const UNKNOWN: Reason = 'unavailable';
/** Short-lived and small: its commit writes a row, as an exchange's does. */
const PROBE = 'probe';
interface Work {
  readonly began: number;
  marks: Claim[];
  readonly from?: () => string;
  signal?: AbortSignal;
}

export function createRecord(options: RecordOptions): Recorder {
  const { store, world, readers, onFault } = options;
  const works = new WeakMap<Draft, Work>();
  const seconds = options.deadlineMs / 1000;
  let good = { at: 0, elapsed: world.elapsed() };
  let second = good;

  /** The time to write down: the wall clock, or while that is in doubt what the monotonic clock makes of the last good reading. */
  function time(): number {
    try {
      good = { at: world.now(), elapsed: world.elapsed() };
      return good.at;
    } catch {
      return Math.floor(good.at + (world.elapsed() - good.elapsed) / 1000);
    }
  }
  /** How far into its second, by the monotonic clock, since the first draft of it. */
  function fraction(now: number): number {
    const elapsed = world.elapsed();
    if (now !== second.at) second = { at: now, elapsed };
    return Math.min(0.9999, (elapsed - second.elapsed) / 1000);
  }
  const workOf = (draft: Draft): Work => works.get(draft) ?? { began: world.elapsed(), marks: [] };

  async function write(draft: Draft, kind: EntryKind, claims: readonly Claim[], why: Facts = {}): Promise<Reason | undefined> {
    const entry: Entry = { ...draft.facts, ...why, kind, at: time(), exchange: draft.id };
    const entries = [{ body: toBody(entry), terms: termsOf(entry) }];
    const conflict = await store.commit<Reason>({ at: entry.at, notAfter: Math.ceil(draft.now + seconds) + 1, claims, entries });
    if (conflict !== undefined) return conflict;
    const took = { milliseconds: world.elapsed() - workOf(draft).began };
    for (const read of readers) {
      try {
        read(entry, took);
      } catch (fault) {
        onFault(fault, draft.id);
      }
    }
    return undefined;
  }

  const recorder: Recorder = {
    open(request, from) {
      const now = time();
      const facts: Facts = { ...BLANK, request };
      const work: Work = { began: world.elapsed(), marks: [], ...(from && { from }) };
      const draft: Draft = {
        id: `exc_${newRoot(now + fraction(now), world.random(ROOT_BYTES))}`,
        now,
        // Made when somebody waits for something: most exchanges wait for nothing but the store.
        get signal() {
          work.signal ??= world.after(Math.ceil(Math.max(0, options.deadlineMs - (world.elapsed() - work.began))));
          return work.signal;
        },
        get late() {
          return world.elapsed() - work.began > options.deadlineMs;
        },
        turn: world.turn,
        get facts() {
          return facts;
        },
        note(more) {
          Object.assign(facts, more);
        },
        spend({ once, bound, ...mark }) {
          const key = `once/${once}`;
          work.marks.push({ ...mark, key, version: 0, value: bound ?? 1, unknown: UNKNOWN, ...(bound !== undefined && { orSame: true }) });
        },
      };
      works.set(draft, work);
      return draft;
    },

    async commit(draft, kind, claims) {
      const work = workOf(draft);
      const conflict = await write(draft, kind, [...work.marks, ...claims]);
      if (conflict !== undefined) return refuse(conflict);
      work.marks = []; // durable: nothing left for a second write
      return ok(undefined);
    },

    async mark(draft, claims = []) {
      const work = workOf(draft);
      const all = [...work.marks, ...claims];
      if (all.length === 0) return ok(undefined);
      const at = time();
      const conflict = await store.commit<Reason>({ at, notAfter: Math.ceil(draft.now + seconds) + 1, claims: all, entries: [] });
      if (conflict !== undefined) return refuse(conflict);
      work.marks = [];
      return ok(undefined);
    },

    async probe() {
      const at = time();
      const { found } = await store.look([PROBE]);
      const claim: Claim = { key: PROBE, version: found[0]?.version ?? 0, value: 1, until: at + 60, else: 'state_conflict' };
      await store.commit({ at, notAfter: Number.MAX_SAFE_INTEGER, claims: [claim], entries: [] });
    },

    flush: () => many.tell(),

    async refuse(draft, refusal) {
      if (refusal.reason === 'limited') return refusal;
      const work = workOf(draft);
      const nobody = draft.facts.client === undefined && work.marks.length === 0 && refusal.claims === undefined;
      if (nobody && work.from && many.takes(work.from(), refusal.reason)) return refusal;
      let answer: Refusal = refusal;
      let claims = refusal.claims ?? [];
      let replayed = false;
      for (;;) {
        const { reason, code, detail } = answer;
        const why = { reason, ...(code !== undefined && { code }), ...(detail !== undefined && { detail }) };
        const conflict = await write(draft, kindOf(reason, claims), [...work.marks, ...claims], why);
        if (conflict === undefined) return { ...answer, decision: draft.id };
        if (conflict === UNKNOWN) {
          // Nobody knows whether they were spent before: from now on they are, and what comes after the wait will be known. Who is told of
          // a newer nonce need not wait: what names it is known.
          if (reason !== 'nonce_needed') answer = { reason: UNKNOWN, detail: 'memory', retryAfterSeconds: SKEW_SECONDS + 1 };
          claims = [];
          work.marks = work.marks.map(anyway);
          continue;
        }
        // The failed claim is a mark: drop it. Or it is state that this no wanted to leave: either way none of that is left behind.
        const left = work.marks.filter((mark) => mark.else !== conflict);
        // Marks stand in the order in which they were proved: the first that was spent before is the no.
        if (left.length === work.marks.length || !replayed) answer = { reason: conflict };
        replayed ||= left.length < work.marks.length;
        claims = [];
        work.marks = left;
      }
    },

    async fault(draft, fault) {
      const reason = reasonOf(fault, draft.late);
      onFault(fault, draft.id);
      draft.note({ reason, ...(fault instanceof Unavailable || fault instanceof StoreFault ? { detail: fault.what } : {}) });
      try {
        await write(draft, 'faulted', workOf(draft).marks);
      } catch {
        // The store is the fault, or shares it: nothing was granted, and `onFault` has told.
      }
      return { reason, decision: draft.id };
    },
  };
  const later = (): void => world.after(TOGETHER_MS).addEventListener('abort', () => void many.tell().catch(later), { once: true });
  const many = coalesce({
    alone: options.alone ?? (() => true),
    onFirst: later,
    async write({ from: address, reason, count }, name) {
      const draft = recorder.open(TOGETHER);
      draft.note({ context: { count, address } });
      // Where it stands already its mark does too: that is no fault.
      const mark: Claim = { key: `once/${name}`, version: 0, value: 1, until: draft.now + 24 * 3600, else: 'state_conflict' };
      await write(draft, 'refused', [mark], { reason });
    },
    newName: () => `${TOGETHER}/${newRoot(time(), world.random(ROOT_BYTES))}`,
  });
  return recorder;
}

/** To be spent though the store's memory begin after it was made. */
function anyway(mark: Claim): Claim {
  if ('sum' in mark) return mark;
  const { issued: _, ...rest } = mark;
  return rest;
}
/** A no that begins a wait, or ends one, is told as that. */
function kindOf(reason: Reason, claims: readonly Claim[]): EntryKind {
  if (reason === 'approval_pending') return 'pending';
  return reason === 'approval_expired' && claims.length > 0 ? 'expired' : 'refused';
}
function reasonOf(fault: unknown, late: boolean): Reason {
  if (fault instanceof Unavailable || fault instanceof StoreFault) return 'unavailable';
  return late ? 'deadline' : 'fault';
}
