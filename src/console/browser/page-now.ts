/** Now: what agents do at this moment, what is refused and what helps, what waits. */
import { Bars, type Series } from './chart.ts';
import { AgentName, Ago, base, Empty, html, type Loaded, type PageProps, Tabs, Text, Tile, useLoad, type VNode, When } from './kit.ts';
import { LiveList } from './now-live.ts';

interface Counts {
  readonly granted: number;
  readonly refused: number;
  readonly waiting: number;
  readonly faulted: number;
}
export interface Overview {
  readonly sliceSeconds: number;
  readonly slices: readonly (Counts & { readonly at: number })[];
  readonly total: Counts;
  readonly refusals: readonly {
    readonly code: string;
    readonly count: number;
    readonly at: number;
    readonly text?: string;
    readonly remedy?: string;
    readonly policies: readonly string[];
  }[];
  readonly agents: readonly { readonly agent: string; readonly count: number }[];
  readonly waiting: { readonly count: number; readonly more: boolean; readonly oldest?: number };
  readonly halts: number;
  readonly latency?: { readonly p50: number; readonly p99: number; readonly count: number };
  readonly indexed: { readonly through: number; readonly whole: boolean };
}
const SPANS = [
  [15, '15 min'],
  [60, '1 hour'],
  [1_440, '24 hours'],
  [10_080, '7 days'],
] as const;
const SERIES: readonly Series[] = [
  { name: 'granted', tone: 'good' },
  { name: 'refused', tone: 'bad' },
  { name: 'sent to people', tone: 'warn' },
  { name: 'not answered', tone: 'quiet' },
];
/** What people can do where no rule of the bundle teaches; the agent is told in other words. */
const HELP: Readonly<Record<string, string>> = {
  no_permit: 'No rule permits it to that person, or to that agent for them. The Playground finds the smallest change that would.',
  input_missing: 'A rule reads an argument that was not sent: make it optional in the rule, or required in the tool’s schema.',
  input_overflow: 'A rule counts beyond what numbers hold.',
  suspended:
    'It, its owner, its person or everything is halted, or the bundle suspends it. Its page under Agents says who did it, and why.',
  client_suspended: 'The bundle suspends it: see agents.yaml.',
  owner_missing: 'Its owner has left, so it is refused everything. Name another in agents.yaml.',
  approval_denied: 'A person said no. What they wrote stands with the approval.',
  approval_expired: 'Nobody decided in time. Is whoever is asked told of it? Health shows whether notices go out.',
  forbidden: 'A rule forbids it and gives no reason: write @reason and @remedy beside it.',
};
const ASK_MS = 5_000;
const pathOf = (minutes: number): string => `/console/now?minutes=${minutes}`;

