import type { Entry } from '../model.ts';
import { fromBody, termOf } from '../record/entry.ts';
import { type Store, seqOf } from '../store/store.ts';
import { isObject, type Json, type JsonObject } from '../wire/json.ts';

/** An entry with its place in the ledger. */
export interface Told {
  readonly seq: number;
  readonly hash: string;
  readonly entry: Entry;
}
/** One action, from the asking to its end. */
export interface Explained {
  readonly story: readonly Told[];
  /** For a terminal. */
  readonly words: readonly string[];
  /** Each entry in words, in the order of the story. */
  readonly told: readonly { readonly headline: string; readonly rows: readonly (readonly [string, string])[] }[];
  /** Those whose hash follows from their body and the entry before them in the ledger. */
  readonly follows: readonly number[];
}
const MAX_ENTRIES = 200;

/** All entries of one action, oldest first, found by its decision (`exc_`), its `txn_` or its token's `tok_`. */
export async function findStory(store: Pick<Store, 'scan'>, id: string): Promise<readonly Told[]> {
  const rows = await store.scan({ term: termOf(id), limit: MAX_ENTRIES });
  return rows
    .filter((row) => row.key.startsWith('entry/'))
    .map((row) => ({ seq: seqOf(row.key), hash: row.hash ?? '', entry: fromBody(row.value as JsonObject) }));
}

/** The story in words, a block an entry: who, for whom, what, why, by which rule, with what result. Every word of it stands in the ledger. */
export function tell(story: readonly Told[]): readonly string[] {
  return story.flatMap(({ seq, entry }) => {
    const { headline, rows } = describe(entry);
    const width = Math.max(...rows.map(([name]) => name.length));
    return [`#${seq}  ${time(entry.at)}  ${headline}`, ...rows.map(([name, text]) => `    ${name.padEnd(width)}  ${printable(text)}`)];
  });
}

