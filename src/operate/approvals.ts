/** What people decide: who waits for them, their votes, and what ends a wait that nobody decides. The state machine is approve/state.ts. */
import { waitsNoMore } from '../approve/crowd.ts';
import { approvalKey, type Keeper, type Kept, termOfConfirmer, termOfState } from '../approve/kept.ts';
import { type Approval, type Flaw, hasLapsed, isOpen, isTeam, STATES, type State, step } from '../approve/state.ts';
import type { Bundles } from '../bundle/bundle.ts';
import { unhalted } from '../decide/halts.ts';
import { type Reason, type Result, refuse } from '../errors.ts';
import { type Agent, type Claim, type Draft, type EntryKind, type EpochSeconds, type Id, nameOf, type World } from '../model.ts';
import type { Recorder } from '../record/record.ts';
import type { Store, Stored } from '../store/store.ts';
import { no, ok } from '../wire/result.ts';
import { type Pace, paced } from './approvals-pace.ts';
import { callsOf } from './approvals-plan.ts';
import type { Agreeing, Assertion, Challenge, Prover } from './approvals-proof.ts';
import { type Ballot, progressOf, type ShownApproval, shownApproval, type Voter, wordsOf } from './approvals-shown.ts';
import type { PageAsked, Part } from './page.ts';

export { STATES, type State } from '../approve/state.ts';
export type { Challenge } from './approvals-proof.ts';
export type { Ballot, ShownApproval, Voter } from './approvals-shown.ts';

export interface Approvals {
  /** The newest first, or the oldest; without a state those that somebody can still decide. `after`: an id. A part is shorter where what it holds is large. */
  list(asked: ListAsked): Promise<Part<ShownApproval>>;
  /** Errors: `not_found`, also for a record that no broker of this secret wrote. */
  show(id: string): Promise<Result<ShownApproval>>;
  /**
   * One vote of one person about somebody else's action. Errors: `not_found`; `vote_refused` with `own_action`, `not_an_approver`, `not_a_person`, `too_many`,
   * `proof_needed` where the demand wants it signed, `passkey_unknown` and the flaws of a proof; `state_conflict` with `decided`, `lapsed`, `already_voted`, `edited`; `suspended` where anybody in it is halted, which ends it.
   */
  vote(id: string, ballot: Ballot, voter: Voter): Promise<Result<ShownApproval>>;
  /** What this person's passkey signs to agree. No entry. Errors: as of the vote that it is for, `proof_unavailable` where nobody can log in, `passkey_none`. */
  challenge(id: string, agreeing: Agreeing, voter: Voter): Promise<Result<Challenge>>;
  /** What can still be decided and waits, or waited, for this person's own confirmation. Of other people's votes nothing is shown. */
  confirmations(name: string, page: PageAsked): Promise<Part<ShownApproval>>;
  /** The person acted for says yes or no to what is done for them. Errors: as for a vote; whoever is not asked finds nothing (`not_found`). */
  confirm(id: string, ballot: Ballot, voter: Voter): Promise<Result<ShownApproval>>;
  /** Ends what has lapsed and what was halted. One entry each. */
  sweep(): Promise<void>;
}
export interface ListAsked extends PageAsked {
  readonly state?: State;
  readonly first?: 'newest' | 'oldest';
}
export interface ApprovalsRooms {
  readonly store: Store;
  readonly world: World;
  readonly record: Recorder;
  readonly bundles: Bundles;
  readonly keeper: Keeper;
  /** Ids of the issuers that vouch for people. */
  readonly people: ReadonlySet<string>;
  /** Absent: as often as somebody likes. */
  readonly perApprover?: Pace | undefined;
  /** Absent: nobody can prove here that it was them. */
  readonly prover?: Prover;
}

/** Of arguments, as they are sealed, in one answer: more is another part. */
const SHOWN_BYTES = 4 * 1024 * 1024;
/** Of a sweep: between two of them others have their turn. */
const PAGE = 100;
/** Others who vote, poll or redeem at the same moment: it is looked at again so often. */
const TRIES = 5;
const REFUSED_AS: Readonly<Partial<Record<Flaw, Reason>>> = {
  own_action: 'vote_refused',
  not_an_approver: 'vote_refused',
  proof_needed: 'vote_refused',
  not_asked: 'not_found',
  no_such_step: 'request_malformed',
  out_of_order: 'request_malformed',
};

/** Stands for what is still to be signed. */
const NOT_YET: Assertion = { credential: '', authenticatorData: '', clientDataJSON: '', signature: '' };

