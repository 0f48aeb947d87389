import type { Context, EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import { type Agent, nameOf, type Question } from '../model.ts';
import { flawOf, type JsonObject } from '../wire/json.ts';
import { SCOPE_LIST } from '../wire/oauth.ts';
import { below, type Reads } from './policy-cedar-reads.ts';
import { AGENT_SHAPE, CONTEXT, SERVER_SHAPE, type Typed } from './policy-cedar-schema.ts';
import type { Uid } from './policy-cedar-scope.ts';
import { build, type Fields, Unfit } from './policy-cedar-shape.ts';

export interface Call {
  readonly ids: { readonly principal: Uid; readonly action: Uid; readonly resource: Uid };
  /** Entities and context, as far as they are read. Throws Unfit. */
  call(reads: Reads): { readonly entities: EntityJson[]; readonly context: Context };
}

/**
 * The question in Cedar's terms. An agent that acts for another is an `Actor`, one that acts for itself an `Agent`: two types, so that a
 * mandate to act for people grants it nothing alone (wire.md §2).
 */
export function toCall(question: Question, typed: Typed): Call {
  const { server, action } = question.asked;
  const principal = { type: principalType(question), id: nameOf(question.principal.who) };
  const resource = { type: 'Server', id: server.id };
  const tool = action.kind === 'call' ? action.tool.name : SCOPE_LIST;
  return {
    ids: { principal, action: { type: `${server.id}::Action`, id: tool }, resource },
    call: (reads) => ({
      entities: [
        ...entity(principal, below(reads, 'principal'), (its) => attributes(question, typed, its)),
        ...entity(resource, below(reads, 'resource'), (its) => built(SERVER_SHAPE.fields, { name: server.name }, its)),
      ],
      context: context(question, typed, below(reads, 'context') ?? new Map()),
    }),
  };
}

function principalType({ principal }: Question): string {
  if (principal.as === 'actor') return 'Actor';
  return principal.who.kind === 'agent' ? 'Agent' : principal.who.kind === 'service' ? 'Service' : 'Person';
}
/** Only one whose attributes somebody reads: a name is enough for everything else. */
const entity = (uid: Uid, reads: Reads | undefined, attrs: (reads: Reads) => Context): EntityJson[] =>
  reads === undefined ? [] : [{ uid, attrs: attrs(reads), parents: [] }];
function attributes({ principal: { who } }: Question, typed: Typed, reads: Reads): Context {
  if (who.kind !== 'agent') return built(who.kind === 'service' ? typed.service : typed.person, who.attributes, reads);
  return built(AGENT_SHAPE.fields, known(who), reads);
}
const known = (agent: Agent): JsonObject => ({
  name: agent.name,
  owner: agent.owner,
  ...(agent.sponsor !== undefined && { sponsor: agent.sponsor }),
});
const built = (fields: Fields, value: JsonObject, reads: Reads): Context => build({ is: 'record', fields }, value, reads) as Context;

function context({ asked, now, budgets = {} }: Question, typed: Typed, reads: Reads): Context {
  const { subject, actors, action, server } = asked;
  const [actor] = actors;
  const facts: JsonObject = {
    subject: { id: nameOf(subject), kind: subject.kind, issuer: subject.kind === 'agent' ? '' : subject.issuer },
    ...(actor && { actor: { id: actor.id, owner: actor.owner, depth: actors.length } }),
    said:
      action.kind === 'call' ? { ...action.call.context, ...(action.call.purpose !== undefined && { purpose: action.call.purpose }) } : {},
    ...(below(reads, 'now') !== undefined && { now: new Date(now * 1000).toISOString() }),
  };
  const out = build(CONTEXT, facts, reads) as Context;
  if (action.kind !== 'call') return out;
  const left = below(reads, 'budgets');
  const known = typed.budgets(server.id, action.tool.name);
  if (left !== undefined && known) out['budgets'] = build(known, budgets, left);
  const input = below(reads, 'input');
  if (input === undefined) return out;
  const shape = typed.input(server.id, action.tool.name);
  // No rule can read hidden arguments; one that could would have been refused when it was loaded.
  if (!shape) return out;
  const { arguments: args } = action.call;
  // Strict JSON has refused these before; a value that came another way must not become an entity either.
  if (args === undefined || flawOf(args) !== undefined) throw new Unfit('input_mistyped');
  return { ...out, input: build(shape, action.tool.fill(args), input) };
}
