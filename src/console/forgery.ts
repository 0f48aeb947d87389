/** Whether a request came from a page of ours. A cookie alone says who somebody is, not whose idea the request was. */
import type { FastifyRequest } from 'fastify';
import type { Session, Sessions } from './session.ts';

const PLEDGE_HEADER = 'x-countersign-pledge';
const SAFE = new Set(['GET', 'HEAD']);
export const isSafe = (request: Pick<FastifyRequest, 'method'>): boolean => SAFE.has(request.method);

/** What is wrong with it; undefined: nothing. `origin`: ours. */
export function forgery(
  { method, headers }: Pick<FastifyRequest, 'method' | 'headers'>,
  session: Session,
  { sessions, origin }: { readonly sessions: Pick<Sessions, 'isPledge'>; readonly origin: string },
): 'site' | 'origin' | 'pledge' | undefined {
  const site = headers['sec-fetch-site'];
  // Fetch Metadata: `none` is a person who typed the address. Older browsers send nothing.
  if (site !== undefined && site !== 'same-origin' && !(site === 'none' && SAFE.has(method))) return 'site';
  if (SAFE.has(method)) return undefined;
  if (headers.origin !== origin) return 'origin';
  return sessions.isPledge(session, headers[PLEDGE_HEADER]) ? undefined : 'pledge';
}
