/** Offline: is the ledger what it was? Reads only, beside a running broker or on a copy. */
import { realpathSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { ConfigError } from '../src/errors.ts';
import { digestOf, FLAWS, type Head, type Repair, type Row, repairOf, verifier } from '../src/store/chain.ts';
import { StoreRefused } from '../src/store/store.ts';
import { SQLITE, sqliteCode, versionOf } from '../src/store/store-sqlite-open.ts';
import { rowOf } from '../src/store/store-sqlite-tail.ts';
import { LedgerUnreadable } from './verify-ledger-words.ts';
import { proofChecker } from './verify-proofs.ts';

export interface Report {
  readonly ok: boolean;
  /** Good entries, up to the first bad one. */
  readonly count: number;
  /** `<seq>:<hash>` of the last good entry. Note it elsewhere: `--expect-head` then notices an end that was cut off or rewritten. */
  readonly head: string;
  /** Epoch seconds of the first and last good entry. */
  readonly from?: number;
  readonly to?: number;
  readonly kinds: Readonly<Record<string, number>>;
  /** Votes that a passkey signed, each checked against what its entry says. */
  readonly proofs: number;
  /** Tails that were torn and set aside (src/store/chain.ts): each is worth a look. */
  readonly repairs: readonly Repair[];
  readonly bad?: { readonly seq: number; readonly why: string; readonly remedy: string };
}
const REMEDY = {
  changed: 'Keep this file as it is, as evidence. Compare the entry with a copy or an export; the entries before it are good.',
  damaged: 'The disk or the copy is damaged here. Verify another copy; the entries before it are good.',
  head: 'The end of the ledger was cut off or rewritten since that head was noted. Keep this file, and compare it with a copy.',
  torn: 'The rows that this repair set aside were changed or removed since. Keep this file, and compare it with a copy.',
  proof: 'The chain holds and the signature does not: whoever wrote this entry could write the ledger. Keep this file, as evidence.',
} as const;
const PAGE = 2_000;

/** What the rows say, read page by page. `rows(after)`: those that follow, oldest first; none at the end. Pure but for what it reads. */
export async function verifyRows(
  source: { rows(after: number): readonly Row[]; torn(first: number, last: number): readonly Row[] },
  options: { readonly expectHead?: Head; readonly progress?: (count: number) => void } = {},
): Promise<Report> {
  const { expectHead: expected, progress } = options;
  const kinds = new Map<string, number>();
  const repairs: Repair[] = [];
  const span: { from?: number; to?: number } = {};
  let met = expected?.seq === 0;
  let bad: Report['bad'];
  const proofs = proofChecker({ trimmed: false });
  const chain = verifier(undefined, (body, row) => {
    proofs.take(body, row.seq);
    const kind = typeof body['kind'] === 'string' ? body['kind'] : 'unknown';
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (typeof body['at'] === 'number') {
      span.from ??= body['at'];
      span.to = body['at'];
    }
    const repair = kind === 'repair' ? repairOf(body) : undefined;
    if (repair) repairs.push(repair);
    if (expected?.seq === row.seq) met = expected.hash === row.hash;
  });
  for (let last = 0; !bad; ) {
    let rows: readonly Row[];
    try {
      rows = source.rows(last);
    } catch (fault) {
      if (sqliteCode(fault) !== SQLITE.CORRUPT) throw fault;
      bad = { seq: chain.head.seq + 1, why: 'the file is damaged from here on', remedy: REMEDY.damaged };
      break;
    }
    for (const row of rows) {
      const flaw = chain.take(row);
      if (!flaw) continue;
      bad = { seq: flaw.seq, why: FLAWS[flaw.flaw], remedy: REMEDY.changed };
      break;
    }
    const unproved = bad ? undefined : await proofs.check();
    if (unproved) bad = { ...unproved, remedy: REMEDY.proof };
    last = rows.at(-1)?.seq ?? last;
    progress?.(chain.count);
    if (rows.length === 0) break;
    await turn(); // a demo or a test that verifies in its own process goes on meanwhile
  }
  for (const { first, count, digest } of repairs) {
    if (bad) break;
    if (digestOf(source.torn(first, first + count - 1)) === digest) continue;
    bad = { seq: first, why: 'the rows that a repair set aside are not what it says', remedy: REMEDY.torn };
  }
  if (!bad && expected && !met) bad = { seq: expected.seq, why: 'the expected head is not in this ledger', remedy: REMEDY.head };
  const head = `${chain.head.seq}:${chain.head.hash}`;
  return {
    ok: !bad,
    count: chain.count,
    head,
    ...span,
    kinds: Object.fromEntries(kinds),
    proofs: proofs.count,
    repairs,
    ...(bad && { bad }),
  };
}

/** Verifies the ledger in the store at `path`. Throws LedgerUnreadable. */
export async function verifyLedger(path: string, options: Parameters<typeof verifyRows>[1] = {}): Promise<Report> {
  const db = openLedger(path);
  try {
    const rows = db.prepare('SELECT seq, hash, body FROM entry WHERE seq > ? ORDER BY seq LIMIT ?');
    const torn = db.prepare('SELECT seq, hash, body FROM torn WHERE seq BETWEEN ? AND ? ORDER BY seq');
    // Each page is a read of its own: one long read would keep a running broker from clearing its log.
    return await verifyRows(
      { rows: (after) => rows.all(after, PAGE).map(rowOf), torn: (first, last) => torn.all(first, last).map(rowOf) },
      options,
    );
  } catch (fault) {
    throw unreadable(fault);
  } finally {
    db.close();
  }
}

function openLedger(path: string): DatabaseSync {
  const file = statSync(path, { throwIfNoEntry: false });
  if (!file?.isFile()) throw new LedgerUnreadable('there is no ledger at this path', 'Give the path of the store with --data.');
  const open = (target: string | URL): DatabaseSync => {
    const db = new DatabaseSync(target, { readOnly: true, timeout: 2_000 });
    try {
      if (versionOf(db) === 0) throw new LedgerUnreadable('this file holds no ledger', 'Give the path of the store with --data.');
      return db;
    } catch (fault) {
      db.close();
      throw fault;
    }
  };
  try {
    return open(path);
  } catch (fault) {
    // On a read-only medium SQLite cannot make its side files; nobody writes there either, so the file is read as it stands.
    const code = sqliteCode(fault);
    if (code === 0 || code === SQLITE.CORRUPT || code === SQLITE.NOTADB) throw unreadable(fault);
    try {
      return open(new URL(`${pathToFileURL(path).href}?immutable=1`));
    } catch (second) {
      throw unreadable(second);
    }
  }
}
function unreadable(fault: unknown): LedgerUnreadable {
  if (fault instanceof LedgerUnreadable) return fault;
  if (fault instanceof StoreRefused) return new LedgerUnreadable(fault.message, fault.remedy, fault);
  return new LedgerUnreadable(
    'this file cannot be read as a ledger',
    'Check the path and the permissions; if they are right, verify a copy.',
    fault,
  );
}

export function headFrom(text: string): Head | undefined {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  return seq === undefined || hash === undefined ? undefined : { seq: Number(seq), hash };
}
/** What a person reads. */
export function tell(report: Report): string {
  const time = (at: number | undefined): string => (at === undefined ? '-' : new Date(at * 1000).toISOString());
  const kinds = Object.entries(report.kinds).sort(([a], [b]) => a.localeCompare(b));
  const lines = [
    `${report.count} entries verified`,
    `head     ${report.head}`,
    `from     ${time(report.from)}`,
    `to       ${time(report.to)}`,
    ...kinds.map(([kind, count]) => `  ${kind.padEnd(10)} ${count}`),
    ...(report.proofs > 0 ? [`proofs   ${report.proofs} signatures by passkeys, each of what its entry says`] : []),
    ...report.repairs.map((r) => `repair   ${time(r.at)}: ${r.count} torn rows from entry ${r.first} on were set aside (${r.digest})`),
    ...(report.bad ? [`BAD      entry ${report.bad.seq}: ${report.bad.why}`, `         ${report.bad.remedy}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

interface Options {
  readonly data: string;
  readonly config?: string;
  readonly json: boolean;
  readonly expectHead?: string;
  readonly export?: readonly string[];
  readonly excerpt?: string;
  readonly jwks?: string;
}
async function main(): Promise<number> {
  const program = new Command('verify-ledger')
    .description('Checks the hash chain of the ledger, from the first entry to the last. Read-only; a broker may be running.')
    .option('--data <path>', 'the store', './data/countersign.db')
    .option('--config <path>', 'a broker’s configuration, which says where the store is')
    .option('--export <path...>', 'with --config: what trim-ledger has exported, to be verified together with the rest')
    .option('--excerpt <path>', 'what the Explorer exported, without any store: is it what that broker gave?')
    .option('--jwks <path>', 'with --excerpt: the key set of the issuer, as saved from <issuer>/jwks')
    .option('--json', 'print the report as JSON', false)
    .option('--expect-head <seq:hash>', 'a head noted earlier, which the ledger must still contain')
    .exitOverride();
  try {
    program.parse();
  } catch (fault) {
    return fault instanceof Error && 'exitCode' in fault && fault.exitCode === 0 ? 0 : 2;
  }
  const { data, config, json, expectHead, export: exports = [], excerpt, jwks } = program.opts<Options>();
  const head = expectHead === undefined ? undefined : headFrom(expectHead);
  if (expectHead !== undefined && !head) {
    process.stderr.write('--expect-head: give <number>:<hash>, as this program prints it\n');
    return 2;
  }
  if ((excerpt === undefined) !== (jwks === undefined)) {
    process.stderr.write('--excerpt and --jwks go together: the file, and the keys of the issuer who is said to have made it\n');
    return 2;
  }
  let told = performance.now();
  const progress = (count: number): void => {
    if (performance.now() - told < 2_000) return;
    told = performance.now();
    process.stderr.write(`${count} entries …\n`);
  };
  const options = { progress, ...(head && { expectHead: head }) };
  const say = (report: { readonly ok: boolean }, words: string): number => {
    process.stdout.write(json ? `${JSON.stringify(report)}\n` : words);
    return report.ok ? 0 : 1;
  };
  try {
    if (excerpt !== undefined && jwks !== undefined) {
      const { tellExcerpt, verifyExcerptFile } = await import('./verify-excerpt.ts');
      const report = await verifyExcerptFile(excerpt, jwks, options);
      return say(report, tellExcerpt(report));
    }
    let file = data;
    if (config !== undefined) {
      // The broker's own code is read only where its configuration is.
      const { tellChains, verifyConfigured } = await import('./verify-chains.ts');
      const found = await verifyConfigured(config, process.env, { ...options, exports });
      if ('report' in found) return say(found.report, tellChains(found.report));
      file = found.file;
    }
    const report = await verifyLedger(file, options);
    return say(report, tell(report));
  } catch (fault) {
    if (fault instanceof ConfigError) process.stderr.write(`${fault.problems.join('\n')}\n`);
    else if (fault instanceof LedgerUnreadable) process.stderr.write(`${fault.message}\n${fault.remedy}\n`);
    else throw fault;
    return 2;
  }
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) process.exitCode = await main();
