/**
 * What waits for people: lists it, shows one action as it would run, and says yes or no to it in somebody's name. Takes away the passkeys of whoever
 * has lost them.
 *
 * Exit codes: 0 done · 1 refused · 2 the broker cannot be reached · 3 usage.
 */
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import type { ShownApproval } from '../src/operate/approvals.ts';
import type { ShownFatigue } from '../src/operate/fatigue.ts';
import type { ShownPasskey } from '../src/operate/passkeys.ts';
import { listWords, printable, showWords } from './approvals-words.ts';
import { fatigueWords } from './fatigue-words.ts';
import { type Answer, operatorClient, Unreachable, wholeList } from './operator-client.ts';

const EXIT = { done: 0, refused: 1, unreachable: 2, usage: 3 } as const;
interface Options {
  readonly socket: string;
  readonly json?: true;
  readonly state?: string;
  readonly as?: string;
  readonly reason?: string;
  readonly steps?: readonly number[];
}
type Act = (options: Options, id: string) => Promise<number>;

function program(run: (act: Act, options: Options, id: string) => Promise<void>): Command {
  const root = new Command('approvals').description('Actions of agents that people must agree to.').exitOverride();
  const common = (name: string, text: string): Command =>
    root
      .command(name)
      .description(text)
      .option('--socket <path>', "the broker's operator socket", './data/operator.sock')
      .option('--json', 'as JSON')
      .exitOverride();
  common('list', 'what waits now')
    .option('--state <state>', 'pending, approved, redeemed, denied, expired or cancelled')
    .action((options: Options) => run(list, options, ''));
  common('fatigue', 'how fast people decide, what they always agree to, and rules that could take its place').action((options: Options) =>
    run(fatigue, options, ''),
  );
  common('show', 'one of them, with the arguments it would run with')
    .argument('<id>', 'apr_…')
    .action((id: string, options: Options) => run(show, options, id));
  for (const [name, text] of [
    ['approve', 'say yes in the name of a person who has looked at it'],
    ['deny', 'say no in the name of a person; it stands'],
    ['confirm', 'say yes in the name of the person it is done for, where a rule asks them'],
  ] as const) {
    const command = common(name, text)
      .argument('<id>', 'apr_…')
      .requiredOption('--as <person>', 'who decides, such as people:u_alice; the ledger holds that you said so')
      .requiredOption('--reason <text>', 'why: it stands in the ledger')
      .action((id: string, options: Options) => run((own, which) => vote(name, own, which), options, id));
    if (name !== 'deny')
      command.option('--steps <list>', 'of a plan: the steps that are agreed to, such as 0,2; without it all of them', stepsOf);
  }
  common('reset-passkeys', 'take away all passkeys of a person who has lost them; they register a new one by their login alone')
    .argument('<person>', 'such as people:u_alice')
    .requiredOption('--reason <text>', 'how you know that it is them: it stands in the ledger')
    .action((person: string, options: Options) => run(resetPasskeys, options, person));
  return root;
}

/** Numbers with commas between them. */
function stepsOf(text: string): readonly number[] {
  if (!/^\d{1,2}(,\d{1,2})*$/.test(text)) throw new InvalidArgumentError('such as 0,2');
  return text.split(',').map(Number);
}

