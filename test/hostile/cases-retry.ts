/** Another's Idempotency-Key, or one's own for something else: never the first grant, never a second. */
import { randomUUID } from 'node:crypto';
import { newKey } from '../support/keys.ts';
import { ACCESS_TOKEN, type Asking, REFUND, type Rig } from '../support/rig.ts';
import { type Case, laden } from './oracle.ts';

const mismatch = { status: 400, error: 'invalid_request', reason: 'retry_mismatch' } as const;
const malformed = { status: 400, error: 'invalid_request', reason: 'request_malformed', detail: 'idempotency_key' } as const;

/** Granted under a fresh key; then the same key, and something else. */
const after =
  (change: (rig: Rig, key: string) => Asking, first: Asking = {}): Case['asking'] =>
  async (rig) => {
    const key = randomUUID();
    const headers = { 'idempotency-key': key };
    const granted = await rig.ask(laden({ ...first, headers }));
    if (granted.status !== 200) throw new Error(`the first request was not granted: ${granted.text}`);
    const changed = change(rig, key);
    return { ...changed, headers: { ...headers, ...changed.headers } };
  };
const CHANGES: readonly (readonly [string, (rig: Rig, key: string) => Asking, Asking?])[] = [
  ['other arguments', () => ({ args: { ...REFUND, amount_minor: 4_251 } })],
  ['an argument more', () => ({ args: { ...REFUND, reason: 'x' } })],
  ['another purpose', () => ({ entry: { purpose: 'another' } })],
  ['another session', () => ({ entry: { context: { session: 'another' } } })],
  ['another tool', () => ({ entry: { identifier: 'list_orders' }, args: {} })],
  ['arguments that policy would refuse', () => ({ args: { ...REFUND, amount_minor: 9_000 } })],
  ['another person', () => ({ subject: { claims: { sub: 'u_alice' } } })],
  ['a person that policy would refuse', () => ({ subject: { claims: { sub: 'u_eve', groups: [] } } })],
  [
    'the same person by another type of token',
    (rig) => ({
      form: { subject_token_type: ACCESS_TOKEN },
      subject: { header: { typ: 'at+jwt' }, claims: { aud: rig.issuer, client_id: 'refund-bot-app' } },
    }),
  ],
  ['nobody', () => ({ subject: null, form: { grant_type: 'client_credentials' } })],
  ['another key', () => ({ proof: { key: newKey() } })],
  ['a sub-agent', () => ({ actor: {} })],
  [
    'no sub-agent',
    () => ({ entry: { identifier: 'list_orders' }, args: {} }),
    { entry: { identifier: 'list_orders' }, args: {}, actor: {} },
  ],
  ['an actor in the person’s token', (rig) => ({ subject: { claims: { act: { iss: rig.issuer, sub: 'triage-bot' } } } })],
  ['a scope beside', () => ({ form: { scope: 'tool:list' } })],
  ['a deferral', () => ({ form: { completion_mode: 'deferred' } })],
  ['a base token', () => ({ details: null, form: { scope: 'tool:list' } })],
  ['an action, where the list was asked for', () => ({}), { details: null, form: { scope: 'tool:list' } }],
  ['details with a space more', (rig) => ({ details: ` ${JSON.stringify([{ x: rig.issuer }])}` })],
];
const WRONG: Readonly<Record<string, Partial<Case>>> = {
  // What is malformed is malformed first.
  'details with a space more': { error: 'invalid_authorization_details', reason: 'details_bad' },
};

export const retryCases: readonly Case[] = [
  ...CHANGES.map(([name, change, first]): Case => ({ name, asking: after(change, first), ...mismatch, ...WRONG[name] })),
  {
    name: 'the key in quotes is the same key',
    asking: after((_, key) => ({ headers: { 'idempotency-key': `"${key}"` }, args: { ...REFUND, amount_minor: 1 } })),
    ...mismatch,
  },
  ...['', ' ', 'a\tb', 'a"b', `"${'x'.repeat(256)}"`, 'x'.repeat(256), 'a\u00e9'].map(
    (key): Case => ({
      name: `the key ${JSON.stringify(key).slice(0, 20)}`,
      asking: () => ({ headers: { 'idempotency-key': key } }),
      ...malformed,
    }),
  ),
];
