import { type Result, refuse } from '../errors.ts';
import { ok } from '../wire/result.ts';

const MAX_PARAMETERS = 32;

/**
 * application/x-www-form-urlencoded, strictly: ASCII, whole percent escapes of valid UTF-8, no name twice however it is escaped
 * (RFC 6749 §3.2). An empty value counts as absent (RFC 6749 §3.1).
 */
export function parseForm(body: unknown): Result<ReadonlyMap<string, string>> {
  if (typeof body !== 'string' || !/^[\x21-\x7e]*$/.test(body)) return refuse('request_malformed', { detail: 'form' });
  const form = new Map<string, string>();
  const seen = new Set<string>();
  if (body === '') return ok(form);
  const pairs = body.split('&');
  if (pairs.length > MAX_PARAMETERS) return refuse('request_malformed', { detail: 'form_parameters' });
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    const name = decode(at < 0 ? pair : pair.slice(0, at));
    const value = decode(at < 0 ? '' : pair.slice(at + 1));
    if (name === undefined || value === undefined || name === '') return refuse('request_malformed', { detail: 'form' });
    if (seen.has(name)) return refuse('request_malformed', { detail: 'form_duplicate' });
    seen.add(name);
    if (value !== '') form.set(name, value);
  }
  return ok(form);
}

function decode(text: string): string | undefined {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return undefined;
  }
}
