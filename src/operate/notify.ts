/**
 * People hear of what waits for them. A reader of what has been committed: whatever becomes of a notice, no exchange knows. What is to be told
 * is kept until it was delivered or is no news any more, so a restart loses nothing; of several brokers the one whose claim holds has the turn.
 */
import { approvalKey, type Keeper } from '../approve/kept.ts';
import type { Approval } from '../approve/state.ts';
import type { Bundles } from '../bundle/bundle.ts';
import type { Secret } from '../keys/secret.ts';
import type { Claim, EpochSeconds, Id, World } from '../model.ts';
import type { Reader, Recorder } from '../record/record.ts';
import { type Store, type Stored, takeAway } from '../store/store.ts';
import type { Json } from '../wire/json.ts';
import { noticeOf } from './notices.ts';
import type { Delivery, Notice, Notifier } from './notifier.ts';
import { createTail } from './tail.ts';
import { createTurns, type Turns } from './turns.ts';

/** `sent`; `failed` and tried again; `late`: it is no news any more; `dropped`: its receiver wants nothing more. */
export const OUTCOMES = ['sent', 'failed', 'late', 'dropped'] as const;
export type Outcome = (typeof OUTCOMES)[number];
export interface Told {
  readonly notifier: string;
  readonly outcome: Outcome;
  readonly flaw?: string;
  readonly status?: number;
}
export type NotifierState = 'ok' | 'failing' | 'gone';
export interface Notify {
  /** What is committed here is told at once; what another broker committed, within a quarter of a minute. */
  readonly read: Reader;
  /** From now on; called before the first request, so that none goes untold. Throws what the store throws. */
  begin(): Promise<void>;
  /** As this broker knows them. */
  states(): ReadonlyMap<string, NotifierState>;
  close(): Promise<void>;
}
export interface NotifyRooms {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly bundles: Bundles;
  readonly keeper: Keeper;
  readonly secret: Pick<Secret, 'seal' | 'open'>;
  /** The console's address; absent where there is none. */
  readonly console: string | undefined;
  readonly notifiers: readonly Notifier[];
  readonly onTold: (told: Told) => void;
  readonly onFault: (fault: unknown) => void;
}

const LOOK_MS = 15_000;
/** So long its record outlasts the news, for somebody to say that it was late. */
const TOLD_LATE_SECONDS = 3_600;
/** Pages in a row, then what waits has its turn. */
const PAGES = 20;
const PAGE = 50;
/** Of one receiver at a time. */
const AT_ONCE = 4;
/** Seconds to the next try, by tries so far; the first outlasts any delivery under way. Then every hour. */
const AGAIN = [15, 60, 300, 900, 1_800, 3_600] as const;
interface Waiting {
  readonly notice: Notice;
  readonly tries: number;
  readonly next: EpochSeconds;
}
interface Kept extends Waiting {
  readonly key: string;
  readonly version: number;
}

export function createNotify(rooms: NotifyRooms): Notify {
  const lanes = rooms.notifiers.map((notifier) => createLane(notifier, rooms));
  return {
    read: ({ approval, kind }) => {
      if (approval !== undefined || kind === 'revoked') for (const { turns } of lanes) turns.wake();
    },
    async begin() {
      for (const lane of lanes) await lane.start();
      for (const { turns } of lanes) turns.begin();
    },
    states: () => new Map(lanes.map((lane) => [lane.name, lane.state()])),
    async close() {
      await Promise.all(lanes.map(({ turns }) => turns.close()));
    },
  };
}

