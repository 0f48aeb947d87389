/** A list that is longer than one answer: links to its beginning and further on, so that what is seen has an address. */
import { html } from 'htm/preact';
import type { VNode } from 'preact';
import { base } from './api.ts';

interface PagerProps {
  /** Of the list: `/console/approvals?state=denied`. */
  readonly path: string;
  /** Where this part begins, and the next one; absent: at the list's ends. */
  readonly after?: string | undefined;
  readonly next?: string | undefined;
  readonly back: string;
  readonly on: string;
}
/** Nothing where all of it stands on the page. */
export function Pager({ path, after, next, back, on }: PagerProps): VNode | undefined {
  if (after === undefined && next === undefined) return undefined;
  return html`<nav class="pager" aria-label="Parts of this list">
    ${after !== undefined && html`<a class="button" href=${base + path}>${back}</a>`}
    ${next !== undefined && html`<a class="button" href=${base + partOf(path, next)}>${on}</a>`}
  </nav>`;
}
/** Where a part begins, as an address names it. */
export const afterOf = (path: string): string | undefined => new URLSearchParams(path.split('?')[1] ?? '').get('after') ?? undefined;
/** What the broker is asked. */
export const partOf = (path: string, after: string | undefined): string =>
  after === undefined ? path : `${path}${path.includes('?') ? '&' : '?'}after=${encodeURIComponent(after)}`;
