/** Arguments as a form shows them: a name, what it means where the schema says so, a value. */
import { html } from 'htm/preact';
import type { ComponentChildren, VNode } from 'preact';
import { Text } from './parts.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };
export interface Schema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}
interface JsonProps {
  readonly value: JsonValue;
  readonly schema?: Schema | undefined;
  /** What it was before: what differs is marked. */
  readonly before?: JsonValue | undefined;
}
const DEEP = 8;
const MANY = 100;
const isObject = (value: JsonValue | undefined): value is { readonly [name: string]: JsonValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function Json({ value, schema, before }: JsonProps): VNode {
  return html`<div class="json">${show(value, schema, before, 0)}</div>`;
}
function show(value: JsonValue, schema: Schema | undefined, before: JsonValue | undefined, depth: number): ComponentChildren {
  if (value === null) return html`<span class="quiet">null</span>`;
  if (typeof value === 'string') return value === '' ? html`<span class="quiet">empty text</span>` : html`<${Text}>${value}<//>`;
  if (typeof value !== 'object') return html`<span class="literal">${String(value)}</span>`;
  if (depth >= DEEP) return html`<${Text}>${JSON.stringify(value)}<//>`;
  if (!isObject(value)) {
    const list = value as readonly JsonValue[];
    if (list.length === 0) return html`<span class="quiet">empty list</span>`;
    const old = Array.isArray(before) ? (before as readonly JsonValue[]) : undefined;
    return html`<ol>${list.slice(0, MANY).map((item, i) => html`<li>${show(item, schema?.items, old?.[i], depth + 1)}</li>`)}${rest(list.length)}</ol>`;
  }
  const names = Object.keys(value);
  if (names.length === 0) return html`<span class="quiet">nothing</span>`;
  const old = isObject(before) ? before : undefined;
  const gone = old ? Object.keys(old).filter((name) => !Object.hasOwn(value, name)) : [];
  return html`<dl class="fields">
    ${names.slice(0, MANY).map((name) => field(name, value[name] ?? null, ownOf(schema?.properties, name), old, depth))}
    ${rest(names.length)}
    ${gone.map((name) => html`<div class="field gone"><dt><${Text}>${name}<//></dt><dd><span class="was">was <del>${brief(old?.[name])}</del>, not asked for now</span></dd></div>`)}
  </dl>`;
}
function field(
  name: string,
  value: JsonValue,
  schema: Schema | undefined,
  old: { readonly [name: string]: JsonValue } | undefined,
  depth: number,
): VNode {
  const was = old && Object.hasOwn(old, name) ? old[name] : undefined;
  const changed = old !== undefined && JSON.stringify(was) !== JSON.stringify(value);
  const inside = typeof value === 'object' && value !== null;
  return html`<div class=${`field${changed ? ' changed' : ''}`}>
    <dt>${schema?.title === undefined ? html`<${Text}>${name}<//>` : html`${schema.title} <code class="quiet"><${Text}>${name}<//></code>`}
      ${schema?.description !== undefined && html`<span class="hint">${schema.description}</span>`}</dt>
    <dd>${show(value, schema, changed || inside ? was : undefined, depth + 1)}
      ${changed && (was === undefined ? html`<span class="was">new</span>` : !inside && html`<span class="was">was <del>${brief(was)}</del></span>`)}</dd>
  </div>`;
}
const brief = (value: JsonValue | undefined): VNode =>
  html`<${Text} fold=${80}>${typeof value === 'string' ? value : JSON.stringify(value ?? null)}<//>`;
const rest = (count: number): ComponentChildren => count > MANY && html`<li class="quiet">and ${count - MANY} more</li>`;
const ownOf = <T>(all: Readonly<Record<string, T>> | undefined, name: string): T | undefined =>
  all && Object.hasOwn(all, name) ? all[name] : undefined;
