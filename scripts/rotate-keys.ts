/**
 * Rotates the keys that tokens, or logins to back ends, are signed with, while the broker runs. Each step is one commit of the broker, and where a rotation stands is
 * kept there alone: this program may be killed at any moment and run again, by anybody, from anywhere.
 *
 * Exit codes: 0 done · 1 refused (too early, nothing to do, somebody was faster) · 2 the broker cannot be reached · 3 usage.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { KeysStatus, RingName, StepOutcome } from '../src/operate/keys.ts';
import { operatorClient, Unreachable } from './operator-client.ts';
import { DEFAULT_SOCKET, done, duration, nextCommand, stepLines, tableOf, timeOf, why } from './rotate-keys-words.ts';

const EXIT = { done: 0, refused: 1, unreachable: 2, usage: 3 } as const;
type Step = StepOutcome['step'];
interface Options {
  readonly socket: string;
  readonly ring: RingName;
  readonly json?: true;
  readonly dryRun?: true;
  readonly wait?: true;
  readonly minAge?: number;
  readonly poll: number;
}
interface Refused {
  readonly ok: false;
  readonly step: Step;
  readonly error: string;
  readonly detail?: string;
}
interface Broker {
  status(): Promise<KeysStatus>;
  step(what: Step, version?: number): Promise<StepOutcome | Refused>;
}

function connect(options: Options): Broker {
  const call = operatorClient(options);
  const unreadable = (): Unreachable =>
    new Unreachable('no_answer', `The broker at ${options.socket} cannot answer now. Look at its log, then try again.`);
  return {
    async status() {
      const { status, body } = await call('GET', `/operator/keys${options.ring === 'tokens' ? '' : `?ring=${options.ring}`}`);
      if (status === 404)
        throw new Unreachable('no_answer', `The broker at ${options.socket} has no such keys: no back end is configured.`);
      if (status !== 200 || !isRecord(body) || !Array.isArray(body['keys'])) throw unreadable();
      return body as unknown as KeysStatus;
    },
    async step(what, version) {
      const { status, body } = await call('POST', `/operator/keys/${what}`, {
        ...(options.ring !== 'tokens' && { ring: options.ring }),
        ...(options.dryRun && { dry_run: true }),
        ...(version !== undefined && { version }),
      });
      if (!isRecord(body)) throw unreadable();
      if (status === 200 && body['ok'] === true) return body as unknown as StepOutcome;
      if (status !== 409) throw unreadable();
      return {
        ok: false,
        step: what,
        error: 'state_conflict',
        ...(typeof body['detail'] === 'string' && { detail: body['detail'] }),
      };
    },
  };
}

/** What people read goes to stdout, or with --json one object a line; what passes goes to stderr. */
function output(options: Options): { say(lines: readonly string[]): void; give(value: object): void; progress(line: string): void } {
  let told = Number.NEGATIVE_INFINITY;
  return {
    say: (lines) => {
      if (!options.json) console.log(lines.join('\n'));
    },
    give: (value) => {
      if (options.json) console.log(JSON.stringify(value));
    },
    // On a terminal one line that counts down; in a log a line now and then.
    progress: (line) => {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
      else if (line !== '' && performance.now() - told > 30_000) {
        told = performance.now();
        process.stderr.write(`${line}\n`);
      }
    },
  };
}

async function show(options: Options, what: 'status' | 'plan'): Promise<number> {
  const status = await connect(options).status();
  const { say, give } = output(options);
  give(status);
  if (what === 'status') say(tableOf(status));
  else say(stepLines(status));
  say(['', nextCommand(status, options)]);
  return EXIT.done;
}

async function one(options: Options, what: Step): Promise<number> {
  const broker = connect(options);
  const { say, give } = output(options);
  const outcome = await broker.step(what);
  give(outcome);
  if (!outcome.ok) return refused(options, outcome, await broker.status());
  say([...done(outcome, options.ring), '', ...tableOf(outcome.status), '', nextCommand(outcome.status, options)]);
  return EXIT.done;
}

function refused(options: Options, no: Refused, status: KeysStatus): number {
  if (!options.json) console.error([`Not done: ${why(no.step, no.detail, status)}`, '', nextCommand(status, options)].join('\n'));
  return EXIT.refused;
}

