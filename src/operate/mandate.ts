/** What an agent may do, in words, tool by tool: read from the bundle in force, decided by nobody. Pure. */
import { DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS } from '../decide/decide.ts';
import type { Agent, Bundle, Demand, EpochSeconds, StatedRule, ToolServer } from '../model.ts';
import { SCOPE_LIST } from '../wire/oauth.ts';

/** As served: a policy with its place in its file. */
export interface ShownRule {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly file: string;
  readonly line: number;
  readonly last_line: number;
  readonly text: string;
  readonly owner?: string;
  readonly conditions: readonly string[];
  readonly ttl_seconds?: number;
  readonly code?: string;
  readonly remedy?: string;
  readonly approval?: string;
  /** The last day (UTC) on which it grants anything. */
  readonly until?: string;
}
/** One tool that some permit names this agent for. */
export interface Right {
  /** `actor`: for somebody else. `subject`: for itself, with nobody about. */
  readonly as: 'actor' | 'subject';
  readonly server: string;
  readonly server_name: string;
  readonly tool: string;
  readonly description: string;
  /** The whole of it, a sentence each. */
  readonly words: readonly string[];
  readonly permits: readonly ShownRule[];
  /** Of an actor: what says for whom. Both must allow. */
  readonly people: readonly ShownRule[];
  readonly never: readonly ShownRule[];
  /** No permit lets anybody have it done: it can never be granted. */
  readonly dead: boolean;
}

export function showRule(rule: StatedRule): ShownRule {
  const { id, effect, file, line, lastLine, text, ttlSeconds, code, remedy, approval, ends } = rule;
  const { owner, conditions } = rule.said();
  return {
    id,
    effect,
    file,
    line,
    last_line: lastLine,
    text,
    ...(owner !== undefined && { owner }),
    conditions,
    ...(ttlSeconds !== undefined && { ttl_seconds: ttlSeconds }),
    ...(code !== undefined && { code }),
    ...(remedy && { remedy: remedy.text }),
    ...(approval && { approval: demanded(approval) }),
    ...(ends !== undefined && { until: lastDay(ends) }),
  };
}

const lastDay = (ends: EpochSeconds): string => new Date((ends - 1) * 1000).toISOString().slice(0, 10);

/** One right before it is told: which rules it is made of. */
export interface Scope {
  readonly as: Right['as'];
  readonly server: ToolServer;
  readonly tool: string;
  readonly permits: readonly StatedRule[];
  readonly people: readonly StatedRule[];
  readonly never: readonly StatedRule[];
  /** They take a question away, and grant nothing. */
  readonly lighter: readonly StatedRule[];
}
/** Every right of this agent, in the order of the servers' files. What has ended is no part of it. No rule is read for it. */
export function scopesOf(agent: Agent, { servers, policy }: Pick<Bundle, 'servers' | 'policy'>, now: EpochSeconds): readonly Scope[] {
  const rules = (policy.rules ?? []).filter(({ ends }) => ends === undefined || ends > now);
  const mine = (['actor', 'subject'] as const).map((as) => {
    const type = as === 'actor' ? 'Actor' : 'Agent';
    return { as, its: rules.filter((rule) => names(rule, type, agent.id)) };
  });
  const others = rules.filter((rule) => names(rule, 'Person') || names(rule, 'Service'));
  return servers.all.flatMap((server) =>
    [SCOPE_LIST, ...server.tools.keys()].flatMap((tool) =>
      mine.flatMap(({ as, its }): readonly Scope[] => {
        const here = its.filter((rule) => covers(rule, server.id, tool));
        const permits = here.filter(grants);
        if (permits.length === 0) return [];
        const theirs = as === 'actor' ? others.filter((rule) => covers(rule, server.id, tool)) : [];
        const both = [...new Set([...here, ...theirs])];
        const never = both.filter(({ effect }) => effect === 'forbid');
        const lighter = both.filter(({ insteadOf }) => insteadOf !== undefined);
        return [{ as, server, tool, permits, people: theirs.filter(grants), never, lighter }];
      }),
    ),
  );
}
const grants = ({ effect, insteadOf }: StatedRule): boolean => effect === 'permit' && insteadOf === undefined;
/** A rule for one person alone says nothing of the agent, so only what holds for a kind counts where `id` is absent. */
const names = ({ principal }: StatedRule, type: string, id?: string): boolean =>
  principal === undefined || (principal.type === type && (principal.id === undefined || principal.id === id));
