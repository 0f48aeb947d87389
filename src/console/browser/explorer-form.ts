import { type Asked, type Name, OUTCOMES, SINCE } from './explorer-query.ts';
import { base, html, isTyping, useEffect, useRef, useState, type VNode } from './kit.ts';

const FIELDS: readonly (readonly [Name, string, string])[] = [
  ['agent', 'Agent', 'refund-bot'],
  ['subject', 'For whom', 'people:u_bob'],
  ['tool', 'Tool', 'create_refund'],
  ['server', 'Server', 'shop'],
  ['reason', 'Reason', 'refund_too_large'],
];
const MORE: readonly (readonly [Name, string, string])[] = [
  ['owner', 'Agent’s owner', 'people:u_alice'],
  ['policy', 'Rule', 'refund-limit'],
  ['by', 'Decided by', 'people:u_dana'],
];
interface FormProps {
  readonly asked: Asked;
  readonly look: (asked: Asked) => void;
  /** `id`: whoever may not search may look at one action. */
  readonly only?: 'id' | undefined;
}
export function SearchForm({ asked, look, only }: FormProps): VNode {
  const [said, setSaid] = useState<Asked>(asked);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const find = (event: KeyboardEvent): void => {
      if (event.key !== '/' || isTyping(event)) return;
      event.preventDefault();
      first.current?.focus();
    };
    document.addEventListener('keydown', find);
    return () => document.removeEventListener('keydown', find);
  }, []);
  const set = (name: keyof Asked) => (event: Event) => setSaid((was) => ({ ...was, [name]: (event.target as HTMLInputElement).value }));
  const submit = (event: Event): void => {
    event.preventDefault();
    const { before: _, ...rest } = said;
    look(Object.fromEntries(Object.entries(rest).flatMap(([name, value]) => (value.trim() === '' ? [] : [[name, value.trim()]]))));
  };
  const field = ([name, label, example]: readonly [Name, string, string]): VNode =>
    html`<label class="criterion"><span>${label}</span><input name=${name} value=${said[name] ?? ''} placeholder=${example} maxlength="512" autocomplete="off" spellcheck="false" onInput=${set(name)} /></label>`;
  const choice = (name: 'outcome' | 'since', label: string, options: readonly (readonly [string, string])[]): VNode =>
    html`<label class="criterion"><span>${label}</span><select name=${name} value=${said[name] ?? ''} onChange=${set(name)}>${options.map(([value, text]) => html`<option value=${value} selected=${value === (said[name] ?? '')}>${text}</option>`)}</select></label>`;
  const since = SINCE.some(([value]) => value === (said.since ?? ''))
    ? SINCE
    : [...SINCE, [said.since ?? '', `last ${said.since}`] as const];
  return html`<form class="card search" role="search" onSubmit=${submit}>
    <div class="search-first">
      <label class="criterion wide-criterion"><span>${only ? 'Id of an action' : 'Find'} <kbd>/</kbd></span>
        <input ref=${first} type="search" name="q" value=${said.q ?? ''} maxlength="512" autocomplete="off" spellcheck="false"
          placeholder=${only ? 'exc_… or txn_…' : 'a part of a name, or an id: exc_… txn_… tok_… apr_…'} onInput=${set('q')} /></label>
      <button type="submit" class="primary">Search</button>
    </div>
    ${
      !only &&
      html`<div class="search-fields">
          ${choice('outcome', 'Outcome', [['', 'any'], ...OUTCOMES])} ${choice('since', 'When', since)} ${FIELDS.map(field)}
        </div>
        <details open=${MORE.some(([name]) => (asked[name] ?? '') !== '')}><summary>More</summary><div class="search-fields">${MORE.map(field)}</div></details>
        ${Object.keys(asked).length > 0 && html`<p><a href=${`${base}/console/explorer`}>Clear all</a></p>`}`
    }
  </form>`;
}
