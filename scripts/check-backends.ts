/**
 * Tries what is registered of back ends, through the running broker: for each registration one credential is made, used where a command for
 * that is given, ended, and used again, which must fail then. Says what it could and could not do, and which standing secret it found.
 *
 * Exit codes: 0 all was tried and nothing stands · 1 something failed, or a secret stands · 2 the broker cannot be reached · 3 usage.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { BackendsStatus, EndedLease, RegistrationStatus, Tried } from '../src/operate/backends.ts';
import { materials, sampleOf } from './check-backends-sample.ts';
import { type Answer, type OperatorClient, operatorClient, Unreachable } from './operator-client.ts';

const EXIT = { done: 0, failed: 1, unreachable: 2, usage: 3 } as const;
interface Options {
  readonly socket: string;
  readonly json?: true;
  readonly use: ReadonlyMap<string, string>;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly only: readonly string[];
}
/** Of one registration. `used`: absent where no command was given for it. */
interface Report {
  readonly server: string;
  readonly tool: string;
  readonly kind: string;
  readonly where: string;
  readonly minted: boolean;
  readonly ended?: 'revoked' | 'dies' | 'not yet';
  readonly used?: { readonly alive: boolean; readonly deadAfter: boolean };
  readonly seconds?: number;
  readonly milliseconds?: number;
  readonly notes: readonly string[];
  readonly ok: boolean;
}

async function check(options: Options): Promise<number> {
  const call = operatorClient(options);
  const { status, body } = await call('GET', '/operator/backends');
  if (status !== 200) throw new Unreachable('no_answer', `The broker at ${options.socket} cannot say what is registered. Look at its log.`);
  const { backends, registrations, environment } = body as BackendsStatus;
  const chosen = registrations.filter(({ server, tool, kind }) => isChosen(options.only, [kind, `${server}.${tool}`, server]));
  const reports: Report[] = [];
  for (const registration of chosen) reports.push(await tryOne(call, registration, options));
  const standing = [
    ...backends
      .filter((one) => one.standing)
      .map(({ kind }) => `${kind}: the broker works by keys that stand, in place of a login for each action`),
    ...registrations
      .filter((one) => one.standing)
      .map(({ server, tool, kind, where }) => `${server}.${tool} (${kind}, ${where}): what it is given was there before and lives on`),
    ...environment.map((name) => `${name}: in the environment of the broker`),
    ...aroundHere(),
  ];
  const away = backends.filter((one) => !one.ready).map(({ kind, detail }) => `${kind}: ${detail}`);
  const isOk = standing.length === 0 && away.length === 0 && reports.every((report) => report.ok);
  if (options.json) console.log(JSON.stringify({ ok: isOk, backends, registrations: reports, standing }));
  else for (const line of words(backends, reports, standing, away)) console.log(line);
  return isOk ? EXIT.done : EXIT.failed;
}
const isChosen = (only: readonly string[], names: readonly string[]): boolean =>
  only.length === 0 || names.some((name) => only.includes(name));

async function tryOne(call: OperatorClient, registration: RegistrationStatus, options: Options): Promise<Report> {
  const { server, tool, kind, where, schema, hidden } = registration;
  const command = options.use.get(`${server}.${tool}`) ?? options.use.get(kind);
  const notes: string[] = [];
  const args = options.arguments[`${server}.${tool}`] ?? options.arguments[tool] ?? sampleOf(schema);
  const body = { server, tool, kind, ...(!hidden && { arguments: args }), ...(command !== undefined && { show: true }) };
  const named = { server, tool, kind, where };

  let answer = await call('POST', '/operator/backends/mint', body);
  if (wants(answer, 'material'))
    for (const { what, material } of materials()) {
      if (!wants(answer, 'material')) break;
      answer = await call('POST', '/operator/backends/mint', { ...body, material });
      if (answer.status === 200) notes.push(`with ${what} of its own`);
    }
  if (answer.status !== 200) return { ...named, minted: false, notes: [...notes, whyNot(answer)], ok: false };
  const { lease, credential, seconds, milliseconds } = answer.body as Tried;
  const isAlive = command !== undefined && credential !== undefined && (await run(command, credential));
  const ended = lease === undefined ? 'dies' : await end(call, lease);
  const isDead = ended === 'revoked' && command !== undefined && credential !== undefined && !(await run(command, credential));
  if (command === undefined) notes.push(`not used: give --use ${server}.${tool}=<command>, which reads it from its standard input`);
  else if (!isAlive) notes.push('the command could not use it');
  if (ended === 'dies') notes.push(`its back end takes nothing back: it dies within ${seconds} s`);
  else if (ended === 'not yet') notes.push('its end is tried again and again: see GET /operator/leases');
  else if (command !== undefined && isAlive && !isDead) notes.push('the command could still use it after its end');
  const used = command === undefined ? {} : { used: { alive: isAlive, deadAfter: isDead } };
  const isOk = ended !== 'not yet' && (command === undefined || (isAlive && (isDead || ended === 'dies')));
  return { ...named, minted: true, ended, ...used, seconds, milliseconds, notes, ok: isOk };
}
async function end(call: OperatorClient, lease: string): Promise<'revoked' | 'dies' | 'not yet'> {
  const { status, body } = await call('POST', `/operator/leases/${lease}/end`, {});
  if (status !== 200) return 'not yet';
  const { state, isFree } = body as EndedLease;
  return state !== 'gone' ? 'not yet' : isFree ? 'revoked' : 'dies';
}

