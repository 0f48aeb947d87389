import { type Result, refuse } from '../errors.ts';
import { MOST_ROWS, type PageAsked } from '../operate/page.ts';
import { ok } from '../wire/result.ts';
import { readQuery, wholeNumber } from './operator-entries.ts';

/** `?after=&limit=` of a list, and whatever else it reads. Errors: `request_malformed`. */
export function readPage<N extends string = never>(
  query: unknown,
  names: readonly N[] = [],
): Result<{ readonly page: PageAsked; readonly said: Partial<Record<N, string>> }> {
  const read = readQuery<N | 'after' | 'limit'>(query, [...names, 'after', 'limit']);
  if (!read.ok) return read;
  const { after, limit: said = String(MOST_ROWS) } = read.value;
  const limit = wholeNumber(said) ?? 0;
  if (limit < 1 || limit > MOST_ROWS || (after !== undefined && !/^[\w-]{1,512}$/.test(after))) return refuse('request_malformed');
  return ok({ page: { limit, ...(after !== undefined && { after }) }, said: read.value });
}
