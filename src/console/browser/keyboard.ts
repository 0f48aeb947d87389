/** The console without a mouse: `?` shows the keys, `g` and a letter goes to a page. */
import { html, render } from 'htm/preact';
import type { PageEntry } from './list.ts';
import { isTyping } from './table.ts';

const WAIT_MS = 1_200;
let known: readonly PageEntry[] = [];

export function listenToKeys(go: (path: string) => void, all: readonly PageEntry[]): void {
  known = all.filter(({ name }) => document.querySelector(`a[data-page="${name}"]`));
  let began = Number.NEGATIVE_INFINITY;
  document.addEventListener('keydown', (event) => {
    if (isTyping(event) || document.querySelector('dialog[open]')) return;
    if (event.key === '?') {
      event.preventDefault();
      showKeys();
    } else if (event.timeStamp - began < WAIT_MS) {
      began = Number.NEGATIVE_INFINITY;
      const page = known.find(({ key }) => key === event.key);
      if (page) {
        event.preventDefault();
        go(`/console/${page.name}`);
      }
    } else if (event.key === 'g') began = event.timeStamp;
  });
}
export function showKeys(): void {
  const dialog = document.createElement('dialog');
  dialog.setAttribute('aria-labelledby', 'keys-title');
  const row = (keys: readonly string[], what: string) =>
    html`<div><dt>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${what}</dd></div>`;
  render(
    html`<h2 id="keys-title">Keyboard</h2>
      <dl class="keys">
        ${known.map(({ key, title }) => row(['g', key], title))} ${row(['j', 'k'], 'next, previous in a list')} ${row(['Enter'], 'open')}
        ${row(['Esc'], 'back, close')} ${row(['?'], 'these keys')}
      </dl>
      <form method="dialog"><button class="primary" autofocus>Close</button></form>`,
    dialog,
  );
  document.body.append(dialog);
  dialog.addEventListener('close', () => dialog.remove());
  dialog.showModal();
}
