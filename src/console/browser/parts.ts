/** What pages are made of. Everything that came from elsewhere goes through `Text`: it is shown as it is, and what deceives is marked. */
import { html } from 'htm/preact';
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { base, type Loaded, type Refused } from './api.ts';
import { useCalled } from './called.ts';
import { codeOf, type Oddity, type Run, runsOf } from './suspicious.ts';

const LONG = 600;
const PIECE = 4_000;
const ODD: Readonly<Record<Oddity, string>> = {
  bidi: 'turns the direction of what follows',
  invisible: 'is not seen',
  control: 'is a control character',
  space: 'is no ordinary space',
  lookalike: 'looks like a Latin letter and is none',
};
/** Somebody else's words: isolated in direction; long ones are folded, and unfold a piece at a time, since every character may be one to mark. */
export function Text({ children, fold = LONG }: { readonly children: string; readonly fold?: number }): VNode {
  const [length, setLength] = useState(fold);
  // The page is drawn anew every second, and this need not be.
  return useMemo(() => {
    const left = children.length - length;
    const more = (): void => setLength(length + PIECE);
    return html`<bdi class="text">${runsOf(children.slice(0, length)).map(mark)}${
      left > 0 &&
      html`<span class="rest"> … <button type="button" class="plain" onClick=${more}>${left > PIECE ? `${count(PIECE)} more of ` : 'all '}${count(children.length)} characters</button></span>`
    }</bdi>`;
  }, [children, length]);
}
const count = (n: number): string => n.toLocaleString('en');
const mark = ({ text, odd }: Run): ComponentChildren =>
  odd === undefined
    ? text
    : html`<span class=${`odd odd-${odd}`} title=${`${codeOf(text)} ${ODD[odd]}`}>${odd === 'lookalike' ? text : ''}<span class="code">${codeOf(text)}</span></span>`;
/** `<issuer id>:<sub>`, with the issuer quiet; and in quotation marks what their issuer calls them, if it is known. */
export function Person({ name }: { readonly name: string }): VNode {
  const at = name.indexOf(':');
  const called = useCalled(name);
  if (at < 0) return html`<span class="person"><${Text}>${name}<//></span>`;
  return html`<span class="person"><span class="quiet">${name.slice(0, at)}:</span><${Text}>${name.slice(at + 1)}<//>${called !== undefined && html` <span class="called">“<${Text} fold=${40}>${called}<//>”</span>`}</span>`;
}
export const AgentName = ({ id }: { readonly id: string }): VNode =>
  html`<a class="agent" href=${`${base}/console/agents/${encodeURIComponent(id)}`}><${Text}>${id}<//></a>`;
export type Tone = 'good' | 'bad' | 'warn' | 'info' | 'quiet';
export const Badge = ({ tone = 'quiet', children }: { readonly tone?: Tone; readonly children: ComponentChildren }): VNode =>
  html`<span class=${`badge ${tone}`}>${children}</span>`;
/** Nothing to show: what that means, and what to do next. */
export const Empty = ({ title, children }: { readonly title: string; readonly children?: ComponentChildren }): VNode =>
  html`<div class="empty"><p class="empty-title">${title}</p><div>${children}</div></div>`;
export const Problem = ({ error, retry }: { readonly error: Pick<Refused, 'message' | 'decision'>; readonly retry?: () => void }): VNode =>
  html`<div class="notice bad" role="alert">
    <p>${error.message}</p>
    ${error.decision !== undefined && html`<p class="quiet">Recorded as <${Copy} text=${error.decision} /></p>`}
    ${retry && html`<button type="button" onClick=${retry}>Ask again</button>`}
  </div>`;
/** One figure. `tone`: of any but nought. */
export const Tile = ({
  value,
  label,
  tone = '',
}: {
  readonly value: number;
  readonly label: string;
  readonly tone?: 'bad' | 'warn' | '';
}): VNode => html`<li class=${`tile ${value > 0 ? tone : ''}`}><strong>${count(value)}</strong> <span>${label}</span></li>`;
interface TabsProps {
  readonly label: string;
  /** Address without the base, and title. */
  readonly tabs: readonly (readonly [string, string])[];
  readonly current: string;
}
/** Moves a row of links that is wider than its place; sideways alone, since how far down somebody reads is theirs. */
export function intoView(link: Element): void {
  const row = link.parentElement;
  if (!row) return;
  const [its, place] = [link.getBoundingClientRect(), row.getBoundingClientRect()];
  if (its.left < place.left || its.right > place.right) row.scrollLeft += its.left - place.left - 16;
}
/** Views of one page. */
export function Tabs({ label, tabs, current }: TabsProps): VNode {
  const nav = useRef<HTMLElement>(null);
  useEffect(() => {
    const link = nav.current?.querySelector('[aria-current]');
    if (link) intoView(link);
  }, [current]);
  return html`<nav class="tabs" aria-label=${label} ref=${nav}>${tabs.map(
    ([path, title]) => html`<a href=${base + path} aria-current=${path === current ? 'true' : undefined}>${title}</a>`,
  )}</nav>`;
}
/** Loading, refused, or the data. */
export function When<T>({ loaded, children }: { readonly loaded: Loaded<T>; readonly children: (data: T) => ComponentChildren }): VNode {
  const { data, error, reload } = loaded;
  return html`${error && html`<${Problem} error=${error} retry=${reload} />`}
    ${data === undefined ? !error && html`<p class="loading" role="status">Loading …</p>` : children(data)}`;
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;
/** `4 min`, `2 h`; of whole units the largest. */
export function spanOf(seconds: number): string {
  const size = Math.max(0, Math.round(seconds));
  const [unit, length] = UNITS.find(([, one]) => size >= one) ?? (['s', 1] as const);
  return `${Math.floor(size / length)} ${unit}`;
}
/** Now, epoch seconds; the component is drawn again as it passes. */
export function useNow(everyMs = 1_000): number {
  const [now, setNow] = useState(() => Math.floor(Date.now() / 1_000));
  useEffect(() => {
    const timer = setInterval(() => setNow(Math.floor(Date.now() / 1_000)), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
/** Local time of day, to the second. */
export function clockOf(at: number): string {
  const date = new Date(at * 1_000);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}
export const timeOf = (at: number): string => new Date(at * 1_000).toISOString().replace('T', ' ').replace('.000Z', ' UTC');
/** Epoch seconds as `4 min ago` or `in 4 min`, the whole time on hover. */
export function Ago({ at }: { readonly at: number }): VNode {
  const now = useNow(10_000);
  const text = at > now ? `in ${spanOf(at - now)}` : now - at < 2 ? 'now' : `${spanOf(now - at)} ago`;
  return html`<time datetime=${new Date(at * 1_000).toISOString()} title=${timeOf(at)}>${text}</time>`;
}
/** An id that is copied with a click. */
export function Copy({ text, label }: { readonly text: string; readonly label?: string }): VNode {
  const [done, setDone] = useState(false);
  const copy = (): void => {
    void navigator.clipboard.writeText(text).then(() => setDone(true));
    setTimeout(() => setDone(false), 1_500);
  };
  return html`<button type="button" class="copy" title="Copy" onClick=${copy}><code>${label ?? text}</code><span aria-live="polite">${done ? ' copied' : ''}</span></button>`;
}
