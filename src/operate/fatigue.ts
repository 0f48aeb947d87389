/**
 * Whether people's agreeing still means something: how fast each decides, and what is always answered yes. Learnt from the ledger after the
 * fact, so no vote waits for it; each entry counts once, on whichever broker.
 */
import { approvalKey, type Keeper } from '../approve/kept.ts';
import { type Approval, isOpen, type Vote } from '../approve/state.ts';
import type { Bundles } from '../bundle/bundle.ts';
import { type Result, refuse } from '../errors.ts';
import type { Secret } from '../keys/secret.ts';
import { type Claim, type EpochSeconds, type Id, nameOf, type World } from '../model.ts';
import type { Reader, Recorder } from '../record/record.ts';
import type { Store } from '../store/store.ts';
import type { Json } from '../wire/json.ts';
import { ok } from '../wire/result.ts';
import { type Asked, type Habit, learn, median, type Turn } from './fatigue-habit.ts';
import { type NoRule, type Proposal, propose } from './fatigue-rule.ts';
import { descending, type PageAsked, partOf } from './page.ts';
import { createTail, type Row } from './tail.ts';
import { createTurns } from './turns.ts';

/** As served at GET /operator/fatigue. Times in seconds. */
export interface ShownFatigue {
  readonly approvers: readonly ApproverRow[];
  readonly habits: readonly HabitRow[];
  /** Where the next part of the habits begins. */
  readonly next?: string;
}
/** Of each person's latest votes, at most 200. */
export interface ApproverRow {
  readonly who: string;
  readonly votes: number;
  readonly approved: number;
  /** From the question to the vote. */
  readonly median_seconds: number;
  /** Of how many votes it is known when the person was shown the action. */
  readonly shown: number;
  /** Of those, agreed to in under two seconds after it; counted where whole seconds leave no doubt. */
  readonly quick: number;
  readonly last: EpochSeconds;
}
/** Of one agent, tool and demand. */
export interface HabitRow {
  readonly agent: string;
  readonly server: string;
  readonly tool: string;
  readonly needs: readonly string[];
  readonly asked: number;
  readonly approved: number;
  readonly denied: number;
  readonly expired: number;
  /** Agreed to since the last no. */
  readonly in_a_row: number;
  readonly median_seconds?: number;
  readonly since: EpochSeconds;
  readonly last: EpochSeconds;
  readonly proposal?: Proposal;
  readonly no_proposal?: NoRule;
}
export interface Fatigue {
  /** What is committed here is learnt at once; what another broker committed, within a minute. */
  readonly read: Reader;
  begin(): void;
  /** Whom it is about, and everybody where none is named, with the first part alone; what is always agreed to, the longest row of yes first. */
  list(only: string | undefined, page: PageAsked): Promise<ShownFatigue>;
  /** This person has it before them. The first time counts. Errors: `not_found` where nothing waits under this id. */
  seen(id: string, person: string): Promise<Result<void>>;
  close(): Promise<void>;
}
export interface FatigueRooms {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly bundles: Bundles;
  readonly keeper: Keeper;
  readonly secret: Pick<Secret, 'seal' | 'open'>;
  readonly onFault: (fault: unknown) => void;
}

const LOOK_MS = 60_000;
/** At a time. */
const ROWS = 1_000;
const MEMORY_SECONDS = 90 * 86_400;
const LATEST = 200;
const QUICK_SECONDS = 2;
const HABITS = 'fatigue/habit';
const PEOPLE = 'fatigue/person';
/** `shown`: seconds from when the person first had it before them. */
interface Cast {
  readonly id: string;
  readonly at: EpochSeconds;
  readonly took: number;
  readonly shown?: number;
  readonly yes: boolean;
}
interface Person {
  readonly who: string;
  readonly votes: readonly Cast[];
}

