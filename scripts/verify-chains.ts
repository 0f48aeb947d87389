/** The ledger of many brokers, for verify-ledger: where it is found by the configuration, and what is said of it. */
import { redisAccess } from '../src/app-backends.ts';
import { readConfig } from '../src/main.ts';
import type { Head } from '../src/store/chain.ts';
import { type ChainReport, verifyChains } from '../src/store/chains.ts';
import { openLedger } from '../src/store/store-redis-ledger.ts';
import { LedgerUnreadable } from './verify-ledger-words.ts';

const REMEDY = {
  kept: 'Keep this Redis and its files as they are, as evidence. Compare with an export; what stands before it is good.',
  tail: 'Compare with an export and with the brokers’ own logs. After a failover of servers that do not wait for one another, entries may be lost.',
  trim: 'Entries were taken away without their export. Restore a copy.',
  head: 'The end of the ledger was cut off or rewritten since that head was noted. Keep this Redis, and compare it with a copy.',
} as const;

/** `undefined`: the configuration names a file, not a Redis; then its path. Throws ConfigError, LedgerUnreadable. */
export async function verifyConfigured(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
  options: { readonly expectHead?: Head; readonly progress?: (count: number) => void },
): Promise<{ readonly file: string } | { readonly report: ChainReport }> {
  const { store } = readConfig(path);
  if (store.use === 'sqlite') return { file: store.path };
  const ledger = await openLedger(redisAccess(store, environment)).catch((fault: unknown) => {
    throw new LedgerUnreadable(
      'the Redis that holds the ledger cannot be reached',
      'Check that it is up, and its settings under `store`.',
      fault,
    );
  });
  try {
    return { report: await verifyChains(ledger, options) };
  } finally {
    ledger.close();
  }
}

/** What a person reads. */
export function tellChains(report: ChainReport): string {
  const { bad, head } = report;
  const lines = [
    `${report.count} entries verified`,
    `head     ${head.seq}:${head.hash}`,
    ...report.chains.map(({ chain, seq, hash, count }) => `chain    ${chain} ${count} entries, up to ${seq}:${hash}`),
    ...report.unsealed.map(
      ({ chain, first, count }) =>
        `unsealed ${chain} ${count} entries from ${first} on: a broker is at it, or left them; the next one seals them`,
    ),
    ...report.repairs.map(
      (r) => `repair   ${new Date(r.at * 1000).toISOString()}: ${r.count} torn rows from entry ${r.first} on were set aside (${r.digest})`,
    ),
    ...(bad ? [`BAD      entry ${bad.seq}: ${bad.why}`, `         ${remedyOf(bad.flaw)}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}
const remedyOf = (flaw: NonNullable<ChainReport['bad']>['flaw']): string =>
  flaw === 'tail' || flaw === 'trim' || flaw === 'head' ? REMEDY[flaw] : REMEDY.kept;
