/** What /openapi.json says of the operator API, route by route. Documentation alone: requests are read by our own strict readers. */
import type { Role } from '../operate/operator.ts';
import * as people from './documents-operator-people.ts';
import * as shapes from './documents-operator-shapes.ts';
import { anyObject, filter, oneOf, type Schema, said, shape, text, whole } from './documents-operator-shapes.ts';

interface Route {
  readonly summary: string;
  readonly description?: string;
  readonly query?: Schema;
  readonly body?: Schema;
  /** Of a 200: JSON, unless `type` says otherwise. */
  readonly answer: Schema;
  readonly type?: string;
  /** Beside 401, 403 and 503, which any of them may be answered with. */
  readonly errors?: readonly number[];
}
const nothing = shape({});
const page = {
  'after?': said(text, 'The `next` of the part before'),
  'limit?': said(whole, 'At most 1,000, which is what is told where none is given'),
};
const as = { 'as?': said(text, 'On the local socket, and there alone: whose, as `people:u_alice`') };
const ring = { 'ring?': said(oneOf('tokens', 'backends'), 'Which keys; `tokens` where none is named') };
const days = { 'days?': said(whole, 'So long unused, a right counts as unused; 90 where none are given, at most 3,650') };
const halting = {
  scope: oneOf('all', 'agent', 'owner', 'subject', 'server', 'tool', 'action'),
  'target?': said(text, 'Its name; of a tool `<server>/<tool>`; of an action `txn_…`, `tok_…` or `exc_…`; of `all` nothing'),
  reason: said(text, 'At most 500 characters; it stands in the ledger'),
};
const vote = { body: people.ballot, answer: people.approval, errors: [400, 404, 409] };
const challenge = { body: people.asking, answer: people.challenge, errors: [400, 404, 409] };

