/** Lists: rows that are gone through by `j` and `k` and opened by Enter. */
import { html } from 'htm/preact';
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export interface Column<T> {
  readonly title: string;
  readonly of: (row: T) => ComponentChildren;
  /** Numbers, to the right. */
  readonly number?: boolean;
  /** Not on a narrow screen. */
  readonly wide?: boolean;
}
interface TableProps<T> {
  readonly caption: string;
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string;
  /** Where a row leads. */
  readonly href?: (row: T) => string;
}
/** The first column is the row's name and, with `href`, its link. */
export function Table<T>({ caption, rows, columns, keyOf, href }: TableProps<T>): VNode {
  const body = useRef<HTMLTableSectionElement>(null);
  useRowKeys(body);
  return html`<div class="table-wrap"><table>
    <caption class="sr">${caption}</caption>
    <thead><tr>${columns.map(({ title, number, wide }) => html`<th scope="col" class=${classOf(number, wide)}>${title}</th>`)}</tr></thead>
    <tbody ref=${body}>
      ${rows.map(
        (row) => html`<tr key=${keyOf(row)}>
          ${columns.map(({ of, number, wide }, i) =>
            i === 0
              ? html`<th scope="row" class=${classOf(number, wide)}>${href ? html`<a class="row" href=${href(row)}>${of(row)}</a>` : of(row)}</th>`
              : html`<td class=${classOf(number, wide)}>${of(row)}</td>`,
          )}
        </tr>`,
      )}
    </tbody>
  </table></div>`;
}
const classOf = (number?: boolean, wide?: boolean): string => [number && 'number', wide && 'wide'].filter(Boolean).join(' ');

/** `j` and `k` move the focus over the rows' links; Enter follows it, as it does everywhere. */
export function useRowKeys(list: { readonly current: HTMLElement | null }): void {
  useEffect(() => {
    const step = (event: KeyboardEvent): void => {
      if ((event.key !== 'j' && event.key !== 'k') || isTyping(event)) return;
      const links = [...(list.current?.querySelectorAll<HTMLElement>('a.row') ?? [])];
      const at = links.findIndex((link) => link.matches(':focus'));
      links[Math.min(links.length - 1, Math.max(0, at + (event.key === 'j' ? 1 : -1)))]?.focus();
    };
    document.addEventListener('keydown', step);
    return () => document.removeEventListener('keydown', step);
  }, [list]);
}
/** A key that belongs to a field, or to the browser. */
export const isTyping = ({ target, ctrlKey, metaKey, altKey }: KeyboardEvent): boolean =>
  ctrlKey ||
  metaKey ||
  altKey ||
  (target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName)));
