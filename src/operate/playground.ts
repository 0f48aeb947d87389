/** What would be decided, and what the least change to it is: the decision of an exchange, rehearsed. Mints nothing, writes nothing, spends nothing. */
import { setImmediate as breathe } from 'node:timers/promises';
import type { Bundles } from '../bundle/bundle.ts';
import { leftOf, sharesOf, spentOf } from '../decide/budgets.ts';
import { principalsOf } from '../decide/decide.ts';
import { haltKey, haltKeys } from '../decide/halts.ts';
import { type Rehearsal, rehearse, toAsked } from '../decide/rehearse.ts';
import { type Refusal, type Remedy, refuse, toWire } from '../errors.ts';
import { type Asked, type Bundle, type Demand, type EpochSeconds, nameOf, type World } from '../model.ts';
import type { Store, SumQuery } from '../store/store.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { no, ok, type Result } from '../wire/result.ts';
import { type Fate, type Flip, findFlips } from './flip.ts';
import { covers, demanded, type ShownRule, showRule } from './mandate.ts';
import { readRules } from './read-rules.ts';
import type { Halt, Revoke } from './revoke.ts';

/** As served at GET /operator/playground: what can be asked about. */
export interface Stage {
  readonly agents: readonly { readonly id: string; readonly name: string; readonly owner: string }[];
  readonly servers: readonly {
    readonly id: string;
    readonly name: string;
    readonly tools: readonly {
      readonly name: string;
      readonly description: string;
      readonly schema: JsonObject;
      readonly hidden: boolean;
    }[];
  }[];
  /** Issuers of people and services, by short id. */
  readonly issuers: readonly string[];
  /** What rules read of whoever is acted for, and what they look for there. */
  readonly attributes: readonly { readonly name: string; readonly list: boolean; readonly values: readonly Json[] }[];
}
/** As posted to /operator/playground, and as a flip offers it. */
export interface PlaygroundQuestion {
  readonly agent: string;
  readonly via?: readonly string[];
  readonly for?: { readonly sub: string; readonly kind: 'person' | 'service'; readonly attributes: JsonObject };
  readonly server: string;
  readonly tool: string;
  readonly arguments: JsonObject;
}
export interface PlaygroundAnswer {
  readonly bundle: string;
  readonly now: EpochSeconds;
  readonly decision: 'allow' | 'approval' | 'deny';
  /** Of a refusal: the broker's code, the policy's own, and what it says. */
  readonly reason?: string;
  readonly code?: string;
  readonly text?: string;
  readonly remedy?: Remedy;
  /** `subject` or `actor`, whose question was refused; an argument's offence. */
  readonly detail?: string;
  readonly ttl_seconds?: number;
  readonly approval?: Demand & { readonly words: string };
  /** What stands in its way whatever policies say. */
  readonly halts: readonly Halt[];
  readonly verdicts: readonly {
    readonly as: 'subject' | 'actor';
    readonly who: string;
    readonly allow: boolean;
    readonly cause?: string;
    readonly code?: string;
    readonly policies: readonly string[];
  }[];
  /** Those that determined it. */
  readonly policies: readonly ShownRule[];
  /** Permits about this tool that did not hold. */
  readonly silent: readonly ShownRule[];
  readonly budgets: readonly {
    readonly id: string;
    readonly title: string;
    readonly limit: number;
    readonly left: number;
    readonly amount: number;
    readonly window_seconds: number;
  }[];
  readonly flips: {
    readonly tried: number;
    readonly complete: boolean;
    readonly found: readonly (Omit<Flip, 'question'> & { readonly question: PlaygroundQuestion })[];
  };
}
export interface Playground {
  stage(): Promise<Stage>;
  /** Errors: `not_found` with `agent` or `tool`; `arguments_bad` where hidden arguments were given. */
  play(question: PlaygroundQuestion): Promise<Result<PlaygroundAnswer, Refusal>>;
}
export interface PlaygroundRooms {
  readonly store: Pick<Store, 'look'>;
  readonly world: Pick<World, 'now'>;
  readonly bundles: Pick<Bundles, 'current'>;
  readonly revoke: Pick<Revoke, 'list'>;
  readonly issuers: readonly string[];
}
/** Decisions in a row before exchanges have their turn. */
const ROW = 8;
/** Looked through for what may be asked about a person. */
const MOST_RULES = 1_000;

