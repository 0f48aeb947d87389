import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { type Result, refuse } from '../errors.ts';
import type { Asked, Entries } from '../operate/entries.ts';
import type { TakeOut } from '../operate/export.ts';
import type { Live } from '../operate/live.ts';
import { ROLES } from '../operate/operator.ts';
import { ok } from '../wire/result.ts';
import { operatorRefusal } from './operator-answer.ts';
import { operatorOf } from './operator-guard.ts';

const NAMES = ['agent', 'subject', 'owner', 'tool', 'server', 'outcome', 'reason', 'policy', 'by', 'id', 'q'] as const;
const NUMBERS = ['from', 'to'] as const;
/** Of one page. */
export const LIMIT = { default: 50, most: 200 } as const;
const MAX_NAME = 512;

export interface EntryParts {
  readonly entries: Entries;
  readonly takeOut: TakeOut;
  readonly live: Pick<Live, 'released'>;
}
/**
 * GET /operator/entries, /operator/export (newline-delimited JSON) and /operator/usage: the ledger by name and time, and what one agent has done with what it may do. Times are epoch
 * seconds. Errors: `request_malformed` for whatever is not exactly so.
 */
export function entryEndpoints(server: FastifyInstance, { entries, takeOut, live }: EntryParts): void {
  const readers = { config: { roles: ['auditor', 'operator'] } } as const;
  server.get('/operator/entries', readers, async (request, reply) => {
    const read = readQuery(request.query, [...NAMES, ...NUMBERS, 'before', 'limit']);
    if (!read.ok) return operatorRefusal(reply, read.error);
    const { before, limit = String(LIMIT.default) } = read.value;
    const asked = askedOf(read.value);
    const page = { before: wholeNumber(before), limit: wholeNumber(limit) ?? 0 };
    if (!asked.ok || (before !== undefined && page.before === undefined) || page.limit < 1 || page.limit > LIMIT.most)
      return operatorRefusal(reply, refuse('request_malformed').error);
    const { before: at, ...rest } = page;
    return entries.find(asked.value, { ...rest, ...(at !== undefined && { before: at }) });
  });
  server.get('/operator/export', readers, async (request, reply) => {
    const read = readQuery(request.query, FILTERS);
    const asked = read.ok ? askedOf(read.value) : read;
    if (!asked.ok) return operatorRefusal(reply, asked.error);
    const taken = await takeOut(asked.value, operatorOf(request));
    if (!taken.ok) return operatorRefusal(reply, taken.error);
    const stream = Readable.from(taken.value.lines);
    // Half an export says so by its missing end; nobody waits for the other half.
    const stop = (): void => void stream.destroy(new Error('the broker stops'));
    live.released.addEventListener('abort', stop, { once: true });
    stream.on('close', () => live.released.removeEventListener('abort', stop));
    return reply
      .type('application/x-ndjson; charset=utf-8')
      .header('content-disposition', `attachment; filename="countersign-${taken.value.id}.ndjson"`)
      .send(stream);
  });
  server.get('/operator/usage', { config: { roles: ROLES } }, async (request, reply) => {
    const read = readQuery(request.query, ['agent']);
    const agent = read.ok ? read.value['agent'] : undefined;
    return agent === undefined ? operatorRefusal(reply, refuse('request_malformed').error) : entries.usage(agent);
  });
}

/** Closed: a filter that is misspelt would show more than was asked for. Each once, and something. */
export function readQuery<N extends string>(query: unknown, names: readonly N[]): Result<Partial<Record<N, string>>> {
  const read: Partial<Record<N, string>> = {};
  for (const [name, value] of Object.entries(query ?? {})) {
    const known = names.find((one) => one === name);
    if (known === undefined || typeof value !== 'string' || value === '' || value.length > MAX_NAME || !value.isWellFormed())
      return refuse('request_malformed');
    read[known] = value;
  }
  return ok(read);
}
/** What is asked for, of a query that was read. */
export function askedOf(read: Partial<Record<(typeof NAMES)[number] | (typeof NUMBERS)[number], string>>): Result<Asked> {
  const { from, to, ...rest } = read;
  const [since, until] = [wholeNumber(from), wholeNumber(to)];
  if ((from !== undefined && since === undefined) || (to !== undefined && until === undefined)) return refuse('request_malformed');
  if (since !== undefined && until !== undefined && since > until) return refuse('request_malformed');
  const names = Object.fromEntries(NAMES.flatMap((name) => (rest[name] === undefined ? [] : [[name, rest[name]]])));
  return ok({ ...names, ...(since !== undefined && { from: since }), ...(until !== undefined && { to: until }) });
}
export const FILTERS = [...NAMES, ...NUMBERS] as const;
/** Decimal, in its one spelling. */
export const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^(0|[1-9]\d{0,14})$/.test(text) ? Number(text) : undefined;
