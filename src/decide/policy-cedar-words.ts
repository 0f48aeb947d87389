/** A policy's conditions in plain words, and what it compares with: for people, and for whoever looks for the smallest change. Decides nothing. */
import { type PolicyJson, policyToJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Compared, StatedRule } from '../model.ts';
import { type Json, parseJson } from '../wire/json.ts';
import type { Rule } from './policy-cedar-source.ts';

const TOOL = /^(.+)::Action$/;

/** Read when somebody asks: a bundle may have ten thousand of them. */
export function stated(rule: Rule): StatedRule {
  const { id, effect, source, scope, ttlSeconds, code, remedy, approval, ends, insteadOf } = rule;
  let said: ReturnType<StatedRule['said']> | undefined;
  return {
    id,
    effect,
    file: source.file,
    line: source.line,
    lastLine: source.line + source.text.split('\n').length - 1,
    text: source.text,
    ...(scope.principal && { principal: scope.principal }),
    ...(scope.actions && { tools: scope.actions.flatMap(toolOf) }),
    ...(scope.resource && { server: scope.resource.id ?? '' }),
    ...(ttlSeconds !== undefined && { ttlSeconds }),
    ...(code !== undefined && { code }),
    ...(remedy && { remedy }),
    ...(approval && { approval }),
    ...(ends !== undefined && { ends }),
    ...(insteadOf && { insteadOf }),
    said: () => {
      said ??= say(rule);
      return said;
    },
  };
}
function toolOf(action: string): { readonly server: string; readonly tool: string }[] {
  const read = parseJson(action);
  const [type, id] = read.ok && Array.isArray(read.value) ? (read.value as readonly Json[]) : [];
  const server = typeof type === 'string' ? TOOL.exec(type)?.[1] : undefined;
  return server !== undefined && typeof id === 'string' ? [{ server, tool: id }] : [];
}

function say(rule: Rule): ReturnType<StatedRule['said']> {
  const parsed = policyToJson(rule.text);
  // It was read once when it was loaded: this is for the type alone.
  if (parsed.type !== 'success') return { conditions: [], compared: [] };
  const { json } = parsed;
  const owner = json.annotations?.['owner'];
  return {
    ...(typeof owner === 'string' && { owner }),
    conditions: json.conditions.map(({ kind, body }) => {
      const text = words(body, whoOf(json.principal));
      return text === undefined ? `${kind} its condition holds, which is best read in its source` : `${kind} ${text}`;
    }),
    compared: json.conditions.flatMap(({ body }) => comparedIn(body)),
  };
}
function whoOf(principal: PolicyJson['principal']): string {
  const type = principal.op === 'is' ? principal.entity_type : 'entity' in principal ? JSON.stringify(principal.entity) : '';
  if (type.includes('Person')) return 'the person';
  if (type.includes('Service')) return 'the service';
  return /Agent|Actor/.test(type) ? 'the agent' : 'whoever is asked about';
}

type Parts = Readonly<Record<string, unknown>>;
const partsOf = (node: unknown): readonly [string, Parts] => {
  const [entry] = typeof node === 'object' && node !== null ? Object.entries(node) : [];
  return entry ? [entry[0], (entry[1] ?? {}) as Parts] : ['', {}];
};
const COMPARE: Readonly<Record<string, string>> = {
  '==': 'is',
  '!=': 'is not',
  '>': 'is more than',
  '>=': 'is at least',
  '<': 'is less than',
  '<=': 'is at most',
  contains: 'include',
  containsAny: 'include any of',
  containsAll: 'include all of',
  '+': 'plus',
  '-': 'minus',
  '*': 'times',
  in: 'is',
};
const METHODS: Readonly<Record<string, string>> = {
  lessThan: 'is less than',
  lessThanOrEqual: 'is at most',
  greaterThan: 'is more than',
  greaterThanOrEqual: 'is at least',
};

