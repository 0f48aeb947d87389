/**
 * Many brokers, one ledger: each links the entries it wrote to a chain of its own, and all entries have one order of numbers. Pure: the back
 * end and scripts/verify-ledger.ts share it.
 *
 * What holds: numbers are without a gap, but for rows that a repair names; each chain verifies as one does (chain.ts); an entry without a
 * hash is followed in its chain only by such; a chain ends where its record says; and every head that another chain has noted (`heads`) is
 * there, so that to cut off a tail unseen one must also cut off every chain that noted it since. Entries that were exported may be trimmed from the beginning: then the ledger
 * begins at a `floor`, which a `trim` entry further on tells of.
 */
import { hash } from 'node:crypto';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';
import { bodyIn, digestOf, FLAWS, type Head, link, type Repair, type Row, repairOf, START } from './chain.ts';

export interface ChainHead extends Head {
  readonly chain: string;
}
export interface ChainRow extends Row {
  readonly chain: string;
}
/** Where the ledger begins: the last entry that was trimmed, and the last of each chain among those. */
export interface Floor {
  readonly seq: number;
  readonly heads: readonly ChainHead[];
}
/** A ledger to be read. `hash` of a row is empty while it is not sealed. */
export interface Ledger {
  /** Those that follow, in order; none at the end. */
  rows(after: number): Promise<readonly ChainRow[]>;
  hashAt(chain: string, seq: number): Promise<string | undefined>;
  /** What the store has written down of each chain: its last sealed entry. */
  heads(): Promise<readonly ChainHead[]>;
  floor(): Promise<Floor | undefined>;
  /** Rows that a repair has set aside, of a ledger that once stood in a file. */
  torn(first: number, last: number): Promise<readonly Row[]>;
}

/** Constant texts: they reach operators. */
export const CHAIN_FLAWS = {
  ...FLAWS,
  tail: 'a chain ends before its last sealed entry: its end was cut off, or the server lost it',
  noted: 'an entry that another chain has noted is not there',
  trim: 'entries are missing at the beginning, and no entry tells that they were trimmed',
  torn: 'the rows that a repair set aside are not what it says',
  head: 'the expected head is not in this ledger',
} as const;
export interface ChainReport {
  readonly ok: boolean;
  readonly count: number;
  /** The last entry that verified, of all. */
  readonly head: Head;
  readonly chains: readonly (ChainHead & { readonly count: number })[];
  /** Written and not yet sealed: what a broker does within a second, or left behind when it was killed. */
  readonly unsealed: readonly { readonly chain: string; readonly first: number; readonly count: number }[];
  /** Tails that were torn while it stood in a file, and set aside: each is worth a look. */
  readonly repairs: readonly Repair[];
  readonly bad?: { readonly seq: number; readonly flaw: keyof typeof CHAIN_FLAWS; readonly why: string };
}

interface Chain {
  head: Head;
  count: number;
  unsealed: ChainRow[];
}
type Bad = Pick<NonNullable<ChainReport['bad']>, 'seq' | 'flaw'>;