/** One entry in words, as they stand there: whoever prints them makes them printable. */
export const describe = (entry: Entry): { readonly headline: string; readonly rows: readonly Row[] } => ({
  headline: headlineOf(entry),
  rows: entry.by !== undefined && entry.client === undefined ? byOperator(entry) : byClient(entry),
});
type Row = readonly [string, string];
function headlineOf(e: Entry): string {
  switch (e.kind) {
    case 'minted':
      if (e.request === 'redeem')
        return `redeemed by ${e.client} for a ${e.credential} credential${e.again ? ', in place of the one before' : ''}`;
      if (e.again) return e.approval ? 'granted again, under the same approval' : 'granted again, under the same Idempotency-Key';
      return e.approval ? 'granted, as people agreed' : 'granted';
    case 'pending':
      return e.by === undefined ? 'waits for people to agree' : `agreed to by ${e.by}, ${e.outcome}`;
    case 'approved':
    case 'denied':
      return `${e.kind} by ${e.by}`;
    case 'expired':
      return 'expired: nobody decided in time, or nobody came for it';
    case 'cancelled':
      return e.request === 'revoke' ? 'withdrawn by its client' : 'cancelled: somebody or something in it was halted';
    case 'refused':
      return `refused: ${e.code ?? e.reason}`;
    case 'faulted':
      return `not answered: ${e.reason}`;
    case 'receipt':
      return `the tool server says: ${e.outcome}`;
    case 'intent':
      return 'allowed; the credential is being asked for elsewhere';
    case 'ended':
      return `the ${e.credential} credential ${ENDS[e.outcome ?? ''] ?? 'has ended'}${e.outcome === 'dies' ? `, at ${time(e.exp)}` : ''}`;
    case 'export':
      return `entries up to #${e.context?.['through']} were taken away`;
    default:
      return e.kind;
  }
}
/** How a lease ended: called back, or by itself. */
const ENDS: Readonly<Record<string, string>> = {
  revoked: 'has been ended by its back end',
  dies: 'cannot be called back, and dies by itself',
  expired: 'is past its end',
};
const ENDED_BECAUSE: Readonly<Record<string, string>> = {
  receipt: 'the tool server is done with it',
  revoked: 'its action was revoked',
  asked_again: 'it was asked for again, and another stands in its place',
  lapsed: 'its time had come',
  unanswered: 'its back end never said what it had made',
  undelivered: 'nobody was given it',
  operator: 'an operator ended it',
};
function byClient(e: Entry): readonly Row[] {
  const rows: Row[] = [];
  const add = (name: string, text: string | undefined | false): void => {
    if (text) rows.push([name, text]);
  };
  const redeems = e.request === 'redeem';
  const chain = !redeems && e.actors && e.actors.length > 1 ? e.actors.join(', delegated by ') : e.client;
  add(
    'who',
    chain === undefined
      ? 'somebody who did not prove who they are'
      : `${chain}${e.owner && e.kind !== 'receipt' ? `, owned by ${e.owner}` : ''}`,
  );
  add('acting', redeems && e.actors && e.actors.length > 0 && e.actors.join(', delegated by '));
  add('for', e.subject === e.client ? e.subject && 'itself' : e.subject);
  add('what', e.tool ?? (e.resource && e.kind !== 'revoked' && 'to list the tools'));
  add('at', e.resource);
  const steps = e.tool === 'plan' ? e.recorded?.['steps'] : undefined;
  if (Array.isArray(steps)) rows.push(...planned(steps, e.recorded?.['ordered'] === true));
  else add('with', e.recorded && Object.keys(e.recorded).length > 0 && recorded(e.recorded));
  add('arguments', e.arguments && `HMAC ${e.arguments}`);
  add('why', e.purpose !== undefined && `“${e.purpose}”, as the agent put it`);
  add('budgets', e.reserved && taken(e.reserved));
  if (e.kind === 'pending' && e.by === undefined) add('waits for', e.detail);
  else if (e.kind === 'pending' || e.kind === 'approved' || e.kind === 'denied') {
    add('decided', e.detail);
    add('because', typeof e.context?.['reason'] === 'string' && `“${e.context['reason']}”`);
    add(
      'signed',
      isObject(e.context?.['passkey']) && `with the passkey ${e.context['passkey']['credential']}; npm run verify-ledger checks it`,
    );
  }
  add('rules', e.policies && e.policies.length > 0 && e.policies.join(', '));
  add('bundle', e.bundle);
  add('because', e.kind === 'refused' || e.kind === 'faulted' ? [e.reason, e.detail].filter(Boolean).join(', ') : undefined);
  add('because', e.kind === 'ended' && ENDED_BECAUSE[e.detail ?? '']);
  const made = e.credential === undefined || e.credential === 'jwt' ? 'token' : `${e.credential} credential`;
  add('result', e.jti && `${made} ${e.jti}, action ${e.txn}${e.kind === 'minted' ? `, good until ${time(e.exp)}` : ''}`);
  add('approval', e.approval);
  add('decision', e.exchange);
  return rows;
}
/** What people did to the broker: keys, bundles, what they were refused. */
function byOperator(e: Entry): readonly Row[] {
  return [
    ['who', e.by ?? ''],
    ['what', e.kind === 'bundle' ? `bundle ${e.bundle ?? ''} in force` : [e.request, e.detail ?? e.reason].filter(Boolean).join(': ')],
    ['decision', e.exchange],
  ];
}
const taken = (reserved: JsonObject): string =>
  Object.entries(reserved)
    .map(([id, share]) => `${isObject(share) ? share['amount'] : '?'} of ${id}`)
    .join(', ');
/** The steps of a plan, by the numbers that a vote names. */
const planned = (steps: readonly Json[], ordered: boolean): readonly Row[] =>
  steps.filter(isObject).map(({ tool, resource, purpose, recorded: fields }, at) => {
    const more = isObject(fields) && Object.keys(fields).length > 0 ? ` with ${recorded(fields)}` : '';
    const why = typeof purpose === 'string' ? `, “${purpose}”, as the agent put it` : '';
    return [`step ${at}`, `${ordered && at > 0 ? 'then ' : ''}${String(tool)} at ${String(resource)}${more}${why}`];
  });
const recorded = (fields: JsonObject): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(', ');
/** What an agent wrote must neither move an operator's cursor nor begin a line that looks like ours: controls and bidi marks are spelt out. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u${(c.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
const time = (at: number | undefined): string => (at === undefined ? 'its end' : new Date(at * 1000).toISOString().replace('.000Z', 'Z'));