/** Undefined where an expression has no plain words here: then the source itself is shown. */
function words(node: unknown, who: string): string | undefined {
  const [kind, parts] = partsOf(node);
  const both = (join: (left: string, right: string) => string): string | undefined => {
    const [left, right] = [words(parts['left'], who), words(parts['right'], who)];
    return left === undefined || right === undefined ? undefined : join(left, right);
  };
  const path = pathOf(node);
  if (path) return named(path, who);
  switch (kind) {
    case 'Value':
      return value((node as { readonly Value: unknown }).Value);
    case '&&': {
      const all = conjuncts(node);
      // Cedar wants it said that something is there before it is read: whoever reads of it knows.
      const told = all.filter((part, at) => !all.slice(at + 1).some((later) => reads(later, guardOf(part))));
      const texts = told.map((part) => words(part, who));
      return texts.some((text) => text === undefined)
        ? undefined
        : texts.map((text, at) => (told.length > 1 ? grouped(told[at], text ?? '') : text)).join(' and ');
    }
    case '||':
      return both((left, right) => `${left} or ${right}`);
    case '!': {
      if (guardOf(parts['arg'])) return given(parts['arg'], who, 'is not given');
      const inner = words(parts['arg'], who);
      return inner === undefined ? undefined : `it is not so that ${grouped(parts['arg'], inner)}`;
    }
    case 'has':
      return given(node, who, 'is given');
    case 'contains': {
      // A list that stands in the policy, and one value: the other way about.
      const set = partsOf(parts['left'])[0] === 'Set';
      return both((left, right) => (set ? `${right} is one of ${left}` : `${left} include ${right}`));
    }
    case 'isEmpty': {
      const inner = words(parts['arg'], who);
      return inner === undefined ? undefined : `${inner} are none`;
    }
    case 'like': {
      const left = words(parts['left'], who);
      const pattern = Array.isArray(parts['pattern']) ? patternOf(parts['pattern']) : undefined;
      return left === undefined || pattern === undefined ? undefined : `${left} looks like “${pattern}”`;
    }
    case 'Set': {
      const items = Array.isArray(parts) ? (parts as readonly unknown[]).map((item) => words(item, who)) : [undefined];
      return items.some((item) => item === undefined) ? undefined : items.join(', ');
    }
    case 'decimal':
    case 'datetime':
    case 'duration':
      return Array.isArray(parts) ? words(parts[0], who)?.replace(/[“”]/g, '') : undefined;
    case 'lessThan':
    case 'lessThanOrEqual':
    case 'greaterThan':
    case 'greaterThanOrEqual': {
      const [left, right] = Array.isArray(parts) ? [words(parts[0], who), words(parts[1], who)] : [];
      return left === undefined || right === undefined ? undefined : `${left} ${METHODS[kind]} ${right}`;
    }
    default: {
      const verb = COMPARE[kind];
      return verb === undefined ? undefined : both((left, right) => `${left} ${verb} ${right}`);
    }
  }
}
const conjuncts = (node: unknown): readonly unknown[] => {
  const [kind, parts] = partsOf(node);
  return kind === '&&' ? [...conjuncts(parts['left']), ...conjuncts(parts['right'])] : [node];
};
/** What `has` asks after. */
function guardOf(node: unknown): readonly string[] | undefined {
  const [kind, { left, attr }] = partsOf(node);
  const path = kind === 'has' ? pathOf(left) : undefined;
  return path && [...path, ...(typeof attr === 'string' ? [attr] : (attr as readonly string[]))];
}
function reads(node: unknown, guard: readonly string[] | undefined): boolean {
  if (!guard || typeof node !== 'object' || node === null) return false;
  const path = pathOf(node);
  return path ? guard.every((name, at) => path[at] === name) : Object.values(node).some((part) => reads(part, guard));
}
const grouped = (node: unknown, text: string): string => (partsOf(node)[0] === '||' ? `(${text})` : text);
function given(node: unknown, who: string, verb: string): string | undefined {
  const path = guardOf(node);
  if (path?.join('.') === 'context.actor')
    return verb === 'is given' ? 'an agent acts for somebody else' : 'no agent acts for somebody else';
  return path && `${named(path, who)} ${verb}`;
}

