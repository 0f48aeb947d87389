/** Every agent as people answer for it: whose it is, what it may do, what it does, what stops it. Writes nothing. */
import type { Bundles } from '../bundle/bundle.ts';
import { sumOf } from '../decide/budgets.ts';
import { type Result, refuse } from '../errors.ts';
import type { Agent, Budget, Bundle, EpochSeconds, StatedRule, World } from '../model.ts';
import type { Store } from '../store/store.ts';
import { SCOPE_LIST } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';
import { type Right, rightOf, type Scope, scopesOf, spell } from './mandate.ts';
import { type PageAsked, partOf } from './page.ts';
import { readRules } from './read-rules.ts';
import type { Halt, Revoke } from './revoke.ts';
import type { LastUse, ReadUses, Use, Uses } from './uses.ts';

/** As served at GET /operator/agents. */
export interface ShownAgent {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  /** False: its owner has left, and it is refused. */
  readonly owned: boolean;
  readonly sponsor?: string;
  readonly purpose: string;
  /** ISO date. */
  readonly review: string;
  readonly overdue: boolean;
  /** In the bundle; a halt is lifted here, this is not. */
  readonly suspended: boolean;
  /** What stops it now: itself, all of its owner's, or everything. */
  readonly halts: readonly Halt[];
  /** `key`: a key of its own. `federated`: it is what another issuer calls it. */
  readonly identity: 'key' | 'federated';
  readonly max_ttl_seconds?: number;
  readonly last_use?: EpochSeconds;
  readonly rights: number;
  /** Rights that were not used within `unused_days`. */
  readonly unused: number;
}
export interface AgentsStatus {
  readonly now: EpochSeconds;
  readonly bundle: string;
  readonly unused_days: number;
  /** Uses before it are not known; absent: all are. */
  readonly uses_since?: EpochSeconds;
  readonly agents: readonly ShownAgent[];
  readonly next?: string;
}
export interface ShownBudget {
  readonly id: string;
  readonly title: string;
  readonly server: string;
  readonly tool?: string;
  readonly sum?: string;
  readonly per: readonly string[];
  readonly limit: number;
  readonly window: string;
  /** Absent where it is kept by what only a request knows, such as whoever is acted for. */
  readonly left?: number;
}
/** As served at GET /operator/agents/:id. */
export interface AgentStatus {
  readonly now: EpochSeconds;
  readonly bundle: string;
  readonly unused_days: number;
  readonly uses_since?: EpochSeconds;
  readonly agent: ShownAgent & { readonly issuer?: string; readonly subject?: string };
  readonly mandate: readonly (Right & Used)[];
  readonly budgets: readonly ShownBudget[];
}
export interface Agents {
  /** In the order of their ids. `days`: a right that was not used for so long counts as unused. */
  list(days: number, page: PageAsked): Promise<AgentsStatus>;
  /** Errors: `not_found`. */
  show(id: string, days: number): Promise<Result<AgentStatus>>;
}
export interface AgentsRooms {
  readonly store: Pick<Store, 'look'>;
  readonly world: Pick<World, 'now'>;
  readonly bundles: Pick<Bundles, 'current'>;
  readonly revoke: Pick<Revoke, 'list'>;
  readonly uses: ReadUses;
  /** Where there is an index of the ledger: what lies before the newest entries. */
  readonly lastUse?: LastUse;
}
export const UNUSED_DAYS = 90;
const DAY = 86_400;
/** Of one agent, told in words without a pause of all others. */
const MOST_RULES = 20_000;
/** What one answer asks of the index. */
const LOOKUPS = 300;

export function createAgents({ store, world, bundles, revoke, uses: readUses, lastUse }: AgentsRooms): Agents {
  async function known() {
    const bundle = bundles.current();
    const now = world.now();
    const [halts, recent] = await Promise.all([revoke.list(), readUses()]);
    return { bundle, now, halts, recent };
  }
  /** With what the index knows of rights that the newest entries do not show. A base token has no tool to look for. */
  async function further(all: readonly Scoped[], recent: Uses): Promise<Uses> {
    if (recent.since === undefined || !lastUse) return recent;
    const missing = all.flatMap(({ agent, scopes }) =>
      scopes.flatMap(({ server: { resource }, tool }) => {
        const isKnown = tool === SCOPE_LIST || recent.of(agent.id).some((use) => use.resource === resource && use.tool === tool);
        return isKnown ? [] : [{ agent: agent.id, resource, tool }];
      }),
    );
    const older = new Map<string, Use[]>();
    for (const wanted of missing.slice(0, LOOKUPS)) {
      const at = await lastUse(wanted);
      const { agent, resource, tool } = wanted;
      if (at !== undefined) older.set(agent, [...(older.get(agent) ?? []), { resource, tool, at, count: 0 }]);
    }
    const of = (agent: string): readonly Use[] => [...recent.of(agent), ...(older.get(agent) ?? [])];
    return missing.length > LOOKUPS ? { of, since: recent.since } : { of };
  }
  return {
    async list(days, page) {
      const { bundle, now, halts, recent } = await known();
      const { rows, next } = partOf(bundle.agents.all, ({ id }) => id, page);
      const all = rows.map((agent) => ({ agent, scopes: scopesOf(agent, bundle, now) }));
      const uses = await further(all, recent);
      const agents = all.map(({ agent, scopes }) => {
        const rights = scopes.map(({ server: { resource }, tool }) => useOf(uses, agent, resource, tool, now, days));
        return shown({ agent, rights, now, halts, uses });
      });
      return { ...saidOf(bundle, now, uses, days), agents, ...(next !== undefined && { next }) };
    },
    async show(id, days) {
      const { bundle, now, halts, recent } = await known();
      const found = bundle.agents.byClient(id);
      if (!found) return refuse('not_found');
      const scopes = scopesOf(found, bundle, now);
      const uses = await further([{ agent: found, scopes }], recent);
      await readRules(scopes.flatMap(rulesIn), MOST_RULES);
      const mandate = scopes.map((scope) => {
        return { ...rightOf(found, scope), ...useOf(uses, found, scope.server.resource, scope.tool, now, days) };
      });
      const agent = shown({ agent: found, rights: mandate, now, halts, uses });
      const { identity } = found;
      const federated = identity.use === 'federated' ? { issuer: identity.issuer, subject: identity.subject } : {};
      const budgets = await budgetsOf(found, bundle, mandate, store);
      return ok({ ...saidOf(bundle, now, uses, days), agent: { ...agent, ...federated }, mandate, budgets });
    },
  };
}

