/** What would be decided: the very decision of an exchange, about a question that nobody has proved. Pure; grants nothing, and what it returns cannot be minted from. */
import { type Refusal, refuse } from '../errors.ts';
import type { Action, Agent, Asked, Bundle, Decision, Draft, EpochSeconds, Facts, Person, ToolServer } from '../model.ts';
import { digest } from '../wire/digest.ts';
import type { JsonObject } from '../wire/json.ts';
import { SCOPE_LIST } from '../wire/oauth.ts';
import { no, ok, type Result } from '../wire/result.ts';
import { type Share, sharesOf } from './budgets.ts';
import { decide } from './decide.ts';

export interface Rehearsal {
  /** The one that logs in. */
  readonly agent: string;
  /** Sub-agents that it has delegated to, the outermost first: they act, and it is asked about too. */
  readonly via: readonly string[];
  /** Absent: the agent for itself. */
  readonly for?: Supposed;
  readonly server: string;
  /** Or `tool:list`: the base token. */
  readonly tool: string;
  readonly arguments: JsonObject;
}
export interface Supposed {
  readonly kind: 'person' | 'service';
  readonly issuer: string;
  readonly subject: string;
  readonly attributes: JsonObject;
}
export interface Rehearsed {
  readonly decided: Result<Decision, Refusal>;
  /** All that took part. */
  readonly policies: readonly string[];
  readonly asked: Asked;
}

/** Errors: what the bundle does not have. */
export function toAsked(bundle: Bundle, rehearsal: Rehearsal): Result<Asked, { readonly lacks: 'tool' | 'agent'; readonly name: string }> {
  const { server: serverId, tool: name } = rehearsal;
  const server = bundle.servers.byId(serverId);
  const action = server && actionOf(server, rehearsal);
  if (!server || !action) return no({ lacks: 'tool', name: `${serverId}/${name}` });
  const chain: Agent[] = [];
  for (const id of [...rehearsal.via, rehearsal.agent]) {
    const agent = bundle.agents.byClient(id);
    if (!agent) return no({ lacks: 'agent', name: id });
    chain.push(agent);
  }
  const client = chain.at(-1) as Agent;
  return ok({
    caller: { client },
    subject: rehearsal.for ? toPerson(rehearsal.for) : client,
    actors: rehearsal.for ? chain : chain.slice(0, -1),
    server,
    action,
    kind: 'jwt',
    until: Number.MAX_SAFE_INTEGER,
    deferred: false,
  });
}
function actionOf(server: ToolServer, { tool: name, arguments: args }: Rehearsal): Action | undefined {
  const tool = server.tools.get(name);
  if (!tool) return name === SCOPE_LIST ? { kind: 'list' } : undefined;
  const { resource } = server;
  return { kind: 'call', tool, call: { resource, tool: name, digest: digest(args), ...(!tool.hidden && { arguments: args }) } };
}
const toPerson = (supposed: Supposed): Person => ({ ...supposed, exp: Number.MAX_SAFE_INTEGER });

/** `spent`: what has been taken of each share's budget. Errors of the decision are those of `decide`, and `arguments_bad`. */
export function rehearse(bundle: Bundle, asked: Asked, now: EpochSeconds, spent: (share: Share) => number): Rehearsed {
  const { action } = asked;
  if (action.kind === 'call' && action.call.arguments && action.tool.check(action.call.arguments) !== undefined)
    return { decided: refuse('arguments_bad'), policies: [], asked };
  const shares = sharesOf(asked, bundle);
  const draft = unwritten(now);
  const decided = decide(asked, bundle, draft, shares, shares.map(spent));
  return { decided, policies: [...(draft.facts.policies ?? [])].sort(), asked };
}
/** Nobody commits it. */
function unwritten(now: EpochSeconds): Draft {
  let facts: Facts = {};
  return {
    id: 'exc_rehearsal',
    now,
    signal: new AbortController().signal,
    late: false,
    turn: async (_kind, work) => work(),
    get facts() {
      return facts;
    },
    note: (more) => {
      facts = { ...facts, ...more };
    },
    spend: () => {},
  };
}
