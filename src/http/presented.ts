import type { IncomingMessage } from 'node:http';
import { type Result, refuse } from '../errors.ts';
import type { Presented } from '../request.ts';
import { ASSERTION_JWT_BEARER } from '../wire/oauth.ts';
import { ok } from '../wire/result.ts';

/** Node drops or joins a repeated header in silence; whoever reads the other one is deceived. */
const ONCE = new Set(['authorization', 'dpop', 'idempotency-key', 'content-type', 'content-length', 'host', 'transfer-encoding']);

export function headersOnce(raw: IncomingMessage): boolean {
  const seen = new Set<string>();
  for (let i = 0; i < raw.rawHeaders.length; i += 2) {
    const name = (raw.rawHeaders[i] ?? '').toLowerCase();
    if (!ONCE.has(name)) continue;
    if (seen.has(name)) return false;
    seen.add(name);
  }
  return true;
}

/** How the client shows itself (RFC 7523 §2.2, RFC 9449 §4.1). Secrets in `Authorization` or the form are nobody here. */
export function presented(raw: IncomingMessage, form: ReadonlyMap<string, string>, htu: string): Result<Presented> {
  if (!headersOnce(raw)) return refuse('request_malformed', { detail: 'header_duplicate' });
  if (raw.headers.authorization !== undefined || form.has('client_secret'))
    return refuse('client_unauthenticated', { detail: 'client_secret' });
  const assertion = form.get('client_assertion');
  const type = form.get('client_assertion_type');
  if ((assertion === undefined) !== (type === undefined)) return refuse('request_malformed', { detail: 'client_assertion_type' });
  if (type !== undefined && type !== ASSERTION_JWT_BEARER) return refuse('client_unauthenticated', { detail: 'client_assertion_type' });
  const clientId = form.get('client_id');
  const proof = raw.headers['dpop'];
  return ok({
    htm: raw.method ?? '',
    htu,
    ...(clientId !== undefined && { clientId }),
    ...(assertion !== undefined && { assertion }),
    ...(typeof proof === 'string' && { proof }),
  });
}
