/**
 * The ledger's chain: each entry's hash covers its body and the hash before it. Pure: back ends and scripts/verify-ledger.ts share it.
 *
 * A *torn tail* is what a crash or a bad disk leaves: the last rows, in unbroken sequence, none of which stands by itself (its body is no
 * JSON object, or its hash follows neither from the row before it as stored nor as it should be), and at most as many as one transaction
 * writes. A back end sets such rows aside verbatim when it opens, and an entry `repair` names them. Anything else that does not verify is
 * not a crash's work: a missing row, or a bad row with a good one after it, which proves that the ledger went on from the row as it was.
 * That history is left as it stands, and verify-ledger names its first bad entry. Whoever can write the file can also make a tail look
 * torn: that is why a repair is an entry, printed at every verification, and why a head noted elsewhere (`--expect-head`) still tells.
 */
import { hash } from 'node:crypto';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';

/** The hash before the first entry. */
export const GENESIS = '0'.repeat(64);
/** SHA-256, hex, over the hash before and the body in canonical form (RFC 8785). */
export const link = (previous: string, canonicalBody: string): string => hash('sha256', `${previous}\n${canonicalBody}`, 'hex');

export interface Row {
  readonly seq: number;
  readonly hash: string;
  /** The text that was hashed. */
  readonly body: string;
}
export interface Head {
  readonly seq: number;
  readonly hash: string;
}
export const START: Head = { seq: 0, hash: GENESIS };

/** Constant texts: they reach operators. */
export const FLAWS = {
  gap: 'entries are missing from here on',
  order: 'its number does not follow the one before it',
  body: 'its body is not a JSON object',
  hash: 'its hash does not follow from its body and the entry before it',
} as const;
export type Flaw = keyof typeof FLAWS;
export type Checked =
  | { readonly ok: true; readonly count: number; readonly head: Head }
  | { readonly ok: false; readonly seq: number; readonly flaw: Flaw; readonly why: string };

export interface Verifier {
  /** The first flaw, at which to stop; or nothing, and the entry has its place. */
  take(row: Row): { readonly seq: number; readonly flaw: Flaw } | undefined;
  readonly count: number;
  readonly head: Head;
}

/** Takes rows one by one, oldest first. `each` sees every good entry. Numbers may leap only over the rows that a `repair` names. */
export function verifier(from: Head = START, each?: (body: JsonObject, row: Row) => void): Verifier {
  let head = from;
  let count = 0;
  return {
    take(row) {
      if (row.seq <= head.seq) return { seq: row.seq, flaw: 'order' };
      const body = bodyIn(row.body);
      const leapt = row.seq - head.seq - 1;
      if (leapt > 0 && !(body && isRepair(body) && body['first'] === head.seq + 1 && body['count'] === leapt)) {
        return { seq: head.seq + 1, flaw: 'gap' };
      }
      if (!body) return { seq: row.seq, flaw: 'body' };
      if (link(head.hash, row.body) !== row.hash) return { seq: row.seq, flaw: 'hash' };
      head = { seq: row.seq, hash: row.hash };
      count++;
      each?.(body, row);
      return undefined;
    },
    get count() {
      return count;
    },
    get head() {
      return head;
    },
  };
}

/** Verifies rows, oldest first, from the entry `from` on (default: the beginning). */
export function verifyChain(rows: Iterable<Row>, from: Head = START, each?: (body: JsonObject, row: Row) => void): Checked {
  const chain = verifier(from, each);
  for (const row of rows) {
    const bad = chain.take(row);
    if (bad) return { ok: false, ...bad, why: FLAWS[bad.flaw] };
  }
  return { ok: true, count: chain.count, head: chain.head };
}

/** No transaction writes more entries than this, so no crash tears more. */
export const MOST_TORN = 1024;
export type Tail =
  | { readonly is: 'whole' }
  | { readonly is: 'torn'; readonly good: Head; readonly rows: readonly Row[]; readonly why: string }
  | { readonly is: 'broken'; readonly seq: number; readonly why: string };

/** What the last rows are, seen from the entry before them. */
export function judgeTail(rows: readonly Row[], from: Head): Tail {
  const chain = verifier(from);
  for (const [i, row] of rows.entries()) {
    const bad = chain.take(row);
    if (!bad) continue;
    const why = FLAWS[bad.flaw];
    const tail = rows.slice(i);
    const torn = (bad.flaw === 'body' || bad.flaw === 'hash') && tail.length <= MOST_TORN && !standsAgain(tail, chain.head);
    return torn ? { is: 'torn', good: chain.head, rows: tail, why } : { is: 'broken', seq: bad.seq, why };
  }
  return { is: 'whole' };
}
function standsAgain(tail: readonly Row[], good: Head): boolean {
  let before = { ...good, ought: good.hash };
  for (const row of tail) {
    if (row.seq !== before.seq + 1) return true;
    const parsed = bodyIn(row.body) !== undefined;
    if (before.seq !== good.seq && parsed && (link(before.hash, row.body) === row.hash || link(before.ought, row.body) === row.hash))
      return true;
    before = { seq: row.seq, hash: row.hash, ought: link(before.ought, row.body) };
  }
  return false;
}

export interface Repair {
  readonly at: number;
  readonly first: number;
  readonly count: number;
  readonly digest: string;
}
/** Over the rows set aside, as they were found. */
export const digestOf = (rows: readonly Row[]): string =>
  `sha-256:${hash('sha256', JSON.stringify(rows.map((r) => [r.seq, r.hash, r.body])), 'base64url')}`;

/** The entry that tells of rows set aside. `at`: epoch seconds. Its exchange id is made of what it repairs: nothing random, never twice the same. */
export function repairBody(at: number, good: Head, rows: readonly Row[]): JsonObject {
  const digest = digestOf(rows);
  const root = at.toString(16).padStart(8, '0') + hash('sha256', `${good.hash}\n${digest}`, 'hex').slice(0, 24);
  const detail = 'The last rows did not verify when the store was opened; they are set aside, unchanged.';
  return { kind: 'repair', at, exchange: `exc_${root}`, detail, first: good.seq + 1, count: rows.length, digest };
}
export const isRepair = (body: JsonObject): boolean =>
  body['kind'] === 'repair' &&
  Number.isSafeInteger(body['first']) &&
  Number.isSafeInteger(body['count']) &&
  typeof body['digest'] === 'string';
export const repairOf = (body: JsonObject): Repair | undefined =>
  isRepair(body)
    ? { at: Number(body['at']), first: Number(body['first']), count: Number(body['count']), digest: String(body['digest']) }
    : undefined;

/** As it stands there: undefined where it is no JSON object. */
export function bodyIn(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
