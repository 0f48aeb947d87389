/** `npm run bench`: every figure of the proving ground in one run, as ratios within it. Asserts nothing; exit code 1 if something could not be measured. */
import { Command, Option } from 'commander';
import { type Figure, meets } from './figure.ts';
import { backends } from './figure-backends.ts';
import { brokers } from './figure-brokers.ts';
import { consoles } from './figure-console.ts';
import { exchange } from './figure-exchange.ts';
import { latency } from './figure-latency.ts';
import { ledger } from './figure-ledger.ts';
import { noisy } from './figure-noisy.ts';
import { peer } from './figure-peer.ts';
import { policy } from './figure-policy.ts';
import { profile } from './figure-profile.ts';
import { comeback } from './figure-return.ts';
import { revocation } from './figure-revocation.ts';
import { scale } from './figure-scale.ts';
import { start } from './figure-start.ts';
import { verifier } from './figure-verifier.ts';
import { machine } from './machine.ts';
import { type Outcome, printTable } from './table.ts';

const FIGURES: readonly Figure[] = [
  exchange,
  policy,
  peer,
  latency,
  scale,
  verifier,
  start,
  ledger,
  backends,
  noisy,
  brokers,
  comeback,
  revocation,
  consoles,
];

const command = new Command('bench')
  .description('Measures the broker, in ratios within this run. Figures are told, not asserted.')
  .addOption(new Option('--only <names...>', 'these figures alone').choices(FIGURES.map((figure) => figure.name)))
  .option('--quick', 'fewer rounds, smaller sizes')
  .option('--long', 'the sizes and times of the targets: a million entries, ten minutes')
  .option('--profile', 'where the time of one exchange goes, by stage, and nothing else')
  .option('--json', 'print JSON')
  .parse();
const options = command.opts<{ only?: string[]; quick?: true; long?: true; profile?: true; json?: true }>();
const chosen = options.profile ? [profile] : FIGURES.filter(({ name }) => options.only?.includes(name) ?? true);

const about = machine();
const said = `${about.cpu}, ${about.cores} cores, ${about.memoryGb} GB, Node ${about.node}, ${about.system}, load average ${about.load} at the start`;
process.stderr.write(`${said}\n`);
process.on('SIGINT', () => process.exit(130));
const outcomes: Outcome[] = [];
const started = performance.now();
for (const figure of chosen) outcomes.push(await measure(figure));

const failed = outcomes.filter(({ fault }) => fault !== undefined);
if (options.json) console.log(JSON.stringify({ machine: about, figures: outcomes.map(judged) }, null, 2));
else console.log(`${said}\n\n${printTable(outcomes)}\n${summary()}`);
process.exit(failed.length > 0 ? 1 : 0);

async function measure(figure: Figure): Promise<Outcome> {
  const { name, about } = figure;
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  let text = 'starting';
  const say = (): void => void process.stderr.write(`${name.padEnd(9)} ${seconds().toFixed(0).padStart(4)} s  ${text}\n`);
  say();
  const ticking = setInterval(say, 2_000);
  const run = {
    quick: options.quick ?? false,
    long: options.long ?? false,
    tell: (now: string): void => {
      text = now;
    },
  };
  try {
    return { name, about, measured: await figure.measure(run), seconds: seconds() };
  } catch (fault) {
    process.stderr.write(`${fault instanceof Error ? fault.stack : String(fault)}\n`);
    return { name, about, fault: fault instanceof Error ? (fault.message.split('\n')[0] ?? '') : String(fault), seconds: seconds() };
  } finally {
    clearInterval(ticking);
  }
}
function judged(outcome: Outcome): object {
  return {
    ...outcome,
    measured: outcome.measured && { ...outcome.measured, rows: outcome.measured.rows.map((row) => ({ ...row, met: meets(row) })) },
  };
}
function summary(): string {
  const rows = outcomes.flatMap((outcome) => outcome.measured?.rows ?? []).filter((row) => row.target);
  const missed = rows.filter((row) => meets(row) === false);
  const minutes = (performance.now() - started) / 60_000;
  return `${rows.length - missed.length} of ${rows.length} targets met, ${failed.length} figures not measured, ${minutes.toFixed(1)} minutes`;
}
