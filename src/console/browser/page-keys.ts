/** Keys: where each stands in its life, and the next step of a rotation, rehearsed before it is taken. */
import { KeySteps } from './key-steps.ts';
import type { KeyStatus, RingStatus } from './key-types.ts';
import { Ago, Badge, Copy, html, type Me, type PageProps, spanOf, useLoad, type VNode, When } from './kit.ts';

export function Page({ me }: PageProps): VNode {
  // Where no back end is configured there is no such ring to ask for.
  const backends = useLoad<{ readonly backends: readonly object[] }>('/operator/backends');
  const none = backends.data?.backends.length === 0;
  return html`<header class="page-head"><h1>Keys</h1><p>What this broker signs with, and where each key stands in its life.</p></header>
    <div class="stack">
      <${Ring} ring="tokens" title="Keys of tokens" about="Agents show what these sign to tool servers." me=${me} />
      ${none && html`<section class="card"><h2>Keys of logins</h2><p class="quiet">No back end is configured, so nothing logs in anywhere and there are no such keys.</p></section>`}
      ${backends.data && !none && html`<${Ring} ring="backends" title="Keys of logins" about="Vault and STS are shown what these sign." me=${me} />`}
    </div>`;
}
const LANES = [
  ['next', 'Published', 'Signs nothing yet: verifiers are learning of it.'],
  ['current', 'Signs', 'Every new token is signed by it.'],
  ['retiring', 'Retiring', 'Signs no more; what it signed is still good.'],
] as const;

function Ring({
  ring,
  title,
  about,
  me,
}: {
  readonly ring: string;
  readonly title: string;
  readonly about: string;
  readonly me: Me;
}): VNode {
  const loaded = useLoad<RingStatus>(`/operator/keys?ring=${ring}`, { everyMs: 5_000 });
  return html`<section class="card stack" aria-label=${title}><div class="page-head"><h2>${title}</h2><p>${about}</p></div>
    <${When} loaded=${loaded}>${(status: RingStatus) => {
      const past = status.keys.filter(({ state }) => state === 'gone' || state === 'distrusted');
      return html`<ol class="ring-lanes">${LANES.map(
        ([state, name, means], index) => html`<li class=${`ring-lane ${state}`}>
          <h3>${name}</h3><p class="quiet">${means}</p>
          <ul>${status.keys.filter((key) => key.state === state).map((key) => html`<${Key} value=${key} now=${status.now} />`)}</ul>
          ${!status.keys.some((key) => key.state === state) && html`<p class="quiet none">none</p>`}
          ${index < LANES.length - 1 && html`<svg class="ring-arrow" viewBox="0 0 12 24" aria-hidden="true"><path d="M2 2l8 10-8 10" /></svg>`}
        </li>`,
      )}</ol>
      <${KeySteps} ring=${ring} status=${status} me=${me} reload=${loaded.reload} />
      ${past.length > 0 && html`<details><summary>${past.length} keys that were</summary><ul class="ring-past">${past.map(({ kid, alg, state, since }) => html`<li><code>${kid}</code> ${alg} <${Badge} tone=${state === 'distrusted' ? 'bad' : 'quiet'}>${state}<//> <${Ago} at=${since} /></li>`)}</ul></details>`}`;
    }}<//></section>`;
}
function Key({ value: { kid, alg, since, next }, now }: { readonly value: KeyStatus; readonly now: number }): VNode {
  const wait = next ? Math.max(1, next.at - since) : 1;
  const done = next ? Math.min(wait, Math.max(0, now - since)) : 1;
  const verb = next?.step === 'activate' ? 'may sign' : 'may go';
  return html`<li class="ring-key"><${Copy} text=${kid} /> <${Badge}>${alg}<//>
    <p class="quiet">since <${Ago} at=${since} /></p>
    ${
      next &&
      html`<svg class="ring-wait" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect width="100" height="6" rx="3" /><rect class="done" width=${(100 * done) / wait} height="6" rx="3" /></svg>
        <p>${next.at <= now ? html`<strong>${verb} now</strong>` : html`${verb} in ${spanOf(next.at - now)}`}</p>`
    }</li>`;
}