/** By method and path, as they are registered. */
export const OPERATOR_ROUTES: Readonly<Record<string, Route>> = {
  'GET /operator/status': { summary: 'What is in force, and how this broker is', answer: shapes.status },
  'GET /operator/leases': {
    summary: 'Credentials of back ends that have not certainly ended, the overdue first',
    query: shape(page),
    answer: shapes.leases,
    errors: [400],
  },
  'POST /operator/leases/:id/end': {
    summary: 'Ends a lease at its back end, now',
    description: 'Waits a little for the back end: `ending` where it has not answered by then, and is asked again. One entry.',
    body: nothing,
    answer: shapes.endedLease,
    errors: [404, 409],
  },
  'GET /operator/backends': { summary: 'Back ends, how they are, and what tools register of them', answer: shapes.backends },
  'POST /operator/backends/mint': {
    summary: 'One credential of a back end, to try it; on the local socket alone',
    description: 'Ends within a minute. `show`: hand it out; otherwise nobody is given it. One entry.',
    body: shape({ server: text, tool: text, kind: text, 'arguments?': anyObject, 'material?': anyObject, 'show?': { type: 'boolean' } }),
    answer: shapes.tried,
    errors: [400, 404],
  },
  'GET /operator/keys': {
    summary: 'Signing keys, their states, and what can be done now',
    query: shape(ring),
    answer: shapes.keys,
    errors: [400, 404],
  },
  'POST /operator/keys/:step': {
    summary: 'One step of a rotation: publish, activate, retire or emergency',
    description: 'With `version` it holds only if nobody was faster. `dry_run` says what it would do. One entry.',
    body: shape({ ...ring, 'dry_run?': { type: 'boolean' }, 'version?': whole }),
    answer: shapes.keyStep,
    errors: [400, 404, 409],
  },
  'GET /operator/explain/:id': {
    summary: 'The story of one action, by its decision, its `txn`, its token or its approval',
    answer: shapes.explained,
    errors: [404],
  },
  'POST /operator/bundle/reload': {
    summary: 'Reads the bundle again; on any problem the old one stays',
    body: nothing,
    answer: shapes.report,
  },
  'GET /operator/revocations': { summary: 'What is halted, the newest first', query: shape(page), answer: shapes.halts, errors: [400] },
  'POST /operator/revocations': {
    summary: 'The kill switch: halts, and says of each credential that is out what became of it',
    description: 'Effective for new grants on every broker once it answers. `dry_run` halts nothing. One entry.',
    body: shape({ ...halting, 'dry_run?': { type: 'boolean' } }),
    answer: shapes.revoked,
    errors: [400, 404, 409],
  },
  'POST /operator/revocations/undo': {
    summary: 'Lifts a halt: an act of its own, with an entry of its own',
    body: shape(halting),
    answer: shapes.undone,
    errors: [400, 404, 409],
  },
  'GET /operator/verifiers': { summary: 'Tool servers, and when each last asked what no longer stands', answer: shapes.verifiers },
  'GET /operator/agents': {
    summary: 'Agents, whose they are, what stops them, and what they never use; in the order of their ids',
    query: shape({ ...days, ...page }),
    answer: shapes.agents,
    errors: [400],
  },
  'GET /operator/agents/:id': {
    summary: 'One agent: its mandate in words, rule by rule, and what is left of its budgets',
    query: shape(days),
    answer: shapes.oneAgent,
    errors: [400, 404],
  },
  'GET /operator/playground': { summary: 'What can be asked about: agents, tools, and what rules read of a person', answer: shapes.stage },
  'POST /operator/playground': {
    summary: 'What would be decided, by which rules, and the smallest change that would decide otherwise',
    description: 'Decides as an exchange would and forgets it: mints nothing, writes nothing, spends nothing.',
    body: shapes.question,
    answer: shapes.played,
    errors: [400, 404],
  },
  'GET /operator/entries': {
    summary: 'The ledger by name and time, the newest first',
    query: shape({
      ...filter,
      'before?': said(whole, 'The `before` of the part before'),
      'limit?': said(whole, 'At most 200; 50 where none is given'),
    }),
    answer: shapes.entries,
    errors: [400],
  },
  'GET /operator/export': {
    summary: 'Entries to take away, oldest first, with what it takes to check them without the store',
    description:
      'Lines of JSON: who asked for what, each entry with its hash and the one it follows, an end that counts them and is signed by the token keys (a ' +
      'compact JWS, `typ` countersign-export+jwt). Check it with `verify-ledger --excerpt`. That it was taken is an entry before the first line.',
    query: shape(filter),
    answer: text,
    type: 'application/x-ndjson',
    errors: [400],
  },
  'GET /operator/usage': {
    summary: 'What one agent has done with what it may do',
    query: shape({ agent: text }),
    answer: shapes.usage,
    errors: [400],
  },
  'GET /operator/overview': {
    summary: 'How it goes: decisions over time, what is refused, what waits',
    query: shape({ 'minutes?': said(whole, 'Back from now; 60 where none are given, at most a week') }),
    answer: shapes.overview,
    errors: [400],
  },
  'GET /operator/live': {
    summary: 'Decisions as they are committed, on whatever broker: server-sent events `entry` and `skipped`',
    description: 'Each entry has its number as id; `Last-Event-ID`, or `after`, goes on from there. No argument, purpose or key is told.',
    query: shape({ 'after?': said(whole, 'The number of the last entry that was heard') }),
    answer: text,
    type: 'text/event-stream',
    errors: [400, 429],
  },
  'GET /operator/approvals': {
    summary: 'What waits for people, or waited; the newest first',
    description: 'Without a state, what can still be decided. A part is shorter than its limit where its arguments are large.',
    query: shape({
      'state?': oneOf('pending', 'approved', 'redeemed', 'denied', 'expired', 'cancelled'),
      'first?': oneOf('oldest'),
      ...page,
    }),
    answer: people.approvals,
    errors: [400],
  },
  'GET /operator/approvals/:id': {
    summary: 'One of them, with the arguments it would run with',
    answer: people.approval,
    errors: [404, 409],
  },
  'POST /operator/approvals/:id': {
    summary: 'A vote about somebody else’s action',
    description:
      'Refused with `detail`: own_action, not_an_approver, not_a_person, too_many, proof_needed, or what is wrong with a proof (403); decided, lapsed, ' +
      'already_voted, edited (409). One entry.',
    ...vote,
  },
  'GET /operator/approvals/:id/similar': {
    summary: 'The newest other one of this agent with this tool that people agreed to; `{}` where there is none',
    answer: people.similar,
    errors: [404, 409],
  },
  'POST /operator/approvals/:id/seen': {
    summary: 'Whoever asks has it before them now: what /operator/fatigue counts from',
    body: people.seen,
    answer: people.done,
    errors: [400, 404],
  },
  'POST /operator/approvals/:id/challenge': {
    summary: 'What the voter’s passkey signs to agree; the vote then carries it as `assertion`',
    ...challenge,
  },
  'GET /operator/fatigue': {
    summary: 'How fast people decide, what they always agree to, and the rule that could take its place',
    query: shape(page),
    answer: people.fatigue,
    errors: [400],
  },
  'GET /operator/confirmations': {
    summary: 'What waits for the own confirmation of whoever asks',
    query: shape({ ...as, ...page }),
    answer: people.confirmations,
    errors: [400],
  },
  'POST /operator/confirmations/:id': {
    summary: 'Their yes or no to what is done for them',
    ...vote,
  },
  'POST /operator/confirmations/:id/challenge': {
    summary: 'What their passkey signs to confirm, where the demand wants it',
    ...challenge,
  },
  'GET /operator/passkeys': { summary: 'One’s own passkeys', answer: people.passkeys },
  'POST /operator/passkeys/options': { summary: 'Options for the browser to make one with', body: nothing, answer: people.offer },
  'POST /operator/passkeys/challenge': {
    summary: 'What a passkey that one has signs, so that another comes or goes',
    description: '`register` with credential, label and offer; `remove` with id.',
    body: people.act,
    answer: people.actChallenge,
    errors: [400, 404],
  },
  'POST /operator/passkeys': {
    summary: 'Registers what the browser made; one entry, with the public key',
    body: people.registration,
    answer: people.onePasskey,
    errors: [400, 409],
  },
  'POST /operator/passkeys/:id/remove': {
    summary: 'Takes one away; what it signed stays proved',
    body: people.removal,
    answer: people.onePasskey,
    errors: [400, 404, 409],
  },
  'POST /operator/passkeys/reset': {
    summary: 'Takes away all of somebody’s, who has lost them; on the local socket alone',
    body: people.reset,
    answer: people.removed,
    errors: [400, 404, 409],
  },
  'GET /operator/people': {
    summary: 'What those who logged in within 90 days are called, where there is a console',
    description: 'Their issuer’s word, which they may have chosen: to be shown beside a name, and never in its place.',
    query: shape(page),
    answer: people.called,
    errors: [400],
  },
  'POST /operator/tickets': {
    summary: 'A one-time link to the console; on the local socket alone',
    body: nothing,
    answer: shape({ url: text, expires_in: whole }),
  },
  'GET /openapi.json': { summary: 'This document, of the local socket', answer: anyObject },
};

