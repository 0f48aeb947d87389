import { hash } from 'node:crypto';
import type { Packed, PackedKey, PackedSum } from './pack.ts';
import type { SumQuery } from './store.ts';
import { MOST_ABSENT } from './store-redis-lua-commit.ts';

/** What a function inside Redis is given: the keys that it touches, and the words that say what to do. */
export interface Words {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}
/** So many names are remembered with their keys. */
const KNOWN = 5_000;

export interface Names {
  readonly meta: string;
  readonly log: string;
  of(kind: 'k' | 't' | 's' | 'n' | 'x', name: string): string;
  /** What stands there for a name. */
  digest(name: string): string;
  /** The key of a name that is asked for again and again. */
  known(name: string): string;
  the(what: string): string;
}

/**
 * Identifiers stand in names as digests: whoever lists the keys learns none, and none is too long or has a brace in it. With the `salt` of a
 * store that came from a file they are the names that it had there (store-sqlite-held.ts), since of most of its keys nobody knows the text.
 */
export function namesUnder(tag: string, salt = ''): Names {
  const digest = salt === '' ? digestOf : (name: string): string => hash('sha256', salt + name, 'hex').slice(0, 32);
  const known = new Map<string, string>();
  return {
    digest,
    known(name) {
      const found = known.get(name);
      if (found !== undefined) return found;
      if (known.size >= KNOWN) known.clear();
      const made = `${tag}:k:${digest(name)}`;
      known.set(name, made);
      return made;
    },
    meta: `${tag}:meta`,
    log: `${tag}:log`,
    of: (kind, name) => `${tag}:${kind}:${digest(name)}`,
    the: (what) => `${tag}:${what}`,
  };
}
/** Of ids within a sum too, whatever the names are made with. */
export const digestOf = (name: string): string => hash('sha256', name, 'base64url').slice(0, 32);

export const kindOf = (name: string): string => name.slice(0, name.indexOf('/') + 1);

/** A batch for the commit (store-redis-lua-commit.ts), and for each of its claims there which one it was here. */
export interface BatchWords extends Words {
  /** Keys that shall be absent, and are only looked at: most are those of every other batch too, and go once for all of a call. */
  readonly absent: readonly string[];
  readonly order: readonly number[];
}
/**
 * Most claims are of two kinds, which need few words: a key that shall be absent, and one that is and shall then be there. Where a batch
 * claims a key twice the second one sees the first, and all stay in their order.
 */
export function wordsOf(batch: Packed, chain: string, names: Names): BatchWords {
  const { claims, entries } = batch;
  const apart = claims.length <= MOST_ABSENT && areApart(claims);
  const kinds = claims.map((claim) => kindOfClaim(claim, apart));
  const order: number[] = [];
  const counts = [0, 0, 0, 0];
  for (let kind = ABSENT; kind <= SUM; kind++)
    for (let i = 0; i < kinds.length; i++)
      if (kinds[i] === kind) {
        order.push(i);
        counts[kind] = (counts[kind] ?? 0) + 1;
      }
  const absent: string[] = [];
  const keys: string[] = [];
  const args: (string | number)[] = [`${batch.at} ${batch.notAfter} ${counts.join(' ')} ${entries.length} ${chain}`];
  for (const i of order) {
    const claim = claims[i];
    if (!claim) continue;
    if ('sum' in claim) sum(claim, names, keys, args);
    else if (kinds[i] === ABSENT) absent.push(names.known(claim.key));
    else if (kinds[i] === FRESH) fresh(claim, names, keys, args);
    else key(claim, names, keys, args);
  }
  for (const { body, terms } of entries)
    args.push(body, terms.length === 1 ? names.digest(terms[0] ?? '') : terms.map(names.digest).join(' '));
  return { absent, keys, args, order };
}
/** No key is claimed twice. */
function areApart(claims: Packed['claims']): boolean {
  const seen = new Set<string>();
  for (const claim of claims) {
    if ('sum' in claim) continue;
    if (seen.has(claim.key)) return false;
    seen.add(claim.key);
  }
  return true;
}
const [ABSENT, FRESH, OTHER, SUM] = [0, 1, 2, 3] as const;
function kindOfClaim(claim: PackedKey | PackedSum, apart: boolean): 0 | 1 | 2 | 3 {
  if ('sum' in claim) return SUM;
  if (!apart || claim.version !== 0) return OTHER;
  if (claim.value === undefined) return claim.issued === undefined ? ABSENT : OTHER;
  return claim.same || claim.terms?.length ? OTHER : FRESH;
}
const issuedOf = ({ issued }: PackedKey): string | number => issued ?? 'inf';
function fresh(claim: PackedKey, names: Names, keys: string[], args: (string | number)[]): void {
  keys.push(names.of('k', claim.key));
  args.push(issuedOf(claim), claim.key, claim.value ?? '', claim.until ?? -1);
}
function key(claim: PackedKey, names: Names, keys: string[], args: (string | number)[]): void {
  keys.push(names.of('k', claim.key));
  if (claim.value === undefined) {
    args.push('c', claim.version, issuedOf(claim));
    return;
  }
  const terms = [...new Set(claim.terms)];
  for (const term of terms) keys.push(names.of('t', term));
  args.push(claim.same ? 'o' : 'v', claim.version, issuedOf(claim), claim.key, claim.value, claim.until ?? -1, terms.length);
}
function sum(claim: PackedSum, names: Names, keys: string[], args: (string | number)[]): void {
  for (const kind of ['s', 'n', 'x'] as const) keys.push(names.of(kind, claim.sum));
  args.push(digestOf(claim.id), numeral(claim.amount), numeral(claim.limit), claim.span, claim.until ?? -1);
}
/** Lua reads numbers as C does. */
const numeral = (value: number): string | number => (Number.isFinite(value) ? value : value > 0 ? 'inf' : '-inf');

export function lookWords(wanted: readonly string[], sums: readonly SumQuery[], names: Names): Words {
  const keys: string[] = [];
  for (const name of wanted) keys.push(names.of('k', name));
  for (const { sum: name } of sums) keys.push(names.of('s', name), names.of('n', name));
  return { keys, args: [wanted.length, sums.length, ...sums.map(({ windowSeconds }) => Math.ceil(windowSeconds))] };
}
