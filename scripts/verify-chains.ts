/** The ledger of many brokers, for verify-ledger: where it is found by the configuration, and what is said of it. */
import { redisAccess } from '../src/app-backends.ts';
import { readConfig } from '../src/main.ts';
import type { Head } from '../src/store/chain.ts';
import { type ChainReport, verifyChains } from '../src/store/chains.ts';
import { openLedger } from '../src/store/store-redis-ledger.ts';
import { type Exported, joined } from './ledger-export.ts';
import { LedgerUnreadable } from './verify-ledger-words.ts';
import { proofChecker } from './verify-proofs.ts';

const REMEDY = {
  kept: 'Keep this Redis and its files as they are, as evidence. Compare with an export; what stands before it is good.',
  tail: 'Compare with an export and with the brokers’ own logs. After a failover of servers that do not wait for one another, entries may be lost.',
  trim: 'Entries were taken away without their export. Restore a copy.',
  proof: 'The chain holds and the signature does not: whoever wrote this entry could write the ledger. Keep this Redis, as evidence.',
  head: 'The end of the ledger was cut off or rewritten since that head was noted. Keep this Redis, and compare it with a copy.',
} as const;

/** `proofs`: what passkeys signed, each checked against what its entry says. */
export type ConfiguredReport = Omit<ChainReport, 'bad'> & {
  readonly proofs: number;
  readonly bad?: { readonly seq: number; readonly flaw: NonNullable<ChainReport['bad']>['flaw'] | 'proof'; readonly why: string };
};
/** `undefined`: the configuration names a file, not a Redis; then its path. Throws ConfigError, LedgerUnreadable. */
export async function verifyConfigured(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
  {
    exports = [],
    ...options
  }: {
    readonly expectHead?: Head;
    readonly progress?: (count: number) => void;
    /** Files that trim-ledger wrote: verified together with what is left. */
    readonly exports?: readonly string[];
  },
): Promise<{ readonly file: string } | { readonly report: ConfiguredReport }> {
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
    const whole = await joined(exports, ledger);
    const proofs = proofChecker({ trimmed: (await whole.floor()) !== undefined });
    const told = new Set<string>();
    const report = await verifyChains(whole, {
      ...options,
      each(body, { seq }) {
        proofs.take(body, seq);
        if (body['kind'] === 'trim') told.add(`${String(body['through'])} ${String(body['digest'])}`);
      },
    });
    const unproved = report.bad ? undefined : await proofs.check();
    const bad = unproved ? { ...unproved, flaw: 'proof' as const } : report.bad ? undefined : strange(whole.exported(), told);
    return { report: { ...report, ok: report.ok && !bad, proofs: proofs.count, ...(bad && { bad }) } };
  } finally {
    ledger.close();
  }
}

/** Each export that was read must be the one that an entry tells of. */
function strange(exported: readonly (Exported & { readonly path: string })[], told: ReadonlySet<string>): ConfiguredReport['bad'] {
  const stranger = exported.find(({ through, digest }) => !told.has(`${through.seq} ${digest}`));
  return stranger && { seq: stranger.through.seq, flaw: 'trim', why: 'no entry tells of this export as it is' };
}

/** What a person reads. */
export function tellChains(report: ConfiguredReport): string {
  const { bad, head } = report;
  const lines = [
    `${report.count} entries verified`,
    `head     ${head.seq}:${head.hash}`,
    ...(report.proofs > 0 ? [`proofs   ${report.proofs} signatures by passkeys, each of what its entry says`] : []),
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
const remedyOf = (flaw: NonNullable<ConfiguredReport['bad']>['flaw']): string =>
  flaw === 'tail' || flaw === 'trim' || flaw === 'head' || flaw === 'proof' ? REMEDY[flaw] : REMEDY.kept;
