/** An approval in words for a terminal: what an agent wrote is shown, and never obeyed. */
import type { ShownApproval } from '../src/operate/approvals.ts';
import type { JsonObject } from '../src/wire/json.ts';

/** Controls, bidi marks, invisible and private characters, and whatever is no character at all. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const spell = (c: string): string => `\\u{${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}}`;
/** One line of printable text: whatever hides is spelt out. */
export const printable = (text: string): string => text.replace(HIDDEN, spell);
const MAX_SHOWN = 2_000;
/** Long text is cut where it is shown, and says so: what is decided on is its digest. */
const cut = (text: string): string =>
  text.length <= MAX_SHOWN ? text : `${text.slice(0, MAX_SHOWN)}… (${text.length} characters; see all with --json)`;
const time = (at: number): string => new Date(at * 1000).toISOString().replace('.000Z', 'Z');

export function listWords(approvals: readonly ShownApproval[]): readonly string[] {
  if (approvals.length === 0) return ['Nothing waits for anybody.'];
  const rows = approvals.map((one) => [
    one.id,
    one.state,
    printable(`${one.client} for ${one.subject}`),
    one.tool,
    `until ${time(one.until)}`,
    [...one.demand.who, ...(one.demand.confirm ? [one.subject] : [])].join(', '),
  ]);
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** From the canonical arguments alone; the stated purpose is quoted, and is nobody's word but the agent's. */
export function showWords(one: ShownApproval): readonly string[] {
  const acting = one.actors.filter((id) => id !== one.client);
  const args = argumentRows(one.arguments);
  const raw = JSON.stringify([one.arguments, one.purpose ?? '', one.steps ?? []]);
  const rows: readonly (readonly [string, string])[] = [
    ['approval', `${one.id}, ${one.state}`],
    ['who asks', `${one.client}${one.owner === undefined ? '' : `, owned by ${one.owner}`}`],
    ...(acting.length === 0 ? [] : [['through', acting.join(', ')] as const]),
    ['for', one.subject],
    ['what', one.description === undefined ? one.tool : `${one.tool} — ${one.description}`],
    ['at', one.resource],
    ...(one.steps ? stepRows(one.steps, one.ordered === true) : [['arguments', args.length === 0 ? 'none' : ''] as const, ...args]),
    ['digest', one.arguments_digest],
    ...(one.purpose === undefined ? [] : [['says why', `“${cut(one.purpose)}” — the agent's own words, not checked`] as const]),
    ['needs', needs(one.demand)],
    ...one.votes.map(
      (vote) =>
        [
          vote.vote === 'deny' ? 'denied' : vote.confirms ? 'confirmed' : 'agreed',
          `${vote.by}${vote.steps ? `, steps ${vote.steps.join(', ')}` : ''}, ${time(vote.at)}: ${vote.reason} (${vote.via})`,
        ] as const,
    ),
    ['asked', time(one.made)],
    ['until', time(one.until)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, text]) => `${name.padEnd(width)}  ${printable(text)}`.trimEnd());
  return hides(raw) ? [...lines, 'CAREFUL: it holds characters that hide or reorder text; they are spelt out above as \\u{…}.'] : lines;
}
type Row = readonly [string, string];
const argumentRows = (args: JsonObject): readonly Row[] =>
  Object.entries(args).map(([name, value]) => [`  ${printable(name)}`, cut(printable(JSON.stringify(value)))]);
/** Each with what it would run with; its number is what `--steps` takes. */
function stepRows(steps: NonNullable<ShownApproval['steps']>, ordered: boolean): readonly Row[] {
  const each = steps.flatMap((step, at): readonly Row[] => {
    const what = step.description === undefined ? step.tool : `${step.tool} — ${step.description}`;
    return [
      [
        `step ${at}`,
        `${what}; ${step.needs_approval ? step.state : `${step.state}, needs nobody`}${step.txn === undefined ? '' : `, ${step.txn}`}`,
      ],
      ['  at', step.resource],
      ...(step.arguments ? argumentRows(step.arguments) : [['  arguments', `hidden, ${step.arguments_digest}`] as const]),
      ...(step.purpose === undefined ? [] : [['  says why', `“${cut(step.purpose)}” — the agent's own words, not checked`] as const]),
    ];
  });
  return [['order', ordered ? 'each only after the one before it' : 'any'], ...each];
}
/** Others, and the person it is done for. */
function needs({ who, quorum, confirm, proof }: ShownApproval['demand']): string {
  const others = quorum > 0 ? [`${who.join(', ')}; at least ${quorum} ${quorum === 1 ? 'person' : 'people'}`] : [];
  const all = [...others, ...(confirm ? ['the confirmation of the person it is for'] : [])].join('; and ');
  return proof ? `${all}; each with a passkey, in the console` : all;
}
const hides = (text: string): boolean => text.replace(HIDDEN, '') !== text || /\\u[0-9a-f]{4}/.test(text);