export function createFatigue(rooms: FatigueRooms): Fatigue {
  const { store, world, record, bundles, keeper, secret, onFault } = rooms;
  const tail = createTail({ store, record, name: 'fatigue', page: 1 });
  const habitKey = (of: Asked): string =>
    `${HABITS}/${keeper.bind(['habit', of.agent, of.depth, of.kind, of.resource, of.tool, of.who, of.strong])}`;
  const personKey = (who: string): string => `${PEOPLE}/${keeper.bind(['person', who])}`;
  const seenKey = (id: string, who: string): string => `approval-seen/${keeper.bind([id, who])}`;

  async function look<T>(key: string): Promise<{ readonly version: number; readonly value?: T }> {
    const [found] = (await store.look([key])).found;
    const value = found && opened<T>(key, found.value);
    return { version: found?.version ?? 0, ...(value && { value }) };
  }
  /** What nobody of this secret wrote there is nothing that was learnt; somebody is told. */
  function opened<T>(key: string, sealed: Json): T | undefined {
    try {
      return secret.open(key, sealed) as unknown as T;
    } catch (fault) {
      onFault(fault);
      return undefined;
    }
  }
  /** Sealed: arguments are in it, and what it says is proposed as a rule. */
  const write = (key: string, version: number, value: object, term: string, now: EpochSeconds): Claim => ({
    key,
    version,
    value: secret.seal(key, JSON.parse(JSON.stringify(value)) as Json),
    until: now + MEMORY_SECONDS,
    terms: [term],
    else: 'state_conflict',
  });
  async function approvalOf(id: string | undefined): Promise<Approval | undefined> {
    if (id === undefined || !/^apr_[0-9a-f]{32}$/.test(id)) return undefined;
    return keeper.read(id as Id<'apr'>, (await store.look([approvalKey(id as Id<'apr'>)])).found[0])?.approval;
  }

  /** One entry a commit: two of them may be about the same habit. */
  async function fold([row]: readonly Row[]): Promise<{ readonly claims: readonly Claim[]; readonly rows: number }> {
    const approval = row && (await approvalOf(row.entry.approval));
    // A plan is looked at as a whole: what was agreed to there says little of each action alone.
    if (!row || !approval || approval.plan) return { claims: [], rows: 1 };
    const turn = turnOf(row, approval);
    const claims: Claim[] = [];
    const now = row.entry.at;
    if (turn) {
      const of = askedOf(approval);
      const key = habitKey(of);
      const { version, value } = await look<Habit>(key);
      claims.push(write(key, version, learn(value, of, turn, now), HABITS, now));
    }
    if (turn?.what === 'approved' || turn?.what === 'denied')
      for (const votes of Map.groupBy(approval.votes, ({ by }) => by).values()) claims.push(...(await counted(approval, votes, now)));
    return { claims, rows: 1 };
  }
  function turnOf({ entry }: Row, approval: Approval): Turn | undefined {
    const took = entry.at - approval.made;
    switch (entry.kind) {
      case 'pending':
        return { what: 'asked', policies: entry.policies ?? [] };
      case 'approved':
        return { what: 'approved', subject: nameOf(approval.subject), arguments: filled(approval), took };
      case 'denied':
        return { what: 'denied', took };
      case 'expired':
        return { what: 'expired' };
      default:
        return undefined;
    }
  }
  /** As policies see them: with the schema's defaults. */
  function filled(approval: Approval): Extract<Turn, { what: 'approved' }>['arguments'] {
    const { arguments: args } = keeper.open(approval);
    const tool = bundles.current().servers.byResource(approval.resource)?.tools.get(approval.tool);
    return tool ? tool.fill(args) : args;
  }
  async function counted(approval: Approval, votes: readonly Vote[], now: EpochSeconds): Promise<readonly Claim[]> {
    const own = votes.filter(({ confirms }) => !confirms);
    const [first] = own;
    if (!first) return [];
    const key = personKey(first.by);
    const { version, value } = await look<Person>(key);
    const known = value?.votes ?? [];
    const shownAt = (await store.look([seenKey(approval.id, first.by)])).found[0]?.value;
    const fresh = own.flatMap(({ vote, at }): Cast[] => {
      // What was agreed to and then denied by another has been counted when it was agreed to.
      if (known.some(({ id, yes }) => id === approval.id && yes === (vote === 'approve'))) return [];
      const shown = typeof shownAt === 'number' && shownAt <= at ? { shown: at - shownAt } : {};
      return [{ id: approval.id, at, took: at - approval.made, yes: vote === 'approve', ...shown }];
    });
    if (fresh.length === 0) return [];
    return [write(key, version, { who: first.by, votes: [...known, ...fresh].slice(-LATEST) }, PEOPLE, now)];
  }

  const turns = createTurns({
    world,
    everyMs: LOOK_MS,
    onFault,
    async work(signal) {
      for (let left = ROWS; left > 0; left--) if (signal.aborted || !(await tail.step(fold))) return undefined;
      return 0;
    },
  });
  async function all<T>(term: string): Promise<readonly { readonly key: string; readonly value: T }[]> {
    const found: { readonly key: string; readonly value: T }[] = [];
    for (let after: string | undefined; ; ) {
      const rows = await store.scan({ term, limit: ROWS, ...(after !== undefined && { after }) });
      for (const { key, value } of rows) {
        const one = opened<T>(key, value);
        if (one) found.push({ key, value: one });
      }
      after = rows.at(-1)?.key;
      if (rows.length < ROWS) return found;
    }
  }

  return {
    read: ({ approval }) => {
      if (approval !== undefined) turns.wake();
    },
    begin: () => turns.begin(),
    async list(only, page) {
      const [people, habits] = await Promise.all([page.after === undefined ? all<Person>(PEOPLE) : [], all<Habit>(HABITS)]);
      const now = world.now();
      const { rows, next } = partOf(habits, ({ key, value }) => `${descending(value.streak)} ${key}`, page);
      return {
        approvers: people
          .filter(({ value: { who } }) => only === undefined || who === only)
          .flatMap(({ value }) => approverRow(value))
          .sort(byQuick),
        habits: rows.map(({ value }) => habitRow(value, now)),
        ...(next !== undefined && { next }),
      };
    },
    async seen(id, person) {
      const approval = await approvalOf(id);
      if (!approval || !isOpen(approval)) return refuse('not_found');
      const until = approval.until + 86_400;
      // Shown again is the same showing: the claim fails then, and nothing is the matter.
      await record.mark(record.open('operator'), [
        { key: seenKey(id, person), version: 0, value: world.now(), until, else: 'state_conflict' },
      ]);
      return ok(undefined);
    },
    close: () => turns.close(),
  };

  function habitRow(habit: Habit, now: EpochSeconds): HabitRow {
    const proposed = propose(habit, bundles.current(), now);
    const middle = median(habit.took);
    const { agent, tool, who, asked, approved, denied, expired, streak, since, last } = habit;
    return {
      agent,
      server: bundles.current().servers.byResource(habit.resource)?.id ?? habit.resource,
      tool,
      needs: who,
      asked,
      approved,
      denied,
      expired,
      in_a_row: streak,
      ...(middle !== undefined && { median_seconds: middle }),
      since,
      last,
      ...(proposed.ok ? { proposal: proposed.value } : { no_proposal: proposed.error }),
    };
  }
}

const askedOf = ({ actors, client, subject, resource, tool, demand }: Approval): Asked => ({
  agent: actors[0] ?? client,
  depth: actors.length,
  kind: subject.kind,
  resource,
  tool,
  who: demand.who,
  strong: demand.proof !== undefined || demand.confirm !== undefined,
});
function approverRow({ who, votes }: Person): readonly ApproverRow[] {
  const last = votes.at(-1);
  if (!last) return [];
  const shown = votes.filter((vote) => vote.shown !== undefined);
  return [
    {
      who,
      votes: votes.length,
      approved: votes.filter(({ yes }) => yes).length,
      median_seconds: median(votes.map(({ took }) => took)) ?? 0,
      shown: shown.length,
      quick: shown.filter((vote) => vote.yes && (vote.shown ?? QUICK_SECONDS) < QUICK_SECONDS).length,
      last: last.at,
    },
  ];
}
const byQuick = (a: ApproverRow, b: ApproverRow): number =>
  b.quick / Math.max(1, b.shown) - a.quick / Math.max(1, a.shown) || b.votes - a.votes;
