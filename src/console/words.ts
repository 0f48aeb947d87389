/** What the plain pages say: what happened, and what to do next. Constant texts; nothing that came in stands in one. */
import { type Refusal, toWire } from '../errors.ts';
import type { PageEntry } from './browser/list.ts';
import type { Session } from './session.ts';
import type { Notice } from './shell.ts';

export const NOT_LOGGED_IN = (here: boolean): Notice => ({
  title: 'Log in',
  text: 'Approve what agents ask for, and see what they do.',
  more: here
    ? 'You log in where you always do; this broker learns who you are and which groups you are in, and keeps no token.'
    : 'This broker has no login of people. Whoever runs it makes a one-time link with `npm run console`.',
});
export const wrongRole = (page: PageEntry, { display, roles }: Session, home: string): Notice => {
  const needed = page.roles.filter((role) => role !== 'self');
  const has = roles.filter((role) => role !== 'self');
  return {
    title: `${page.title}: not with your roles`,
    text: `This page is for ${needed.length === 1 ? `the role ${needed[0]}` : `one of the roles ${needed.join(', ')}`}.`,
    more: `${display} has ${has.length === 0 ? 'no role here' : has.join(', ')}. Roles come from your groups at login; whoever runs this broker can tell you which group gives which, and you log in again once you are in it.`,
    action: { label: 'To your own page', href: home },
  };
};

const DETAILS: Readonly<Record<string, string>> = {
  ticket: 'This link was used before, or its minute is over. Make a new one.',
  not_begun_here: 'This login was not begun in this browser, or it took longer than ten minutes. Begin again.',
  refused_there: 'The place where you log in did not let you in.',
  acted: 'Somebody acts in your place in this login. People decide here, for themselves.',
  audience: 'This login was meant for another application.',
  id_token: 'What the place where you log in said of you could not be believed.',
  code: 'This login was finished before. Begin again.',
};
/** What is said of a login that came to nothing. */
export function noticeOf({ reason, detail, decision }: Refusal): Notice & { readonly status: number } {
  const { status, text } = toWire(reason);
  const known = detail === undefined ? undefined : DETAILS[detail];
  const away = reason === 'issuer_unavailable' ? 'The place where you log in cannot be reached now. Try again in a moment.' : text;
  return {
    status,
    title: 'Not logged in',
    text: known ?? (reason === 'login_needed' ? (NOT_LOGGED_IN(false).more ?? text) : away),
    ...(decision !== undefined && { more: `It is recorded as ${decision}.` }),
  };
}
