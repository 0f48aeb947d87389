import { canonical } from '../wire/digest.ts';
import { flawOf, isObject, type Json } from '../wire/json.ts';
import type { Batch, Claim } from './store.ts';

/** What a back end is given: values as canonical text, so that equal values are equal texts, and nothing that it would have to doubt. */
export interface PackedKey {
  readonly key: string;
  readonly version: number;
  readonly value: string | undefined;
  readonly until: number | undefined;
  readonly terms: readonly string[] | undefined;
  readonly same: boolean;
  readonly issued: number | undefined;
}
export interface PackedSum {
  readonly sum: string;
  readonly id: string;
  readonly amount: number;
  readonly limit: number;
  readonly span: number;
  readonly until: number | undefined;
}
export interface Packed {
  readonly at: number;
  readonly notAfter: number;
  readonly claims: readonly (PackedKey | PackedSum)[];
  readonly entries: readonly { readonly body: string; readonly terms: readonly string[] }[];
}
/** Names of the ledger's own: an entry is found as `entry/<seq>`, the ledger as the term `entry`. */
export const ENTRY = 'entry/';

/** Throws TypeError on what the port's types cannot say: a bug of the caller, so the batch is not written. */
export function pack(batch: Batch<string>): Packed {
  return {
    at: Math.floor(finite(batch.at)),
    notAfter: finite(batch.notAfter),
    claims: batch.claims.map(packClaim),
    entries: batch.entries.map((entry) => {
      if (!isObject(entry.body)) throw new TypeError('an entry is a JSON object');
      return { body: text(entry.body), terms: entry.terms.map(termOf) };
    }),
  };
}
function packClaim(claim: Claim): PackedKey | PackedSum {
  const until = claim.until === undefined ? undefined : Math.ceil(finite(claim.until));
  if ('sum' in claim) {
    if (!(claim.amount >= 0) || Number.isNaN(claim.limit)) throw new TypeError('an amount is a number, not below zero');
    const span = Math.ceil(finite(claim.windowSeconds));
    if (span < 1) throw new TypeError('a window is at least a second');
    return { sum: name(claim.sum), id: name(claim.id), amount: claim.amount, limit: claim.limit, span, until };
  }
  if (!Number.isSafeInteger(claim.version) || claim.version < 0) throw new TypeError('a version is a whole number, not below zero');
  if (claim.key.startsWith(ENTRY)) throw new TypeError('entry/ names entries, not keys');
  // Only what is compared must be printed in one way.
  const value = claim.value === undefined ? undefined : claim.orSame ? text(claim.value) : strict(claim.value);
  const issued = claim.issued === undefined ? undefined : finite(claim.issued);
  return {
    key: name(claim.key),
    version: claim.version,
    value,
    until,
    terms: claim.terms?.map(termOf),
    same: claim.orSame === true,
    issued,
  };
}
function text(value: Json): string {
  strictly(value);
  return canonical(value);
}
function strict(value: Json): string {
  strictly(value);
  return JSON.stringify(value);
}
function strictly(value: Json): void {
  if (flawOf(value) !== undefined) throw new TypeError('a stored value is strict JSON');
}
/** Two names that differ must differ in the file too: no lone surrogate, which UTF-8 cannot hold, and no NUL. */
function name(value: string): string {
  if (value === '' || !value.isWellFormed() || value.includes('\0')) throw new TypeError('a name is well-formed text');
  return value;
}
function termOf(value: string): string {
  if (value === 'entry') throw new TypeError('the term entry is the ledger itself');
  return name(value);
}
function finite(value: number): number {
  if (!Number.isFinite(value)) throw new TypeError('a time is a finite number');
  return value;
}
