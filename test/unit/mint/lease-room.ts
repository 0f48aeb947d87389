/** Issuing and ending leases over a store in memory, a clock that is moved, and a minter that does what a test says. */
import { setImmediate as turn } from 'node:timers/promises';
import { type Result, refuse } from '../../../src/errors.ts';
import { openSecret } from '../../../src/keys/secret-file.ts';
import { issue, issueAgain } from '../../../src/mint/issue.ts';
import { type LeaseRecord, OPEN_LEASES } from '../../../src/mint/lease.ts';
import type { Ending, Minter } from '../../../src/mint/minter.ts';
import type { Claim, Credential, Draft, Entry, Grant, Issued, Job, Lease } from '../../../src/model.ts';
import { fromBody } from '../../../src/record/entry.ts';
import { createRecord, type Recorder } from '../../../src/record/record.ts';
import { createLeases, type LeaseDesk } from '../../../src/settle-leases.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { no, ok } from '../../../src/wire/result.ts';
import { type MemoryStore, memoryStore } from '../../support/memory-store.ts';
import { type TestWorld, testWorld } from '../../support/test-world.ts';

export const DEADLINE_MS = 5_000;
export const LIFE = 60;
const secret = openSecret({ value: Buffer.alloc(32, 7).toString('base64url') });

/** The minter of a kind, and what its back end holds. */
export interface Fake {
  readonly minter: Minter;
  /** Handles of what works. */
  readonly alive: Set<string>;
  /** Every call to end something: its handle, or `none`. */
  readonly revoked: string[];
  /** Seen inside the call that makes one; what it returns is the answer. */
  during: (lease: Lease, made: Credential) => Promise<Result<Credential>>;
  ends: (lease: Lease) => Promise<Ending>;
}
export function fake(kind = 'fake', strays?: Minter['strays']): Fake {
  let count = 0;
  const alive = new Set<string>();
  const revoked: string[] = [];
  const self: Fake = {
    alive,
    revoked,
    during: async (_, made) => ok(made),
    async ends({ handle, exp }) {
      if (handle === undefined) return { end: 'dies', at: exp };
      alive.delete(handle);
      return { end: 'revoked' };
    },
    minter: {
      kind,
      prepare(job, { txn, exp }) {
        const { where = '', cap = 1 } = job.registration ?? {};
        const lease = { id: 'lea_of-the-minter', txn, kind, where, exp } as const;
        return ok({
          lease: { ...lease, cap },
          async run() {
            const handle = `canary-handle-${kind}-${++count}`;
            alive.add(handle);
            const made = { kind, token: `canary-token-${count}`, effectiveExpiry: exp, lease: { ...lease, handle, name: `n${count}` } };
            return self.during(lease, made);
          },
        });
      },
      revoke(lease) {
        revoked.push(lease.handle ?? 'none');
        return self.ends(lease);
      },
      describe: async () => ({ ready: true, detail: 'a fake' }),
      ...(strays && { strays }),
    },
  };
  return self;
}

export interface Asking {
  readonly kind?: string;
  readonly cap?: number;
  readonly grant?: Grant;
  readonly claims?: readonly Claim[];
  readonly again?: true;
}
export interface LeaseRoom {
  readonly world: TestWorld;
  readonly store: MemoryStore;
  readonly record: Recorder;
  readonly leases: LeaseDesk;
  readonly faults: unknown[];
  grant(): Grant;
  /** One exchange that has been decided, as a conductor ends it. */
  ask(asking?: Asking): Promise<Result<Issued>>;
  /** The broker dies; another opens on the same store. */
  next(...fakes: readonly Fake[]): Promise<LeaseRoom>;
  /** Another broker of the same store. */
  beside(...fakes: readonly Fake[]): LeaseRoom;
  /** Time passes by the second, and whatever is due is done. */
  pass(seconds: number): Promise<void>;
  records(): readonly LeaseRecord[];
  states(): readonly string[];
  entries(): readonly Entry[];
  outstanding(where?: string): Promise<number>;
  close(): Promise<void>;
}
export function leaseRoom(...fakes: readonly Fake[]): LeaseRoom {
  const world = testWorld();
  return openRoom(world, memoryStore({ now: world.now }), fakes);
}
function openRoom(world: TestWorld, store: MemoryStore, fakes: readonly Fake[]): LeaseRoom {
  const faults: unknown[] = [];
  const onFault = (fault: unknown): void => void faults.push(fault);
  const record = createRecord({ store, world, deadlineMs: DEADLINE_MS, readers: [], onFault });
  const minters = new Map(fakes.map(({ minter }) => [minter.kind, minter]));
  const leases = createLeases({ store, world, record, minters, secret, deadlineMs: DEADLINE_MS, onFault });
  leases.begin();

  const room: LeaseRoom = {
    world,
    store,
    record,
    leases,
    faults,
    grant() {
      const draft = record.open('exchange');
      const root = draft.id.slice('exc_'.length);
      return { jti: `tok_${root}`, txn: `txn_${root}`, iat: world.now(), exp: world.now() + LIFE, scope: '', claims: {}, policies: [] };
    },
    async ask({ kind = 'fake', cap = 50, grant = room.grant(), claims = [], again } = {}) {
      const draft: Draft = record.open('exchange');
      draft.note({ client: 'refund-bot', subject: 'people:u_bob', tool: 'create_refund', purpose: 'canary-purpose' });
      const registration = { kind, deliver: 'agent', where: `${kind}/refunds`, cap, settings: {} } as const;
      const job: Job = {
        kind,
        server: { id: 'shop', resource: 'https://shop.example/mcp' },
        registration,
        subject: 'people:u_bob',
        actors: [],
      };
      const minter = minters.get(kind);
      try {
        const lent = { commit: record.commit, now: world.now, leases };
        const made = minter ? await (again ? issueAgain : issue)(minter, job, grant, claims, draft, lent) : refuse('mint_refused');
        return made.ok ? made : no(await record.refuse(draft, made.error));
      } catch (fault) {
        return no(await record.fault(draft, fault));
      }
    },
    async next(...others) {
      await leases.close();
      return openRoom(world, store, others.length > 0 ? others : fakes);
    },
    beside: (...others) => openRoom(world, store, others),
    async pass(seconds) {
      for (let i = 0; i < seconds; i++) {
        world.pass(1);
        await idle();
      }
      await idle();
    },
    records: () => [...store.keys].filter(([key]) => key.startsWith('lease/')).map(([, { value }]) => value as unknown as LeaseRecord),
    states: () => room.records().map(({ state }) => state),
    entries: () => store.entries.map(({ value }) => fromBody(value as JsonObject)),
    outstanding: async (where = 'fake/refunds') =>
      (await store.look([], [{ sum: `leases/${where}`, windowSeconds: 24 * 3600 }])).sums[0] ?? 0,
    close: () => leases.close(),
  };
  return room;
}
/** Long enough for everything that waits for no clock. */
export async function idle(): Promise<void> {
  for (let i = 0; i < 60; i++) await turn();
}
/** An exchange's end in two words. */
export const said = (result: Result<Issued>): string => (result.ok ? 'issued' : result.error.reason);
export const openLeases = async (room: LeaseRoom): Promise<number> => (await room.store.scan({ term: OPEN_LEASES, limit: 1000 })).length;