/** From wherever it stands: what is due, then what waits, then a new key, until only current keys are left. */
async function rotate(options: Options): Promise<number> {
  const broker = connect(options);
  const { say, give, progress } = output(options);
  const did: Step[] = [];
  const finish = (state: 'rotated' | 'fresh' | 'waiting' | 'planned', status: KeysStatus, lines: readonly string[]): void => {
    give({ ok: true, state, did, status });
    say([...lines, '', ...tableOf(status), '', nextCommand(status, options)]);
  };
  for (;;) {
    const status = await broker.status();
    const due = status.steps.find((step) => step.due && step.step === 'retire') ?? status.steps.find((step) => step.due);
    const waits = status.keys.flatMap((key) => (key.next && key.next.at > status.now ? [key.next] : [])).sort((a, b) => a.at - b.at)[0];
    let next: Step | undefined = due?.step;
    if (!next && !waits) {
      const age = status.now - Math.min(...status.keys.filter((key) => key.state === 'current').map((key) => key.since));
      if (did.length > 0) {
        finish('rotated', status, ['Rotated: new tokens are signed with the new keys, and the old ones are gone.']);
        return EXIT.done;
      }
      // A run that was killed after its last step has nothing left to do; without this, running it again would begin another rotation.
      if (age < minAge(options, status)) {
        finish('fresh', status, [
          `Nothing to do: the current keys are ${duration(age)} old, so the last rotation is complete.`,
          'To begin another one now: publish, or rotate with --min-age 0.',
        ]);
        return EXIT.done;
      }
      next = 'publish';
    }
    if (next) {
      const outcome = await broker.step(next, status.version);
      // Somebody else moved in between: look again, and go on from there.
      if (!outcome.ok && outcome.detail !== 'too_early' && (await broker.status()).version !== status.version) continue;
      give(outcome);
      if (!outcome.ok) return refused(options, outcome, await broker.status());
      say(done(outcome, options.ring));
      if (outcome.dry_run) {
        finish('planned', status, []);
        return EXIT.done;
      }
      did.push(next);
    } else if (waits) {
      if (!options.wait || options.dryRun) {
        finish('waiting', status, [
          `The rotation goes on with ${waits.step} at ${timeOf(waits.at)}, in ${duration(waits.at - status.now)}.`,
        ]);
        return did.length > 0 || options.dryRun ? EXIT.done : EXIT.refused;
      }
      await pass(waits.at - status.now, options.poll, (left) =>
        progress(`waiting for ${waits.step}: ${duration(left)} left (safe to interrupt; run this again to go on)`),
      );
      progress('');
    }
  }
}
/** Till the time has come or the state is due another look, whichever is first. */
async function pass(seconds: number, poll: number, tell: (left: number) => void): Promise<void> {
  const began = performance.now();
  const passed = (): number => (performance.now() - began) / 1000;
  const end = Math.min(seconds, poll);
  do {
    tell(Math.max(0, Math.ceil(seconds - passed())));
    await sleep(Math.min(1000, Math.max(1, (end - passed()) * 1000)));
  } while (passed() < end);
}
/** Longer than what is left of a rotation once its new keys sign, so that none is taken for a finished one. Seconds. */
const minAge = (options: Options, { timing }: KeysStatus): number => options.minAge ?? timing.maxTokenSeconds + timing.skewSeconds + 3600;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function seconds(text: string): number {
  if (!/^\d{1,9}(\.\d{1,3})?$/.test(text)) throw new InvalidArgumentError('Give seconds, as a number.');
  return Number(text);
}

function program(finish: (code: number) => void): Command {
  const root = new Command('rotate-keys')
    .description('Rotates the keys that tokens are signed with, step by step, while the broker runs.')
    .option('--socket <path>', "the broker's operator socket", DEFAULT_SOCKET)
    .addOption(
      new Option('--ring <name>', 'the keys of tokens, or of the logins to back ends').choices(['tokens', 'backends']).default('tokens'),
    )
    .option('--json', 'print JSON, one object a line')
    .addHelpText(
      'after',
      `
A rotation: publish, wait until every verifier has the new keys, activate, wait until the last old token has ended, retire.
Where it stands is kept by the broker, so a run that was interrupted goes on where it was when it is run again.
Exit codes: 0 done, 1 refused, 2 the broker cannot be reached, 3 usage.`,
    );
  const command = (name: string, text: string, run: (options: Options) => Promise<number>): Command =>
    root
      .command(name)
      .description(text)
      .action(async (_: unknown, self: Command) =>
        finish(await run({ poll: 15, ...self.optsWithGlobals<Partial<Options> & { socket: string; ring: RingName }>() })),
      );
  const dry = ['--dry-run', 'say what would be done, and do nothing'] as const;

  command('status', 'the keys, each with what it waits for', (options) => show(options, 'status'));
  command('plan', 'the steps, each with whether and when it is possible', (options) => show(options, 'plan'));
  command('publish', 'show a next key of each algorithm to verifiers; it does not sign yet', (o) => one(o, 'publish')).option(...dry);
  command('activate', 'sign with the next keys; the current ones retire', (o) => one(o, 'activate')).option(...dry);
  command('retire', 'end the retiring keys, once their last token has ended', (o) => one(o, 'retire')).option(...dry);
  command('emergency', 'distrust every key and sign with new ones at once; tokens outstanding fail', (o) => one(o, 'emergency')).option(
    ...dry,
  );
  command('rotate', 'a whole rotation, from wherever it stands', rotate)
    .option(...dry)
    .option('--wait', 'wait for each step; otherwise do what is due now')
    .option('--min-age <seconds>', 'begin a new rotation only if the current keys are older (default: a rotation and an hour)', seconds)
    .option('--poll <seconds>', 'while waiting, look again this often', seconds, 15);
  for (const each of [root, ...root.commands]) each.exitOverride().showHelpAfterError();
  return root;
}

try {
  await program((code) => {
    process.exitCode = code;
  }).parseAsync();
} catch (fault) {
  if (fault instanceof CommanderError) process.exitCode = fault.exitCode === 0 ? EXIT.done : EXIT.usage;
  else if (fault instanceof Unreachable) {
    console.error(fault.message);
    if (process.argv.includes('--json')) console.log(JSON.stringify({ ok: false, error: fault.code }));
    process.exitCode = EXIT.unreachable;
  } else throw fault;
}