export function createApprovals({ store, world, record, bundles, keeper, people, prover, perApprover }: ApprovalsRooms): Approvals {
  async function find(id: string): Promise<Result<Kept>> {
    if (!/^apr_[0-9a-f]{32}$/.test(id)) return refuse('not_found');
    const name = id as Id<'apr'>;
    const [found] = (await store.look([approvalKey(name)])).found;
    const kept = keeper.read(name, found);
    return kept ? ok(kept) : refuse(found ? 'state_conflict' : 'not_found', found ? { detail: 'edited' } : {});
  }
  /** Of several terms as of one: their keys are in the order in which they were asked for. */
  async function scan(terms: readonly string[], { after, limit }: PageAsked, newestFirst: boolean): Promise<Part<Kept>> {
    const page = { limit: limit + 1, newestFirst, ...(after !== undefined && { after: `approval/${after}` }) };
    const found = (await Promise.all(terms.map((term) => store.scan({ term, ...page })))).flat();
    found.sort((a, b) => (a.key < b.key === newestFirst ? 1 : -1));
    const rows: Kept[] = [];
    let [bytes, taken] = [0, 0];
    for (const row of found.slice(0, limit)) {
      const kept = [read(row)].flat();
      bytes += kept[0]?.approval.sealed.length ?? 0;
      if (bytes > SHOWN_BYTES && taken > 0) break;
      rows.push(...kept);
      taken++;
    }
    const last = found[taken - 1]?.key.slice('approval/'.length);
    return { rows, ...(found.length > taken && last !== undefined && { next: last }) };
  }
  const read = (row: Stored): Kept | readonly [] => keeper.read(row.key.slice('approval/'.length) as Id<'apr'>, row) ?? [];
  const shown = ({ approval }: Kept, now: EpochSeconds): ShownApproval =>
    shownApproval(approval, keeper.open(approval).arguments, bundles.current(), now);
  /** Each holds while nobody in it is halted. An agent that has gone from the bundle is named still. */
  function halts({ approval }: Kept): readonly Claim[] {
    const { client, actors, subject } = approval;
    const { agents, servers } = bundles.current();
    const named = (id: string): Pick<Agent, 'id' | 'owner'> => agents.byClient(id) ?? { id, owner: '' };
    const who = { agents: [client, ...actors].map(named), subject: nameOf(subject) };
    const all = callsOf(approval).flatMap(({ resource, tool }) =>
      unhalted({ ...who, server: servers.byResource(resource)?.id ?? '', tool }),
    );
    return [...new Map(all.map((claim) => ['key' in claim ? claim.key : claim, claim])).values()];
  }
  const haltsOf = (kept: Kept): readonly string[] => halts(kept).flatMap((claim) => ('key' in claim ? [claim.key] : []));
  async function isHalted(kept: Kept): Promise<boolean> {
    return (await store.look(haltsOf(kept))).found.some((halt) => halt !== undefined);
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

  /** The vote as it would stand. Errors: why it cannot. */
  function voted({ approval }: Kept, ballot: Ballot, voter: Voter, confirms: boolean, now: EpochSeconds): Result<Approval> {
    if (!isPerson(voter.name)) return refuse('vote_refused', { detail: 'not_a_person' });
    const stands = approval.demand.who.filter((name) => name === voter.name || (isTeam(name) && voter.isOf(name)));
    const { assertion, ...said } = ballot;
    const signed = assertion && ballot.vote === 'approve' && { passkey: assertion.credential };
    const vote = { ...said, ...signed, by: voter.name, via: voter.via, ...(confirms ? { stands: [], confirms } : { stands }) };
    const next = step(approval, { what: 'vote', vote }, now);
    return next.ok ? next : refuse(REFUSED_AS[next.error] ?? 'state_conflict', { detail: next.error });
  }
  const isTheirs = ({ approval }: Kept, confirms: boolean, { name }: Voter): boolean => !confirms || nameOf(approval.subject) === name;

  async function cast(id: string, ballot: Ballot, voter: Voter, draft: Draft, confirms: boolean): Promise<Result<ShownApproval>> {
    for (let left = TRIES; ; left--) {
      const found = await find(id);
      if (!found.ok) return found;
      const kept = found.value;
      tell(draft, kept);
      draft.note(wordsOf(ballot, voter, confirms));
      if (!isTheirs(kept, confirms, voter)) return refuse('not_found', { detail: 'not_asked' });
      if (await isHalted(kept)) {
        await end(kept, 'cancel');
        return refuse('suspended');
      }
      const next = voted(kept, ballot, voter, confirms, draft.now);
      if (!next.ok) return next;
      const proof = await proofOf(kept.approval, ballot, voter, confirms, draft);
      if (!proof.ok) return proof;
      const { state } = next.value;
      if (state === 'pending') draft.note({ outcome: progressOf(next.value) });
      const write = keeper.write(kept, next.value, 'state_conflict');
      const pace = ballot.vote === 'approve' && !confirms ? paced(perApprover, keeper, voter.name, kept.approval.id) : [];
      const claims = [...halts(kept), write, ...waitsNoMore(kept.approval, next.value), ...proof.value, ...pace];
      const done = await record.commit(draft, state === 'pending' ? 'pending' : (state as EntryKind & State), claims);
      if (done.ok) return ok(shown({ version: kept.version + 1, approval: next.value }, draft.now));
      if (done.error.reason === 'suspended') await end(kept, 'cancel');
      if (done.error.reason === 'vote_refused') return refuse('vote_refused', { detail: 'too_many' });
      if (done.error.reason !== 'state_conflict' || left === 1) return done;
    }
  }
  /** What stands in the entry of a yes that is signed, and the passkey's own claim; none of a vote that is not. */
  async function proofOf(
    approval: Approval,
    ballot: Ballot,
    voter: Voter,
    confirms: boolean,
    draft: Draft,
  ): Promise<Result<readonly Claim[]>> {
    const { assertion, vote, steps } = ballot;
    if (!assertion || vote !== 'approve') return ok([]);
    if (!prover) return refuse('vote_refused', { detail: 'proof_unavailable' });
    const proven = await prover.prove(approval, voter.name, { confirms, ...(steps && { steps }) }, assertion, draft.now);
    if (!proven.ok) return refuse('vote_refused', { detail: proven.error });
    draft.note({ context: { ...draft.facts.context, passkey: proven.value.told } });
    return ok([proven.value.claim]);
  }
  async function conduct(id: string, ballot: Ballot, voter: Voter, confirms: boolean): Promise<Result<ShownApproval>> {
    const draft = record.open('operator');
    draft.note({ by: voter.name, ...wordsOf(ballot, voter, confirms) });
    try {
      const outcome = await cast(id, ballot, voter, draft, confirms);
      return outcome.ok ? outcome : no(await record.refuse(draft, outcome.error));
    } catch (fault) {
      return no(await record.fault(draft, fault));
    }
  }
  async function end(kept: Kept, what: 'lapse' | 'cancel'): Promise<void> {
    const draft = record.open('approval');
    tell(draft, kept);
    const next = step(kept.approval, { what }, draft.now);
    // Somebody else was faster: then it is told already.
    if (!next.ok) return;
    const claims = [keeper.write(kept, next.value, 'state_conflict'), ...waitsNoMore(kept.approval, next.value)];
    await record.commit(draft, what === 'lapse' ? 'expired' : 'cancelled', claims);
  }

  return {
    async list({ state, first = 'newest', ...page }) {
      const now = world.now();
      const wanted = state === undefined ? STATES.filter((one) => isOpen({ state: one })) : [state];
      const found = await scan(wanted.map(termOfState), page, first === 'newest');
      const rows = found.rows.map((one) => shown(one, now));
      return { ...found, rows: state === undefined ? rows.filter(isOpen) : rows };
    },
    async show(id) {
      const found = await find(id);
      return found.ok ? ok(shown(found.value, world.now())) : found;
    },
    vote: (id, ballot, voter) => conduct(id, ballot, voter, false),
    async challenge(id, { confirms, steps }, voter) {
      const found = await find(id);
      if (!found.ok) return found;
      if (!isTheirs(found.value, confirms, voter)) return refuse('not_found');
      const ballot: Ballot = { vote: 'approve', reason: '', assertion: NOT_YET, ...(steps && { steps }) };
      const next = voted(found.value, ballot, voter, confirms, world.now());
      if (!next.ok) return next;
      if (!prover) return refuse('vote_refused', { detail: 'proof_unavailable' });
      const asked = await prover.challenge(found.value.approval, voter.name, { confirms, ...(steps && { steps }) });
      return asked.ok ? asked : refuse('vote_refused', { detail: asked.error });
    },
    async confirmations(name, page) {
      const now = world.now();
      const found = await scan([termOfConfirmer(name)], page, true);
      const rows = found.rows.flatMap((one) => {
        const row = shown(one, now);
        return row.subject === name && isOpen(row) ? [{ ...row, votes: row.votes.filter(({ confirms }) => confirms) }] : [];
      });
      return { ...found, rows };
    },
    async confirm(id, ballot, voter) {
      const outcome = await conduct(id, ballot, voter, true);
      if (outcome.ok) return ok({ ...outcome.value, votes: outcome.value.votes.filter(({ confirms }) => confirms) });
      // Nobody learns from here what waits for others: the ledger alone says why.
      const { detail: _, ...unsaid } = outcome.error;
      return outcome.error.reason === 'not_found' ? no(unsaid) : outcome;
    },
    async sweep() {
      for (const state of ['pending', 'approved'] as const)
        for (let after: string | undefined; ; ) {
          const rows = await store.scan({ term: termOfState(state), limit: PAGE, ...(after !== undefined && { after }) });
          const open = rows.flatMap(read);
          const keys = [...new Set(open.flatMap(haltsOf))];
          const { found } = await store.look(keys);
          const halted = new Set(keys.filter((_, at) => found[at] !== undefined));
          for (const kept of open) {
            if (hasLapsed(kept.approval, world.now())) await end(kept, 'lapse');
            else if (haltsOf(kept).some((key) => halted.has(key))) await end(kept, 'cancel');
          }
          after = rows.at(-1)?.key;
          if (rows.length < PAGE) break;
        }
    },
  };
}
