/**
 * Takes old entries out of the ledger of brokers on Redis, once they stand in a file: exports them, checks the file as it is on the disk, records
 * the cut in the ledger, then trims. Brokers may be running. Killed anywhere and run again with the same words, it goes on.
 *
 * Exit codes: 0 done · 1 the ledger or the file does not verify, or Redis went away · 2 refused, nothing was taken away · 3 usage.
 */
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { redisAccess } from '../src/app-backends.ts';
import { readConfig } from '../src/main.ts';
import type { Head } from '../src/store/chain.ts';
import { verifyChains } from '../src/store/chains.ts';
import { StoreFault } from '../src/store/store.ts';
import { redisStore } from '../src/store/store-redis.ts';
import { type OpenLedger, openLedger } from '../src/store/store-redis-ledger.ts';
import { type Exported, joined, writeExport } from './ledger-export.ts';
import { EXIT, type Explained, Refused, runStoreCommand, type Say } from './store-command.ts';
import { LedgerUnreadable } from './verify-ledger-words.ts';

/** Receipts, retries and what people decide look back into the ledger, none of them further than this. Days. */
const LEAST_DAYS = 30;
const DAY = 86_400;
interface Options {
  readonly config: string;
  readonly before: string;
  readonly to: string;
  readonly dryRun?: true;
  readonly json?: true;
}
export interface Trimmed extends Exported {
  readonly state: 'trimmed' | 'trimmed before' | 'would trim';
  readonly to: string;
  /** Taken away by this run; fewer than the export holds where an earlier one had begun. */
  readonly gone: number;
}
async function trim({ config, before, to, dryRun }: Options, say: Say): Promise<Trimmed> {
  const { store } = readConfig(config);
  if (store.use !== 'redis')
    throw new Refused(
      'a ledger in a file is kept whole: it is one chain from its first entry on, and is verified from there',
      'Give its volume room (a few KB an action), or move to Redis with `npm run migrate-store`: there it can be trimmed.',
    );
  const until = Date.parse(before) / 1000;
  if (!Number.isFinite(until)) throw new Refused('--before is no date', 'Write it as 2026-06-30 or 2026-06-30T12:00:00Z.', EXIT.usage);
  if (until > Date.now() / 1000 - LEAST_DAYS * DAY)
    throw new Refused(
      `--before is less than ${LEAST_DAYS} days ago`,
      'Receipts and approvals still look back at those entries: give an earlier date.',
    );
  const access = redisAccess(store, process.env);
  const ledger = await openLedger(access).catch((fault: unknown) => {
    throw new LedgerUnreadable(
      'the Redis that holds the ledger cannot be reached',
      'Check that it is up, and its settings under `store`.',
      fault,
    );
  });
  try {
    const floor = (await ledger.floor())?.seq ?? 0;
    let file = existsSync(to) ? await checked(to) : undefined;
    if (file && file.through.seq <= floor) return { ...file, state: 'trimmed before', to, gone: 0 };
    const through = file?.through ?? (await lastBefore(ledger, until, say));
    if (dryRun) return { through, count: file?.count ?? through.seq - floor, digest: file?.digest ?? '', state: 'would trim', to, gone: 0 };
    if (!file) {
      await writeExport(to, ledger, through, (count) => say(`exporting: ${count} entries`));
      say('checking the file');
      file = await checked(to);
    }
    const { persistence, replicas } = store;
    const open = await redisStore({ ...access, persistence, ...(replicas !== undefined && { replicas }) });
    try {
      say('trimming');
      const gone = await open.trim(file);
      return { ...file, state: 'trimmed', to, gone };
    } finally {
      await open.close();
    }
  } finally {
    ledger.close();
  }
}
/** The export as it stands on the disk, read to its end. Throws LedgerUnreadable, and Refused where it does not verify. */
async function checked(path: string): Promise<Exported> {
  const ledger = await joined([path]);
  const report = await verifyChains(ledger);
  const [file] = ledger.exported();
  // Which cut its beginning follows from, the ledger tells; what is verified together with it (verify-ledger) has that entry.
  const isGood = report.ok || report.bad?.flaw === 'trim';
  if (!isGood || !file || report.unsealed.length > 0 || report.head.seq !== file.through.seq || report.head.hash !== file.through.hash)
    throw new Refused(
      'the export does not verify',
      'Nothing was taken away. Name another file with --to, and keep this one as evidence.',
      EXIT.bad,
    );
  return file;
}
async function lastBefore(ledger: OpenLedger, until: number, say: Say): Promise<Head> {
  let through: Head | undefined;
  let isOver = false;
  const report = await verifyChains(ledger, {
    each(body, { seq, hash }) {
      isOver ||= hash === '' || !(typeof body['at'] === 'number' && body['at'] < until);
      if (!isOver) through = { seq, hash };
    },
    progress: (count) => say(`verifying: ${count} entries`),
  });
  if (!report.ok)
    throw new Refused(
      `the ledger does not verify, so nothing is taken away: entry ${report.bad?.seq ?? 0}, ${report.bad?.why ?? ''}`,
      'See `npm run verify-ledger`.',
      EXIT.bad,
    );
  if (!through) throw new Refused('no entry is that old', 'There is nothing to trim.');
  return through;
}

function tell({ state, to, through, count, digest, gone }: Trimmed): string {
  if (state === 'would trim')
    return `Nothing was trimmed. It would be the entries through ${through.seq}:${through.hash}, at most ${count}.\n`;
  const lines = [
    state === 'trimmed' ? `Trimmed: ${gone} entries are no longer in Redis.` : 'These entries were trimmed before. Nothing was done.',
    `export   ${to}: ${count} entries through ${through.seq}:${through.hash}`,
    `digest   ${digest}, as the ledger's entry has it`,
    `Keep the file with the others: \`npm run verify-ledger -- --config … --export ${to}\` verifies it together with the rest.`,
  ];
  return `${lines.join('\n')}\n`;
}

const main = (): Promise<number> =>
  runStoreCommand<Options, Trimmed>(
    new Command('trim-ledger')
      .description('Exports the oldest entries of a ledger on Redis into a file, checks that file, and only then takes them away.')
      .requiredOption('--config <path>', 'a broker’s configuration, which says where the store is')
      .requiredOption('--before <date>', `entries of before this date; at least ${LEAST_DAYS} days ago`)
      .requiredOption('--to <path>', 'the file they are exported to; where it is there already, it is checked, and the trimming goes on')
      .option('--dry-run', 'say what would go, and do nothing'),
    { run: (options, say) => trim({ ...options, to: resolve(options.to) }, say), tell, explain },
  );
function explain(fault: unknown): Explained | undefined {
  if (fault instanceof StoreFault) return [EXIT.bad, ['Redis went away.', 'Run this again with the same words: it goes on.']];
  if (fault instanceof Error && 'code' in fault && typeof fault.code === 'string')
    return [
      EXIT.refused,
      [`the export cannot be written (${fault.code})`, 'Check the folder of --to and its room. Nothing was taken away.'],
    ];
  return undefined;
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) process.exitCode = await main();
