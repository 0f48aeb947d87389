import type { Identity } from '../model.ts';
import { canonical } from '../wire/digest.ts';
import { localKeys, readJwks } from '../wire/jwks.ts';
import type { IdentityEntry } from './formats.ts';

const FLAWS = {
  jwks_form: 'the key set is not of RFC 7517',
  jwks_count: 'the key set has too many keys',
  jwks_private: 'the key set holds a private or symmetric key: replace that key everywhere, it is known now',
  jwks_weak: 'the key set holds an RSA key that is too weak',
  jwks_duplicate: 'two keys of the set have one kid',
} as const;
/** Undefined where there is a problem; `problem` has then been told. */
export function compileIdentity(entry: IdentityEntry, problem: (what: string, hint?: string) => void): Identity | undefined {
  if ('issuer' in entry) return Object.freeze({ use: 'federated', issuer: entry.issuer, subject: entry.subject });
  const read = readJwks(entry.jwks);
  const keys = localKeys(entry.jwks);
  if (!read.ok || !keys.ok) {
    problem(read.ok ? FLAWS.jwks_form : FLAWS[read.error]);
    return undefined;
  }
  if (read.value.length === 0) {
    problem('the key set has no key to verify with', 'EC P-256 for ES256, RSA of 2048 bits or more for RS256');
    return undefined;
  }
  return Object.freeze({ use: 'jwks', keys: keys.value });
}

/** One key for issuer and subject: neither alone names anybody. */
export const pair = (who: { readonly issuer: string; readonly subject: string }): string => canonical([who.issuer, who.subject]);
