import { hash, timingSafeEqual } from 'node:crypto';
import { canonical, type Digest, type Json } from './canonical.ts';

export { canonical, type Digest };

/** wire.md §4: what an action token binds of its arguments. */
export const digest = (value: Json): Digest => `sha-256:${hash('sha256', canonical(value), 'base64url')}`;
/** Absent arguments are `{}` (wire.md §4). */
export const EMPTY_DIGEST: Digest = digest({});
export const isDigest = (text: unknown): text is Digest => typeof text === 'string' && /^sha-256:[A-Za-z0-9_-]{43}$/.test(text);
/** SHA-256 as base64url: `ath` (RFC 9449 §4.2), thumbprints, names of things that must not be stored. */
export const sha256 = (text: string): string => hash('sha256', text, 'base64url');
/** In a time that tells nothing of where they differ. */
export function isSameText(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
