/** What people decide: who waits for them, their votes, and what ends a wait that nobody decides. The state machine is approve/state.ts. */
import { approvalKey, type Keeper, type Kept, termOfState } from '../approve/kept.ts';
import { type Flaw, hasLapsed, isOpen, STATES, type State, step } from '../approve/state.ts';
import type { Bundles } from '../bundle/bundle.ts';
import { unhalted } from '../decide/halts.ts';
import { type Result, refuse } from '../errors.ts';
import type { Agent, Claim, Draft, EntryKind, EpochSeconds, Id, World } from '../model.ts';
import type { Recorder } from '../record/record.ts';
import type { Store } from '../store/store.ts';
import type { JsonObject } from '../wire/json.ts';
import { no, ok } from '../wire/result.ts';

export { STATES, type State } from '../approve/state.ts';

/** Who votes, and who says that it is them. A login knows its person's teams; the operator at the local socket vouches for both. */
export interface Voter {
  /** A person as `<issuer id>:<sub>`; never an agent. */
  readonly name: string;
  readonly isOf: (team: string) => boolean;
  /** Who vouches for it: stands in the entry. */
  readonly via: string;
}
export interface Ballot {
  readonly vote: 'approve' | 'deny';
  /** Why, for the ledger and whoever looks next. */
  readonly reason: string;
}
/** As served at GET /operator/approvals. Arguments and purpose are the agent's words: shown escaped, never trusted. */
export interface ShownApproval {
  readonly id: Id<'apr'>;
  readonly state: State;
  readonly client: string;
  readonly owner?: string;
  readonly subject: string;
  readonly actors: readonly string[];
  readonly resource: string;
  readonly tool: string;
  readonly description?: string;
  /** JSON Schema of the arguments, as the tool registers it now. */
  readonly schema?: JsonObject;
  readonly arguments: JsonObject;
  readonly arguments_digest: string;
  readonly purpose?: string;
  readonly demand: { readonly who: readonly string[]; readonly quorum: number };
  readonly votes: readonly {
    readonly by: string;
    readonly vote: string;
    readonly at: EpochSeconds;
    readonly reason: string;
    readonly via: string;
  }[];
  readonly bundle: string;
  readonly made: EpochSeconds;
  readonly until: EpochSeconds;
}
export interface Approvals {
  /** The newest first, at most 1,000 of each state; without a state those that somebody can still decide. */
  list(state?: State): Promise<readonly ShownApproval[]>;
  /** Errors: `not_found`, also for a record that no broker of this secret wrote. */
  show(id: string): Promise<Result<ShownApproval>>;
  /**
   * One vote of one person. Errors: `not_found`; `vote_refused` with `own_action`, `not_an_approver`, `not_a_person`; `state_conflict` with `decided`,
   * `lapsed`, `already_voted`, `edited`; `suspended` where anybody in it is halted, which ends it.
   */
  vote(id: string, ballot: Ballot, voter: Voter): Promise<Result<ShownApproval>>;
  /** Ends what has lapsed and what was halted. One entry each. */
  sweep(): Promise<void>;
}
export interface ApprovalsRooms {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly bundles: Bundles;
  readonly keeper: Keeper;
  /** Ids of the issuers that vouch for people. */
  readonly people: ReadonlySet<string>;
}

const SHOWN = 1_000;
/** Others who vote, poll or redeem at the same moment: it is looked at again so often. */
const TRIES = 5;
const VOTE_REFUSED: ReadonlySet<Flaw> = new Set(['own_action', 'not_an_approver']);

