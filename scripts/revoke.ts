/**
 * The kill switch. Halts an agent, a person, an owner, a server, a tool or everything, or ends one action, and says what that leaves out.
 *
 * Exit codes: 0 done, nothing is left · 1 refused · 2 the broker cannot be reached · 3 usage · 4 done, and some credentials live on until the time shown.
 */
import { Command, CommanderError } from 'commander';
import type { Halt, Outstanding, RevokeOutcome, RevokeScope } from '../src/operate/revoke.ts';
import { operatorClient, Unreachable, wholeList } from './operator-client.ts';

const EXIT = { done: 0, refused: 1, unreachable: 2, usage: 3, left: 4 } as const;
interface Options {
  readonly socket: string;
  readonly reason?: string;
  readonly list?: true;
  readonly undo?: true;
  readonly dryRun?: true;
  readonly json?: true;
  readonly all?: true;
  readonly agent?: string;
  readonly subject?: string;
  readonly owner?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly action?: string;
}
const NAMED = ['agent', 'subject', 'owner', 'server', 'tool', 'action'] as const;

function program(): Command {
  return new Command('revoke')
    .description('Halts whoever or whatever is named, at once and on every broker of the store, until it is undone.')
    .option('--agent <id>', 'an agent: as client or as actor')
    .option('--subject <id>', 'whoever is acted for, such as people:u_bob')
    .option('--owner <id>', 'every agent of an owner, such as people:u_alice')
    .option('--server <id>', 'a tool server')
    .option('--tool <server/tool>', 'one tool of it')
    .option('--action <id>', 'one action or token: txn_…, tok_… or exc_…')
    .option('--all', 'everything')
    .option('--reason <text>', 'why: it stands in the ledger')
    .option('--undo', 'lifts a halt; what was revoked stays revoked')
    .option('--list', 'what is halted now, by whom and why')
    .option('--dry-run', 'what it would leave out; changes nothing')
    .option('--socket <path>', "the broker's operator socket", './data/operator.sock')
    .option('--json', 'one JSON object')
    .exitOverride();
}

async function main(): Promise<number> {
  const command = program();
  try {
    command.parse();
  } catch (fault) {
    return fault instanceof CommanderError && fault.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  const options = command.opts<Options>();
  try {
    if (options.list) return await list(options);
    const what = targetOf(options);
    if (!what || options.reason === undefined) {
      console.error(
        what
          ? 'Say why: --reason "…" stands in the ledger.'
          : 'Name one: --agent, --subject, --owner, --server, --tool, --action or --all.',
      );
      return EXIT.usage;
    }
    return options.undo ? await undo(options, what) : await revoke(options, what);
  } catch (fault) {
    if (!(fault instanceof Unreachable)) throw fault;
    if (options.json) console.log(JSON.stringify({ ok: false, error: fault.code }));
    console.error(fault.message);
    return EXIT.unreachable;
  }
}
interface Target {
  readonly scope: RevokeScope;
  readonly target: string;
}
/** Exactly one: two halts are two acts. */
function targetOf(options: Options): Target | undefined {
  const named = NAMED.flatMap((scope): Target[] => (options[scope] === undefined ? [] : [{ scope, target: options[scope] }]));
  const all: readonly Target[] = [...named, ...(options.all ? [{ scope: 'all', target: '' } as const] : [])];
  return all.length === 1 ? all[0] : undefined;
}

async function revoke(options: Options, what: Target): Promise<number> {
  if (process.stderr.isTTY) process.stderr.write('halting, and looking for what is out …\r');
  const { status, body } = await operatorClient(options)('POST', '/operator/revocations', {
    ...what,
    reason: options.reason,
    ...(options.dryRun && { dry_run: true }),
  });
  if (status !== 200) return refused(options, what, body);
  const outcome = body as RevokeOutcome;
  if (options.json) console.log(JSON.stringify(outcome));
  else for (const line of wordsOf(outcome)) console.log(line);
  return !outcome.dry_run && outcome.counts.dies + outcome.counts.unknown > 0 ? EXIT.left : EXIT.done;
}
async function undo(options: Options, what: Target): Promise<number> {
  const { status, body } = await operatorClient(options)('POST', '/operator/revocations/undo', { ...what, reason: options.reason });
  if (status !== 200) return refused(options, what, body);
  console.log(options.json ? JSON.stringify(body) : `${nameOf(what)} is no longer halted.`);
  return EXIT.done;
}
async function list(options: Options): Promise<number> {
  const { body } = await wholeList(operatorClient(options), '/operator/revocations', 'halts');
  const { halts } = body as { readonly halts: readonly Halt[] };
  if (options.json) console.log(JSON.stringify({ halts }));
  else if (halts.length === 0) console.log('Nothing is halted.');
  else for (const { at, by, reason, ...what } of halts) console.log(`${time(at)}  ${nameOf(what)}  by ${by}: ${printable(reason)}`);
  return EXIT.done;
}
function refused(options: Options, what: Target, body: unknown): number {
  const { error, detail } = (body ?? {}) as { readonly error?: string; readonly detail?: string };
  if (options.json) console.log(JSON.stringify({ ok: false, error: error ?? 'no_answer', ...(detail && { detail }) }));
  else if (error === 'state_conflict') console.error(`${nameOf(what)} is halted already. See it with --list.`);
  else if (error === 'not_found')
    console.error(
      options.undo
        ? `${nameOf(what)} is not halted. See what is with --list.`
        : `There is no ${nameOf(what)} here. Nothing was halted: look at the name.`,
    );
  else console.error('The broker refused. Look at its log.');
  return EXIT.refused;
}

const nameOf = ({ scope, target }: Target): string => (scope === 'all' ? 'everything' : `${scope} ${printable(target)}`);
function wordsOf(outcome: RevokeOutcome): readonly string[] {
  const { counts, outstanding, dry_run: dry } = outcome;
  const head = dry
    ? `Would halt ${nameOf(outcome)}. Out now:`
    : `${outcome.scope === 'action' ? 'Ended' : 'Halted'}: ${nameOf(outcome)}, from ${time(outcome.at)}.`;
  if (outstanding.length === 0) return [head, dry ? 'nothing.' : 'No credential was out.'];
  const rows = outstanding.map((one) => [stateOf(one, dry), one.kind, one.client, one.subject, one.tool ?? 'list', one.txn]);
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  const table = rows.map(
    (row) =>
      `  ${row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd()}`,
  );
  const tail = dry
    ? []
    : [`${counts.revoked} revoked, ${counts.dies} cannot be called back and die at the time shown, ${counts.unknown} not yet known.`];
  return [head, ...table, ...tail];
}
function stateOf({ state, exp }: Outstanding, dry: boolean): string {
  if (dry) return `good until ${time(exp)}`;
  if (state === 'revoked') return 'revoked';
  return state === 'dies' ? `cannot be revoked — dies at ${time(exp)}` : `unknown — at the latest ${time(exp)}`;
}
const time = (at: number): string => new Date(at * 1000).toISOString().replace('.000Z', 'Z');
/** Names come from others: none of them moves an operator's cursor. */
const printable = (text: string): string => text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');

process.exitCode = await main();
