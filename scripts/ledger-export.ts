/** What goes out of a ledger of many brokers before it is trimmed: a file of lines that needs nothing of ours to be checked, and still links to the rest. */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Head, type Row, repairOf } from '../src/store/chain.ts';
import type { ChainHead, ChainRow, Floor, Ledger } from '../src/store/chains.ts';
import { isObject, type Json, type JsonObject } from '../src/wire/json.ts';
import { linesOf } from './lines.ts';
import { LedgerUnreadable } from './verify-ledger-words.ts';

const KIND = 'countersign-ledger';
const PAGE = 1_000;
/** Where a page of the ledger ends: after the entry `through`. */
export interface Exported {
  readonly through: Head;
  readonly count: number;
  /** `sha-256:` over the file, as the entry of the trim has it. */
  readonly digest: string;
}

/** Writes all entries through this one, and is durable when it resolves. Throws what the file system or the ledger throws. */
export async function writeExport(path: string, ledger: Ledger, through: Head, progress: (count: number) => void): Promise<void> {
  const part = `${path}.part`;
  const file = openSync(part, 'w', 0o600);
  const line = (value: string): void => void writeSync(file, `${value}\n`);
  try {
    const floor = (await ledger.floor()) ?? { seq: 0, heads: [] };
    line(JSON.stringify({ export: KIND, form: 1, floor: { seq: floor.seq, heads: floor.heads }, through }));
    let [last, count] = [floor.seq, 0];
    while (last < through.seq) {
      const rows = await ledger.rows(last);
      for (const { seq, chain, hash, body } of rows.filter((row) => row.seq <= through.seq)) {
        // The body's own text: it is what was hashed.
        line(`{"seq":${seq},"chain":${JSON.stringify(chain)},"hash":${JSON.stringify(hash)},"body":${body}}`);
        count++;
        const repair = repairOf(JSON.parse(body) as JsonObject);
        const torn = repair ? await ledger.torn(repair.first, repair.first + repair.count - 1) : [];
        for (const row of torn) line(JSON.stringify({ torn: row }));
      }
      last = rows.at(-1)?.seq ?? through.seq;
      progress(count);
    }
    line(JSON.stringify({ end: count }));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(part, path);
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

interface Begin {
  readonly floor: Floor;
  readonly through: Head;
}
/** An export as a ledger: read from its beginning to its end, once. */
class ExportFile {
  readonly path: string;
  readonly begin: Begin;
  readonly hashes = new Map<number, string>();
  readonly torn: Row[] = [];
  readonly #lines: AsyncIterator<string>;
  readonly #digest: Hash;
  #count = 0;
  ended: Exported | undefined;

  constructor(path: string, begin: Begin, lines: AsyncIterator<string>, digest: Hash) {
    this.path = path;
    this.begin = begin;
    this.#lines = lines;
    this.#digest = digest;
  }
  /** The next ones; none at the end. Throws LedgerUnreadable where it is cut off, or holds what no export holds. */
  async rows(): Promise<readonly ChainRow[]> {
    const found: ChainRow[] = [];
    while (!this.ended && found.length < PAGE) {
      const { value: text, done } = await this.#lines.next();
      if (done) throw damaged();
      this.#digest.update(`${text}\n`);
      const value = parse(text);
      if (typeof value['end'] === 'number') {
        if (value['end'] !== this.#count) throw damaged();
        this.ended = { through: this.begin.through, count: this.#count, digest: `sha-256:${this.#digest.digest('base64url')}` };
      } else if (isObject(value['torn'])) this.torn.push(value['torn'] as unknown as Row);
      else {
        const at = text.indexOf(',"body":');
        if (at < 0) throw damaged();
        const row = { seq: Number(value['seq']), chain: String(value['chain']), hash: String(value['hash']), body: text.slice(at + 8, -1) };
        this.hashes.set(row.seq, `${row.chain} ${row.hash}`);
        this.#count++;
        found.push(row);
      }
    }
    return found;
  }
}
async function openExport(path: string): Promise<ExportFile> {
  if (!existsSync(path)) throw new LedgerUnreadable('there is no export at this path', 'Give the path of the file that trim-ledger wrote.');
  const lines = linesOf(path);
  const first = await lines.next();
  const begin = first.done ? {} : parse(first.value);
  if (begin['export'] !== KIND || begin['form'] !== 1) throw damaged();
  return new ExportFile(path, begin as unknown as Begin, lines, createHash('sha256').update(`${first.value}\n`));
}
function parse(text: string): JsonObject {
  try {
    const value = JSON.parse(text) as Json;
    if (isObject(value)) return value;
  } catch {
    // What is no line of ours.
  }
  throw damaged();
}
const damaged = (): LedgerUnreadable =>
  new LedgerUnreadable('this is no whole export of a ledger', 'Take another copy of the file; it may have been cut off on its way.');

/** Exports, oldest first, and behind them the ledger that they were taken from; without one, the exports alone. */
export interface Joined extends Ledger {
  /** Of those that were read to their end. */
  exported(): readonly (Exported & { readonly path: string })[];
}
/** Throws LedgerUnreadable. */
export async function joined(paths: readonly string[], rest?: Ledger): Promise<Joined> {
  const files: ExportFile[] = [];
  for (const path of paths) files.push(await openExport(path));
  files.sort((a, b) => a.begin.through.seq - b.begin.through.seq);
  const of = (chain: string, seq: number): string | undefined => {
    for (const { hashes } of files) {
      const found = hashes.get(seq);
      if (found?.startsWith(`${chain} `)) return found.slice(chain.length + 1);
    }
    return undefined;
  };
  return {
    async rows(after) {
      for (const file of files) {
        const rows = file.ended ? [] : await file.rows();
        if (rows.length > 0) return rows;
      }
      return rest ? rest.rows(after) : [];
    },
    hashAt: async (chain, seq) => of(chain, seq) ?? rest?.hashAt(chain, seq),
    async heads() {
      // Of what is trimmed the records that the ledger keeps hold with the exports before it; of exports alone there are none.
      return rest ? rest.heads() : ([] as readonly ChainHead[]);
    },
    async floor() {
      const [oldest] = files;
      if (!oldest) return rest?.floor();
      return oldest.begin.floor.seq > 0 ? oldest.begin.floor : undefined;
    },
    async torn(first, last) {
      const kept = files.flatMap(({ torn }) => torn.filter(({ seq }) => seq >= first && seq <= last));
      return kept.length > 0 || !rest ? kept : rest.torn(first, last);
    },
    exported: () => files.flatMap(({ path, ended }) => (ended ? [{ ...ended, path }] : [])),
  };
}