export function createPlayground({ store, world, bundles, revoke, issuers }: PlaygroundRooms): Playground {
  return {
    stage: async () => stageOf(bundles.current(), issuers),
    async play(question) {
      const bundle = bundles.current();
      const now = world.now();
      const rehearsal = toRehearsal(question);
      const asked = toAsked(bundle, rehearsal);
      if (!asked.ok) return refuse('not_found', { detail: asked.error.lacks });
      const { action } = asked.value;
      if (action.kind === 'call' && action.tool.hidden && Object.keys(question.arguments).length > 0) return refuse('arguments_bad');

      const halts = new Map((await revoke.list()).map((halt) => [haltKey(halt.scope, halt.target), halt]));
      const sums = new Map<string, number>();
      const spent = ({ sum }: SumQuery): number => sums.get(sum) ?? Number.POSITIVE_INFINITY;
      const judge = async (of: Asked): Promise<Result<ReturnType<typeof rehearse>, Refusal>> => {
        const unknown = sharesOf(of, bundle).filter(({ sum }) => !sums.has(sum));
        const looked = unknown.length > 0 ? (await store.look([], unknown)).sums : [];
        for (const [index, { sum }] of unknown.entries()) sums.set(sum, looked[index] ?? Number.POSITIVE_INFINITY);
        const rehearsed = rehearse(bundle, of, now, spent);
        if (rehearsed.decided.ok && keysOf(of).some((key) => halts.has(key))) return refuse('suspended');
        return ok(rehearsed);
      };

      const judged = await judge(asked.value);
      let row = 0;
      const ask = async (other: Rehearsal): Promise<Fate> => {
        if (row++ % ROW === 0) await breathe();
        const of = toAsked(bundle, other);
        return of.ok ? fateOf(await judge(of.value)) : 'unfit';
      };
      const shares = spentOf(sharesOf(asked.value, bundle), sharesOf(asked.value, bundle).map(spent));
      const ends = new Map<string, number[]>();
      for (const { budget, spent: taken } of shares)
        if (budget.sum !== undefined) ends.set(budget.sum, [...(ends.get(budget.sum) ?? []), Math.floor(budget.limit - taken)]);
      const flips = await findFlips({ bundle, question: rehearsal, fate: fateOf(judged), ask, budgets: ends });
      const left = leftOf(shares);
      return ok({
        bundle: bundle.hash,
        now,
        ...described(judged),
        halts: keysOf(asked.value).flatMap((key) => halts.get(key) ?? []),
        ...rulesOf(bundle, asked.value, now, left),
        budgets: shares.map(({ budget: { id, title, limit, windowSeconds }, spent: taken, amount }) => {
          return { id, title, limit, left: Math.max(0, Math.floor(limit - taken)), amount: finite(amount), window_seconds: windowSeconds };
        }),
        flips: { ...flips, found: flips.found.map(({ question: other, ...flip }) => ({ ...flip, question: fromRehearsal(other) })) },
      });
    },
  };
}
/** JSON knows no infinity: an amount that is no number is refused by the schema before. */
const finite = (amount: number): number => (Number.isFinite(amount) ? amount : 0);

