import { hash } from 'node:crypto';
import type { Packed, PackedKey, PackedSum } from './pack.ts';
import type { SumQuery } from './store.ts';

/** What a function inside Redis is given: the keys that it touches, and the words that say what to do. */
export interface Words {
  readonly keys: string[];
  readonly args: (string | number)[];
}
export interface Names {
  readonly meta: string;
  readonly log: string;
  of(kind: 'k' | 't' | 's' | 'n' | 'x', name: string): string;
  the(what: string): string;
}

/**
 * Identifiers stand in names as digests: whoever lists the keys learns none, and none is too long or has a brace in it. With the `salt` of a
 * store that came from a file they are the names that it had there (store-sqlite-held.ts), since of most of its keys nobody knows the text.
 */
export function namesUnder(tag: string, salt = ''): Names {
  const digest = salt === '' ? digestOf : (name: string): string => hash('sha256', salt + name, 'hex').slice(0, 32);
  return {
    meta: `${tag}:meta`,
    log: `${tag}:log`,
    of: (kind, name) => `${tag}:${kind}:${digest(name)}`,
    the: (what) => `${tag}:${what}`,
  };
}
/** Of ids within a sum too, whatever the names are made with. */
export const digestOf = (name: string): string => hash('sha256', name, 'base64url').slice(0, 32);

export const kindOf = (name: string): string => name.slice(0, name.indexOf('/') + 1);

/** A batch for the commit (store-redis-lua.ts). */
export function wordsOf(batch: Packed, chain: string, names: Names): Words {
  const keys = [names.the(`chain:${chain}`), names.the(`tail:${chain}`)];
  const args: (string | number)[] = [batch.at, batch.notAfter, chain, batch.claims.length, batch.entries.length];
  for (const claim of batch.claims) {
    if ('sum' in claim) sum(claim, names, keys, args);
    else key(claim, names, keys, args);
  }
  for (const { body, terms } of batch.entries) {
    for (const term of terms) keys.push(names.of('t', term));
    args.push(body, terms.length);
  }
  return { keys, args };
}
function key(claim: PackedKey, names: Names, keys: string[], args: (string | number)[]): void {
  keys.push(names.of('k', claim.key));
  const issued = claim.issued ?? 'inf';
  if (claim.value === undefined) {
    args.push('c', claim.version, issued);
    return;
  }
  const terms = [...new Set(claim.terms)];
  for (const term of terms) keys.push(names.of('t', term));
  args.push(claim.same ? 'o' : 'v', claim.version, issued, claim.key, claim.value, claim.until ?? -1, kindOf(claim.key), terms.length);
}
function sum(claim: PackedSum, names: Names, keys: string[], args: (string | number)[]): void {
  for (const kind of ['s', 'n', 'x'] as const) keys.push(names.of(kind, claim.sum));
  args.push('s', digestOf(claim.id), numeral(claim.amount), numeral(claim.limit), claim.span, claim.until ?? -1);
}
/** Lua reads numbers as C does. */
const numeral = (value: number): string | number => (Number.isFinite(value) ? value : value > 0 ? 'inf' : '-inf');

export function lookWords(wanted: readonly string[], sums: readonly SumQuery[], names: Names): Words {
  const keys: string[] = [];
  for (const name of wanted) keys.push(names.of('k', name));
  for (const { sum: name } of sums) keys.push(names.of('s', name), names.of('n', name));
  return { keys, args: [wanted.length, sums.length, ...sums.map(({ windowSeconds }) => Math.ceil(windowSeconds))] };
}
