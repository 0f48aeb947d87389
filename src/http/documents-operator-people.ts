/** What the operator API answers about people's decisions, for /openapi.json. As documents-operator-shapes.ts. */
import { anyObject, at, flag, list, oneOf, type Schema, said, shape, text, whole } from './documents-operator-shapes.ts';

const next = { 'next?': said(text, 'Where the next part begins: its `after`. Absent: this was the last') };
const action = {
  resource: text,
  tool: text,
  'description?': text,
  'schema?': said(anyObject, 'Of the arguments, as the tool registers it now'),
  arguments_digest: text,
  'purpose?': said(text, 'The agent’s own words: shown escaped, never trusted'),
};
export const approval: Schema = shape({
  id: text,
  state: oneOf('pending', 'approved', 'redeemed', 'denied', 'expired', 'cancelled'),
  client: text,
  'owner?': text,
  subject: text,
  actors: list(text),
  ...action,
  arguments: anyObject,
  demand: said(
    shape({ who: list(text), quorum: whole, 'confirm?': flag, 'proof?': oneOf('passkey') }),
    'So many others who stand for everyone in `who`; `confirm`: the person acted for, themselves',
  ),
  votes: list(
    shape({
      by: text,
      vote: oneOf('approve', 'deny'),
      at,
      reason: text,
      via: text,
      'confirms?': flag,
      'proof?': oneOf('passkey'),
      'steps?': list(whole),
    }),
  ),
  credential: said(text, 'What its client asks for: `jwt` is an action token'),
  bundle: text,
  made: at,
  until: at,
  latest: said(at, 'However often its client shows fresh proofs'),
  'ordered?': flag,
  'steps?': said(
    list(
      shape({
        ...action,
        'arguments?': anyObject,
        needs_approval: flag,
        state: oneOf('waiting', 'agreed', 'refused', 'granted'),
        'txn?': text,
      }),
    ),
    'Of a plan',
  ),
});
export const approvals = shape({ approvals: list(approval), ...next });
export const confirmations = shape({ confirmations: list(approval), ...next });
export const similar = shape({ 'approval?': approval });
export const done = shape({ ok: flag });

const as = { 'as?': said(text, 'On the local socket, and there alone: in whose name, as `people:u_alice`') };
const steps = { 'steps?': said(list(whole), 'Of a plan: which steps, from 0, are agreed to; absent: all') };
const assertion = said(anyObject, 'What `navigator.credentials.get` answered to a challenge, as JSON');
export const seen = shape(as);
export const asking = shape({ ...as, ...steps });
export const ballot = shape({
  vote: oneOf('approve', 'deny'),
  reason: said(text, 'At most 500 characters; it stands in the ledger'),
  ...as,
  ...steps,
  'assertion?': assertion,
});
const options = said(anyObject, 'For the browser, as JSON');
const signed = said(anyObject, 'Its canonical JSON is what the challenge is the SHA-256 of');
export const challenge = shape({ options, signed, salt: text, arguments_digest: text });
export const fatigue = shape({
  approvers: said(
    list(shape({ who: text, votes: whole, approved: whole, median_seconds: whole, shown: whole, quick: whole, last: at })),
    'Of each person’s latest 200 votes, with the first part alone; an approver sees their own',
  ),
  habits: list(
    shape({
      agent: text,
      server: text,
      tool: text,
      needs: list(text),
      asked: whole,
      approved: whole,
      denied: whole,
      expired: whole,
      in_a_row: whole,
      'median_seconds?': { type: 'number' },
      since: at,
      last: at,
      'proposal?': shape({ policy: text, until: text, insteadOf: list(text), bounds: list(text) }),
      'no_proposal?': text,
    }),
  ),
  ...next,
});
export const called = shape({ people: list(shape({ name: text, called: text })), ...next });
const passkey = shape({ id: text, credential: text, label: text, made: at, 'used?': at });
export const onePasskey = passkey;
export const passkeys = shape({
  usable: said(flag, 'false: this broker is reached by an address, and browsers know passkeys of names alone'),
  passkeys: list(passkey),
});
export const offer = shape({ options, 'proof?': oneOf('passkey') });
export const registration = shape({ label: text, response: anyObject, 'assertion?': assertion });
export const removal = shape({ 'offer?': text, 'assertion?': assertion });
export const act = shape({ act: oneOf('register', 'remove'), 'id?': text, 'credential?': text, 'label?': text, 'offer?': text });
export const actChallenge = shape({ options, signed });
export const reset = shape({ person: text, reason: text });
export const removed = shape({ removed: list(passkey) });