interface Scoped {
  readonly agent: Agent;
  readonly scopes: readonly Scope[];
}
const rulesIn = ({ permits, people, never, lighter }: Scope): readonly StatedRule[] => [...permits, ...people, ...never, ...lighter];
interface Used {
  readonly used: boolean;
  readonly uses?: number;
  readonly last_use?: EpochSeconds;
}
function useOf(uses: Uses, { id }: Agent, resource: string, tool: string, now: EpochSeconds, days: number): Used {
  const use = uses.of(id).find((one: Use) => one.resource === resource && one.tool === tool);
  const count = use && use.count > 0 ? { uses: use.count } : {};
  return { used: use !== undefined && use.at > now - days * DAY, ...count, ...(use && { last_use: use.at }) };
}
function shown(of: {
  readonly agent: Agent;
  readonly rights: readonly Used[];
  readonly now: EpochSeconds;
  readonly halts: readonly Halt[];
  readonly uses: Uses;
}): ShownAgent {
  const { agent, rights, now, halts } = of;
  const { id, name, owner, owned, sponsor, purpose, review, suspended, identity, limits } = agent;
  const uses = of.uses.of(id);
  const last = Math.max(...uses.map(({ at }) => at));
  return {
    id,
    name,
    owner,
    owned,
    ...(sponsor !== undefined && { sponsor }),
    purpose,
    review,
    overdue: review < dayOf(now),
    suspended,
    halts: halts.filter(
      ({ scope, target }) => scope === 'all' || (scope === 'agent' && target === id) || (scope === 'owner' && target === owner),
    ),
    identity: identity.use === 'jwks' ? 'key' : 'federated',
    ...(limits.maxTtlSeconds !== undefined && { max_ttl_seconds: limits.maxTtlSeconds }),
    ...(Number.isFinite(last) && { last_use: last }),
    rights: rights.length,
    unused: rights.filter(({ used }) => !used).length,
  };
}
const saidOf = ({ hash }: Bundle, now: EpochSeconds, { since }: Uses, days: number) => ({
  now,
  bundle: hash,
  unused_days: days,
  ...(since !== undefined && { uses_since: since }),
});
const dayOf = (now: EpochSeconds): string => new Date(now * 1000).toISOString().slice(0, 10);

/** Of the tools that it has a right to. What others of the same owner take from a budget is in it too. */
async function budgetsOf(
  agent: Agent,
  bundle: Bundle,
  mandate: readonly Right[],
  store: Pick<Store, 'look'>,
): Promise<readonly ShownBudget[]> {
  const its = bundle.budgets.flatMap((budget) => {
    const rights = mandate.filter(({ server, tool }) => server === budget.on.server && (budget.on.tool ?? tool) === tool);
    // One that is kept by tool has as many sums as there are tools.
    const tools = budget.per.includes('tool') ? rights.map(({ tool }) => tool) : rights.length > 0 ? [budget.on.tool] : [];
    return [...new Set(tools)].map((tool) => ({ budget, tool, sum: sumFor(budget, agent, tool) }));
  });
  const asked = its.flatMap(({ budget: { windowSeconds }, sum }) => (sum === undefined ? [] : [{ sum, windowSeconds }]));
  const { sums } = asked.length > 0 ? await store.look([], asked) : { sums: [] };
  let next = 0;
  return its.map(({ budget: { id, title, on, sum, per, limit, windowSeconds }, tool, sum: name }) => {
    const spent = name === undefined ? undefined : (sums[next++] ?? Number.POSITIVE_INFINITY);
    return {
      id,
      title,
      server: on.server,
      ...(tool !== undefined && { tool }),
      ...(sum !== undefined && { sum }),
      per,
      limit,
      window: spell(windowSeconds),
      ...(spent !== undefined && { left: Math.max(0, Math.floor(limit - spent)) }),
    };
  });
}
function sumFor(budget: Budget, agent: Agent, tool: string | undefined): string | undefined {
  if (budget.per.includes('subject')) return undefined;
  return sumOf(budget, { agent: agent.id, owner: agent.owner, server: budget.on.server, tool: tool ?? '' });
}
