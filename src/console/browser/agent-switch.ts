/** Stops an agent, and lets it go on: with a reason, and first a look at what it would stop. */
import type { Agent } from './agent-types.ts';
import { Ago, api, html, type Me, Person, Problem, Refused, Text, toast, useState, type VNode } from './kit.ts';

export interface Stopped {
  readonly dry_run: boolean;
  readonly counts: { readonly revoked: number; readonly dies: number; readonly unknown: number };
  readonly outstanding: readonly { readonly txn: string; readonly exp: number }[];
}
export function AgentSwitch({ agent, me, reload }: { readonly agent: Agent; readonly me: Me; readonly reload: () => void }): VNode {
  const { id, halts } = agent;
  const own = halts.find(({ scope }) => scope === 'agent');
  const [reason, setReason] = useState('');
  const [seen, setSeen] = useState<Stopped>();
  const [no, setNo] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  const mayAct = me.roles.includes('operator');
  async function act(path: string, more: object, done: (answer: Stopped) => void): Promise<void> {
    setBusy(true);
    setNo(undefined);
    try {
      done(await api.post<Stopped>(path, { scope: 'agent', target: id, reason, ...more }));
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      setNo(fault);
    } finally {
      setBusy(false);
    }
  }
  const over = (text: string) => (): void => {
    toast(text);
    setSeen(undefined);
    setReason('');
    reload();
  };
  const send = (event: Event): void => {
    event.preventDefault();
    if (own) void act('/operator/revocations/undo', {}, over('It may run again.'));
    else if (seen) void act('/operator/revocations', {}, over('It is stopped.'));
    else void act('/operator/revocations', { dry_run: true }, setSeen);
  };
  const label = own ? 'Let it run again' : seen ? 'Stop it now' : 'See what this would stop';
  return html`<section class="card ag-switch" aria-label="Stop or start">
    <h2>${halts.length > 0 ? 'It is stopped' : 'Stop this agent'}</h2>
    ${halts.map(
      ({ scope, by, at, reason: why }) =>
        html`<p class="notice bad"><span>${scope === 'agent' ? 'Halted' : scope === 'owner' ? 'All of its owner’s agents were halted' : 'Everything was halted'} by <${Person} name=${by} /> <${Ago} at=${at} />: <q><${Text}>${why}<//></q></span></p>`,
    )}
    ${
      !mayAct
        ? html`<p class="quiet">An operator can stop it here, or let it run again.</p>`
        : halts.length > 0 && !own
          ? html`<p class="quiet">What was halted wider than this one agent is undone with <code>npm run revoke</code>.</p>`
          : html`<form onSubmit=${send}>
              ${!own && !seen && html`<p class="quiet">From the moment it is stopped nothing is granted to it. Nothing is taken back from the ledger.</p>`}
              ${seen && html`<p class="notice warn" role="status">${toldOf(seen)}</p>`}
              <label for="why">Why</label>
              <input id="why" required maxlength="500" value=${reason} autocomplete="off" onInput=${(event: InputEvent) => setReason((event.target as HTMLInputElement).value)} />
              <p class="buttons"><button class=${own ? 'primary' : seen ? 'danger' : ''} disabled=${busy || reason.trim() === ''}>${label}</button>
              ${seen && html`<button type="button" onClick=${() => setSeen(undefined)}>Leave it</button>`}</p>
            </form>`
    }
    ${no && html`<${Problem} error=${no} />`}
  </section>`;
}
function toldOf({ counts: { revoked, dies, unknown } }: Stopped): string {
  if (revoked + dies + unknown === 0) return 'Nothing of it is outstanding now. It would be refused from the next request on.';
  const parts = [
    dies > 0 &&
      `${dies} signed ${dies === 1 ? 'token is' : 'tokens are'} out: servers that follow our revocations refuse them at once, others until their end`,
    revoked + unknown > 0 &&
      `${revoked + unknown} ${revoked + unknown === 1 ? 'credential' : 'credentials'} of back ends would be called back`,
  ];
  return `${parts.filter(Boolean).join('; ')}.`;
}
