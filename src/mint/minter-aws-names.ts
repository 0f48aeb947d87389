/** Session names, source identities and tags take few characters: every name has one spelling there, and no two share one. */
import { hash } from 'node:crypto';

/** What all three take: `[\w+=,.@-]{2,64}`, but no comma, which tags do not know. */
export const AWS_NAME = /^[A-Za-z0-9_.@=+-]{2,64}$/;
/** Neither sign of the spellings below. */
const PLAIN = /^[A-Za-z0-9_.@-]{2,64}$/;
const MAX_LENGTH = 64;
const HEAD_LENGTH = 20;

/**
 * A name as AWS takes it, and injective: as it is; else with `=` and two hexadecimal digits for each byte that is not taken; else, where that
 * is too long, its beginning, `+` and its SHA-256. Only the second form holds `=` and no `+`, only the third `+`.
 */
export function awsName(name: string): string {
  if (PLAIN.test(name)) return name;
  // One letter alone is too short as it is.
  const escaped = name === '' ? '==' : name.replaceAll(name.length === 1 ? /./gsu : /[^A-Za-z0-9_.@-]/gu, bytes);
  if (name.isWellFormed() && escaped.length <= MAX_LENGTH) return escaped;
  // UTF-16, since a lone surrogate has no UTF-8 of its own.
  return `${name.replaceAll(/[^A-Za-z0-9_.@-]/g, '_').slice(0, HEAD_LENGTH)}+${hash('sha256', Buffer.from(name, 'utf16le'), 'base64url')}`;
}
const bytes = (one: string): string => Buffer.from(one).toString('hex').replaceAll(/../g, '=$&');
