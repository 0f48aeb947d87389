/** Finds entries of the ledger by who, what, when and what became of it, at a running broker. Exit codes: 0 found · 1 nothing · 2 nobody to ask, or not understood. */
import { pathToFileURL } from 'node:url';
import { Command } from 'commander';
import type { EntriesPage } from '../src/operate/entries.ts';
import { printable, type Told } from '../src/operate/story.ts';
import { operatorClient, Unreachable } from './operator-client.ts';

const FILTERS = ['agent', 'subject', 'owner', 'tool', 'server', 'outcome', 'reason', 'policy', 'by', 'id'] as const;
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const PAGE = 200;

/** `90m`, `2d`: so long before `now`; or a date. Epoch seconds; undefined where it is neither. */
export function momentOf(text: string, now: number): number | undefined {
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== '') return Math.max(0, now - Number(count) * (UNITS[unit] ?? 1));
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) || at < 0 ? undefined : Math.floor(at / 1000);
}
/** A line an entry, newest first, printable whatever an agent wrote. */
export function tellEntries(entries: readonly Told[]): readonly string[] {
  const rows = entries.map(({ seq, entry: e }) => [
    `#${seq}`,
    new Date(e.at * 1000).toISOString().replace('.000Z', 'Z'),
    e.kind === 'refused' ? `refused: ${e.code ?? e.reason}` : e.outcome === undefined ? e.kind : `${e.kind}: ${e.outcome}`,
    e.client ?? e.by ?? '-',
    e.subject === undefined || e.subject === e.client ? '' : `for ${e.subject}`,
    e.tool ?? e.request ?? '',
    e.txn ?? e.exchange,
  ]);
  const widths = [0, 1, 2, 3, 4, 5].map((column) => Math.max(0, ...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) => printable(row.map((text, i) => text.padEnd(widths[i] ?? 0)).join('  ')).trimEnd());
}

interface Options extends Partial<Record<(typeof FILTERS)[number], string>> {
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
  readonly socket: string;
  readonly json?: true;
}
/** The address to ask; undefined: a time or number is not one. */
export function addressFor(options: Omit<Options, 'socket' | 'json'>, text: string | undefined, now: number): URLSearchParams | undefined {
  const query = new URLSearchParams();
  for (const name of FILTERS) if (options[name] !== undefined) query.set(name, options[name]);
  if (text !== undefined) query.set('q', text);
  for (const [name, said] of [
    ['from', options.since],
    ['to', options.until],
  ] as const) {
    if (said === undefined) continue;
    const at = momentOf(said, now);
    if (at === undefined) return undefined;
    query.set(name, String(at));
  }
  return /^[1-9]\d{0,5}$/.test(options.limit) ? query : undefined;
}

async function find(socket: string, query: URLSearchParams, limit: number): Promise<EntriesPage | undefined> {
  const ask = operatorClient({ socket });
  const entries: Told[] = [];
  for (;;) {
    query.set('limit', String(Math.min(PAGE, limit - entries.length)));
    const { status, body } = await ask('GET', `/operator/entries?${query}`);
    if (status !== 200) return undefined;
    const page = body as EntriesPage;
    entries.push(...page.entries);
    if (page.before === undefined || entries.length >= limit) return { ...page, entries };
    query.set('before', String(page.before));
  }
}

async function main(): Promise<number> {
  const command = new Command('search')
    .description('Finds entries of the ledger at a running broker, newest first.')
    .argument('[text]', 'an id (exc_… txn_… tok_… apr_…), or a part of a name')
    .option('--agent <id>', 'it acted, first or further down the chain')
    .option('--subject <name>', 'on whose behalf, as people:u_alice')
    .option('--owner <name>', 'who owns the agent')
    .option('--tool <name>')
    .option('--server <id>', 'its id, or its resource')
    .option(
      '--outcome <word>',
      'minted, refused, pending, approved, denied, receipt, revoked …; or what a receipt said: done, failed, not_run',
    )
    .option('--reason <code>', 'why it was refused: ours, or a policy’s own')
    .option('--policy <id>', 'a rule that decided')
    .option('--by <name>', 'who decided or operated')
    .option('--id <id>', 'all of one action')
    .option('--since <when>', '30m, 2h, 7d; or a date')
    .option('--until <when>', 'the same')
    .option('--limit <count>', 'so many at most', '50')
    .option('--socket <path>', "the broker's operator socket", './data/operator.sock')
    .option('--json', 'the entries as JSON')
    .parse();
  const options = command.opts<Options>();
  const query = addressFor(options, command.args[0], Math.floor(Date.now() / 1000));
  if (!query) {
    console.error('--since and --until: give 30m, 2h, 7d or a date such as 2026-11-21T09:00Z; --limit: a number.');
    return 2;
  }
  try {
    const page = await find(options.socket, query, Number(options.limit));
    if (!page) {
      console.error('The broker did not understand this. See `npm run search -- --help`.');
      return 2;
    }
    if (options.json) console.log(JSON.stringify(page, null, 2));
    else for (const line of tellEntries(page.entries)) console.log(line);
    if (page.indexed?.whole === false) console.error(`The index is being made: entries after #${page.indexed.through} are not found yet.`);
    if (page.before !== undefined) console.error(`There are more. Ask with a larger --limit, or --until an earlier time.`);
    if (page.entries.length > 0) return 0;
    if (!options.json) console.error('Nothing like this is in the ledger.');
    return 1;
  } catch (fault) {
    if (!(fault instanceof Unreachable)) throw fault;
    console.error(fault.message);
    return 2;
  }
}
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = await main();
