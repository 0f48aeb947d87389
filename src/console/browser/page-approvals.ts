/** Approvals: what waits for people, and each of them as a form that says what would be done. */
import { type Approval, agreed, barOf, stateOf, TONE, WORD } from './approval.ts';
import { Detail } from './approval-detail.ts';
import { Fatigue } from './fatigue.ts';
import {
  AgentName,
  Ago,
  afterOf,
  Badge,
  base,
  Empty,
  html,
  type Me,
  type PageProps,
  Pager,
  Person,
  partOf,
  spanOf,
  Tabs,
  Text,
  useLoad,
  useNow,
  useRef,
  useRowKeys,
  useState,
  type VNode,
  When,
} from './kit.ts';

const ASK_MS = 5_000;
const AT_ONCE = 100;
const VIEWS = [
  ['', 'Waiting'],
  ['approved', 'Approved'],
  ['redeemed', 'Used'],
  ['denied', 'Denied'],
  ['expired', 'Expired'],
] as const;

export function Page({ me, go, path }: PageProps): VNode {
  const [, id] = /^\/(apr_[0-9a-z]+)/.exec(path) ?? [];
  if (id !== undefined) return html`<${Detail} key=${id} id=${id} me=${me} go=${go} />`;
  if (path.startsWith('/'))
    return html`<${Empty} title="There is no approval of this name."><a href=${`${base}/console/approvals`}>To all that wait</a><//>`;
  const state = new URLSearchParams(path).get('state') ?? '';
  const after = afterOf(path);
  return html`<${Inbox} key=${`${state} ${after}`} me=${me} state=${state} after=${after} />`;
}

interface Answer {
  readonly approvals: readonly Approval[];
  readonly next?: string;
}
interface InboxProps {
  readonly me: Me;
  /** '': what waits, the oldest first; anything else the newest first. */
  readonly state: string;
  readonly after: string | undefined;
}
function Inbox({ me, state, after }: InboxProps): VNode {
  const loaded = useLoad<Answer>(
    partOf(`/operator/approvals?state=${state || 'pending&first=oldest'}`, after),
    state ? {} : { everyMs: ASK_MS },
  );
  return html`<div class="page-head"><h1>Approvals</h1>
      ${loaded.data && !state && html`<${Summary} of=${loaded.data} after=${after} />`}</div>
    <${Tabs} label="Which approvals" tabs=${VIEWS.map(([name, title]) => [pathOf(name), title])} current=${pathOf(state)} />
    <${When} loaded=${loaded}>${({ approvals, next }: Answer) => html`
      ${approvals.length > 0 ? html`<${List} all=${approvals} me=${me} waiting=${!state} />` : after === undefined ? nothing(state) : html`<${Empty} title="Nothing here any more."><p>What stood here has been decided meanwhile.</p><//>`}
      <${Pager} path=${pathOf(state)} after=${after} next=${next} back=${state ? 'Newest' : 'What waits longest'} on=${state ? 'Older' : 'Asked later'} />`}<//>
    ${!state && after === undefined && html`<${Fatigue} />`}`;
}
const pathOf = (state: string): string => `/console/approvals${state ? `?state=${state}` : ''}`;
function Summary({ of: { approvals, next }, after }: { readonly of: Answer; readonly after: string | undefined }): VNode {
  const now = useNow();
  const open = approvals.filter((one) => stateOf(one, now) === 'pending');
  if (open.length === 0)
    return html`<p>${after === undefined && next === undefined ? 'Nothing waits.' : 'Nothing of these waits any more.'}</p>`;
  const soonest = Math.min(...open.map(({ until }) => until));
  const oldest = Math.min(...open.map(({ made }) => made));
  const count = open.length.toLocaleString('en');
  const whole = after === undefined && next === undefined;
  return html`<p><strong>${after === undefined && next !== undefined ? `More than ${count}` : count}</strong> ${open.length === 1 && whole ? 'waits' : 'wait'}${whole ? '' : after === undefined ? ', and these longest' : ' on this page'} · the first ends in <strong>${spanOf(soonest - now)}</strong> · the oldest was asked <strong>${spanOf(now - oldest)}</strong> ago</p>`;
}
const nothing = (state: string): VNode =>
  state
    ? html`<${Empty} title="None yet."><p>Approvals stay here for a day after their end. The ledger keeps them for ever: look in the <a href=${`${base}/console/explorer`}>Explorer</a>.</p><//>`
    : html`<${Empty} title="Nothing waits for a person.">
        <p>When an agent asks for an action whose rule says <code>@approval("team:…")</code>, it appears here at once.</p>
        <p>See which actions ask people in the <a href=${`${base}/console/playground`}>Playground</a>.</p>
      <//>`;

