/** One action from the asking to its end. */
import { KindBadge } from './entry-words.ts';
import { type Step, stagesOf, type Told } from './explorer-stages.ts';
import { Badge, base, Copy, Empty, html, spanOf, Text, timeOf, useLoad, useNow, type VNode, When } from './kit.ts';

export interface Explained {
  readonly story: readonly Told[];
  readonly told: readonly { readonly headline: string; readonly rows: readonly (readonly [string, string])[] }[];
  /** Of these the hash was checked against the entry before. */
  readonly follows: readonly number[];
}

export function Story({ id }: { readonly id: string }): VNode {
  const loaded = useLoad<Explained>(`/operator/explain/${encodeURIComponent(id)}`);
  if (loaded.error?.status === 404)
    return html`<${Back} /><${Empty} title="There is nothing under this id."><p>Give the <code>decision_id</code> of an answer, the <code>txn</code> or <code>jti</code> of a token, or an approval. It may belong to another broker.</p><//>`;
  return html`<${Back} /><${When} loaded=${loaded}>${(data: Explained) => html`<${Whole} data=${data} id=${id} />`}<//>`;
}
const Back = (): VNode => html`<p class="back"><a href=${`${base}/console/explorer`}>← Explorer</a></p>`;

function Whole({ data: { story, told, follows }, id }: { readonly data: Explained; readonly id: string }): VNode {
  const first = story[0]?.entry;
  const named = story.map(({ entry }) => entry).find(({ tool }) => tool !== undefined) ?? first;
  return html`<div class="page-head"><h1>${named?.tool === undefined ? 'One decision' : html`<${Text}>${named.tool}<//>`}</h1>
      ${first && html`<p>${timeOf(first.at)} · <${Copy} text=${id} /></p>`}</div>
    <${Stages} story=${story} />
    <ol class="story">${story.map((one, i) => html`<${Moment} key=${one.seq} told=${one} headline=${told[i]?.headline ?? one.entry.kind} rows=${rowsOf(one, told[i])} known=${new Set(story.slice(0, i).flatMap((other, k) => rowsOf(other, told[k]).map(String)))} before=${story[i - 1]?.entry.at} follows=${follows.includes(one.seq)} />`)}</ol>`;
}
type Row = readonly [string, string];
const rowsOf = ({ entry }: Told, words: Explained['told'][number] | undefined): readonly Row[] => [
  ...(words?.rows ?? []),
  ...(entry.jkt === undefined ? [] : ([['only with key', entry.jkt]] as const)),
];

function Stages({ story }: { readonly story: readonly Told[] }): VNode | undefined {
  const stages = stagesOf(story, useNow(5_000));
  if (stages.length === 0) return undefined;
  let last: number | undefined;
  return html`<ol class="stages" aria-label="How far it came">${stages.map(({ name, at, tone }, i) => {
    const passed =
      at !== undefined && last !== undefined ? (at === last ? 'the same second' : `${spanOf(at - last)} later`) : i === 0 ? '' : '…';
    last = at ?? last;
    return html`<li class=${tone}><strong>${name}</strong><span>${at === undefined ? '' : timeOf(at).slice(11, 19)}</span><span class="quiet">${passed}</span></li>`;
  })}</ol>`;
}

interface MomentProps {
  readonly told: Told;
  readonly headline: string;
  readonly rows: readonly Row[];
  /** What was said before: folded away, so that what is new is seen. */
  readonly known: ReadonlySet<string>;
  readonly before: number | undefined;
  readonly follows: boolean;
}
function Moment({ told: { seq, hash, entry }, headline, rows, known, before, follows }: MomentProps): VNode {
  const row = ([name, text]: Row): VNode =>
    html`<div class="field"><dt>${name}</dt><dd><${Value} name=${name} text=${text} entry=${entry} /></dd></div>`;
  const old = rows.filter((one) => known.has(String(one)));
  return html`<li class="card">
    <div class="moment-head"><${KindBadge} line=${entry} /><h2><${Text}>${headline}<//></h2>
      <span class="quiet">${timeOf(entry.at)}${before !== undefined && entry.at > before && ` · ${spanOf(entry.at - before)} later`}</span></div>
    <dl class="fields">
      ${rows.filter((one) => !known.has(String(one))).map(row)}
      <div class="field"><dt>in the ledger</dt><dd>entry #${seq} <${Copy} text=${hash} label=${`${hash.slice(0, 16)}…`} />
        ${follows ? html`<${Badge} tone="good">✓ follows from the entry before it<//>` : html`<${Badge} tone="warn">not checked here<//> <span class="hint">Run <code>npm run verify-ledger</code>.</span>`}</dd></div>
    </dl>
    ${old.length > 0 && html`<details><summary>As before: ${[...new Set(old.map(([name]) => name))].join(', ')}</summary><dl class="fields">${old.map(row)}</dl></details>`}
  </li>`;
}
function Value({ name, text, entry }: { readonly name: string; readonly text: string; readonly entry: Step }): VNode {
  if (name === 'decision' || name === 'only with key') return html`<${Copy} text=${text} />`;
  if (name === 'approval') return html`<a href=${`${base}/console/approvals/${entry.approval}`}><${Text}>${text}<//></a>`;
  if (name === 'who' && entry.client !== undefined && entry.kind !== 'receipt' && entry.request !== 'redeem')
    return html`<a href=${`${base}/console/agents/${encodeURIComponent(entry.client)}`}><${Text}>${text}<//></a>`;
  return html`<${Text}>${text}<//>`;
}