/** `context.input.amount` as its names. */
function pathOf(node: unknown): readonly string[] | undefined {
  const { Var: variable, '.': dot } = (node ?? {}) as { Var?: unknown; '.'?: { left: unknown; attr: string } };
  if (typeof variable === 'string') return [variable];
  const left = dot && pathOf(dot.left);
  return left && dot && [...left, dot.attr];
}
const KNOWN: Readonly<Record<string, string>> = {
  'context.actor.depth': 'the number of agents in a row',
  'context.actor.id': 'the agent that acts',
  'context.actor.owner': 'the owner of the agent that acts',
  'context.subject.id': 'whoever is acted for',
  'context.subject.kind': 'the kind of whoever is acted for',
  'context.subject.issuer': 'the issuer of whoever is acted for',
  'context.now': 'the time',
  'resource.name': 'the server’s name',
};
function named(path: readonly string[], who: string): string {
  const known = KNOWN[path.join('.')];
  if (known !== undefined) return known;
  const [root, first, ...rest] = path;
  if (root === 'principal') return path.length === 1 ? who : `${who}’s ${path.slice(1).join('.')}`;
  if (root === 'context' && first === 'input') return rest.length === 0 ? 'the arguments' : rest.join('.');
  if (root === 'context' && first === 'said') return `the stated ${rest.join('.')}`;
  if (root === 'context' && first === 'budgets') {
    const [id = '', part] = rest;
    if (part === 'left') return `what is left of budget ${id}`;
    return part === 'limit' ? `the limit of budget ${id}` : `budget ${id}`;
  }
  return path.join('.');
}
function value(of: unknown): string | undefined {
  if (typeof of === 'number') return of.toLocaleString('en');
  if (typeof of === 'string') return `“${of}”`;
  if (typeof of === 'boolean') return of ? 'true' : 'false';
  const entity = (of as { readonly __entity?: { readonly id?: unknown } } | null)?.__entity;
  return typeof entity?.id === 'string' ? entity.id : undefined;
}
function patternOf(parts: readonly unknown[]): string | undefined {
  const texts = parts.map((part) => (part === 'Wildcard' ? '*' : (part as { readonly Literal?: unknown }).Literal));
  return texts.every((text) => typeof text === 'string') ? texts.join('') : undefined;
}

const ORDER = new Set(['==', '!=', '>', '>=', '<', '<=']);
/** Every value that stands in the policy, with the attribute that it is held against where there is one. */
function comparedIn(node: unknown): Compared[] {
  if (typeof node !== 'object' || node === null) return [];
  if (Array.isArray(node)) return node.flatMap(comparedIn);
  const [kind, parts] = partsOf(node);
  const [left, right] = [pathOf(parts['left']), pathOf(parts['right'])];
  const found: Compared[] = [];
  const add = (path: readonly string[] | undefined, as: Compared['as'], values: readonly Json[]): void => {
    for (const one of values) found.push({ as, value: one, ...(path && { path }) });
  };
  if (ORDER.has(kind)) {
    add(left ?? right, 'value', valuesIn(left ? parts['right'] : parts['left']));
    if (!left && !right) add(undefined, 'value', valuesIn(parts['right']));
    return found;
  }
  if (kind === 'contains' || kind === 'containsAny' || kind === 'containsAll') {
    if (left) add(left, 'member', valuesIn(parts['right']));
    else if (right) add(right, 'value', valuesIn(parts['left']));
    return found;
  }
  return Object.values(node).flatMap((part) => (typeof part === 'object' && part !== null ? Object.values(part).flatMap(comparedIn) : []));
}
function valuesIn(node: unknown): readonly Json[] {
  if (typeof node !== 'object' || node === null) return [];
  const held = (node as { readonly Value?: unknown }).Value;
  if (typeof held === 'string' || typeof held === 'number' || typeof held === 'boolean') return [held];
  return Object.values(node).flatMap((part) => (Array.isArray(part) ? part.flatMap(valuesIn) : valuesIn(part)));
}
