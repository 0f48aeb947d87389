/**
 * Takes a broker that is stopped from its file to Redis: ledger, keys, revocations, budgets, leases, all that stands there. Then it compares both,
 * and only then lets brokers in. It may be killed at any moment and run again: it goes on where it was. The file is read, and in the end renamed,
 * so that no broker begins on it again.
 *
 * Exit codes: 0 moved and proved · 1 something differs, or Redis went away: run it again · 2 refused, nothing was moved · 3 usage.
 */
import { existsSync, realpathSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { redisAccess } from '../src/app-backends.ts';
import { readConfig } from '../src/main.ts';
import { landOn, type Target } from '../src/store/store-redis-import.ts';
import { exportSqlite } from '../src/store/store-sqlite-export.ts';
import { lock } from '../src/store/store-sqlite-open.ts';
import { type Proof, prove } from './migrate-store-proof.ts';
import { EXIT, type Explained, Refused, runStoreCommand, type Say } from './store-command.ts';
import { verifyLedger } from './verify-ledger.ts';

interface Options {
  readonly data: string;
  readonly to: string;
  readonly anew?: true;
  readonly dryRun?: true;
  readonly json?: true;
}
export interface Moved {
  readonly state: 'moved' | 'moved before' | 'would move' | 'differs';
  readonly from: string;
  readonly counts?: { readonly entries: number; readonly keys: number; readonly members: number; readonly torn: number };
  readonly proof?: Proof;
}
const seconds = (): number => Date.now() / 1000;

async function migrate({ data, to, anew, dryRun }: Options, say: Say): Promise<Moved> {
  const { store } = readConfig(to);
  if (store.use !== 'redis')
    throw new Refused(
      'the configuration names no Redis',
      'Give the configuration with which the brokers will run: `store: { use: redis, … }`.',
    );
  const { persistence, replicas = store.url === undefined ? 1 : 0 } = store;
  const target: Target = { ...redisAccess(store, process.env), persistence, replicas };
  const moved = `${data}.moved`;
  if (!existsSync(data) && existsSync(moved)) {
    if (!dryRun) putAway(data, moved);
    return { state: 'moved before', from: moved };
  }
  if (!existsSync(data)) throw new Refused('there is no store at this path', 'Give the path of the file with --data.');

  const held = lock(data);
  try {
    say('reading the ledger');
    const report = await verifyLedger(data, { progress: (count) => say(`reading the ledger: ${count} entries`) });
    if (!report.ok)
      throw new Refused(
        'the ledger in the file does not verify',
        'Look at it with `npm run verify-ledger`; after a crash start the broker once, it sets a torn end aside.',
      );
    const source = exportSqlite(data, seconds());
    try {
      const landing = await landOn(target, source, { anew: anew ?? false });
      try {
        const { counts } = source;
        if (landing.state === 'done') {
          if (!dryRun) {
            await landing.copied();
            putAway(data, moved);
          }
          return { state: 'moved before', from: dryRun ? data : moved, counts };
        }
        if (landing.state === 'begun') say('going on where the last try was');
        if (dryRun) return { state: 'would move', from: data, counts };
        await landing.carry((stage, done, all) => say(`carrying ${stage}: ${done} of ${all}`));
        const proof = await prove(source, landing, seconds, (what, done, all) => say(`comparing ${what}: ${done} of ${all}`));
        if (!proof.ok) return { state: 'differs', from: data, counts, proof };
        await landing.finish();
        await landing.copied();
        putAway(data, moved);
        return { state: 'moved', from: moved, counts, proof };
      } finally {
        landing.close();
      }
    } finally {
      source.close();
    }
  } finally {
    held.release();
  }
}
/**
 * A broker that is started on it by mistake is told that its store is gone: what was used up there since would work again. The file goes first:
 * killed in between, it is found under its new name, and its side files follow.
 */
function putAway(data: string, moved: string): void {
  for (const side of ['', '-wal', '-shm']) if (existsSync(`${data}${side}`)) renameSync(`${data}${side}`, `${moved}${side}`);
}
function tell({ state, from, counts, proof }: Moved): string {
  const list = (of: Readonly<Record<string, number>>): string[] => Object.entries(of).map(([kind, n]) => `  ${kind.padEnd(16)} ${n}`);
  const sizes = counts
    ? [`entries ${counts.entries} · keys ${counts.keys} · amounts in budgets and caps ${counts.members} · rows set aside ${counts.torn}`]
    : [];
  if (state === 'moved before') return `This store has moved before; its file is ${from}. Nothing was done.\n`;
  if (state === 'would move' || !proof) return ['Nothing was moved. What would be:', ...sizes, ''].join('\n');
  const proved = [
    `head     ${proof.head}`,
    `digest   ${proof.digest}, over all keys`,
    'entries',
    ...list(proof.entries),
    'keys',
    ...list(proof.keys),
  ];
  if (state === 'differs')
    return [
      ...sizes,
      ...proved,
      'NOT THE SAME:',
      ...proof.differs.map((what) => `  ${what}`),
      'No broker is let in. Run it again with --anew.',
      '',
    ].join('\n');
  return [
    'Moved, and nothing was lost: both sides are the same.',
    ...sizes,
    ...proved,
    ...(proof.ended > 0 ? [`${proof.ended} keys ended meanwhile, and are gone`] : []),
    `The file is ${from} now. Start the brokers with the same key file as before: what is sealed in the store opens with no other.`,
    '',
  ].join('\n');
}

const main = (): Promise<number> =>
  runStoreCommand<Options, Moved>(
    new Command('migrate-store')
      .description('Moves the store of a broker that is stopped from its file into an empty Redis, and proves that nothing was lost.')
      .option('--data <path>', 'the store', './data/countersign.db')
      .requiredOption('--to <config>', 'the configuration that the brokers will run with: its store is the Redis')
      .option('--anew', 'throw away a half-done move that stands in that Redis, and begin again')
      .option('--dry-run', 'look at both sides, and move nothing'),
    { run: migrate, tell, code: ({ state }) => (state === 'differs' ? EXIT.bad : EXIT.done), explain },
  );
function explain(fault: unknown): Explained | undefined {
  if (fault instanceof Error && /ReplyError|ECONN|closed|timed out|Stream/i.test(`${fault.name} ${fault.message}`))
    return [EXIT.bad, ['Redis went away, or refused; what has arrived stays.', 'Run this again: it goes on where it was.']];
  return undefined;
}

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) process.exitCode = await main();
