import type { Entry } from '../model.ts';
import { fromBody, termOf } from '../record/entry.ts';
import type { Store } from '../store/store.ts';
import type { JsonObject } from '../wire/json.ts';

/** An entry with its place in the ledger. */
export interface Told {
  readonly seq: number;
  readonly hash: string;
  readonly entry: Entry;
}
const MAX_ENTRIES = 200;

/** All entries of one action, oldest first, found by its decision (`exc_`), its `txn_` or its token's `tok_`. */
export async function findStory(store: Pick<Store, 'scan'>, id: string): Promise<readonly Told[]> {
  const rows = await store.scan({ term: termOf(id), limit: MAX_ENTRIES });
  return rows
    .filter((row) => row.key.startsWith('entry/'))
    .map((row) => ({ seq: Number(row.key.slice('entry/'.length)), hash: row.hash ?? '', entry: fromBody(row.value as JsonObject) }));
}

/** The story in words, a line an entry; every word of it stands in the ledger. */
export function tell(story: readonly Told[]): readonly string[] {
  return story.map(({ seq, entry }) => `${new Date(entry.at * 1000).toISOString()}  #${seq}  ${sentence(entry)}`);
}

function sentence(e: Entry): string {
  if (e.by !== undefined && e.client === undefined) return byOperator(e);
  const who = e.client === undefined ? 'Somebody who did not prove who they are' : `${chain(e)}${e.owner ? ` (owner ${e.owner})` : ''}`;
  const whom = e.subject === undefined ? '' : e.subject === e.client ? ' for itself' : ` for ${e.subject}`;
  const what = e.tool
    ? `${e.tool} at ${e.resource ?? 'an unknown server'}`
    : e.resource
      ? `a look at the tools of ${e.resource}`
      : 'a credential';
  const why = e.purpose ? ` — purpose, as the agent put it: “${e.purpose}”` : '';
  const args = e.recorded
    ? ` with ${Object.entries(e.recorded)
        .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
        .join(', ')}`
    : '';
  const rule = e.policies?.length ? ` by ${e.policies.join(' and ')}` : '';
  const bundle = e.bundle ? ` (bundle ${e.bundle.slice(0, 12)}…)` : '';
  switch (e.kind) {
    case 'minted':
      return `${who} asked for ${what}${args}${whom}${why}. ${e.again ? 'Asked before: the same token was signed again' : 'Allowed'}${rule}${bundle}; token ${e.jti}, action ${e.txn}, good until ${time(e.exp)}.`;
    case 'refused':
      return `${who} asked for ${what}${args}${whom}${why}. Refused: ${e.code ?? e.reason}${e.detail ? ` (${e.detail})` : ''}${rule}${bundle}.`;
    case 'faulted':
      return `${who} asked for ${what}${whom}. Not answered: ${e.reason}${e.detail ? ` (${e.detail})` : ''}.`;
    case 'receipt':
      return `The tool server ${e.client ?? ''} says of ${e.txn}: ${e.outcome}${args}.`;
    case 'revoked':
      return `${e.by ?? who} revoked token ${e.jti}.`;
    case 'intent':
      return `${who} was allowed ${what}${whom}${rule}; the credential was asked for elsewhere.`;
    default:
      return `${e.kind}: ${e.detail ?? e.reason ?? ''}${e.by ? ` by ${e.by}` : ''}`;
  }
}
/** What people did to the broker: keys, bundles, what they were refused. */
function byOperator(e: Entry): string {
  if (e.kind === 'bundle') return `${e.by} brought bundle ${e.bundle?.slice(0, 12) ?? ''}… into force.`;
  const what = e.detail ?? e.reason ?? '';
  return e.kind === 'refused' ? `${e.by} asked for ${e.request}: refused, ${what}.` : `${e.by}: ${e.request}, ${what}.`;
}
const chain = (e: Entry): string => (e.actors && e.actors.length > 1 ? e.actors.join(', delegated by ') : (e.client ?? ''));
const time = (at: number | undefined): string => (at === undefined ? 'its end' : new Date(at * 1000).toISOString());
