import { type Approval, hasLapsed, latestOf, type State } from '../approve/state.ts';
import { type Bundle, type EpochSeconds, type Facts, type Id, nameOf } from '../model.ts';
import type { JsonObject } from '../wire/json.ts';
import type { CredentialKind } from '../wire/oauth.ts';
import { type ShownPlan, shownPlan } from './approvals-plan.ts';
import type { Assertion } from './approvals-proof.ts';

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
  /** Of a plan: which of its steps, from 0, are agreed to; absent: all. */
  readonly steps?: readonly number[];
  /** What the voter's passkey signed: of a yes, over the challenge that was made for it. */
  readonly assertion?: Assertion;
}
/** As served at GET /operator/approvals. Arguments and purpose are the agent's words: shown escaped, never trusted. */
export interface ShownApproval extends Partial<ShownPlan> {
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
  /** Four eyes: `quorum` of other people who stand for everyone in `who`. `confirm`: the person acted for, themselves. */
  readonly demand: { readonly who: readonly string[]; readonly quorum: number; readonly confirm?: true; readonly proof?: 'passkey' };
  readonly votes: readonly {
    readonly by: string;
    readonly vote: Ballot['vote'];
    readonly at: EpochSeconds;
    readonly reason: string;
    readonly via: string;
    /** By the person acted for. */
    readonly confirms?: true;
    /** Signed by their passkey. */
    readonly proof?: 'passkey';
    readonly steps?: readonly number[];
  }[];
  /** What its client asks for: `jwt` is an action token. */
  readonly credential: CredentialKind;
  readonly bundle: string;
  readonly made: EpochSeconds;
  readonly until: EpochSeconds;
  /** However often its client shows fresh proofs. */
  readonly latest: EpochSeconds;
}

export function shownApproval(approval: Approval, args: JsonObject, bundle: Bundle, now: EpochSeconds): ShownApproval {
  const { id, client, subject, actors, resource, tool, digest, demand, votes, facts, made, until } = approval;
  const registered = bundle.servers.byResource(resource)?.tools.get(tool);
  return {
    id,
    state: hasLapsed(approval, now) ? 'expired' : approval.state,
    client,
    ...(facts.owner !== undefined && { owner: facts.owner }),
    subject: nameOf(subject),
    actors,
    resource,
    tool,
    ...(registered && { description: registered.description, schema: registered.schema }),
    arguments: args,
    arguments_digest: digest,
    ...(facts.purpose !== undefined && { purpose: facts.purpose }),
    demand: {
      who: demand.who,
      quorum: demand.quorum,
      ...(demand.confirm && { confirm: demand.confirm }),
      ...(demand.proof && { proof: demand.proof }),
    },
    votes: votes.map(({ by, vote, at, reason, via, confirms, passkey, steps }) => ({
      by,
      vote,
      at,
      reason,
      via,
      ...(confirms && { confirms }),
      ...(passkey !== undefined && { proof: 'passkey' as const }),
      ...(steps && { steps }),
    })),
    credential: approval.credential,
    bundle: approval.bundle,
    made,
    until,
    latest: latestOf(approval),
    ...shownPlan(approval, args, bundle),
  };
}
/** What the entry says of a vote: who says that it was this person's, and why they did. */
export function wordsOf({ vote, reason, steps }: Ballot, { name, via }: Voter, confirms: boolean): Pick<Facts, 'detail' | 'context'> {
  const what = confirms && vote === 'approve' ? 'confirm' : vote;
  const which = steps ? ` of steps ${steps.join(', ')}` : '';
  return { detail: `${what}${which}: ${via} on behalf of ${name}`, context: { vote: what, reason, via, ...(steps && { steps }) } };
}
export function progressOf({ votes, demand }: Approval): string {
  const confirmed = votes.some(({ confirms }) => confirms);
  const agreed = `${votes.filter(({ confirms }) => !confirms).length} of ${demand.quorum}`;
  return demand.confirm ? `${agreed}, ${confirmed ? 'confirmed' : 'not confirmed'} by the person acted for` : agreed;
}
