/** What people are told of an entry: names and codes of ours, never what an agent wrote. Pure. */
import { createHash } from 'node:crypto';
import type { Approval } from '../approve/state.ts';
import { type Bundle, type Entry, nameOf } from '../model.ts';
import { rootOf } from '../record/entry.ts';
import type { Json, JsonObject } from '../wire/json.ts';
import type { Notice, NoticeEvent } from './notifier.ts';

const EVENT_OF: Readonly<Partial<Record<Entry['kind'], NoticeEvent>>> = {
  pending: 'pending',
  approved: 'approved',
  denied: 'denied',
  expired: 'expired',
  cancelled: 'cancelled',
  revoked: 'halt',
};
/** What was not delivered by then is of no use any more. */
const NEWS_SECONDS = 24 * 3600;

export interface NoticeParts {
  /** The ledger's key of the entry. */
  readonly key: string;
  readonly entry: Entry;
  /** As it stands now, if it is about one and its record is sound. */
  readonly approval: Approval | undefined;
  readonly bundle: Bundle;
  /** The console's address; absent where there is none. */
  readonly console: string | undefined;
}
/** Undefined where nobody is told: of another entry, and of an approval whose record nobody of this secret wrote. */
export function noticeOf({ key, entry, approval, bundle, console }: NoticeParts): Notice | undefined {
  const event = EVENT_OF[entry.kind];
  if (!event) return undefined;
  const id = `led_${rootOf(entry.exchange)}_${createHash('sha256').update(key).digest('hex').slice(0, 8)}`;
  const base = { id, event, at: entry.at };
  if (event === 'halt') {
    const { step, scope, target } = entry.context ?? {};
    const facts = { step: name(step), scope: name(scope), target: name(target), by: name(entry.by) };
    return { ...base, ...(console !== undefined && { link: console }), who: [], facts, until: entry.at + NEWS_SECONDS };
  }
  if (!approval || !/^apr_[0-9a-f]{32}$/.test(approval.id)) return undefined;
  // A plan of which people are asked nothing is agreed to by nobody.
  if ((event === 'approved' || event === 'denied') && entry.by === undefined) return undefined;
  const { demand, client, subject, actors, resource, tool, until, plan } = approval;
  const server = bundle.servers.byResource(resource);
  const subjectName = nameOf(subject);
  const asked = [...demand.who, ...(demand.confirm ? [subjectName] : [])];
  const through = actors.filter((actor) => actor !== client);
  const facts: JsonObject = {
    approval: approval.id,
    agent: name(client),
    ...(entry.owner !== undefined && { owner: name(entry.owner) }),
    ...(through.length > 0 && { through: through.map(name) }),
    subject: name(subjectName),
    ...(plan
      ? { steps: plan.steps.slice(0, MAX_STEPS).map((step) => called(step, bundle)), of: plan.steps.length }
      : { server: name(server?.id ?? 'unknown'), tool: name(tool) }),
    quorum: demand.quorum,
    ...(demand.confirm && { confirmation: true }),
    until: new Date(until * 1000).toISOString(),
    ...(!plan && recordable(entry.recorded, server?.tools.get(tool)?.recordable ?? [])),
    ...(entry.by !== undefined && { by: name(entry.by) }),
  };
  const last = event === 'pending' ? until : entry.at + NEWS_SECONDS;
  const link = console !== undefined && { link: `${console}/approvals/${approval.id}` };
  return { ...base, ...link, who: asked.map(name), facts, until: last };
}

const MAX_STEPS = 20;
const called = ({ resource, tool }: Pick<Approval, 'resource' | 'tool'>, { servers }: Bundle): string =>
  `${name(servers.byResource(resource)?.id ?? 'unknown')}/${name(tool)}`;
/** Letters, digits and what names are joined by; the rest could move a cursor, hide, call a whole channel or become a link. */
const ODD = /[^\p{L}\p{N}._:@+=-]/gu;
const MAX_NAME = 160;
/** A name fit to be shown anywhere: whatever could mislead is spelt out, and what is long is cut. */
export function name(value: Json | undefined): string {
  const text = typeof value === 'string' ? value.normalize('NFC') : '';
  const spelt = text.replace(ODD, (c) => (c === '/' ? c : `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`)).replace(/\/{2,}/g, '/');
  return spelt.length <= MAX_NAME ? spelt : `${spelt.slice(0, MAX_NAME)}…`;
}
/** Only what the tool's registration marks, and of texts only a plain word: an argument is the agent's to choose. */
function recordable(recorded: JsonObject | undefined, marked: readonly string[]): { readonly recorded?: JsonObject } {
  const shown = Object.entries(recorded ?? {}).flatMap(([argument, value]) => {
    if (!marked.includes(argument)) return [];
    const plain =
      typeof value === 'boolean' || Number.isSafeInteger(value) || (typeof value === 'string' && /^[A-Za-z0-9_-]{1,32}$/.test(value));
    return [[argument, plain ? value : '(see the console)'] as const];
  });
  return shown.length > 0 ? { recorded: Object.fromEntries(shown) } : {};
}
