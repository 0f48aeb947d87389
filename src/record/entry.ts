import type { Entry, Facts } from '../model.ts';
import type { Json, JsonObject } from '../wire/json.ts';

/** Every member of an entry. One schema: what is not known stands as null. */
const MEMBERS: { readonly [K in keyof Required<Entry>]: true } = {
  kind: true,
  at: true,
  exchange: true,
  request: true,
  client: true,
  owner: true,
  subject: true,
  actors: true,
  resource: true,
  tool: true,
  arguments: true,
  recorded: true,
  purpose: true,
  context: true,
  jkt: true,
  credential: true,
  policies: true,
  bundle: true,
  approval: true,
  txn: true,
  jti: true,
  exp: true,
  reason: true,
  code: true,
  detail: true,
  outcome: true,
  proof: true,
  by: true,
  reserved: true,
  again: true,
};

/** Sorted, as they are hashed (RFC 8785). */
const NAMES = (Object.keys(MEMBERS) as (keyof Entry)[]).sort();

/** Every member in its place from the start: an object that grows by one at a time is made anew each time. */
export const BLANK = Object.fromEntries(NAMES.map((name) => [name, undefined])) as Facts;

export function toBody(entry: Entry): JsonObject {
  const body: Record<string, Json> = {};
  for (const name of NAMES) body[name] = (entry[name] as Json | undefined) ?? null;
  return body;
}
/** The entry of a ledger row; nulls are absent again. */
export function fromBody(body: JsonObject): Entry {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as unknown as Entry;
}

/**
 * Ids of one story share a root: an exchange `exc_R` that grants makes `txn_R` and `tok_R`, so one index term finds the entry by any of
 * them. Roots begin with the time, to a fraction of a millisecond, so that the index grows at its end: where a thousand of one second
 * stood in any order, each transaction would write again every page of that second.
 */
export const rootOf = (id: string): string => id.slice(id.indexOf('_') + 1);
/** `now`: epoch seconds with their fraction, of which a 65,536th is kept. */
export const newRoot = (now: number, random: Uint8Array): string =>
  Math.floor(now * 65_536)
    .toString(16)
    .padStart(12, '0') + Buffer.from(random).toString('hex');
export const ROOT_BYTES = 10;
export const termOf = (id: string): string => `id/${rootOf(id)}`;

/** Of what people are told, wherever they are: found without reading all the rest. */
export const NOTABLE = 'notable';

export function termsOf(entry: Entry): readonly string[] {
  const ids = [entry.exchange, entry.txn, entry.jti, entry.approval].filter((id) => id !== undefined);
  return [...new Set(ids.map(termOf)), ...(isNotable(entry) ? [NOTABLE] : [])];
}
/** A wait that begins or ends, and what people or signals halt. A vote that is not the last ends nothing. */
function isNotable({ kind, approval, by, context }: Entry): boolean {
  switch (kind) {
    case 'pending':
      return approval !== undefined && by === undefined;
    case 'approved':
    case 'denied':
    case 'expired':
    case 'cancelled':
      return approval !== undefined;
    case 'revoked':
      return context?.['scope'] !== undefined;
    default:
      return false;
  }
}
