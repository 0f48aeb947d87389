/** Explorer: the ledger by who, what, when and what became of it; and the story of one action. */
import { KindBadge, type Line, storyOf, What, Who, Why } from './entry-words.ts';
import { SearchForm } from './explorer-form.ts';
import { type Asked, addressOf, apiQuery, isId, readAsked } from './explorer-query.ts';
import { Story } from './explorer-story.ts';
import { Ago, base, clockOf, Empty, html, type PageProps, useLoad, useMemo, useRef, useRowKeys, type VNode, When } from './kit.ts';

export interface Found {
  readonly entries: readonly { readonly seq: number; readonly entry: Line }[];
  readonly before?: number;
  readonly indexed?: { readonly through: number; readonly whole: boolean };
}
const PAGE = 50;

export function Page({ me, go, path }: PageProps): VNode {
  const [, id] = /^\/([a-z]+_[0-9a-z]+)/.exec(path) ?? [];
  if (id !== undefined) return html`<${Story} key=${id} id=${id} />`;
  const searches = me.roles.some((role) => role === 'auditor' || role === 'operator');
  const asked = readAsked(path.replace(/^[^?]*/, ''));
  const look = (next: Asked): void => go(`/console/explorer${next.q !== undefined && isId(next.q) ? `/${next.q}` : addressOf(next)}`);
  return html`<div class="page-head"><h1>Explorer</h1><p>Every decision, and every deed of a person, is an entry of the ledger.</p></div>
    <div class="stack">
      <${SearchForm} key=${addressOf(asked)} asked=${asked} look=${look} only=${searches ? undefined : 'id'} />
      ${searches ? html`<${Results} key=${addressOf(asked)} asked=${asked} />` : html`<${Empty} title="With your roles you see one action at a time.">Give its id: the <code>decision_id</code> of an answer, or the <code>txn</code> of a token. To search the ledger one must be an auditor or an operator.<//>`}
    </div>`;
}
function Results({ asked }: { readonly asked: Asked }): VNode {
  const query = useMemo(() => apiQuery(asked, Math.floor(Date.now() / 1_000)), []);
  const loaded = useLoad<Found>(`/operator/entries?${new URLSearchParams([...query, ['limit', String(PAGE)]])}`);
  const taken = new URLSearchParams([...query].filter(([name]) => name !== 'before'));
  return html`<${When} loaded=${loaded}>${({ entries, before, indexed }: Found) => html`
    ${indexed && !indexed.whole && html`<p class="notice info">The index of the ledger is being made: what comes after entry ${indexed.through.toLocaleString('en')} is not found yet.</p>`}
    ${
      entries.length === 0
        ? html`<${Empty} title="Nothing like this is in the ledger."><p>Names are matched whole and to the letter; the first field finds parts of names too. Take a condition away, or look further back.</p>
            <p><a href=${`${base}/console/explorer`}>Begin anew</a></p><//>`
        : html`<${List} entries=${entries} />
          <nav class="pager" aria-label="Pages of what was found">
            ${asked.before !== undefined && html`<a class="button" href=${`${base}/console/explorer${addressOf({ ...asked, before: '' })}`}>Newest</a>`}
            ${before !== undefined && html`<a class="button" href=${`${base}/console/explorer${addressOf({ ...asked, before: String(before) })}`}>Older</a>`}
            <a class="button" href=${`${base}/operator/export?${taken}`} download>Export${entries.length > 1 ? ' all of these' : ''}</a>
            <span class="quiet">The export is itself an entry, with your name.</span>
          </nav>`
    }`}<//>`;
}
function List({ entries }: Pick<Found, 'entries'>): VNode {
  const body = useRef<HTMLTableSectionElement>(null);
  useRowKeys(body);
  let day = '';
  return html`<div class="table-wrap entries"><table>
    <caption class="sr">Entries, newest first</caption>
    <thead><tr><th scope="col">Time</th><th scope="col">Outcome</th><th scope="col">What</th><th scope="col">Who</th><th scope="col" class="number wide">Entry</th></tr></thead>
    <tbody ref=${body}>${entries.map(({ seq, entry }) => {
      const its = new Date(entry.at * 1_000).toLocaleDateString('en-GB', {
        weekday: 'short',
        day: 'numeric',
        month: 'short',
        year: 'numeric',
      });
      const begins = its !== day;
      day = its;
      return html`${begins && html`<tr class="day"><th colspan="5" scope="colgroup">${its}</th></tr>`}
        <tr key=${seq}>
          <th scope="row"><a class="row time" href=${`${base}/console/explorer/${storyOf(entry)}`}>${clockOf(entry.at)}</a><span class="under"><${Ago} at=${entry.at} /></span></th>
          <td><${KindBadge} line=${entry} /> <${Why} line=${entry} /></td>
          <td><${What} line=${entry} /></td>
          <td><${Who} line=${entry} /></td>
          <td class="number wide">#${seq}</td>
        </tr>`;
    })}</tbody>
  </table></div>`;
}