const ERROR: Schema = shape({
  error: text,
  error_description: text,
  'detail?': text,
  'decision_id?': said(text, 'Names the ledger entry'),
});
const MEANS: Readonly<Record<number, string>> = {
  400: 'Not understood: nothing is read that is not exactly so',
  401: 'Nobody has logged in',
  403: 'Not for these roles, or refused',
  404: 'There is none',
  409: 'It stands otherwise by now; `detail` says how',
  413: 'The body is too large',
  415: 'Another media type than JSON',
  429: 'Too many at once',
  503: 'It cannot be answered safely now',
};
/** For the route; undefined where nothing is said of it. `roles`: whoever has one of them may ask. */
export function operatorDocs(method: string, path: string, roles: readonly Role[]): object | undefined {
  const route = OPERATOR_ROUTES[`${method} ${path}`];
  if (!route) return undefined;
  const { summary, description, query, body, answer, type = 'application/json', errors = [] } = route;
  const may = roles.includes('self') ? 'Whoever has logged in, about themselves.' : `Roles: ${roles.join(', ')}.`;
  const codes = [...new Set([...errors, ...(body ? [413, 415] : []), 401, 403, 503])].sort();
  return {
    summary,
    description: [description, may].filter(Boolean).join(' '),
    tags: ['operator'],
    'x-roles': roles,
    ...(query && { querystring: query }),
    ...(body && { body, consumes: ['application/json'] }),
    response: {
      200: { description: 'Done', content: { [type]: { schema: answer } } },
      ...Object.fromEntries(codes.map((code) => [code, { description: MEANS[code], content: { 'application/json': { schema: ERROR } } }])),
    },
  };
}
