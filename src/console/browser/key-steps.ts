/** The steps of a rotation: each is rehearsed, shown, and taken only as it was shown. */
import type { PlannedStep, RingStatus, Step, StepOutcome } from './key-types.ts';
import { api, Badge, html, type Me, Problem, Refused, spanOf, toast, useState, type VNode } from './kit.ts';

const STEPS: Readonly<Record<Step, readonly [string, string]>> = {
  publish: ['Publish a new key', 'It is made and shown at /jwks; it signs once verifiers have had time to learn of it.'],
  activate: ['Let the new key sign', 'The one that signs now retires: its tokens stay good until their end.'],
  retire: ['Take the old key away', 'Nothing that it signed is good any more by now.'],
  emergency: ['Replace a stolen key', 'A new key signs at once and the old one is distrusted: every token out there dies.'],
};
const WAITS: Readonly<Record<string, string>> = {
  nothing_to_do: 'nothing to do now',
  already_published: 'a new key is published already',
  too_early: 'too early',
};

export function KeySteps({
  ring,
  status,
  me,
  reload,
}: {
  readonly ring: string;
  readonly status: RingStatus;
  readonly me: Me;
  readonly reload: () => void;
}): VNode {
  const [rehearsed, setRehearsed] = useState<StepOutcome>();
  const [no, setNo] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  const mayAct = me.roles.includes('operator');
  async function send(step: Step, more: object, done: (outcome: StepOutcome) => void): Promise<void> {
    setBusy(true);
    setNo(undefined);
    try {
      done(await api.post<StepOutcome>(`/operator/keys/${step}`, { ring, ...more }));
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      setNo(fault);
      setRehearsed(undefined);
      reload();
    } finally {
      setBusy(false);
    }
  }
  const rehearse = (step: Step): void => void send(step, { dry_run: true }, setRehearsed);
  const take = (step: Step, version: number): void =>
    void send(step, { version }, () => {
      setRehearsed(undefined);
      toast('Done, and recorded.');
      reload();
    });
  return html`<div class="ring-steps"><h3>Rotate</h3>
    ${!mayAct && html`<p class="quiet">Only an operator rotates keys; you see where they stand.</p>`}
    <ol>${status.steps.map(
      (planned) => html`<li class=${planned.step === 'emergency' ? 'emergency' : ''}>
        <div><strong>${STEPS[planned.step][0]}</strong> ${planned.due && html`<${Badge} tone="warn">due<//>`}<p class="quiet">${STEPS[planned.step][1]}</p></div>
        ${mayAct && planned.possible ? html`<button type="button" disabled=${busy} onClick=${() => rehearse(planned.step)}>Rehearse</button>` : html`<span class="quiet">${waitOf(planned, status.now)}</span>`}
        ${
          rehearsed?.step === planned.step &&
          html`<div class="notice warn ring-rehearsed" role="status"><p>It would change:</p>
            <ul>${rehearsed.changed.map(({ kid, alg, from, to }) => html`<li><code>${kid}</code> ${alg}: ${from ?? 'new'} → <strong>${to}</strong></li>`)}</ul>
            <p class="buttons"><button type="button" class=${planned.step === 'emergency' ? 'danger' : 'primary'} disabled=${busy} onClick=${() => take(planned.step, rehearsed.status.version)}>Do it</button>
            <button type="button" onClick=${() => setRehearsed(undefined)}>Leave it</button></p></div>`
        }
      </li>`,
    )}</ol>
    ${no && html`<${Problem} error=${no} />`}</div>`;
}
function waitOf({ possible, detail, at }: PlannedStep, now: number): string {
  if (possible) return 'possible now';
  if (at !== undefined && at > now) return `possible in ${spanOf(at - now)}`;
  return WAITS[detail ?? ''] ?? 'not possible now';
}