export function Page({ me, path }: PageProps): VNode {
  const asked = Number(new URLSearchParams(path).get('minutes'));
  const minutes = SPANS.find(([one]) => one === asked)?.[0] ?? 60;
  const loaded = useLoad<Overview>(`/operator/overview?minutes=${minutes}`, { everyMs: ASK_MS });
  const opens = me.roles.some((role) => role !== 'viewer');
  const searches = me.roles.some((role) => role === 'auditor' || role === 'operator');
  return html`<div class="page-head"><h1>Now</h1>${loaded.data && html`<${Sentence} of=${loaded.data} minutes=${minutes} />`}</div>
    <${Tabs} label="How far back" tabs=${SPANS.map(([one, title]) => [pathOf(one), title])} current=${pathOf(minutes)} />
    <div class="now">
      <${When} loaded=${loaded}>${(data: Overview) => html`<${Picture} data=${data} />`}<//>
      <div class="now-below">
        <${LiveList} opens=${opens} />
        <${Beside} loaded=${loaded} minutes=${minutes} searches=${searches} />
      </div>
    </div>`;
}
function Sentence({ of: { total }, minutes }: { readonly of: Overview; readonly minutes: number }): VNode {
  const all = total.granted + total.refused + total.waiting + total.faulted;
  const back = SPANS.find(([one]) => one === minutes)?.[1] ?? '';
  if (all === 0) return html`<p>No agent asked for anything in the last ${back}.</p>`;
  const share = Math.round((total.refused / all) * 100);
  return html`<p>In the last ${back}: <strong>${all.toLocaleString('en')}</strong> ${all === 1 ? 'decision' : 'decisions'}, ${share}% refused.</p>`;
}
function Picture({ data }: { readonly data: Overview }): VNode {
  const { slices, sliceSeconds, total, waiting, halts, latency, indexed } = data;
  return html`<div class="stack">
    ${!indexed.whole && html`<p class="notice info">The index of the ledger is being made: what happened after entry ${indexed.through.toLocaleString('en')} is not counted yet.</p>`}
    <ul class="tiles">
      <${Tile} value=${total.granted} label="granted" />
      <${Tile} value=${total.refused} label="refused" tone="bad" />
      <li class=${`tile ${waiting.count > 0 ? 'warn' : ''}`}><strong>${waiting.count.toLocaleString('en')}${waiting.more ? '+' : ''}</strong> ${''}
        <span><a href=${`${base}/console/approvals`}>${waiting.count === 1 ? 'waits for people' : 'wait for people'}</a>${waiting.oldest !== undefined && html`, longest since <${Ago} at=${waiting.oldest} />`}</span></li>
      <${Tile} value=${halts} label=${halts === 1 ? 'halt stands' : 'halts stand'} tone="bad" />
      ${latency && html`<li class="tile"><strong>${latency.p50} <small>ms</small></strong> <span>to decide, at the median; p99 ${latency.p99} ms</span></li>`}
    </ul>
    <div class="card"><${Bars} title="Decisions over time" series=${SERIES} sliceSeconds=${sliceSeconds}
      bars=${slices.map(({ at, granted, refused, waiting: waits, faulted }) => ({ at, values: [granted, refused, waits, faulted] }))} /></div>
  </div>`;
}
interface BesideProps {
  readonly loaded: Loaded<Overview>;
  readonly minutes: number;
  readonly searches: boolean;
}
function Beside({ loaded: { data }, minutes, searches }: BesideProps): VNode | undefined {
  if (!data) return undefined;
  const since = `since=${minutes}m`;
  return html`<div class="stack">
    <section class="card" aria-labelledby="refusals-title"><h2 id="refusals-title">Top refusals</h2>
      ${
        data.refusals.length === 0
          ? html`<${Empty} title="Nothing was refused."><p>When a rule says no, it stands here with what helps.</p><//>`
          : html`<ol class="refusals">${data.refusals.map(
              ({ code, count, at, text, remedy, policies }) => html`<li key=${code}>
                <p class="refusal-head"><strong>${count.toLocaleString('en')} ×</strong>
                  ${searches ? html`<a href=${`${base}/console/explorer?outcome=refused&reason=${encodeURIComponent(code)}&${since}`}><code>${code}</code></a>` : html`<code>${code}</code>`}
                  <span class="quiet"><${Ago} at=${at} /></span></p>
                <p>${remedy === undefined ? (HELP[code] ?? text ?? 'A rule says no.') : html`<${Text}>${remedy}<//>`}</p>
                ${policies.length > 0 && html`<p class="quiet">rule ${policies.map((id, i) => html`${i > 0 && ', '}<code>${id}</code>`)}</p>`}
              </li>`,
            )}</ol>`
      }
    </section>
    ${
      data.agents.length > 0 &&
      html`<section class="card" aria-labelledby="busy-title"><h2 id="busy-title">Who asks most</h2>
        <ol class="busy">${data.agents.map(({ agent, count }) => html`<li key=${agent}><${AgentName} id=${agent} /> <span class="quiet">${count.toLocaleString('en')}</span></li>`)}</ol>
      </section>`
    }
  </div>`;
}
