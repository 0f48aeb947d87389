import { policyToJson, policyToText } from '@cedar-policy/cedar-wasm/nodejs';
import type { Slice } from './policy-cedar-index.ts';
import { mergeReads } from './policy-cedar-reads.ts';
import type { Rule } from './policy-cedar-source.ts';

/** Both slices of one exchange as one: Cedar's price is mostly the call's. */
export interface Pair {
  readonly slice: Slice;
  readonly subject: ReadonlySet<string>;
  readonly actor: ReadonlySet<string>;
}
export type Pairs = (subject: Slice, actor: Slice) => Pair | undefined;

/** Beyond so many all are forgotten: what is asked again is soon there again. */
const MOST = 4_096;

/**
 * A pair is one question about the subject. The actor's rules come along where nothing in them looks at the principal: the index has
 * resolved their scope, so they are asked without it. Undefined: they must be asked by themselves. A pair seen once is not made yet, since
 * it costs as much as many decisions.
 */
export function createPairs(): Pairs {
  let known = new Map<Slice, Map<Slice, Pair | 'seen' | 'apart'>>();
  let count = 0;
  return (subject, actor) => {
    const held = known.get(subject)?.get(actor);
    if (held === 'apart') return undefined;
    if (held !== undefined && held !== 'seen') return held;
    if (count >= MOST) {
      known = new Map();
      count = 0;
    }
    const made = held === 'seen' ? (join(subject, actor) ?? 'apart') : 'seen';
    const row = known.get(subject) ?? new Map<Slice, Pair | 'seen' | 'apart'>();
    known.set(subject, row.set(actor, made));
    if (held === undefined) count++;
    return typeof made === 'string' ? undefined : made;
  };
}

function join(subject: Slice, actor: Slice): Pair | undefined {
  const own = new Set(subject.rules);
  const rules: Rule[] = [...subject.rules];
  for (const rule of actor.rules) {
    if (rule.looksAtPrincipal) return undefined;
    if (own.has(rule)) continue;
    const free = withoutPrincipal(rule);
    if (!free) return undefined;
    rules.push(free);
  }
  return {
    slice: { rules, reads: mergeReads([subject.reads, actor.reads]) },
    subject: new Set(subject.rules.map(({ id }) => id)),
    actor: new Set(actor.rules.map(({ id }) => id)),
  };
}
/** The same rule about anybody. `is … in …` would lose its second half. */
function withoutPrincipal(rule: Rule): Rule | undefined {
  const parsed = policyToJson(rule.text);
  if (parsed.type !== 'success') return undefined;
  const { principal } = parsed.json;
  if (principal.op === 'is' && 'in' in principal) return undefined;
  const printed = policyToText({ ...parsed.json, principal: { op: 'All' } });
  return printed.type === 'success' ? { ...rule, text: printed.text } : undefined;
}
