/** A notice in plain text, for people who read mail. Every line begins with a word of ours. */
import type { Json } from '../wire/json.ts';
import type { Notice, NoticeEvent } from './notifier.ts';

const FIRST: Readonly<Record<NoticeEvent, string>> = {
  pending: 'An agent waits for people to agree',
  approved: 'People have agreed to an action',
  denied: 'An action was refused by a person',
  expired: 'An action has waited in vain',
  cancelled: 'An action that waited was ended',
  halt: 'The kill switch was used',
};
const NAMES = {
  server: 'server',
  tool: 'tool',
  of: 'steps',
  steps: 'namely',
  agent: 'agent',
  owner: 'owned by',
  through: 'through',
  subject: 'on behalf of',
  recorded: 'with',
  quorum: 'people needed',
  confirmation: 'and a yes of theirs',
  by: 'by',
  step: 'what',
  scope: 'of',
  target: 'named',
  until: 'until',
} as const;

export function mailWords({ event, link, who, facts }: Notice): { readonly subject: string; readonly text: string } {
  const about = event === 'halt' ? [facts['step'], facts['scope'], facts['target']] : [facts['tool'] ?? 'a plan', facts['agent']];
  const subject = `${FIRST[event]}: ${about.map(words).filter(Boolean).join(', ')}`;
  const rows = [
    ...Object.entries(NAMES).flatMap(([key, label]) => (facts[key] === undefined ? [] : [[label, words(facts[key])] as const])),
    ...(who.length > 0 ? [['to agree', who.join(', ')] as const] : []),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const text = [
    `${FIRST[event]}.`,
    '',
    ...rows.map(([label, value]) => `  ${label.padEnd(width)}  ${value}`),
    '',
    ...whereTo(event, link, words(facts['approval'])),
    '',
    'Nothing is decided by answering this mail, and no link in it decides anything.',
    '',
  ].join('\n');
  return { subject, text };
}
function whereTo(event: NoticeEvent, link: string | undefined, approval: string): readonly string[] {
  if (link !== undefined) return [event === 'pending' ? 'Look at it, and decide there:' : 'Look at it there:', link];
  return approval === '' ? [] : ['Its operator shows it by:', `npm run approvals -- show ${approval}`];
}
function words(value: Json | undefined): string {
  if (Array.isArray(value)) return value.map(words).join(', ');
  if (typeof value === 'object' && value !== null)
    return Object.entries(value)
      .map(([key, one]) => `${key} ${words(one)}`)
      .join(', ');
  return value === undefined || value === null ? '' : String(value);
}
