import type { Clause } from '@cedar-policy/cedar-wasm/nodejs';
import { no, ok, type Result } from '../wire/result.ts';

/**
 * What policies look at, as a tree of attribute names under `principal`, `resource` and `context`; `true`: the whole value. Nothing else is
 * handed to Cedar: every value costs time, and one that cannot be handed over (a price of five decimals) matters only to rules that read it.
 */
export type Reads = true | ReadonlyMap<string, Reads>;
type Tree = Map<string, true | Tree>;
const FOREIGN = 'reads an attribute of something else than principal, resource or context';

/** Errors: the policy reads an attribute of an entity that it names itself. */
export function readsOf(conditions: readonly Clause[]): Result<Reads, string> {
  const tree: Tree = new Map();
  return conditions.every(({ body }) => walk(body, tree)) ? ok(tree) : no(FOREIGN);
}
export function mergeReads(all: readonly Reads[]): Reads {
  const out: Tree = new Map();
  for (const reads of all) if (reads === true || !merge(out, reads)) return true;
  return out;
}
/** What is read below `name`: undefined where nothing is. */
export const below = (reads: Reads | undefined, name: string): Reads | undefined => (reads === true ? true : reads?.get(name));

function merge(into: Tree, from: ReadonlyMap<string, Reads>): boolean {
  for (const [name, part] of from) {
    const held = into.get(name);
    if (held === true) continue;
    if (part === true) into.set(name, true);
    else {
      const next: Tree = held ?? new Map();
      into.set(name, next);
      merge(next, part);
    }
  }
  return true;
}

/** Every node of Cedar's expression has one key. False when it reads what it may not; an unknown node is walked into like a call. */
function walk(node: unknown, tree: Tree): boolean {
  if (Array.isArray(node)) return node.every((item) => walk(item, tree));
  if (typeof node !== 'object' || node === null) return true;
  const [kind, body] = Object.entries(node as Record<string, unknown>)[0] ?? [];
  const parts = (body ?? {}) as Record<string, unknown>;
  switch (kind) {
    case undefined:
    case 'Value':
    case 'Slot':
      return true;
    case 'Var':
    case '.': {
      const path = pathOf(node);
      if (!path) return false;
      mark(tree, path, true);
      return true;
    }
    case 'has': {
      const path = pathOf(parts['left']);
      if (!path) return false;
      const attr = parts['attr'] as string | readonly string[];
      mark(tree, [...path, ...(typeof attr === 'string' ? [attr] : attr)], false);
      return true;
    }
    case 'like':
    case 'is':
      return walk(parts['left'], tree) && walk(parts['in'], tree);
    case 'Record':
      return Object.values(parts).every((part) => walk(part, tree));
    default:
      return Array.isArray(body) ? walk(body, tree) : Object.values(parts).every((part) => walk(part, tree));
  }
}

/** Does the variable stand anywhere in it, read or compared? */
export function mentions(node: unknown, variable: string): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if ((node as { readonly Var?: unknown }).Var === variable) return true;
  return Object.values(node).some((part) => mentions(part, variable));
}

/** `context.input.amount` as its names; undefined when it does not begin at a variable. */
function pathOf(node: unknown): readonly string[] | undefined {
  if (typeof node !== 'object' || node === null) return undefined;
  const { Var: variable, '.': dot } = node as { Var?: unknown; '.'?: { left: unknown; attr: string } };
  if (typeof variable === 'string') return [variable];
  const left = dot && pathOf(dot.left);
  return left && dot && [...left, dot.attr];
}

function mark(tree: Tree, path: readonly string[], whole: boolean): void {
  // `principal == …` compares names: no attribute is read.
  if (path.length === 1 && path[0] !== 'context') return;
  let at = tree;
  for (const [index, name] of path.entries()) {
    const held = at.get(name);
    if (held === true) return;
    if (whole && index === path.length - 1) {
      at.set(name, true);
      return;
    }
    const next: Tree = held ?? new Map();
    at.set(name, next);
    at = next;
  }
}
