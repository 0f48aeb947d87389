/** You: who you are here, what waits for your own word, your passkeys, and the way out. */
import type { Approval } from './approval.ts';
import { Decide } from './approval-decide.ts';
import { Steps, What } from './approval-form.ts';
import { AgentName, Ago, Badge, Empty, html, type Me, type PageProps, Person, Text, timeOf, useLoad, type VNode, When } from './kit.ts';
import { logOut } from './logout.ts';
import { Passkeys } from './passkey-list.ts';

const ASK_MS = 10_000;

export function Page({ me }: PageProps): VNode {
  return html`<div class="page-head"><h1>You</h1><p><${Person} name=${me.name} /></p></div>
    <div class="approval-body">
      <div class="stack"><${Confirmations} /></div>
      <div class="stack"><${Rights} me=${me} />${!me.name.startsWith('local:') && html`<${Passkeys} me=${me} />`}<${Leave} /></div>
    </div>`;
}
interface Confirming {
  readonly confirmations: readonly Approval[];
  readonly next?: string;
}
function Confirmations(): VNode {
  const loaded = useLoad<Confirming>('/operator/confirmations', { everyMs: ASK_MS });
  return html`<${When} loaded=${loaded}>${({ confirmations, next }: Confirming) =>
    confirmations.length === 0
      ? html`<${Empty} title="Nothing waits for your own word."><p>When something done on your behalf needs your yes, it appears here.</p><//>`
      : html`${confirmations.map((one) => html`<${Confirmation} key=${one.id} one=${one} reload=${loaded.reload} />`)}
        ${next !== undefined && html`<p class="quiet">There are more: they come up as these are decided.</p>`}`}<//>`;
}
function Confirmation({ one, reload }: { readonly one: Approval; readonly reload: () => void }): VNode {
  const told = one.votes.some(({ confirms }) => confirms);
  const steps = one.steps?.flatMap((step, at) => (step.needs_approval ? [at] : []));
  return html`<article class="stack">
    <h2><${AgentName} id=${one.client} /> wants to run <${Text}>${one.steps ? `${one.steps.length} steps` : one.tool}<//> for you</h2>
    <p>${one.description ?? ''} <span class="quiet">Ends <${Ago} at=${one.until} />.</span></p>
    ${one.steps ? html`<${Steps} one=${one} chosen=${steps ?? []} />` : html`<${What} one=${one} compare=${false} />`}
    ${one.purpose !== undefined && html`<p class="quiet small">Why, in the agent’s words, checked by nobody:</p><p class="quoted"><${Text}>${one.purpose}<//></p>`}
    ${told ? html`<p class="notice good">You have confirmed it. Others may still have to agree.</p>` : html`<${Decide} one=${one} steps=${steps} done=${reload} at="/operator/confirmations" />`}
  </article>`;
}
function Rights({ me }: { readonly me: Me }): VNode {
  const ends = Number(document.body.dataset['ends'] ?? 0);
  return html`<section class="card" aria-labelledby="rights"><h2 id="rights">What you may do here</h2>
    <p>${me.roles.length === 0 ? 'No role here: you see what concerns you alone.' : me.roles.map((role) => html`<${Badge} tone="info">${role}<//> `)}</p>
    ${me.teams.length > 0 && html`<p class="quiet small">You decide for ${me.teams.map((team, at) => html`${at > 0 ? ', ' : ''}<${Text}>${team}<//>`)}.</p>`}
    <p class="quiet small">Roles and teams come from your groups at login. This login ends ${ends > 0 ? timeOf(ends) : 'by itself'}, or when it is not used.</p></section>`;
}
function Leave(): VNode {
  return html`<section class="card stack" aria-labelledby="leave"><h2 id="leave">Leave</h2>
    <p class="quiet">A cookie in the wrong hands is worth nothing once its login has ended.</p>
    <p class="buttons"><button type="button" onClick=${() => void logOut('this')}>Log out</button>
      <button type="button" onClick=${() => void logOut('all')}>Log out everywhere</button></p></section>`;
}
