/** The decision: a reason, then a second step that says what is about to happen. Never a single key, never a link. */
import type { Approval, Ballot } from './approval.ts';
import { signYes } from './approval-signed.ts';
import { refusedVote } from './approval-words.ts';
import { api, html, isTyping, Person, Refused, Text, toast, useEffect, useRef, useState, type VNode } from './kit.ts';
import { NotSigned } from './passkey.ts';

interface DecideProps {
  readonly one: Approval;
  /** Of a plan: the steps that are agreed to. */
  readonly steps?: readonly number[] | undefined;
  readonly done: () => void;
  /** Where the vote goes: `/operator/approvals` unless it is the own confirmation of whoever it is done for. */
  readonly at?: string;
}
type Vote = Ballot['vote'];
const MAX_REASON = 500;

export function Decide({ one, steps, done, at = '/operator/approvals' }: DecideProps): VNode {
  const [asking, setAsking] = useState<Vote>();
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState<string>();
  const [busy, setBusy] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const sure = useRef<HTMLButtonElement>(null);
  const none = steps !== undefined && steps.length === 0;

  useEffect(() => {
    const keys = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && asking) setAsking(undefined);
      else if (isTyping(event) || document.querySelector('dialog[open]')) return;
      else if (event.key === 'a' || event.key === 'd') {
        event.preventDefault();
        box.current?.focus();
      }
    };
    document.addEventListener('keydown', keys);
    return () => document.removeEventListener('keydown', keys);
  }, [asking]);
  useEffect(() => (asking ? sure.current : undefined)?.focus(), [asking]);

  const step = (vote: Vote): void => {
    if (reason.trim() === '') {
      setProblem('Say why first: it stands in the ledger, and the next person reads it.');
      box.current?.focus();
      return;
    }
    setProblem(undefined);
    setAsking(vote);
  };
  async function cast(vote: Vote): Promise<void> {
    setBusy(true);
    try {
      const chosen = { ...(vote === 'approve' && steps && { steps }) };
      const signed = one.demand.proof && vote === 'approve' ? { assertion: await signYes(one, at, chosen) } : {};
      await api.post<Approval>(`${at}/${one.id}`, { vote, reason: reason.trim(), ...chosen, ...signed });
      toast(vote === 'approve' ? 'Approved, and recorded.' : 'Denied, and recorded.');
    } catch (fault) {
      setProblem(
        fault instanceof NotSigned
          ? fault.message
          : fault instanceof Refused
            ? `${refusedVote(fault.code, fault.detail)}${fault.detail === undefined ? ` ${fault.message}` : ''}`
            : 'Your vote could not be sent.',
      );
      setAsking(undefined);
    }
    setBusy(false);
    done();
  }
  return html`<section class="card decide" aria-labelledby="decide">
    <h2 id="decide">Your decision</h2>
    ${problem !== undefined && html`<p class="notice bad" role="alert">${problem}</p>`}
    ${
      asking
        ? html`<div class="sure" role="group" aria-labelledby="sure">
          <p id="sure"><strong>${asking === 'approve' ? 'Let' : 'Refuse'} <${Text}>${one.client}<//> ${asking === 'approve' ? '' : 'to '}${
            steps
              ? `run ${asking === 'approve' ? steps.length : 'any'} of ${one.steps?.length ?? 0} steps`
              : html`run <${Text}>${one.tool}<//>${asking === 'approve' ? ', once' : ''}`
          }, for <${Person} name=${one.subject} />?</strong></p>
          <p class="quoted"><${Text}>${reason.trim()}<//></p>
          <p class="buttons"><button type="button" ref=${sure} class=${asking === 'approve' ? 'primary' : 'danger'} disabled=${busy} onClick=${() => void cast(asking)}>${asking === 'approve' ? (one.demand.proof ? 'Sign and approve' : 'Yes, approve') : 'Yes, deny'}</button>
            <button type="button" disabled=${busy} onClick=${() => setAsking(undefined)}>Back</button></p>
        </div>`
        : html`<label for="reason">Why <span class="quiet">(required, recorded)</span></label>
          <textarea id="reason" ref=${box} maxlength=${MAX_REASON} value=${reason} onInput=${(event: Event) => setReason((event.currentTarget as HTMLTextAreaElement).value)}></textarea>
          ${none && html`<p class="quiet">No step is chosen: choose some to approve, or deny the plan.</p>`}
          <p class="buttons"><button type="button" class="primary" disabled=${none} onClick=${() => step('approve')}>Approve …</button>
            <button type="button" class="danger" onClick=${() => step('deny')}>Deny …</button></p>
          <p class="quiet small"><kbd>a</kbd> to write, then <kbd>Tab</kbd> and <kbd>Enter</kbd>; you are asked once more.</p>`
    }
  </section>`;
}