type Order = 'until' | 'made';
function List({ all, me, waiting }: { readonly all: readonly Approval[]; readonly me: Me; readonly waiting: boolean }): VNode {
  const [order, setOrder] = useState<Order>('until');
  const [shown, setShown] = useState(AT_ONCE);
  const list = useRef<HTMLOListElement>(null);
  useRowKeys(list);
  const now = useNow();
  const open = waiting ? all.filter((one) => stateOf(one, now) === 'pending') : all;
  const rows = waiting ? [...open].sort((a, b) => a[order] - b[order]) : open;
  if (rows.length === 0) return nothing('');
  return html`${
    waiting &&
    rows.length > 1 &&
    html`<p class="order"><label for="order">First</label> <select id="order" value=${order} onChange=${(event: Event) => setOrder((event.currentTarget as HTMLSelectElement).value as Order)}>
      <option value="until">what ends soonest</option><option value="made">what waits longest</option></select></p>`
  }
    <ol class="inbox" ref=${list}>${rows.slice(0, shown).map((one) => html`<${Row} key=${one.id} one=${one} me=${me} now=${now} />`)}</ol>
    ${rows.length > shown && html`<p><button type="button" onClick=${() => setShown(shown + AT_ONCE)}>${rows.length - shown} more</button></p>`}`;
}
function Row({ one, me, now }: { readonly one: Approval; readonly me: Me; readonly now: number }): VNode {
  const state = stateOf(one, now);
  const bar = barOf(one, me, now);
  const left = one.until - now;
  return html`<li class=${`ask${state === 'pending' && left < 120 ? ' urgent' : ''}`}>
    <div class="ask-what">
      <h2><a class="row" href=${`${base}/console/approvals/${one.id}`}>${one.steps ? `A plan of ${one.steps.length} steps` : html`<${Text}>${one.tool}<//>`}</a></h2>
      <p>${one.description ?? ''}</p>
      <p class="chips">${one.steps ? one.steps.slice(0, 4).map(({ tool }) => html`<span class="chip"><${Text} fold=${40}>${tool}<//></span>`) : chips(one)}</p>
    </div>
    <div class="ask-who">
      <p><${AgentName} id=${one.client} /> for <${Person} name=${one.subject} /></p>
      ${one.purpose !== undefined && html`<p class="quoted"><${Text} fold=${140}>${one.purpose}<//></p>`}
    </div>
    <div class="ask-when">
      ${
        state === 'pending'
          ? html`<p class="left"><strong>${spanOf(left)}</strong> left</p>
            <p class="quiet">asked <${Ago} at=${one.made} /></p>
            ${one.demand.quorum > 1 && html`<p class="quiet">${agreed(one)} of ${one.demand.quorum} agree</p>`}
            ${bar === undefined ? html`<${Badge} tone="info">yours to decide<//>` : bar === 'already_voted' ? html`<${Badge} tone="good">you agreed<//>` : bar === 'own_action' ? html`<${Badge}>done for you<//>` : ''}`
          : html`<p><${Badge} tone=${TONE[state]}>${WORD[state]}<//></p><p class="quiet"><${Ago} at=${one.votes.at(-1)?.at ?? one.until} /></p>`
      }
    </div>
  </li>`;
}
/** The first few arguments that are no structures. */
function chips({ arguments: args }: Approval): readonly VNode[] {
  return Object.entries(args)
    .filter(([, value]) => typeof value !== 'object')
    .slice(0, 4)
    .map(
      ([name, value]) =>
        html`<span class="chip"><span class="quiet"><${Text} fold=${24}>${name}<//></span> <${Text} fold=${40}>${String(value)}<//></span>`,
    );
}
