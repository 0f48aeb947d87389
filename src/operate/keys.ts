/** How people rotate keys: one step, one commit, one entry that says who. Knows steps and versions; may not know where keys are kept. */
import { type Result, refuse } from '../errors.ts';
import {
  algsToMake,
  awaits,
  begin,
  type Change,
  changes,
  missing,
  type NewKey,
  type PlannedStep,
  plan,
  type Ring,
  type RingKey,
  type Step,
  step,
  type Timing,
} from '../keys/rotation.ts';
import type { RingKeeper } from '../keys/signer.ts';
import type { Draft, EpochSeconds, World } from '../model.ts';
import type { Recorder } from '../record/record.ts';
import type { Alg } from '../wire/jws.ts';
import { no, ok } from '../wire/result.ts';

/** Every key that ever was, and what can be done now. Names and times alone: no key material. As served at GET /operator/keys. */
export interface KeysStatus {
  /** Of the ring: give it back with a step, and the step holds only if nobody was faster. */
  readonly version: number;
  readonly now: EpochSeconds;
  readonly timing: Timing;
  readonly keys: readonly KeyStatus[];
  readonly steps: readonly PlannedStep[];
}
export interface KeyStatus {
  readonly kid: string;
  readonly alg: Alg;
  readonly state: RingKey['state'];
  readonly since: EpochSeconds;
  readonly next?: { readonly step: Step; readonly at: EpochSeconds };
}
/** As served at POST /operator/keys/<step>. */
export interface StepOutcome {
  readonly ok: true;
  readonly step: Step;
  readonly dry_run: boolean;
  /** A key that a dry run would make is named `(new ES256)`. */
  readonly changed: readonly Change[];
  /** Afterwards; of a dry run, as it would be. */
  readonly status: KeysStatus;
}
export interface StepOptions {
  readonly dryRun?: boolean;
  readonly expectedVersion?: number;
}
export interface Keys {
  /** Throws Unavailable('key') or StoreFault when it cannot know. */
  status(): Promise<KeysStatus>;
  plan(): Promise<readonly PlannedStep[]>;
  /**
   * Commits the step and its entry as one. Errors: state_conflict, with the detail of rotation.ts or `version` where somebody was faster;
   * unavailable. A refusal is recorded too; a dry run writes nothing.
   */
  step(what: Step, by: { readonly name: string }, options?: StepOptions): Promise<Result<StepOutcome>>;
  /** Makes what is missing before anything can be signed: the first ring, a new algorithm. True: this call made it, with its entry. */
  begin(): Promise<Result<boolean>>;
}
/** `tokens` sign what agents show to tool servers; `backends` what we show to back ends, where there are any. */
export type RingName = 'tokens' | 'backends';
export interface KeysRooms {
  /** Absent: tokens. Named in every entry of another ring. */
  readonly ring?: RingName;
  readonly keeper: RingKeeper;
  readonly record: Recorder;
  readonly world: World;
}

export function createKeys({ ring: name = 'tokens', keeper, record, world }: KeysRooms): Keys {
  const named = name === 'tokens' ? {} : { ring: name };
  const { timing } = keeper;
  const describe = (ring: Ring, version: number): KeysStatus => {
    const now = world.now();
    return {
      version,
      now,
      timing,
      keys: ring.keys.map((key) => {
        const next = awaits(key, timing);
        return { kid: key.kid, alg: key.alg, state: key.state, since: key.since, ...(next && { next }) };
      }),
      steps: plan(ring, now, timing, algsToMake(ring, keeper.algs)),
    };
  };
  const status = async (): Promise<KeysStatus> => {
    const { ring, version } = await keeper.read();
    return describe(ring, version);
  };
  const made = (algs: readonly Alg[]): Promise<NewKey[]> => Promise.all(algs.map((alg) => keeper.make(alg)));

  /** The new ring and the entry that tells of it, or neither. Committed is committed: that this broker learns of it late is no failure. */
  async function commit(draft: Draft, what: string, before: Ring, after: Ring, version: number): Promise<Result<readonly Change[]>> {
    const changed = changes(before, after);
    draft.note({
      detail: `${name === 'tokens' ? '' : `${name} `}${what}: ${changed.map(({ kid, alg, to }) => `${alg} ${kid} ${to}`).join(', ')}`,
      context: {
        ...named,
        step: what,
        version: version + 1,
        keys: changed.map(({ kid, alg, from, to }) => ({ kid, alg, from: from ?? null, to })),
      },
    });
    const committed = await record.commit(draft, 'key', [keeper.keep(after, version)]);
    if (!committed.ok) return no({ ...committed.error, detail: 'version' });
    await keeper.refresh().catch(() => undefined);
    return ok(changed);
  }

  async function attempt(what: Step, options: StepOptions, draft: () => Draft): Promise<Result<StepOutcome>> {
    const { ring, version } = await keeper.read();
    if (options.expectedVersion !== undefined && options.expectedVersion !== version)
      return refuse('state_conflict', { detail: 'version' });

    // Rehearsed with stand-ins, so that nobody waits for a key pair that is not going to be used.
    const algs = algsToMake(ring, keeper.algs);
    const rehearsed = step(ring, what, world.now(), algs.map(standIn), timing);
    if (!rehearsed.ok) return rehearsed;
    const outcome = { ok: true, step: what, dry_run: options.dryRun === true } as const;
    if (options.dryRun) return ok({ ...outcome, changed: changes(ring, rehearsed.value), status: describe(rehearsed.value, version) });

    const newKeys = what === 'publish' || what === 'emergency' ? await made(algs) : algs.map(standIn);
    const { now } = draft();
    const next = step(ring, what, now, newKeys, timing);
    if (!next.ok) return next;
    const committed = await commit(draft(), what, ring, next.value, version);
    return committed.ok ? ok({ ...outcome, changed: committed.value, status: describe(next.value, version + 1) }) : committed;
  }

  return {
    status,
    plan: async () => (await status()).steps,

    async step(what, by, options = {}) {
      // Opened when there is something to write: its deadline must not run while a key pair is made.
      let opened: Draft | undefined;
      const draft = (): Draft => {
        if (!opened) {
          opened = record.open('operator');
          opened.note({ by: by.name, context: { ...named, step: what } });
        }
        return opened;
      };
      try {
        const outcome = await attempt(what, options, draft);
        if (outcome.ok || options.dryRun) return outcome;
        return no(await record.refuse(draft(), outcome.error));
      } catch (fault) {
        return no(await record.fault(draft(), fault));
      }
    },

    async begin() {
      for (;;) {
        const { ring, version } = await keeper.read();
        const algs = missing(ring, keeper.algs);
        if (algs.length === 0) {
          await keeper.refresh();
          return ok(false);
        }
        const newKeys = await made(algs);
        const draft = record.open('start');
        const committed = await commit(draft, 'begin', ring, begin(ring, draft.now, newKeys), version);
        if (committed.ok) return ok(true);
        // Another broker of the same store began in the meantime: what it made is ours too.
        if (committed.error.reason !== 'state_conflict') return no(await record.refuse(draft, committed.error));
      }
    },
  };
}

const standIn = (alg: Alg): NewKey => ({ id: `key_(new ${alg})`, kid: `(new ${alg})`, alg, publicJwk: {}, sealed: '' });
