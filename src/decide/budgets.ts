/** How much is left? What an action takes from which budget, what that means for a decision, and what becomes of it. Pure. */
import { type Refusal, refuse } from '../errors.ts';
import { type Asked, type Budget, type Bundle, type Claim, type EpochSeconds, type Facts, nameOf } from '../model.ts';
import type { SumQuery } from '../store/store.ts';
import { sha256 } from '../wire/digest.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';

/** What one action takes from one budget, and under which name that is kept. */
export interface Share extends SumQuery {
  readonly budget: Budget;
  readonly amount: number;
}
/** The same with what has been taken within the window so far. */
export interface Spent extends Share {
  readonly spent: number;
}

/** The budgets that this action takes from, in the order of the bundle. A base token takes from none. */
export function sharesOf(asked: Asked, { budgets }: Pick<Bundle, 'budgets'>): readonly Share[] {
  const { action, server } = asked;
  if (budgets.length === 0 || action.kind !== 'call') return [];
  const { call, tool } = action;
  const args = tool.fill(call.arguments ?? {});
  return budgets.flatMap((budget): readonly Share[] => {
    const { on, where, sum, windowSeconds } = budget;
    if (on.server !== server.id || (on.tool !== undefined && on.tool !== tool.name)) return [];
    if (Object.entries(where).some(([name, value]) => args[name] !== value)) return [];
    const amount = sum === undefined ? 1 : args[sum];
    // The schema says that it is such a number; were it none, nothing may be granted on it.
    return [{ budget, sum: sumName(budget, asked), windowSeconds, amount: typeof amount === 'number' ? amount : Number.POSITIVE_INFINITY }];
  });
}
function sumName(budget: Budget, { caller, actors, subject, server, action }: Asked): string {
  const agent = actors[0] ?? caller.client;
  return sumOf(budget, {
    agent: agent.id,
    owner: agent.owner,
    subject: nameOf(subject),
    server: server.id,
    tool: action.kind === 'call' ? action.tool.name : '',
  });
}
/** Under which name the store keeps what is spent; a name that the budget is not kept by may be absent. */
export function sumOf({ id, per, windowSeconds }: Budget, names: Readonly<Partial<Record<Budget['per'][number], string>>>): string {
  return `budget/${id}/${windowSeconds}/${sha256(JSON.stringify(per.map((one) => [one, names[one]])))}`;
}

/** Without a number from the store nothing is left. */
export const spentOf = (shares: readonly Share[], sums: readonly number[]): readonly Spent[] =>
  shares.map((share, i) => ({ ...share, spent: sums[i] ?? Number.POSITIVE_INFINITY }));
/** As policies see it: advice, since others may take from it meanwhile. The claims decide. */
export const leftOf = (all: readonly Spent[]): JsonObject =>
  Object.fromEntries(all.map(({ budget: { id, limit }, spent }) => [id, { limit, left: Math.max(0, Math.floor(limit - spent)) }]));

/**
 * Several actions as one, where more than one of them takes from a budget. A budget whose window ends while they may still be taken has room again for
 * those that come later: it is left to each of them. `lastsSeconds`: how long they may be taken.
 */
export function together(steps: readonly (readonly Spent[])[], lastsSeconds: number): readonly Spent[] {
  return [...Map.groupBy(steps.flat(), ({ sum }) => sum).values()].flatMap(([first, ...more]) =>
    first && more.length > 0 && first.windowSeconds >= lastsSeconds
      ? [{ ...first, amount: more.reduce((amount, one) => amount + one.amount, first.amount) }]
      : [],
  );
}
/** The first budget that does not have so much left, as a refusal that says what would fit. `steps`: what several take together. */
export function overspent(all: readonly Spent[], steps = false): { readonly ok: false; readonly error: Refusal } | undefined {
  const over = all.find(({ budget, spent, amount }) => spent + amount > budget.limit);
  if (!over) return undefined;
  const { budget, spent, amount } = over;
  const { id, title, sum, limit, windowSeconds } = budget;
  const left = Math.max(0, Math.floor(limit - spent));
  const wait = `what was spent is free again ${spell(windowSeconds)} after it was`;
  const lower = steps ? `Ask for ${number(left)} or less in all` : sum !== undefined ? `Lower ${sum} to ${left} or less` : undefined;
  const smaller = lower !== undefined && left > 0 ? `${lower}, or wait: ${wait}` : `W${wait.slice(1)}`;
  const text = `${title}: ${number(spent)} of ${number(limit)} spent, ${number(amount)} asked${steps ? ' by the steps together' : ''}. ${smaller}.`;
  const most = steps ? { together: amount } : sum !== undefined ? { argument: sum, maximum: left } : {};
  return refuse('budget_exhausted', {
    detail: id,
    remedy: { text, hints: [{ budget: id, limit, spent, left, window_seconds: windowSeconds, ...most }] },
  });
}
const number = (value: number): string => (Number.isFinite(value) ? value.toLocaleString('en') : 'more than there is');
const UNITS = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
] as const;
function spell(seconds: number): string {
  const [size, name] = UNITS.find(([unit]) => seconds % unit === 0) ?? [1, 'second'];
  const count = seconds / size;
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** Holds while every budget has so much left; then it is taken. `id`: the action's, so that it is settled under it. */
export const reserve = (all: readonly Share[], id: string): readonly Claim[] =>
  all.map(({ budget, sum, windowSeconds, amount }) => ({ sum, id, amount, limit: budget.limit, windowSeconds, else: 'budget_exhausted' }));
/** For the entry of the grant: what its receipt settles. */
export const reservedOf = (all: readonly Share[]): Facts =>
  all.length === 0 ? {} : { reserved: Object.fromEntries(all.map(({ budget: { id }, sum, amount }) => [id, { sum, amount }])) };

export interface Settled {
  /** As the entry of the grant says. */
  readonly reserved: Json | undefined;
  readonly txn: string;
  readonly at: EpochSeconds;
  readonly outcome: string;
  /** What the tool server says it really was, by argument. */
  readonly amounts: JsonObject;
}
/**
 * What a receipt gives back (wire.md §7): all of it when the tool did not run, the rest where a smaller amount was typed. Without a receipt
 * it counts as spent; a larger amount than was reserved is no reason to take more. What has left its window is left alone.
 */
export function settle(
  { reserved, txn, at, outcome, amounts }: Settled,
  { budgets }: Pick<Bundle, 'budgets'>,
  now: EpochSeconds,
): readonly Claim[] {
  if (!isObject(reserved)) return [];
  return Object.entries(reserved).flatMap(([id, taken]): readonly Claim[] => {
    if (!isObject(taken)) return [];
    const { sum, amount } = taken;
    const windowSeconds = Number(typeof sum === 'string' ? sum.split('/')[2] : Number.NaN);
    if (typeof sum !== 'string' || typeof amount !== 'number' || !(at + windowSeconds > now)) return [];
    const argument = budgets.find((budget) => budget.id === id)?.sum;
    const said = argument === undefined ? undefined : amounts[argument];
    const real =
      outcome === 'not_run' ? 0 : typeof said === 'number' && Number.isSafeInteger(said) && said >= 0 ? Math.min(said, amount) : amount;
    if (real === amount) return [];
    // Less than before holds whatever the limit has become.
    return [{ sum, id: txn, amount: real, limit: Number.MAX_SAFE_INTEGER, windowSeconds, else: 'state_conflict' }];
  });
}
