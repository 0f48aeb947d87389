/** Agents: whose each is, what it may do, and what nobody needs. */
import { AgentBadges, urgency } from './agent-badges.ts';
import { AgentPage } from './agent-detail.ts';
import type { Agent, AgentList } from './agent-types.ts';
import {
  Ago,
  afterOf,
  base,
  type Column,
  Empty,
  html,
  type PageProps,
  Pager,
  Person,
  partOf,
  Table,
  Text,
  Tile,
  useLoad,
  useState,
  type VNode,
  When,
} from './kit.ts';

export function Page({ me, path }: PageProps): VNode {
  const id = /^\/([^/?]+)/.exec(path)?.[1];
  const after = afterOf(path);
  return id === undefined
    ? html`<${Agents} key=${after} after=${after} />`
    : html`<${AgentPage} key=${id} id=${decodeURIComponent(id)} me=${me} />`;
}

const COLUMNS: readonly Column<Agent>[] = [
  { title: 'Agent', of: ({ id, name }) => html`<${Text}>${name}<//><span class="ag-under"><${Text}>${id}<//></span>` },
  { title: 'State', of: (agent) => html`<${AgentBadges} agent=${agent} />` },
  { title: 'Owner', of: ({ owner }) => html`<${Person} name=${owner} />`, wide: true },
  {
    title: 'Last granted',
    of: ({ last_use: at }) => (at === undefined ? html`<span class="quiet">never seen</span>` : html`<${Ago} at=${at} />`),
    wide: true,
  },
  {
    title: 'Rights unused',
    of: ({ rights, unused }) => (unused === 0 ? html`<span class="quiet">none of ${rights}</span>` : `${unused} of ${rights}`),
    number: true,
    wide: true,
  },
  { title: 'Review by', of: ({ review, overdue }) => html`<span class=${overdue ? 'ag-late' : ''}>${review}</span>`, wide: true },
];
function Agents({ after }: { readonly after: string | undefined }): VNode {
  const loaded = useLoad<AgentList>(partOf('/operator/agents', after), { everyMs: 15_000 });
  const [wanted, setWanted] = useState('');
  return html`<header class="page-head"><h1>Agents</h1><p>Whose each agent is, what it may do, and what it has never needed.</p></header>
    <${When} loaded=${loaded}>${({ agents, next, unused_days: days, uses_since: since }: AgentList) => {
      if (agents.length === 0)
        return html`<${Empty} title="No agent is registered."><p>Add one to <code>agents.yaml</code> with an owner, a purpose and a key, then run <code>npm run policies -- --write</code>.</p><//>`;
      const whole = after === undefined && next === undefined;
      const text = wanted.trim().toLowerCase();
      const shown = agents
        .filter(({ id, name, owner, purpose }) => `${id} ${name} ${owner} ${purpose}`.toLowerCase().includes(text))
        .toSorted((a, b) => urgency(a) - urgency(b) || (b.last_use ?? 0) - (a.last_use ?? 0) || (a.name < b.name ? -1 : 1));
      return html`<div class="stack">
        <ul class="tiles">
          <${Tile} value=${agents.length} label=${whole ? 'agents' : 'agents on this page, in order of their ids'} />
          <${Tile} value=${agents.filter(({ halts, suspended, owned }) => halts.length > 0 || suspended || !owned).length} label="stopped" tone="bad" />
          <${Tile} value=${agents.filter(({ overdue }) => overdue).length} label="reviews overdue" tone="warn" />
          <${Tile} value=${agents.filter(({ unused }) => unused > 0).length} label=${`with rights unused for ${days} days`} />
        </ul>
        ${agents.length > 8 && html`<label class="ag-filter">Find${whole ? '' : ' on this page'} <input type="search" value=${wanted} placeholder="name, owner, purpose" onInput=${(event: InputEvent) => setWanted((event.target as HTMLInputElement).value)} /></label>`}
        ${shown.length === 0 ? html`<${Empty} title="No agent is called that.">Look for a part of its name, its owner or its purpose.<//>` : html`<${Table} caption="Agents" rows=${shown} columns=${COLUMNS} keyOf=${({ id }: Agent) => id} href=${({ id }: Agent) => `${base}/console/agents/${encodeURIComponent(id)}`} />`}
        <${Pager} path="/console/agents" after=${after} next=${next} back="The first ones" on="The next ones" />
        ${since !== undefined && html`<p class="quiet">Uses are known since <${Ago} at=${since} />: what was used before counts as unused here.</p>`}
      </div>`;
    }}<//>`;
}
