/** Your passkeys: a further one, and one that goes, are signed for by one that you have, so that a login alone changes nothing. */
import { Ago, html, type Me, Refused, Text, toast, useEffect, useLoad, useRef, useState, type VNode, When } from './kit.ts';
import { create, type Made, NotSigned, register, remove } from './passkey.ts';

interface Passkey {
  readonly id: string;
  readonly credential: string;
  readonly label: string;
  readonly made: number;
  readonly used?: number;
}
interface Loaded {
  readonly usable: boolean;
  readonly passkeys: readonly Passkey[];
}
/** What is wrong and what to do, by the refusal's detail. */
const WORDS: Readonly<Record<string, string>> = {
  proof_needed: 'One that you have must sign for this. It was refused, and that is recorded.',
  passkey_unknown: 'That passkey is not registered here as yours. It was refused, and that is recorded.',
  passkey_none: 'You have none any more: load the page again.',
  passkeys_too_many: 'You have as many as one person may. Remove one first.',
  proof_challenge: 'Its time was over, or something else was signed. Begin again.',
  proof_unverified: 'Your passkey did not check that it was you: set up its PIN or fingerprint.',
  edited: 'Your passkeys were changed in the store by something that is no broker. Tell whoever runs this broker.',
};
const wordsOf = (fault: unknown): string =>
  fault instanceof NotSigned
    ? fault.message
    : fault instanceof Refused
      ? (WORDS[fault.detail ?? ''] ?? fault.message)
      : 'That did not work. Load the page again.';

export function Passkeys({ me }: { readonly me: Me }): VNode {
  const loaded = useLoad<Loaded>('/operator/passkeys');
  const [label, setLabel] = useState('');
  const [made, setMade] = useState<Made>();
  const [problem, setProblem] = useState<string>();
  const sure = useRef<HTMLButtonElement>(null);
  useEffect(() => (made ? sure.current : undefined)?.focus(), [made]);
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      setProblem(undefined);
    } catch (fault) {
      setProblem(wordsOf(fault));
    }
    loaded.reload();
  };
  const finish = async (one: Made): Promise<void> => {
    await register(one, me.name);
    setMade(undefined);
    setLabel('');
    toast('Registered, and recorded.');
  };
  const add = (event: Event): void => {
    event.preventDefault();
    void attempt(async () => {
      const one = await create(label.trim());
      await (one.proof ? setMade(one) : finish(one));
    });
  };
  return html`<section class="card stack" aria-labelledby="passkeys"><h2 id="passkeys">Your passkeys</h2>
    ${problem !== undefined && html`<p class="notice bad" role="alert">${problem}</p>`}
    <${When} loaded=${loaded}>${({ usable, passkeys }: Loaded) => html`
      ${
        passkeys.length === 0
          ? html`<p class="quiet">None yet. Some rules want your yes signed by one.</p>`
          : html`<ul class="plain">${passkeys.map(
              (
                key,
              ) => html`<li class="passkey"><span><${Text}>${key.label}<//> <span class="quiet small">made <${Ago} at=${key.made} />${key.used === undefined ? '' : html`, used <${Ago} at=${key.used} />`}</span></span>
          <button type="button" class="plain" onClick=${() => void attempt(() => remove(key, me.name).then(() => toast('Removed, and recorded.')))}>Remove</button></li>`,
            )}</ul><p class="quiet small">One of them signs when one comes or goes. Lost them all? An operator of this broker can take them away.</p>`
      }
      ${
        made
          ? html`<div class="sure" role="group" aria-labelledby="made">
          <p id="made"><strong>Let <${Text}>${made.label}<//> sign in your name, too?</strong></p>
          <p class="quiet">One that you have signs for it. If you go back, delete the new one from its device: it is of no use here.</p>
          <p class="buttons"><button type="button" ref=${sure} class="primary" onClick=${() => void attempt(() => finish(made))}>Sign for it</button>
            <button type="button" onClick=${() => setMade(undefined)}>Back</button></p></div>`
          : usable
            ? html`<form class="stack" onSubmit=${add}><label for="label">Name of a new one</label>
          <input id="label" required maxlength="64" placeholder="My laptop" value=${label} onInput=${(event: Event) => setLabel((event.currentTarget as HTMLInputElement).value)} />
          <button>Register a passkey</button></form>`
            : html`<p class="quiet small">Browsers know passkeys of names alone, and this console is opened by an address. Open it as ${location.port ? `localhost:${location.port}` : 'a name'}, if that is what this broker is called.</p>`
      }`}<//>
  </section>`;
}