async function list(options: Options): Promise<number> {
  const query = options.state === undefined ? '' : `?state=${encodeURIComponent(options.state)}`;
  const answer = await wholeList(operatorClient(options), `/operator/approvals${query}`, 'approvals');
  if (answer.status !== 200) return refused(options, answer);
  const { approvals } = answer.body as { readonly approvals: readonly ShownApproval[] };
  if (options.json) console.log(JSON.stringify({ approvals }));
  else for (const line of listWords(approvals)) console.log(line);
  return EXIT.done;
}
async function fatigue(options: Options): Promise<number> {
  const answer = await wholeList(operatorClient(options), '/operator/fatigue', 'habits');
  if (answer.status !== 200) return refused(options, answer);
  if (options.json) console.log(JSON.stringify(answer.body));
  else for (const line of fatigueWords(answer.body as ShownFatigue)) console.log(line);
  return EXIT.done;
}
async function show(options: Options, id: string): Promise<number> {
  return tell(options, await operatorClient(options)('GET', `/operator/approvals/${encodeURIComponent(id)}`));
}
async function vote(how: 'approve' | 'deny' | 'confirm', options: Options, id: string): Promise<number> {
  const confirms = how === 'confirm';
  const ballot = {
    vote: confirms ? 'approve' : how,
    as: options.as ?? '',
    reason: options.reason ?? '',
    ...(options.steps && { steps: options.steps }),
  };
  const path = `/operator/${confirms ? 'confirmations' : 'approvals'}/${encodeURIComponent(id)}`;
  return tell(options, await operatorClient(options)('POST', path, ballot));
}
async function resetPasskeys(options: Options, person: string): Promise<number> {
  const answer = await operatorClient(options)('POST', '/operator/passkeys/reset', { person, reason: options.reason ?? '' });
  if (answer.status === 404) return refused(options, { ...answer, body: { error: 'no_passkeys' } });
  if (answer.status !== 200) return refused(options, answer);
  const { removed } = answer.body as { readonly removed: readonly ShownPasskey[] };
  if (options.json) console.log(JSON.stringify({ removed }));
  else for (const { label } of removed) console.log(`removed ${printable(label)}`);
  return EXIT.done;
}
function tell(options: Options, answer: Answer): number {
  if (answer.status !== 200) return refused(options, answer);
  if (options.json) console.log(JSON.stringify(answer.body));
  else for (const line of showWords(answer.body as ShownApproval)) console.log(line);
  return EXIT.done;
}

/** What is wrong and what to do, by the detail or else the error of the answer. */
const WORDS: Readonly<Record<string, string>> = {
  not_found:
    'There is no such approval, or it does not wait for the confirmation of this person. See what waits with: npm run approvals -- list',
  own_action: 'The action is on their own behalf: somebody else must agree.',
  not_an_approver: 'This person is not among those who must agree. See who is with: npm run approvals -- show <id>',
  not_a_person: 'Name a person whom a configured issuer vouches for, such as people:u_alice. Agents decide nothing.',
  already_voted: 'This person has agreed already: another one must.',
  too_many:
    'This person has agreed to as much as one person may within the time that the configuration says. Somebody else must, or later.',
  decided: 'It has been decided, fetched or cancelled already.',
  no_such_step: 'The plan has no such steps, or nobody is asked about them. See them with: npm run approvals -- show <id>',
  out_of_order: 'This plan has an order: what comes after a step that is left out cannot run. Leave out the last ones alone.',
  proof_needed: 'Their yes must be signed by their passkey, in the console: nobody can give it in their name.',
  no_passkeys: 'This person has no passkey here, or nobody can log in to the console of this broker.',
  lapsed: 'Its time is over: the agent must ask again.',
  edited:
    'Its record was changed in the store by something that is no broker of yours. Nothing can come of it; find out who can write there.',
  invalid_request:
    'The broker did not understand this. Give a state of the list, or a reason that is not empty and has at most 500 characters.',
  access_denied: 'An agent, person, server or tool of it is halted. See what is with: npm run revoke -- --list',
};
function refused(options: Options, { body }: Answer): number {
  const { error = 'no_answer', detail = '' } = (body ?? {}) as { readonly error?: string; readonly detail?: string };
  if (options.json) console.log(JSON.stringify({ ok: false, error, ...(detail !== '' && { detail }) }));
  else console.error(WORDS[detail] ?? WORDS[error] ?? `The broker refused: ${printable(error)}. Look at its log.`);
  return EXIT.refused;
}

async function main(): Promise<number> {
  let code: number = EXIT.usage;
  const command = program(async (act, options, id) => {
    try {
      code = await act(options, id);
    } catch (fault) {
      if (!(fault instanceof Unreachable)) throw fault;
      if (options.json) console.log(JSON.stringify({ ok: false, error: fault.code }));
      else console.error(fault.message);
      code = EXIT.unreachable;
    }
  });
  try {
    await command.parseAsync();
  } catch (fault) {
    if (!(fault instanceof CommanderError)) throw fault;
    return fault.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  return code;
}

process.exitCode = await main();
