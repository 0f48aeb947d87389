/** How far an action came: what should have happened, and what did. Pure; knows no page. */
import { isAside } from '../../wire/asides.ts';
import type { Line } from './entry-words.ts';
import type { Tone } from './kit.ts';

export interface Step extends Line {
  readonly jkt?: string;
  readonly exp?: number;
}
export interface Told {
  readonly seq: number;
  readonly hash: string;
  readonly entry: Step;
}
export interface Stage {
  readonly name: string;
  readonly at?: number;
  readonly tone: Tone;
}
/** `now`: epoch seconds. Empty where nothing was asked for: a deed of a person. */
export function stagesOf(story: readonly Told[], now: number): readonly Stage[] {
  const entries = story.map(({ entry }) => entry);
  const of = (...kinds: readonly string[]): Step | undefined => entries.find(({ kind }) => kinds.includes(kind));
  const [first] = entries;
  const [waited, granted] = [of('pending'), of('minted')];
  const no = entries.find(({ kind, reason }) => kind === 'faulted' || (kind === 'refused' && !isAside(reason)));
  if (!first || !(waited ?? granted ?? no)) return [];
  const stages: Stage[] = [{ name: 'requested', at: first.at, tone: 'good' }];
  if (waited) {
    const approved = of('approved');
    const ended = granted ? undefined : of('denied', 'expired', 'cancelled');
    if (approved) stages.push({ name: 'approved', at: approved.at, tone: 'good' });
    if (ended) return [...stages, { name: ended.kind, at: ended.at, tone: 'bad' }];
    if (!granted) return [...stages, { name: approved ? 'to be fetched' : 'waits for people', tone: 'warn' }];
  }
  if (!granted) return no ? [...stages, { name: no.kind === 'refused' ? 'refused' : 'not answered', at: no.at, tone: 'bad' }] : stages;
  stages.push({ name: 'granted', at: granted.at, tone: 'good' });
  const [receipt, ended] = [of('receipt'), of('ended') ?? of('revoked')];
  if (receipt) {
    const word = receipt.outcome ?? 'used';
    stages.push({ name: word.replace('_', ' '), at: receipt.at, tone: word === 'done' ? 'good' : 'bad' });
  } else if (granted.tool !== undefined && !ended) {
    // A token that lives may still be used; of one that is dead nobody has said what became of it.
    stages.push((granted.exp ?? 0) > now ? { name: 'not used yet', tone: 'warn' } : { name: 'no receipt', tone: 'quiet' });
  }
  if (ended) stages.push({ name: ended.kind, at: ended.at, tone: ended.kind === 'revoked' ? 'warn' : 'good' });
  return stages;
}
