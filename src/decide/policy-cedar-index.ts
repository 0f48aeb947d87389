import { preparsePolicySet } from '@cedar-policy/cedar-wasm/nodejs';
import { mergeReads, type Reads } from './policy-cedar-reads.ts';
import { keyOf, type Scope, type Uid } from './policy-cedar-scope.ts';
import type { Rule } from './policy-cedar-source.ts';

/** The policies that one request can meet. Its identity is the key under which Cedar holds it parsed. */
export interface Slice {
  readonly rules: readonly Rule[];
  readonly reads: Reads;
}
export type Index = (principal: Uid, action: Uid, resource: Uid) => Slice;

/**
 * By action, then resource, then principal: a decision costs what its slice costs, whatever the bundle's size. Slices are as many as
 * scopes name: a request cannot make new ones, since principals that no scope names share theirs.
 */
export function indexRules(rules: readonly Rule[]): Index {
  const anyAction: Rule[] = [];
  const byAction = new Map<string, Rule[]>();
  for (const rule of rules) {
    if (!rule.scope.actions) anyAction.push(rule);
    else for (const action of new Set(rule.scope.actions)) push(byAction, action, rule);
  }
  const named = new Set(rules.flatMap(({ scope: { principal: p } }) => (p?.id === undefined ? [] : [keyOf({ type: p.type, id: p.id })])));
  const slices = new Map<string, Slice>();
  return (principal, action, resource) => {
    const who = keyOf(principal);
    const key = `${keyOf(action)} ${keyOf(resource)} ${named.has(who) ? who : principal.type}`;
    const known = slices.get(key);
    if (known) return known;
    const met = [...(byAction.get(keyOf(action)) ?? []), ...anyAction].filter(
      ({ scope }) => meets(scope.resource, resource) && meets(scope.principal, principal),
    );
    const slice: Slice = { rules: met, reads: mergeReads(met.map((rule) => rule.reads)) };
    slices.set(key, slice);
    return slice;
  };
}
const meets = (wanted: Scope['principal'], uid: Uid): boolean =>
  wanted === undefined || (wanted.type === uid.type && (wanted.id === undefined || wanted.id === uid.id));
function push(map: Map<string, Rule[]>, key: string, rule: Rule): void {
  const held = map.get(key);
  if (held) held.push(rule);
  else map.set(key, [rule]);
}

/** Cedar never frees what it has parsed, but a name used again is overwritten: so the names are few and fixed. */
export const SLOTS = 512;
export interface Slots {
  /** The name under which Cedar holds this slice; undefined when it would not parse. */
  hold(slice: Slice): string | undefined;
  forget(): void;
}
/** Least recently used goes first. Cedar's memory of names is the process's: one of these for all engines. */
export function createSlots(limit: number = SLOTS): Slots {
  const held = new Map<Slice, number>();
  let free = Array.from({ length: limit }, (_, slot) => slot);
  return {
    hold(slice) {
      const at = held.get(slice);
      if (at !== undefined) {
        held.delete(slice);
        held.set(slice, at);
        return nameOfSlot(at);
      }
      let slot = free.pop();
      if (slot === undefined) {
        const [oldest, its] = held.entries().next().value as [Slice, number];
        held.delete(oldest);
        slot = its;
      }
      const texts = Object.fromEntries(slice.rules.map((rule) => [rule.id, rule.text]));
      const parsed = preparsePolicySet(nameOfSlot(slot), { staticPolicies: texts });
      if (parsed.type !== 'success') {
        free.push(slot);
        return undefined;
      }
      held.set(slice, slot);
      return nameOfSlot(slot);
    },
    forget() {
      held.clear();
      free = Array.from({ length: limit }, (_, slot) => slot);
    },
  };
}
const nameOfSlot = (slot: number): string => `countersign-${slot}`;
