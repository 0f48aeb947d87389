/** One agent: what it may do in words, with the policies that say so; and the switch that stops it. */
import { AgentBadges } from './agent-badges.ts';
import { AgentSwitch } from './agent-switch.ts';
import type { AgentDetail, Budget, Right } from './agent-types.ts';
import { Ago, Badge, base, Empty, html, type Me, Person, Text, useLoad, type VNode, When } from './kit.ts';
import { RuleSource } from './rule.ts';

export function AgentPage({ id, me }: { readonly id: string; readonly me: Me }): VNode {
  const loaded = useLoad<AgentDetail>(`/operator/agents/${encodeURIComponent(id)}`, { everyMs: 15_000 });
  return html`<p class="back"><a href=${`${base}/console/agents`}>← All agents</a></p>
    <${When} loaded=${loaded}>${(data: AgentDetail) => html`<${Shown} data=${data} me=${me} reload=${loaded.reload} />`}<//>`;
}
function Shown({ data, me, reload }: { readonly data: AgentDetail; readonly me: Me; readonly reload: () => void }): VNode {
  const { agent, mandate, budgets, unused_days: days, uses_since: since } = data;
  const { id, name, owner, owned, sponsor, purpose, review, overdue, identity, issuer, subject, last_use: last } = agent;
  const [used, unused] = [mandate.filter((right) => right.used), mandate.filter((right) => !right.used)];
  return html`<header class="page-head"><h1><${Text}>${name}<//></h1><code class="quiet"><${Text}>${id}<//></code><${AgentBadges} agent=${agent} /></header>
    <div class="stack">
      <div class="ag-split">
        <section class="card" aria-label="About it">
          <p class="ag-lead"><${Text}>${purpose}<//></p>
          <dl class="fields">
            <${Field} name="Owner"><${Person} name=${owner} /> ${!owned && html`<span class="ag-late">has left: it is refused everything</span>`}<//>
            ${sponsor !== undefined && html`<${Field} name="Sponsor"><${Text}>${sponsor}<//><//>`}
            <${Field} name="Review by"><span class=${overdue ? 'ag-late' : ''}>${review}${overdue ? ', overdue' : ''}</span><//>
            <${Field} name="Proves itself by">${identity === 'key' ? 'a key of its own' : html`what <${Text}>${issuer ?? ''}<//> calls <${Text}>${subject ?? ''}<//>`}<//>
            <${Field} name="Last granted">${last === undefined ? html`<span class="quiet">never seen</span>` : html`<${Ago} at=${last} />`}<//>
            ${agent.max_ttl_seconds !== undefined && html`<${Field} name="Tokens live">at most ${agent.max_ttl_seconds} s<//>`}
          </dl>
        </section>
        <${AgentSwitch} agent=${agent} me=${me} reload=${reload} />
      </div>
      ${
        mandate.length === 0
          ? html`<${Empty} title="It may do nothing.">No permit names this agent. Write one that names <code>Actor::"${id}"</code> for what it does for people, or <code>Agent::"${id}"</code> for what it does alone.<//>`
          : html`${used.length > 0 && html`<section aria-label="What it may do"><h2>May do</h2><div class="ag-rights">${used.map((right) => html`<${Shows} key=${`${right.as}${right.server}${right.tool}`} right=${right} id=${id} days=${days} />`)}</div></section>`}
            ${unused.length > 0 && html`<section aria-label="What it may do and has not done"><h2>May do, and has not for ${days} days</h2><p class="quiet ag-hint">A right that nobody needs can be taken away: remove the tool from the policies below.</p><div class="ag-rights">${unused.map((right) => html`<${Shows} key=${`${right.as}${right.server}${right.tool}`} right=${right} id=${id} days=${days} />`)}</div></section>`}`
      }
      ${budgets.length > 0 && html`<section class="card"><h2>Budgets</h2><ul class="ag-budgets">${budgets.map((budget) => html`<${Left} budget=${budget} />`)}</ul></section>`}
      ${since !== undefined && html`<p class="quiet">Uses are known since <${Ago} at=${since} />.</p>`}
    </div>`;
}
const Field = ({ name, children }: { readonly name: string; readonly children: unknown }): VNode =>
  html`<div class="field"><dt>${name}</dt><dd>${children}</dd></div>`;

function Shows({ right, id }: { readonly right: Right; readonly id: string }): VNode {
  const { as, server, server_name: serverName, tool, words, permits, people, never, dead, last_use: last, uses } = right;
  const asked = new URLSearchParams({ agent: id, server, tool, ...(as === 'subject' && { alone: 'yes' }) });
  const count = permits.length + people.length + never.length;
  const [first = '', ...rest] = words;
  const limits = rest.filter((text) => text.startsWith('Never'));
  const others = rest.filter((text) => !text.startsWith('Never'));
  return html`<article class="card ag-right">
    <h3><${Text}>${tool === 'tool:list' ? 'List the tools' : tool}<//> <span class="quiet">at <${Text}>${serverName}<//></span></h3>
    <p class="ag-badges">
      ${as === 'subject' ? html`<${Badge} tone="info">for itself<//>` : html`<${Badge}>for others<//>`}
      ${dead && html`<${Badge} tone="warn">never granted<//>`}
      ${last === undefined ? html`<${Badge}>not used yet<//>` : html`<span class="quiet">${uses === undefined ? 'last granted' : `${uses.toLocaleString('en')} ${uses === 1 ? 'grant' : 'grants'} lately, last`} <${Ago} at=${last} /></span>`}
    </p>
    <p>${first}</p>
    ${limits.length > 0 && html`<ul class="ag-limits">${limits.map((text) => html`<li>${text}</li>`)}</ul>`}
    ${others.map((text) => html`<p class="quiet">${text}</p>`)}
    <div class="ag-more">
      <details><summary>${count === 1 ? 'The policy that says so' : `The ${count} policies that say so`}</summary>
        <div class="policies">${[...permits, ...people, ...never].map((rule) => html`<${RuleSource} rule=${rule} open=${false} />`)}</div>
      </details>
      <a href=${`${base}/console/playground?${asked}`}>Try it</a>
    </div>
  </article>`;
}
function Left({ budget }: { readonly budget: Budget }): VNode {
  const { id, title, limit, left, window, per, sum, tool } = budget;
  const spent = left === undefined ? 0 : limit - left;
  const name = `${title}${tool === undefined ? '' : ` (${tool})`}`;
  return html`<li><div class="ag-budget-head"><strong>${name}</strong> <span class="quiet">${id}, per ${per.join(' and ')}, each ${window}</span></div>
    ${
      left === undefined
        ? html`<p class="quiet">Up to ${limit.toLocaleString('en')} ${sum ?? 'calls'} for each; what is left depends on whoever is acted for.</p>`
        : html`<meter min="0" max=${limit} value=${spent} high=${limit * 0.8} aria-label=${`${name}: ${spent} of ${limit} spent`}></meter>
          <p>${left.toLocaleString('en')} of ${limit.toLocaleString('en')} ${sum ?? 'calls'} left</p>`
    }</li>`;
}