type Judged = Result<ReturnType<typeof rehearse>, Refusal>;
function fateOf(judged: Judged): Fate {
  if (!judged.ok) return 'refused';
  const { decided } = judged.value;
  if (decided.ok) return decided.value.approval ? 'approval' : 'allowed';
  return decided.error.reason === 'arguments_bad' ? 'unfit' : 'refused';
}
function described(
  judged: Judged,
): Pick<PlaygroundAnswer, 'decision' | 'reason' | 'code' | 'text' | 'remedy' | 'detail' | 'ttl_seconds' | 'approval'> {
  const decided = judged.ok ? judged.value.decided : no(judged.error);
  if (decided.ok) {
    const { approval, ttlSeconds } = decided.value;
    const asks = approval && { approval: { ...approval, words: demanded(approval) } };
    return { decision: approval ? 'approval' : 'allow', ttl_seconds: ttlSeconds, ...asks };
  }
  const { reason, code, remedy, detail } = decided.error;
  return {
    decision: 'deny',
    reason,
    text: toWire(reason).text,
    ...(code !== undefined && { code }),
    ...(remedy && { remedy }),
    ...(detail !== undefined && { detail }),
  };
}
/** Each principal's own verdict, all of them: a decision stops at the first no. */
function rulesOf(
  { policy }: Bundle,
  asked: Asked,
  now: EpochSeconds,
  left: JsonObject,
): Pick<PlaygroundAnswer, 'verdicts' | 'policies' | 'silent'> {
  const { action, server } = asked;
  const fits = action.kind !== 'call' || !action.call.arguments || action.tool.check(action.call.arguments) === undefined;
  const verdicts = (fits ? principalsOf(asked) : []).map((principal) => {
    const verdict = policy.decide({ principal, asked, now, ...(Object.keys(left).length > 0 && { budgets: left }) });
    const why = verdict.allow ? {} : { cause: verdict.cause, code: verdict.code };
    return { as: principal.as, who: nameOf(principal.who), allow: verdict.allow, ...why, policies: verdict.policies };
  });
  const met = new Set(verdicts.flatMap(({ policies }) => policies));
  const rules = policy.rules ?? [];
  const tool = action.kind === 'call' ? action.tool.name : 'tool:list';
  const names = new Set(principalsOf(asked).map(({ who }) => nameOf(who)));
  // What names somebody else could not have held.
  const near = rules.filter(
    ({ id, effect, principal }) => effect === 'permit' && !met.has(id) && (principal?.id === undefined || names.has(principal.id)),
  );
  return {
    verdicts,
    policies: rules.filter(({ id }) => met.has(id)).map(showRule),
    silent: near
      .filter((rule) => covers(rule, server.id, tool))
      .slice(0, 20)
      .map(showRule),
  };
}
function keysOf({ caller, actors, subject, server, action }: Asked): readonly string[] {
  const tool = action.kind === 'call' ? action.tool.name : undefined;
  return haltKeys({ agents: [caller.client, ...actors], subject: nameOf(subject), server: server.id, tool });
}

async function stageOf({ agents, servers, policy }: Bundle, issuers: readonly string[]): Promise<Stage> {
  const known = new Map<string, { name: string; list: boolean; values: Set<Json> }>();
  const general = (policy.rules ?? []).filter(({ principal }) => principal === undefined || /Person|Service/.test(principal.type));
  for (const rule of await readRules(general, MOST_RULES)) {
    for (const { path, as, value } of rule.said().compared) {
      const [root, name] = path ?? [];
      if (root !== 'principal' || name === undefined) continue;
      const held = known.get(name) ?? { name, list: false, values: new Set<Json>() };
      held.values.add(value);
      known.set(name, { ...held, list: held.list || as === 'member' });
    }
  }
  return {
    agents: agents.all.map(({ id, name, owner }) => ({ id, name, owner })),
    servers: servers.all.map(({ id, name, tools }) => ({
      id,
      name,
      tools: [...tools.values()].map(({ name, description, schema, hidden }) => ({ name, description, schema, hidden })),
    })),
    issuers,
    attributes: [...known.values()].map(({ name, list, values }) => ({ name, list, values: [...values].slice(0, 50) })),
  };
}
function toRehearsal({ via = [], for: supposed, ...rest }: PlaygroundQuestion): Rehearsal {
  const colon = supposed?.sub.indexOf(':') ?? 0;
  const person = supposed && {
    kind: supposed.kind,
    issuer: supposed.sub.slice(0, colon),
    subject: supposed.sub.slice(colon + 1),
    attributes: supposed.attributes,
  };
  return { ...rest, via, ...(person && { for: person }) };
}
function fromRehearsal({ via, for: supposed, ...rest }: Rehearsal): PlaygroundQuestion {
  const { kind, issuer, subject, attributes } = supposed ?? {};
  return {
    ...rest,
    ...(via.length > 0 && { via }),
    ...(kind && isObject(attributes ?? null) && { for: { sub: `${issuer}:${subject}`, kind, attributes: attributes ?? {} } }),
  };
}
