/** The one module that pages build on. */
export { html } from 'htm/preact';
export { render, type VNode } from 'preact';
export { useEffect, useMemo, useRef, useState } from 'preact/hooks';
export { api, base, type Loaded, Refused, useLoad } from './api.ts';
export { Json, type JsonValue, type Schema } from './json.ts';
export { afterOf, Pager, partOf } from './pager.ts';
export {
  AgentName,
  Ago,
  Badge,
  Copy,
  clockOf,
  Empty,
  Person,
  Problem,
  spanOf,
  Tabs,
  Text,
  Tile,
  type Tone,
  timeOf,
  useNow,
  When,
} from './parts.ts';
export { type Column, isTyping, Table, useRowKeys } from './table.ts';
export { toast } from './toast.ts';

/** Who is logged in. */
export interface Me {
  /** As in the ledger. */
  readonly name: string;
  readonly display: string;
  readonly roles: readonly string[];
  readonly teams: readonly string[];
}
export interface PageProps {
  readonly me: Me;
  /** To another page or a place within this one: `/console/approvals/apr_…`, without the base. */
  readonly go: (path: string) => void;
  /** What follows the page's name, and the query: `/apr_…?state=denied`, or nothing. */
  readonly path: string;
}
