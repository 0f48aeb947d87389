/** What the commands share that take something away from a store: how they refuse, tell how far they are, and end. */
import { type Command, CommanderError } from 'commander';
import { ConfigError } from '../src/errors.ts';
import { StoreRefused } from '../src/store/store.ts';
import { LedgerUnreadable } from './verify-ledger-words.ts';

/** `bad`: something does not verify, or Redis went away. `refused`: nothing was done. */
export const EXIT = { done: 0, bad: 1, refused: 2, usage: 3 } as const;
/** Why nothing was done, and what to do: constant texts. */
export class Refused extends Error {
  readonly remedy: string;
  readonly code: number;
  constructor(message: string, remedy: string, code: number = EXIT.refused) {
    super(message);
    this.remedy = remedy;
    this.code = code;
  }
}
export type Say = (line: string) => void;
export type Explained = readonly [code: number, lines: readonly string[]];

/**
 * Reads the words of the command line, does it, prints the outcome: as JSON with `--json`, which is added here. Answers with the exit code.
 * `explain`: faults of this command alone; what nobody explains is thrown.
 */
export async function runStoreCommand<Options extends { readonly json?: true }, Done>(
  program: Command,
  parts: {
    readonly run: (options: Options, say: Say) => Promise<Done>;
    readonly tell: (done: Done) => string;
    readonly code?: (done: Done) => number;
    readonly explain: (fault: unknown) => Explained | undefined;
  },
): Promise<number> {
  program.option('--json', 'print the outcome as JSON; progress goes to stderr either way').exitOverride();
  let options: Options;
  try {
    options = program.parse().opts<Options & Record<string, unknown>>();
  } catch (fault) {
    return fault instanceof CommanderError && fault.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  try {
    const done = await parts.run(options, teller());
    process.stdout.write(options.json ? `${JSON.stringify(done)}\n` : parts.tell(done));
    return parts.code?.(done) ?? EXIT.done;
  } catch (fault) {
    const explained = explain(fault) ?? parts.explain(fault);
    if (!explained) throw fault;
    const [code, lines] = explained;
    process.stderr.write(`${lines.join('\n')}\n`);
    return code;
  }
}
function explain(fault: unknown): Explained | undefined {
  if (fault instanceof ConfigError) return [EXIT.refused, fault.problems];
  if (fault instanceof Refused) return [fault.code, [fault.message, fault.remedy]];
  if (fault instanceof StoreRefused || fault instanceof LedgerUnreadable) return [EXIT.refused, [fault.message, fault.remedy]];
  return undefined;
}
/** Each stage as it begins, and how far it is every two seconds. */
function teller(): Say {
  let [stage, told] = ['', 0];
  return (line) => {
    const of = line.split(':', 1)[0] ?? line;
    if (of === stage && performance.now() - told < 2_000) return;
    [stage, told] = [of, performance.now()];
    process.stderr.write(`${line}\n`);
  };
}
