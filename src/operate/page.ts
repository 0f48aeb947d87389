/** A list that may be long, a part at a time. Where a part ends is a place in the order, not a count: what comes or goes meanwhile moves nobody else. */

export interface PageAsked {
  /** The `next` of the part before. */
  readonly after?: string;
  readonly limit: number;
}
export interface Part<T> {
  readonly rows: readonly T[];
  /** Where the next part begins; absent: this was the last. */
  readonly next?: string;
}
/** Of one answer, and what it has where nobody says how many. */
export const MOST_ROWS = 1_000;

/** `orderOf`: a name that no two of them share, in whose order they are told. */
export function partOf<T>(all: readonly T[], orderOf: (row: T) => string, { after, limit }: PageAsked): Part<T> {
  const from = after === undefined ? '' : Buffer.from(after, 'base64url').toString('utf8');
  const rows = all
    .map((row) => ({ row, order: orderOf(row) }))
    .filter(({ order }) => order > from)
    .sort((a, b) => (a.order < b.order ? -1 : 1));
  const last = rows[limit - 1];
  return {
    rows: rows.slice(0, limit).map(({ row }) => row),
    ...(rows.length > limit && last && { next: Buffer.from(last.order, 'utf8').toString('base64url') }),
  };
}
/** A number as it sorts: the larger first. */
export const descending = (value: number): string => String(Number.MAX_SAFE_INTEGER - value).padStart(16, '0');