export const covers = ({ tools, server }: StatedRule, serverId: string, tool: string): boolean =>
  (server === undefined || server === serverId) &&
  (tools === undefined || tools.some((one) => one.server === serverId && one.tool === tool));

/** The same in words. */
export function rightOf(agent: Agent, { as, server, tool, permits, people, never, lighter }: Scope): Right {
  const dead = as === 'actor' && people.length === 0;
  const what = tool === SCOPE_LIST ? `list the tools of ${server.name}` : `call ${tool} at ${server.name}`;
  const forWhom = as === 'subject' ? ' for itself' : dead ? ' for others' : ` for ${audience(people)}`;
  const words = [`May ${what}${forWhom}${alternatives(permits)}.`];
  if (dead) words.push('No permit lets anybody have this done for them, so it is never granted.');
  for (const rule of never) words.push(sentence('Never', rule));
  const demands = [...permits, ...people].flatMap(({ approval }) => approval ?? []);
  for (const text of new Set(demands.map(demanded))) words.push(`${text.charAt(0).toUpperCase()}${text.slice(1)}.`);
  for (const rule of lighter) {
    const instead = rule.approval ? demanded(rule.approval) : 'nobody needs to agree';
    words.push(`Instead of what ${(rule.insteadOf ?? []).join(' and ')} demands, ${instead}${under(rule)}.`);
  }
  const life = lifeOf(agent, permits, people);
  if (!dead && life !== undefined) words.push(`Its token lives ${spell(life)}.`);
  return {
    as,
    server: server.id,
    server_name: server.name,
    tool,
    description: server.tools.get(tool)?.description ?? 'Opens a connection and lists what there is; runs nothing.',
    words,
    permits: [...permits, ...lighter].map(showRule),
    people: people.map(showRule),
    never: never.map(showRule),
    dead,
  };
}
function audience(people: readonly StatedRule[]): string {
  const kinds = people.map((rule) => {
    const who = rule.principal?.type === 'Service' ? 'a service' : rule.principal === undefined ? 'anybody' : 'a person';
    return `${who}${under(rule)}`;
  });
  return [...new Set(kinds)].join(', or ');
}
/** Any one permit is enough; one without a condition makes the others' needless. */
function alternatives(permits: readonly StatedRule[]): string {
  const all = permits.map(under);
  return all.some((text) => text === '') ? '' : all.join(', or');
}
const under = (rule: StatedRule): string => {
  const { conditions } = rule.said();
  const all = [...conditions, ...(rule.ends === undefined ? [] : [`until ${lastDay(rule.ends)}`])];
  return all.length === 0 ? '' : ` ${all.join(' and ')}`;
};
function sentence(lead: string, rule: StatedRule): string {
  const text = rule.remedy ? `${stop(rule.remedy.text)}` : '';
  return `${lead}${under(rule)}.${text === '' ? '' : ` ${text}`}`;
}
const stop = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** Who must agree, as a clause: everybody named is stood for by somebody. */
export function demanded({ who, quorum, ttlSeconds, confirm, proof }: Demand): string {
  const names = who.map((name) => (name === 'owner' ? 'its owner' : name));
  const [only] = names;
  const several = `all of ${names.join(' and ')} must agree${quorum > 1 ? `, at least ${quorum} people,` : ''}`;
  const others =
    only === undefined
      ? ''
      : names.length > 1
        ? several
        : only === 'its owner'
          ? 'its owner must agree'
          : `${quorum} of ${only} must agree`;
  const both = [others, confirm ? 'the person acted for must confirm it' : ''].filter((part) => part !== '').join(', and ');
  return `${both} within ${spell(ttlSeconds)}${proof === 'passkey' ? ', signed with a passkey' : ''}`;
}
/** Where it is certain: with several permits it depends on which of them hold. */
function lifeOf(agent: Agent, permits: readonly StatedRule[], people: readonly StatedRule[]): number | undefined {
  if (permits.length > 1 || people.length > 1) return undefined;
  const said = [...permits, ...people].flatMap(({ ttlSeconds }) => ttlSeconds ?? []);
  return Math.min(
    said.length > 0 ? Math.min(...said) : DEFAULT_TTL_SECONDS,
    agent.limits.maxTtlSeconds ?? MAX_TTL_SECONDS,
    MAX_TTL_SECONDS,
  );
}
const UNITS = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
] as const;
export function spell(seconds: number): string {
  const [size, name] = UNITS.find(([unit]) => seconds >= unit * 2 && seconds % unit === 0) ?? [1, 'second'];
  const count = seconds / size;
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