export function createApprovals({ store, world, record, bundles, keeper, people }: ApprovalsRooms): Approvals {
  async function find(id: string): Promise<Result<Kept>> {
    if (!/^apr_[0-9a-f]{32}$/.test(id)) return refuse('not_found');
    const name = id as Id<'apr'>;
    const [found] = (await store.look([approvalKey(name)])).found;
    const kept = keeper.read(name, found);
    return kept ? ok(kept) : refuse(found ? 'state_conflict' : 'not_found', found ? { detail: 'edited' } : {});
  }
  async function scan(state: State): Promise<readonly Kept[]> {
    const rows = await store.scan({ term: termOfState(state), limit: SHOWN, newestFirst: true });
    return rows.flatMap((row) => keeper.read(row.key.slice('approval/'.length) as Id<'apr'>, row) ?? []);
  }
  function shown({ approval }: Kept, now: EpochSeconds): ShownApproval {
    const { id, client, subject, actors, resource, tool, digest, demand, votes, facts, bundle, made, until } = approval;
    const registered = bundles.current().servers.byResource(resource)?.tools.get(tool);
    return {
      id,
      state: hasLapsed(approval, now) ? 'expired' : approval.state,
      client,
      ...(facts.owner !== undefined && { owner: facts.owner }),
      subject: subject.kind === 'agent' ? subject.id : `${subject.issuer}:${subject.subject}`,
      actors,
      resource,
      tool,
      ...(registered && { description: registered.description, schema: registered.schema }),
      arguments: keeper.open(approval).arguments,
      arguments_digest: digest,
      ...(facts.purpose !== undefined && { purpose: facts.purpose }),
      demand: { who: demand.who, quorum: demand.quorum },
      votes: votes.map(({ by, vote, at, reason, via }) => ({ by, vote, at, reason, via })),
      bundle,
      made,
      until,
    };
  }
  /** Each holds while nobody in it is halted. An agent that has gone from the bundle is named still. */
  function halts({ approval }: Kept): readonly Claim[] {
    const { client, actors, subject, resource, tool } = approval;
    const { agents, servers } = bundles.current();
    const named = (id: string): Pick<Agent, 'id' | 'owner'> => agents.byClient(id) ?? { id, owner: '' };
    const name = subject.kind === 'agent' ? subject.id : `${subject.issuer}:${subject.subject}`;
    const server = servers.byResource(resource)?.id ?? '';
    return unhalted({ agents: [client, ...actors].map(named), subject: name, server, tool });
  }
  async function isHalted(kept: Kept): Promise<boolean> {
    const keys = halts(kept).flatMap((claim) => ('key' in claim ? [claim.key] : []));
    return (await store.look(keys)).found.some((halt) => halt !== undefined);
  }
  /** A person whom a configured issuer vouches for, and no agent that a workload issuer knows under the same name. */
  function isPerson(name: string): boolean {
    const [, issuer = '', subject = ''] = /^([a-z][a-z0-9-]{0,31}):(\S{1,255})$/.exec(name) ?? [];
    const agent = bundles
      .current()
      .agents.all.some(({ id, identity }) => id === subject || (identity.use === 'federated' && identity.subject === subject));
    return people.has(issuer) && !agent;
  }
  function tell(draft: Draft, { approval }: Kept): void {
    draft.note({ ...approval.facts, client: approval.client, approval: approval.id, bundle: approval.bundle });
  }

  async function cast(id: string, ballot: Ballot, voter: Voter, draft: Draft): Promise<Result<ShownApproval>> {
    for (let left = TRIES; ; left--) {
      const found = await find(id);
      if (!found.ok) return found;
      const kept = found.value;
      tell(draft, kept);
      if (await isHalted(kept)) {
        await end(kept, 'cancel');
        return refuse('suspended');
      }
      if (!isPerson(voter.name)) return refuse('vote_refused', { detail: 'not_a_person' });
      const stands = kept.approval.demand.who.filter((name) => name === voter.name || (isTeam(name) && voter.isOf(name)));
      const vote = { ...ballot, by: voter.name, stands, via: voter.via };
      const next = step(kept.approval, { what: 'vote', vote }, draft.now);
      if (!next.ok) return refuse(VOTE_REFUSED.has(next.error) ? 'vote_refused' : 'state_conflict', { detail: next.error });
      const { state, votes, demand } = next.value;
      if (state === 'pending') draft.note({ outcome: `${votes.length} of ${demand.quorum}` });
      const claims = [...halts(kept), keeper.write(kept, next.value, 'state_conflict')];
      const done = await record.commit(draft, state === 'pending' ? 'pending' : (state as EntryKind & State), claims);
      if (done.ok) return ok(shown({ version: kept.version + 1, approval: next.value }, draft.now));
      if (done.error.reason === 'suspended') await end(kept, 'cancel');
      if (done.error.reason !== 'state_conflict' || left === 1) return done;
    }
  }
  async function end(kept: Kept, what: 'lapse' | 'cancel'): Promise<void> {
    const draft = record.open('approval');
    tell(draft, kept);
    const next = step(kept.approval, { what }, draft.now);
    // Somebody else was faster: then it is told already.
    if (next.ok) await record.commit(draft, what === 'lapse' ? 'expired' : 'cancelled', [keeper.write(kept, next.value, 'state_conflict')]);
  }

  return {
    async list(state) {
      const now = world.now();
      const wanted = state === undefined ? STATES.filter((one) => isOpen({ state: one })) : [state];
      const kept = (await Promise.all(wanted.map(scan))).flat();
      const rows = kept.map((one) => shown(one, now));
      return (state === undefined ? rows.filter(isOpen) : rows).sort((a, b) => (a.id < b.id ? 1 : -1));
    },
    async show(id) {
      const found = await find(id);
      return found.ok ? ok(shown(found.value, world.now())) : found;
    },
    async vote(id, ballot, voter) {
      const draft = record.open('operator');
      draft.note({
        by: voter.name,
        detail: `${ballot.vote}: ${voter.via} on behalf of ${voter.name}`,
        context: { vote: ballot.vote, reason: ballot.reason, via: voter.via },
      });
      try {
        const outcome = await cast(id, ballot, voter, draft);
        return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
      } catch (fault) {
        return no(await record.fault(draft, fault));
      }
    },
    async sweep() {
      const open = (await Promise.all((['pending', 'approved'] as const).map(scan))).flat();
      for (const kept of open) {
        if (hasLapsed(kept.approval, world.now())) await end(kept, 'lapse');
        else if (await isHalted(kept)) await end(kept, 'cancel');
      }
    },
  };
}
const isTeam = (name: string): boolean => name.startsWith('team:');
