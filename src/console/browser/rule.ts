/** A policy at its place in its file. */
import { html, type VNode } from './kit.ts';

export interface Rule {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly file: string;
  readonly line: number;
  readonly last_line: number;
  readonly text: string;
  readonly owner?: string;
  readonly conditions: readonly string[];
  readonly code?: string;
  readonly remedy?: string;
}
/** Its source with the file's own line numbers; `name`: it is told apart by it. */
export function RuleSource({ rule, open = true }: { readonly rule: Rule; readonly open?: boolean }): VNode {
  const { id, effect, file, line, last_line: last, text, owner } = rule;
  const at = line === last ? `${file}:${line}` : `${file}:${line}–${last}`;
  return html`<details class=${`policy ${effect}`} open=${open}>
    <summary><strong>${id}</strong> <span class="quiet">${effect} · ${at}${owner === undefined ? '' : ` · ${owner}`}</span></summary>
    <pre tabindex="0" aria-label=${`Source of ${id}`}>${text
      .split('\n')
      .map(
        (row, index) => html`<span class="policy-line"><span class="no" aria-hidden="true">${line + index}</span>${row}${'\n'}</span>`,
      )}</pre>
  </details>`;
}
