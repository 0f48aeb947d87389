/** `npm run faults:brokers -- --only dead stalled --times 20 --json`: whole brokers, real exchanges; without names every fault. */
import { test } from 'node:test';
import { Command, Option } from 'commander';
import { median } from '../bench/figure.ts';
import { skipUnless } from '../services/provision.ts';
import { FAULTS, type FaultName } from './broker-faults.ts';
import { runFault, type Summary, slowBack } from './brokers.ts';

const NAMES = Object.keys(FAULTS) as FaultName[];
const { only, times, json } = new Command('faults:brokers')
  .description('Faults of Redis and of brokers, at random moments, under load; what clients were told is compared with the ledger.')
  .addOption(new Option('--only <names...>', 'these alone').choices(NAMES))
  .option('--times <count>', 'moments of each', Number, 20)
  .option('--json', 'print each summary as JSON')
  .parse()
  .opts<{ only?: FaultName[]; times: number; json?: true }>();
const skip = await skipUnless('redis', 'faketime');

for (const name of only ?? NAMES)
  test(`${name}: ${FAULTS[name].about}, at ${times} moments`, { skip }, async () => {
    const summary = await runFault(name, times, (text) => void process.stderr.write(`${name}: ${text}\n`));
    process.stdout.write(json ? `${JSON.stringify(summary)}\n` : told(summary));
  });

function told(summary: Summary): string {
  const { fault, asked, granted, unavailable, lost, entries, refusals, slowestMs, late, backMs, replayed, notes, parts, reasons } = summary;
  const lines = [
    `${fault}: ${asked} asked, ${granted} granted, ${unavailable} told 503, ${lost} answers lost, ${entries} entries, ${replayed} shown again and refused`,
    `  nothing lost, nothing twice, no orphan, no budget overspent, chains verify`,
    ...(refusals > 0 ? [`  ${refusals} refusals by a broker that knew: slowest ${Math.round(slowestMs)} ms, ${late} over 100 ms`] : []),
    `  granting again after ${Math.round(median(backMs))} ms (median), ${Math.round(Math.max(...backMs))} ms (worst), ${slowBack(summary)} over 2 s`,
    ...Object.entries(parts).map(([part, times]) => `  ${part} after ${median(times)} ms (median), ${Math.max(...times)} ms (worst)`),
    ...(Object.keys(reasons).length > 0
      ? [
          `  in the ledger: ${Object.entries(reasons)
            .map(([what, count]) => `${count} × ${what}`)
            .join(', ')}`,
        ]
      : []),
    ...(notes.length > 0 ? [`  ${[...new Set(notes)].slice(0, 12).join('; ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}
