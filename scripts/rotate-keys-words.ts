/** Keys and steps as people read them. Constant words around names and times; no I/O. */
import type { KeysStatus, RingName, StepOutcome } from '../src/operate/keys.ts';

export const DEFAULT_SOCKET = './data/operator.sock';
/** By npm it runs on the Node of this repository, whichever the machine has. */
const COMMAND = 'npm run rotate-keys --';
type Step = StepOutcome['step'];

export const timeOf = (at: number): string => new Date(at * 1000).toISOString().replace('T', ' ').replace('.000Z', ' UTC');

export function duration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [Math.floor(seconds) % 60, 's'],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).slice(0, 2);
  return shown.length === 0 ? '0 s' : shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}
const from = (at: number, now: number): string => (at <= now ? 'now' : `at ${timeOf(at)}, in ${duration(at - now)}`);

const MEANING = {
  next: 'published, does not sign yet',
  current: 'signs',
  retiring: 'signs no more, still verifies',
  gone: 'ended; its name is never used again',
  distrusted: 'ended in an emergency; its tokens are not believed',
} as const;

/** Living keys, then the last few that ended. */
export function tableOf(status: KeysStatus): readonly string[] {
  const over = (state: string): boolean => state === 'gone' || state === 'distrusted';
  const living = status.keys.filter((key) => !over(key.state));
  const ended = status.keys.filter((key) => over(key.state));
  const shown = [...living, ...ended.slice(-4)];
  const rows = shown.map((key) => [
    key.kid,
    key.alg,
    key.state,
    timeOf(key.since),
    key.next ? `${key.next.step} ${from(key.next.at, status.now)}` : MEANING[key.state],
  ]);
  const more = ended.length - 4;
  return [
    ...columns([['KEY', 'ALG', 'STATE', 'SINCE', 'WHAT IS NEXT'], ...rows]),
    ...(more > 0 ? [`and ${more} more that ended before`] : []),
  ];
}
export function stepLines(status: KeysStatus): readonly string[] {
  const rows = status.steps.map((step) => [
    step.step,
    step.due ? 'due now' : step.possible ? 'possible' : 'no',
    step.possible ? EFFECT[step.step] : why(step.step, step.detail, status),
  ]);
  return columns([['STEP', 'NOW', 'WHAT IT DOES, OR WHY NOT'], ...rows]);
}
const EFFECT: Readonly<Record<Step, string>> = {
  publish: 'shows a next key of each algorithm to verifiers',
  activate: 'signs with the next keys; the current ones retire',
  retire: 'ends the retiring keys',
  emergency: 'distrusts every key and signs with new ones at once; tokens outstanding fail',
};

export function done(outcome: StepOutcome, ring: RingName): readonly string[] {
  const head = outcome.dry_run ? `${outcome.step}: would do this, and did nothing` : `${outcome.step}: done`;
  const after = outcome.step === 'emergency' && !outcome.dry_run ? [AFTER_EMERGENCY[ring]] : [];
  return [head, ...outcome.changed.map(({ kid, alg, from: was, to }) => `  ${alg} ${kid}: ${was ?? 'new'} → ${to}`), ...after];
}
const AFTER_EMERGENCY: Readonly<Record<RingName, string>> = {
  tokens: '  Tool servers refuse the old keys once they fetch /jwks again: at the first new token, at the latest after its max-age.',
  backends: '  Back ends refuse the old keys once they fetch /backends/jwks again: most do at the first new login.',
};

/** Why a step is refused. `detail`: the broker's code; without one, what the state says. */
export function why(step: Step, detail: string | undefined, status: KeysStatus): string {
  const planned = status.steps.find((one) => one.step === step);
  switch (detail ?? planned?.detail) {
    case 'too_early':
      return planned?.at === undefined ? 'it is too early' : `too early; possible ${from(planned.at, status.now)}`;
    case 'already_published':
      return 'next keys are published already';
    case 'nothing_to_do':
      return step === 'activate' ? 'there is no next key; publish first' : step === 'retire' ? 'no key is retiring' : 'there are no keys';
    default:
      return 'somebody else changed the keys in the meantime; look again';
  }
}

/** The one command that goes on from here. */
export function nextCommand(status: KeysStatus, options: { readonly socket: string; readonly ring: RingName }): string {
  const { socket, ring } = options;
  const where = `${ring === 'tokens' ? '' : ` --ring ${ring}`}${socket === DEFAULT_SOCKET ? '' : ` --socket ${socket}`}`;
  const command = (rest: string): string => `${COMMAND} ${rest}${where}`;
  const due = status.steps.find((step) => step.due);
  if (due) return `Next: ${command(due.step)}`;
  const waits = status.keys.flatMap((key) => (key.next ? [key.next] : [])).sort((a, b) => a.at - b.at)[0];
  if (waits)
    return `Next: ${command(waits.step)}   ${from(waits.at, status.now)}\n      ${command('rotate --wait')}   does that and all that follows`;
  return `Next: ${command('rotate --wait')}   when the keys shall change`;
}

function columns(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}
