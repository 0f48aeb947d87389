/** Real actions, end to end. Exit code 0 only if every step did what it says; 2 where what it needs is not here. */
import { Command } from 'commander';
import { narrator } from './demo/narrator.ts';

const options = new Command('demo')
  .description('Shows one real action end to end, and what is tried against it.')
  .option('--backends', 'instead, what a tool gets from Vault and STS for one action: needs Vault, PostgreSQL and MinIO here')
  .option('--console', 'instead, a busy few minutes of a dozen agents, and a link into the console')
  .option('--json', 'the same as NDJSON')
  .parse()
  .opts<{ backends?: true; console?: true; json?: true }>();
const began = performance.now();
const tell = narrator({ json: options.json === true });
// Loaded by need: what one of them imports costs the other's start.
const missing = options.backends
  ? await (await import('./demo/backends.ts')).backEnds(tell)
  : options.console
    ? await (await import('./demo/console-day.ts')).consoleDay(tell)
    : await (await import('./demo/one-action.ts')).oneAction(tell);
if (missing === undefined) {
  tell.end((performance.now() - began) / 1000);
  process.exitCode = tell.failures.length === 0 ? 0 : 1;
} else {
  for (const line of missing) console.error(line);
  process.exitCode = 2;
}
