/** A store with approvals in it, and brokers on it that tell of them: for tests of notification and of what is learnt from votes. */
import { createKeeper, type Keeper } from '../../../src/approve/kept.ts';
import type { Approval, Vote } from '../../../src/approve/state.ts';
import { openSecret } from '../../../src/keys/secret-file.ts';
import type { Bundle, Entry, Facts, Id, World } from '../../../src/model.ts';
import type { Delivery, Notice, Notifier } from '../../../src/operate/notifier.ts';
import { createNotify, type Notify, type Told } from '../../../src/operate/notify.ts';
import { createRecord, type Reader, type Recorder } from '../../../src/record/record.ts';
import type { Store } from '../../../src/store/store.ts';
import type { JsonObject } from '../../../src/wire/json.ts';
import { type MemoryStore, memoryStore } from '../../support/memory-store.ts';
import { type TestWorld, testWorld } from '../../support/test-world.ts';

export const ISSUER = 'https://broker.example';
export const secret = openSecret({ value: Buffer.alloc(32, 7).toString('base64url') });
export const keeper: Keeper = createKeeper(secret);
export const RESOURCE = 'https://shop.example/mcp';
const tools = new Map([['pay', { recordable: ['amount', 'note', 'fast'] }]]);
const server = { id: 'shop', resource: RESOURCE, tools };
/** As much of a bundle as is looked at. */
export const bundle = { servers: { byResource: (uri: string) => (uri === RESOURCE ? server : undefined) } } as unknown as Bundle;

/** One broker's: its store and clock, and who reads what it commits. */
export interface Broker {
  readonly world: World;
  readonly store: Store;
  readonly record: Recorder;
  readonly readers: Reader[];
  readonly faults: unknown[];
}
export interface Scene extends Broker {
  readonly world: TestWorld;
  readonly store: MemoryStore;
}
export function scene(): Scene {
  const world = testWorld();
  return brokerOn(memoryStore({ now: world.now }), world);
}
export function brokerOn<S extends Store, W extends World>(store: S, world: W): Broker & { readonly store: S; readonly world: W } {
  const readers: Reader[] = [];
  const faults: unknown[] = [];
  const record = createRecord({ store, world, deadlineMs: 5_000, readers, onFault: (fault) => faults.push(fault) });
  return { world, store, record, readers, faults };
}
let serial = 0;
export interface Asked {
  readonly args?: JsonObject;
  readonly facts?: Facts;
  readonly client?: string;
  readonly subject?: string;
  readonly tool?: string;
  readonly more?: Partial<Approval>;
}
/** An approval that waits, with its entry. */
export async function ask({ world, record }: Broker, { args = {}, facts = {}, more = {}, ...over }: Asked = {}): Promise<Approval> {
  const id: Id<'apr'> = `apr_${String(++serial).padStart(32, '0')}`;
  const approval: Approval = {
    id,
    state: 'pending',
    bind: keeper.bind(id),
    client: over.client ?? 'bot',
    key: 'k',
    jkt: 'k',
    subject: { kind: 'person', issuer: 'people', subject: over.subject ?? 'u_carol', exp: world.now() + 1_500 },
    actors: [over.client ?? 'bot'],
    resource: RESOURCE,
    tool: over.tool ?? 'pay',
    digest: `sha-256:${'A'.repeat(43)}`,
    credential: 'jwt',
    bundle: 'b',
    demand: { who: ['team:leads'], quorum: 1, ttlSeconds: 900 },
    made: world.now(),
    until: world.now() + 900,
    proofs: world.now() + 900,
    retry: { key: `retry/${id}`, fingerprint: 'f' },
    votes: [],
    facts: { owner: 'people:u_alice', ...facts },
    sealed: keeper.seal(id, { arguments: args, attributes: {} }),
    ...more,
  };
  const draft = record.open('exchange');
  draft.note({ ...approval.facts, client: approval.client, approval: id, policies: ['pay-asks'] });
  await record.commit(draft, 'pending', [keeper.write({ version: 0, approval }, approval, 'state_conflict')]);
  return approval;
}
/** One vote that decides it, with its entry. */
export async function decide(
  { world, record, store }: Broker,
  { id }: Approval,
  how: 'approve' | 'deny' = 'approve',
  by = 'people:u_lea',
): Promise<void> {
  const kept = keeper.read(id, (await store.look([`approval/${id}`])).found[0]);
  if (!kept) throw new Error('no such approval');
  const vote: Vote = { by, vote: how, at: world.now(), reason: 'r', stands: ['team:leads'], via: 'console' };
  const next: Approval = { ...kept.approval, state: how === 'approve' ? 'approved' : 'denied', votes: [...kept.approval.votes, vote] };
  const draft = record.open('operator');
  draft.note({ ...next.facts, client: next.client, approval: id, by });
  await record.commit(draft, how === 'approve' ? 'approved' : 'denied', [keeper.write(kept, next, 'state_conflict')]);
}

/** A receiver that keeps what it gets and answers as it is told to. */
export interface Desk extends Notifier {
  readonly got: Notice[];
  answer: (notice: Notice, signal: AbortSignal) => Delivery | Promise<Delivery>;
}
export function desk(name = 'desk', receiver = name): Desk {
  const got: Notice[] = [];
  const it: Desk = {
    name,
    receiver,
    got,
    answer: () => ({ ok: true }),
    wants: () => true,
    async send(notice, _now, signal) {
      got.push(notice);
      return it.answer(notice, signal);
    },
  };
  return it;
}
export interface Teller {
  readonly notify: Notify;
  readonly told: Told[];
}
export async function teller(on: Broker, ...notifiers: readonly Notifier[]): Promise<Teller> {
  const { world, store, record, faults } = on;
  const told: Told[] = [];
  const bundles = { current: () => bundle } as never;
  const notify = createNotify({
    ...{ world, store, record, bundles, keeper, secret, console: `${ISSUER}/console`, notifiers },
    onTold: (one) => told.push(one),
    onFault: (fault) => faults.push(fault),
  });
  await notify.begin();
  on.readers.push(notify.read);
  return { notify, told };
}
/** Until everything that was under way has come to rest. */
export async function rest(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}
export const kinds = (notices: readonly Notice[]): readonly string[] => notices.map(({ event }) => event);
export const entriesOf = (read: readonly Entry[]): readonly string[] => read.map(({ kind }) => kind);