interface Lane {
  readonly name: string;
  readonly turns: Turns;
  start(): Promise<void>;
  state(): NotifierState;
}
/** One receiver's: slow or away, it keeps no other waiting. */
function createLane(notifier: Notifier, rooms: NotifyRooms): Lane {
  const { store, world, record, bundles, keeper, secret, console, onTold, onFault } = rooms;
  const { name } = notifier;
  const term = `notify/${name}`;
  const tail = createTail({ store, record, name: term, page: PAGE });
  const tell = (outcome: Outcome, rest: Omit<Told, 'notifier' | 'outcome'> = {}): void => onTold({ notifier: name, outcome, ...rest });
  let state: NotifierState = 'ok';

  const claimOf = (key: string, version: number, value: Waiting): Claim => ({
    key,
    version,
    // Sealed: whoever can write in the store cannot have us tell people things in our name.
    value: secret.seal(key, value as unknown as Json),
    until: value.notice.until + TOLD_LATE_SECONDS,
    terms: [term],
    else: 'state_conflict',
  });
  const gone = ({ key, version }: Kept): Claim => takeAway(key, version, 'state_conflict');
  const put = async (claim: Claim): Promise<boolean> => (await record.mark(record.open('notify'), [claim])).ok;

  async function approvalOf(id: Id<'apr'> | undefined): Promise<Approval | undefined> {
    if (id === undefined) return undefined;
    return keeper.read(id, (await store.look([approvalKey(id)])).found[0])?.approval;
  }
  async function gather(): Promise<boolean> {
    return tail.step(async (rows, beside) => {
      if (beside['gone'] === notifier.receiver) return { claims: [] };
      const claims: Claim[] = [];
      for (const { key, entry } of rows) {
        const approval = await approvalOf(entry.approval as Id<'apr'> | undefined);
        const notice = noticeOf({ key, entry, approval, bundle: bundles.current(), console });
        if (notice && notice.until > world.now() && notifier.wants(notice))
          claims.push(claimOf(`${term}/${key}`, 0, { notice, tries: 0, next: world.now() }));
      }
      return { claims };
    });
  }
  async function waiting(): Promise<readonly Kept[]> {
    const found: Stored[] = [];
    for (;;) {
      const after = found.at(-1)?.key;
      const page = await store.scan({ term, limit: PAGE, ...(after !== undefined && { after }) });
      found.push(...page);
      if (page.length < PAGE) return found.flatMap(read);
    }
  }
  function read({ key, version, value }: Stored): readonly Kept[] {
    try {
      return [{ ...(secret.open(key, value) as unknown as Waiting), key, version }];
    } catch (fault) {
      onFault(fault); // Nobody of this secret wrote it: nobody is told.
      return [];
    }
  }
  /** The claim on its next try comes before this one: whoever dies meanwhile has not taken it along. */
  async function deliver(kept: Kept, signal: AbortSignal): Promise<void> {
    const now = world.now();
    const { notice, tries, key, version } = kept;
    const next = now + (AGAIN[Math.min(tries, AGAIN.length - 1)] ?? 3_600);
    const taken: Kept = { key, notice, tries: tries + 1, next, version: version + 1 };
    if (!(await put(claimOf(key, version, { notice, tries: taken.tries, next })))) return;
    const delivery = await notifier.send(notice, now, signal);
    if (signal.aborted && !delivery.ok) return;
    await conclude(taken, delivery);
  }
  async function conclude(taken: Kept, delivery: Delivery): Promise<void> {
    if (delivery.ok) {
      state = 'ok';
      tell('sent');
      await put(gone(taken));
      return;
    }
    const { flaw, status, afterSeconds } = delivery;
    tell('failed', { flaw, ...(status !== undefined && { status }) });
    state = flaw === 'gone' ? 'gone' : 'failing';
    if (flaw === 'gone') await tail.leave({ gone: notifier.receiver });
    else if (afterSeconds !== undefined && world.now() + afterSeconds > taken.next) {
      const { key, version, notice, tries } = taken;
      await put(claimOf(key, version, { notice, tries, next: world.now() + afterSeconds }));
    }
  }
  async function drop(all: readonly Kept[]): Promise<void> {
    for (const kept of all) if (await put(gone(kept))) tell('dropped');
  }
  async function work(signal: AbortSignal): Promise<number | undefined> {
    for (let pages = 0; pages < PAGES && !signal.aborted && (await gather()); pages++) {
      // Page after page, until all that was committed is kept here or not wanted.
    }
    const all = await waiting();
    if ((await tail.beside())['gone'] === notifier.receiver) {
      state = 'gone';
      await drop(all);
      return undefined;
    }
    if (state === 'gone') state = 'ok';
    if (all.length === 0) return undefined;
    if (all.some(({ tries }) => tries > 1)) state = 'failing';
    const now = world.now();
    const late = all.filter(({ notice }) => notice.until <= now);
    for (const kept of late) if (await put(gone(kept))) tell('late');
    const queue = all.filter(({ next, notice }) => next <= now && notice.until > now).values();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const kept of queue) {
          if (signal.aborted || state === 'gone') return;
          await deliver(kept, signal);
        }
      }),
    );
    const times = (await waiting()).map(({ next }) => (next - world.now()) * 1_000);
    return times.length > 0 ? Math.min(...times) : undefined;
  }
  return {
    name,
    turns: createTurns({ world, work, everyMs: LOOK_MS, onFault }),
    start: () => tail.start(),
    state: () => state,
  };
}