/** Reads it once from its beginning and stops at the first flaw. `each` sees every good entry, sealed or not. */
export async function verifyChains(
  ledger: Ledger,
  options: {
    readonly expectHead?: Head;
    readonly each?: (body: JsonObject, row: ChainRow) => void;
    readonly progress?: (count: number) => void;
  } = {},
): Promise<ChainReport> {
  const { expectHead: expected, each, progress } = options;
  const floor = await ledger.floor();
  // Before the rows: what is sealed meanwhile stands further on.
  const recorded = await ledger.heads();
  const chains = new Map<string, Chain>();
  for (const { chain, seq, hash: of } of floor?.heads ?? []) chains.set(chain, { head: { seq, hash: of }, count: 0, unsealed: [] });
  const missing = new Map<string, number>();
  let expects = expected !== undefined && expected.seq > 0 ? expected.hash : undefined;
  let last: Head = { seq: floor?.seq ?? 0, hash: '' };
  let trimmed = floor === undefined;
  let count = 0;
  const repairs: Repair[] = [];

  function place(chain: Chain, row: ChainRow): boolean {
    if (link(chain.head.hash, row.body) !== row.hash) return false;
    chain.head = { seq: row.seq, hash: row.hash };
    chain.count++;
    missing.delete(row.hash);
    if (row.hash === expects) expects = undefined;
    return true;
  }
  async function take(row: ChainRow): Promise<Bad | undefined> {
    if (row.seq <= last.seq) return { seq: row.seq, flaw: 'order' };
    const body = bodyIn(row.body);
    // Of a ledger that stood in a file a repair names the rows that it set aside (chain.ts).
    const repair = body && repairOf(body);
    const leapt = row.seq - last.seq - 1;
    if (leapt > 0 && !(repair?.first === last.seq + 1 && repair.count === leapt)) return { seq: last.seq + 1, flaw: 'gap' };
    if (repair) repairs.push(repair);
    if (!body) return { seq: row.seq, flaw: 'body' };
    const chain = chains.get(row.chain) ?? { head: START, count: 0, unsealed: [] };
    chains.set(row.chain, chain);
    last = { seq: row.seq, hash: row.hash };
    count++;
    if (row.hash === '') chain.unsealed.push(row);
    else {
      // Those before it were sealed while this was reading, or never.
      const before = chain.unsealed.splice(0);
      for (const waited of before) {
        const sealed = { ...waited, hash: (await ledger.hashAt(row.chain, waited.seq)) ?? '' };
        if (!place(chain, sealed)) return { seq: waited.seq, flaw: 'hash' };
      }
      if (!place(chain, row)) return { seq: row.seq, flaw: 'hash' };
    }
    for (const noted of headsIn(body)) {
      if (noted.seq <= (floor?.seq ?? 0) || (await ledger.hashAt(noted.chain, noted.seq)) === noted.hash) continue;
      // It may stand further on: a broker puts back what a server has lost.
      missing.set(noted.hash, row.seq);
    }
    if (body['kind'] === 'trim' && Number(body['through']) >= (floor?.seq ?? 0)) trimmed = true;
    each?.(body, row);
    return undefined;
  }
  async function read(): Promise<Bad | undefined> {
    for (;;) {
      const rows = await ledger.rows(last.seq);
      if (rows.length === 0) return undefined;
      for (const row of rows) {
        const bad = await take(row);
        if (bad) return bad;
      }
      progress?.(count);
    }
  }
  function atTheEnd(): Bad | undefined {
    for (const { chain, seq } of recorded) if (seq > (chains.get(chain)?.head.seq ?? 0)) return { seq, flaw: 'tail' };
    const [noted] = missing.values();
    if (noted !== undefined) return { seq: noted, flaw: 'noted' };
    if (!trimmed) return { seq: floor?.seq ?? 0, flaw: 'trim' };
    return expects === undefined ? undefined : { seq: expected?.seq ?? 0, flaw: 'head' };
  }
  async function setAside(): Promise<Bad | undefined> {
    for (const { first, count: rows, digest } of repairs)
      if (digestOf(await ledger.torn(first, first + rows - 1)) !== digest) return { seq: first, flaw: 'torn' };
    return undefined;
  }
  const bad = (await read()) ?? atTheEnd() ?? (await setAside());
  const list = [...chains];
  return {
    ok: !bad,
    count,
    head: last,
    chains: list.map(([chain, { head, count: of }]) => ({ chain, ...head, count: of })),
    repairs,
    unsealed: list.flatMap(([chain, { unsealed }]) => (unsealed[0] ? [{ chain, first: unsealed[0].seq, count: unsealed.length }] : [])),
    ...(bad && { bad: { ...bad, why: CHAIN_FLAWS[bad.flaw] } }),
  };
}

/** The entry in which one chain notes what the others had come to. `at`: epoch seconds. */
export const headsBody = (at: number, heads: readonly ChainHead[]): JsonObject => upkeep('heads', at, { heads: heads.map(plain) });
/** The entry that tells of entries taken away after they were exported. `digest`: of the export, as its maker gives it. */
export const trimBody = (at: number, trim: { readonly through: number; readonly digest: string }): JsonObject =>
  upkeep('trim', at, { through: trim.through, digest: trim.digest });

/** Its exchange id is made of what it says: nothing random. */
function upkeep(kind: string, at: number, what: JsonObject): JsonObject {
  const root = at.toString(16).padStart(8, '0') + hash('sha256', JSON.stringify([kind, what]), 'hex').slice(0, 24);
  return { kind, at, exchange: `exc_${root}`, ...what };
}
const plain = ({ chain, seq, hash: of }: ChainHead): JsonObject => ({ chain, seq, hash: of });
function headsIn(body: JsonObject): readonly ChainHead[] {
  const heads = body['kind'] === 'heads' ? body['heads'] : undefined;
  if (!Array.isArray(heads)) return [];
  return (heads as readonly Json[]).flatMap((head) =>
    isObject(head) ? [{ chain: String(head['chain']), seq: Number(head['seq']), hash: String(head['hash']) }] : [],
  );
}
