/** Health: what this broker stands on, and what to do where it is not well. */
import { AdviceOf } from './health-advice.ts';
import type { Backends, Check, Lease, Leases, Report, Status, Trouble, Verifier } from './health-types.ts';
import {
  Ago,
  api,
  Badge,
  type Column,
  Copy,
  Empty,
  html,
  type Me,
  type PageProps,
  Problem,
  Refused,
  Table,
  Text,
  toast,
  useLoad,
  useState,
  type VNode,
  When,
} from './kit.ts';

/** Of credentials that are out. */
const LENT = 100;

export function Page({ me }: PageProps): VNode {
  const status = useLoad<Status>('/operator/status', { everyMs: 5_000 });
  const verifiers = useLoad<{ readonly verifiers: readonly Verifier[] }>('/operator/verifiers', { everyMs: 10_000 });
  const backends = useLoad<Backends>('/operator/backends', { everyMs: 10_000 });
  const leases = useLoad<Leases>(`/operator/leases?limit=${LENT}`, { everyMs: 5_000 });
  return html`<header class="page-head"><h1>Health</h1><p>What this broker stands on, and what to do where it is not well.</p></header>
    <div class="stack">
      <${When} loaded=${status}>${(its: Status) => html`<${Overall} checks=${its.checks} /><${Checks} checks=${its.checks} /><${Bundle} status=${its} me=${me} reload=${status.reload} />`}<//>
      <section class="card"><h2>Back ends</h2><${When} loaded=${backends}>${(its: Backends) => html`<${BackEnds} its=${its} />`}<//></section>
      <section><h2 class="health-section">Tool servers that follow revocations</h2><${When} loaded=${verifiers}>${(its: { readonly verifiers: readonly Verifier[] }) => html`<${Verifiers} rows=${its.verifiers} />`}<//></section>
      <section><h2 class="health-section">Credentials of back ends that are out</h2><${When} loaded=${leases}>${(its: Leases) => html`<${Lent} its=${its} />`}<//></section>
    </div>`;
}
function Overall({ checks }: { readonly checks: readonly Check[] }): VNode {
  const [down, degraded] = [checks.filter(({ state }) => state === 'down'), checks.filter(({ state }) => state === 'degraded')];
  const [tone, title, text] =
    down.length > 0
      ? ([
          'bad',
          'It grants nothing',
          `${down.map(({ name }) => name).join(', ')} cannot be used; every request is refused until it can.`,
        ] as const)
      : degraded.length > 0
        ? (['warn', 'It runs, and something wants looking after', `${degraded.map(({ name }) => name).join(', ')}: see below.`] as const)
        : (['good', 'All is well', 'Requests are answered, and everything that they need was reached just now.'] as const);
  return html`<section class=${`pg-verdict ${tone}`}><h2>${title}</h2><p>${text}</p></section>`;
}
const TONE = { ok: 'good', degraded: 'warn', down: 'bad' } as const;
function Checks({ checks }: { readonly checks: readonly Check[] }): VNode {
  return html`<ul class="health-checks">${checks.map(
    ({
      name,
      state,
      detail,
    }) => html`<li class="card"><p class="ag-badges"><strong>${name.replaceAll('_', ' ')}</strong> <${Badge} tone=${TONE[state]}>${state}<//></p>
      <p class="quiet">${AdviceOf[name]?.[0] ?? 'A back end that tools get credentials from.'}</p>
      ${state !== 'ok' && html`<p>${detail !== undefined ? html`<${Text}>${detail}<//>. ` : ''}<strong>${AdviceOf[name]?.[1] ?? 'Look at that system and at the broker’s log; other kinds go on.'}</strong></p>`}</li>`,
  )}</ul>`;
}
function Bundle({ status, me, reload }: { readonly status: Status; readonly me: Me; readonly reload: () => void }): VNode {
  const { bundle, report } = status;
  const [no, setNo] = useState<Refused>();
  const again = (): void =>
    void api.post<Report>('/operator/bundle/reload').then(
      ({ ok, changed }) => {
        toast(!ok ? 'Refused: see the problems.' : changed ? 'A new bundle is in force.' : 'Nothing has changed.');
        reload();
      },
      (fault: unknown) => fault instanceof Refused && setNo(fault),
    );
  return html`<section class="card"><h2>Policies in force</h2>
    <div class="stack">
      <p>Bundle <${Copy} text=${bundle} label=${`${bundle.slice(0, 12)}…`} /></p>
      ${!report.ok && html`<div class="notice bad"><p>A newer bundle was refused and this one stays in force. Mend the files, then load them again.</p><${Troubles} all=${report.problems} /></div>`}
      ${report.warnings.length > 0 ? html`<details open=${report.warnings.length < 6}><summary>${report.warnings.length} ${report.warnings.length === 1 ? 'warning' : 'warnings'}</summary><${Troubles} all=${report.warnings} /></details>` : html`<p class="quiet">No warnings.</p>`}
      ${me.roles.includes('operator') && html`<p><button type="button" onClick=${again}>Load the files again</button></p>`}
      ${no && html`<${Problem} error=${no} />`}
    </div></section>`;
}
const Troubles = ({ all }: { readonly all: readonly Trouble[] }): VNode =>
  html`<ul class="health-troubles">${all.map(({ file, line, text, hint }) => html`<li><code>${file}${line === undefined ? '' : `:${line}`}</code> <${Text}>${text}<//>${hint !== undefined && html`<span class="ag-under"><${Text}>${hint}<//></span>`}</li>`)}</ul>`;

function BackEnds({ its: { backends, registrations, environment } }: { readonly its: Backends }): VNode {
  if (backends.length === 0)
    return html`<p class="quiet">None is configured: tools get an action token and nothing else. Vault and STS are named under <code>backends:</code> in the configuration.</p>`;
  return html`<ul class="pg-who">${backends.map(
    ({
      kind,
      ready,
      detail,
      standing,
    }) => html`<li><${Badge} tone=${ready ? 'good' : 'bad'}>${ready ? 'ready' : 'not ready'}<//><strong>${kind}</strong><span class="quiet"><${Text}>${detail}<//></span>
      ${standing && html`<${Badge} tone="warn">holds a secret that stands<//>`}<span class="quiet">${registrations.filter((one) => one.kind === kind).length} tools</span>
      ${!ready && html`<span>Run <code>npm run check-backends</code> to see each step of a login.</span>`}</li>`,
  )}</ul>
  ${environment.length > 0 && html`<p class="notice warn">Secrets that stand are in the broker’s environment (${environment.join(', ')}). It needs none: take them out.</p>`}`;
}
const SEEN: readonly Column<Verifier>[] = [
  { title: 'Server', of: ({ server, resource }) => html`<${Text}>${server}<//><span class="ag-under"><${Text}>${resource}<//></span>` },
  {
    title: 'Last asked',
    of: ({ last_seen: at }) => (at === null ? html`<${Badge} tone="warn">never seen<//>` : html`<${Ago} at=${at} />`),
  },
  { title: 'Knows up to', of: ({ seq }) => (seq === null ? '–' : seq.toLocaleString('en')), number: true, wide: true },
  { title: 'Waiting', of: ({ waiting }) => waiting, number: true, wide: true },
];
function Verifiers({ rows }: { readonly rows: readonly Verifier[] }): VNode {
  const never = rows.filter(({ last_seen: at }) => at === null).length;
  return html`<${Table} caption="Tool servers" rows=${rows} columns=${SEEN} keyOf=${({ server }: Verifier) => server} />
    ${never > 0 && html`<p class="quiet ag-hint">A server that never asked accepts revoked tokens until they end. <code>followRevocations</code> of <code>countersign/verify</code> changes that.</p>`}`;
}
const OUT: readonly Column<Lease>[] = [
  {
    title: 'Lease',
    of: ({ id, tool }) =>
      html`<code>${id.slice(0, 16)}…</code>${tool !== undefined && html`<span class="ag-under"><${Text}>${tool}<//></span>`}`,
  },
  { title: 'At', of: ({ kind, where }) => html`${kind} <span class="quiet"><${Text}>${where}<//></span>` },
  {
    title: 'State',
    of: ({ state, overdue }) => html`<${Badge} tone=${overdue ? 'warn' : 'quiet'}>${overdue ? `${state}, overdue` : state}<//>`,
  },
  { title: 'Ends', of: ({ exp }) => html`<${Ago} at=${exp} />`, wide: true },
];
function Lent({ its: { open, leases, overdue } }: { readonly its: Leases }): VNode {
  if (leases.length === 0)
    return html`<${Empty} title="Nothing is out.">Credentials of Vault and STS stand here from the moment they are asked for until their end is certain.<//>`;
  return html`${overdue > 0 && html`<p class="notice warn">${overdue} should have ended by now and its back end has not said so. It is tried again and again; look at that back end.</p>`}
    <${Table} caption="Leases" rows=${leases} columns=${OUT} keyOf=${({ id }: Lease) => id} />
    ${open > LENT && html`<p class="quiet ag-hint">and ${(open - LENT).toLocaleString('en')} more; those that are overdue stand first</p>`}`;
}
