/** What `approvals fatigue` says on a terminal. The proposed rules stand as they could be copied into a bundle. */
import type { ApproverRow, HabitRow, ShownFatigue } from '../src/operate/fatigue.ts';
import { printable } from './approvals-words.ts';

const WHY_NOT: Readonly<Record<NonNullable<HabitRow['no_proposal']>, string>> = {
  asked_too_seldom: 'it was not agreed to often enough in a row',
  denied_lately: 'somebody said no within the last 30 days',
  meant_to_be_asked: 'a confirmation, a signature or a chain of agents is meant to be asked about',
  not_in_force: 'the tool or the policy that asked is not in force any more',
  unbounded: 'it has an argument that no rule could bound',
};

export function fatigueWords({ approvers, habits }: ShownFatigue): readonly string[] {
  if (approvers.length + habits.length === 0) return ['Nobody has decided anything yet.'];
  return ['Who decides, by their latest votes', ...approvers.map(approver), '', 'What is asked', ...habits.flatMap(habit)];
}
function approver({ who, votes, approved, median_seconds, shown, quick }: ApproverRow): string {
  const quickly = shown === 0 ? 'not known when it was shown' : `${quick} of ${shown} agreed to in under 2 s after it was shown`;
  return `  ${printable(who)}  ${votes} ${votes === 1 ? 'vote' : 'votes'}, ${approved} yes; half of them within ${span(median_seconds)}; ${quickly}`;
}
function habit(row: HabitRow): readonly string[] {
  const { agent, server, tool, needs, asked, approved, denied, expired, in_a_row, median_seconds, proposal, no_proposal } = row;
  const head = `  ${printable(agent)}: ${printable(`${server}/${tool}`)}, asks ${needs.map(printable).join(', ') || 'the person acted for'}`;
  const told = `    asked ${asked} times: ${approved} yes, ${denied} no, ${expired} in vain; ${in_a_row} yes in a row${median_seconds === undefined ? '' : `; half within ${span(median_seconds)}`}`;
  if (!proposal) return [head, told, ...(no_proposal ? [`    no rule: ${WHY_NOT[no_proposal]}`] : [])];
  return [
    head,
    told,
    `    A rule could take its place until ${proposal.until}: ${proposal.bounds.map(printable).join('; ')}.`,
    '    Read it, put it into the bundle if it is right, and run npm run policies:',
    '',
    ...proposal.policy.trimEnd().split('\n').map(printable),
    '',
  ];
}
function span(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
