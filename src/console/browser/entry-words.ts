/** An entry of the ledger in a few words and a colour: one place for every list. */
import { type Aside, isAside } from '../../wire/asides.ts';
import { AgentName, Badge, html, Person, Text, type Tone, type VNode } from './kit.ts';

/** What lists need of an entry. */
export interface Line {
  readonly kind: string;
  readonly at: number;
  readonly exchange: string;
  readonly request?: string;
  readonly client?: string;
  readonly owner?: string;
  readonly subject?: string;
  readonly actors?: readonly string[];
  readonly resource?: string;
  readonly tool?: string;
  readonly approval?: string;
  readonly txn?: string;
  readonly reason?: string;
  readonly code?: string;
  readonly outcome?: string;
  readonly by?: string;
  readonly again?: boolean;
}
const WORDS: Readonly<Record<string, readonly [string, Tone]>> = {
  minted: ['granted', 'good'],
  refused: ['refused', 'bad'],
  faulted: ['not answered', 'bad'],
  pending: ['waits', 'warn'],
  approved: ['approved', 'good'],
  denied: ['denied', 'bad'],
  expired: ['expired', 'quiet'],
  cancelled: ['cancelled', 'quiet'],
  intent: ['allowed', 'info'],
  redeemed: ['redeemed', 'good'],
  receipt: ['used', 'info'],
  revoked: ['revoked', 'warn'],
  ended: ['ended', 'quiet'],
  key: ['keys', 'info'],
  bundle: ['policy', 'info'],
  repair: ['repair', 'bad'],
  export: ['export', 'info'],
  session: ['session', 'quiet'],
};
const ASIDES: Readonly<Record<Aside, readonly [string, Tone]>> = {
  nonce_needed: ['handshake', 'quiet'],
  approval_pending: ['waits', 'warn'],
  approval_too_fast: ['waits', 'warn'],
  plan_decided: ['decided', 'info'],
};
export function KindBadge({ line }: { readonly line: Line }): VNode {
  const { kind, outcome, request, reason } = line;
  const [word, tone] = (kind === 'refused' && isAside(reason) ? ASIDES[reason] : undefined) ?? WORDS[kind] ?? [kind, 'quiet'];
  if (kind === 'receipt')
    return html`<${Badge} tone=${outcome === 'done' ? 'good' : 'warn'}>${outcome === 'done' ? 'done' : (outcome ?? '').replace('_', ' ')}<//>`;
  return html`<${Badge} tone=${tone}>${kind === 'minted' && request === 'redeem' ? 'redeemed' : word}<//>`;
}
/** Who, for whom. */
export function Who({ line }: { readonly line: Line }): VNode {
  const { client, subject, by, kind, request } = line;
  if (client === undefined) return by === undefined ? html`<span class="quiet">nobody known</span>` : html`<${Person} name=${by} />`;
  // What a tool server says or fetches is its own doing.
  const server = kind === 'receipt' || request === 'redeem';
  return html`${server ? html`<${Text}>${client}<//>` : html`<${AgentName} id=${client} />`}${subject !== undefined && subject !== client && html` <span class="quiet">for</span> <${Person} name=${subject} />`}`;
}
/** What was asked for, or done. */
export function What({ line }: { readonly line: Line }): VNode {
  const { tool, resource, kind, request } = line;
  if (tool !== undefined) return html`<${Text}>${tool}<//>`;
  return html`<span class="quiet">${resource !== undefined && kind !== 'revoked' ? 'to list the tools' : (request ?? kind)}</span>`;
}
/** Why not: the policy's own code, else ours. */
export const Why = ({ line: { kind, code, reason } }: { readonly line: Line }): VNode | undefined =>
  kind === 'pending' || (code ?? reason) === undefined ? undefined : html`<code><${Text}>${code ?? reason ?? ''}<//></code>`;
export const storyOf = ({ txn, exchange }: Line): string => txn ?? exchange;