const detailOf = ({ body }: Answer): string | undefined => {
  const { detail } = (body ?? {}) as { detail?: unknown };
  return typeof detail === 'string' ? detail : undefined;
};
const wants = (answer: Answer, what: string): boolean => answer.status === 400 && detailOf(answer) === what;
function whyNot(answer: Answer): string {
  const { error, error_description: text } = (answer.body ?? {}) as { error?: string; error_description?: string };
  if (error === 'invalid_authorization_details') return 'no arguments could be made up for it: give --arguments {"<tool>": {…}}';
  return [`not made: ${text ?? answer.status}`, detailOf(answer)].filter(Boolean).join(' ');
}

/** The operator's own command; what it is given it reads, as the tool would, and it says by its exit code whether it works. */
const run = (command: string, credential: string): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['pipe', 'ignore', 'inherit'], timeout: 30_000 });
    child.on('error', () => resolve(false)).on('close', (code) => resolve(code === 0));
    child.stdin.on('error', () => undefined).end(Buffer.from(credential, 'base64url'));
  });

/** Where other programs of this user keep secrets for back ends: none of them is needed here. */
function aroundHere(): readonly string[] {
  const files = ['.vault-token', '.aws/credentials'].filter((name) => existsSync(join(homedir(), name)));
  return files.map((name) => `~/${name}: a file of the user who runs this`);
}

function words(
  backends: BackendsStatus['backends'],
  reports: readonly Report[],
  standing: readonly string[],
  away: readonly string[],
): readonly string[] {
  const lines = backends.map(({ kind, ready, detail }) => `${ready ? 'good' : 'BAD '}  ${kind}: ${detail}`);
  for (const { server, tool, kind, where, minted, used, ended, milliseconds, notes, ok } of reports) {
    const did = [minted && `made in ${milliseconds} ms`, used?.alive && 'used', ended === 'revoked' && 'ended', used?.deadAfter && 'dead'];
    lines.push(
      '',
      `${ok ? 'good' : 'BAD '}  ${server}.${tool}: ${kind}, ${where}`,
      ...[did.filter(Boolean).join(', '), ...notes].filter(Boolean).map((line) => `      ${line}`),
    );
  }
  if (reports.length === 0) lines.push('Nothing is registered: no tool of the bundle in force has a credential of a back end.');
  lines.push(
    '',
    ...(standing.length === 0 ? ['No standing secret was found.'] : ['Standing secrets:', ...standing.map((line) => `  ${line}`)]),
  );
  return away.length === 0 ? lines : [...lines, '', 'Back ends that are not ready:', ...away.map((line) => `  ${line}`)];
}

function pair(text: string, earlier: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give <kind or server.tool>=<command>.');
  return new Map([...earlier, [text.slice(0, at), text.slice(at + 1)]]);
}
function object(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new InvalidArgumentError('Give a JSON object.');
  }
}
const command = new Command('check-backends')
  .description('Makes, uses and ends one credential of each registration, and looks for secrets that stand.')
  .argument('[only...]', 'a kind, a server, or server.tool; absent: all')
  .option('--socket <path>', "the broker's operator socket", './data/operator.sock')
  .option('--use <name=command>', 'how to use what a kind or a tool is given; it stands on its standard input as JSON', pair, new Map())
  .option('--arguments <json>', 'arguments by tool, where none can be made up: {"export_orders":{"customer_id":"c_1"}}', object, {})
  .option('--json', 'one JSON object')
  .exitOverride()
  .showHelpAfterError();
try {
  command.parse();
  process.exitCode = await check({ ...command.opts<Omit<Options, 'only'>>(), only: command.args });
} catch (fault) {
  if (fault instanceof CommanderError) process.exitCode = fault.exitCode === 0 ? EXIT.done : EXIT.usage;
  else if (fault instanceof Unreachable) {
    console.error(fault.message);
    if (process.argv.includes('--json')) console.log(JSON.stringify({ ok: false, error: fault.code }));
    process.exitCode = EXIT.unreachable;
  } else throw fault;
}
