import { hash } from 'node:crypto';
import type { Json, JsonObject } from './json.ts';

export type Digest = `sha-256:${string}`;

/** RFC 8785 (JCS). The value has passed strict JSON: no lone surrogate, no number that prints otherwise elsewhere. */
export function canonical(value: Json): string {
  return inOrder(value) ? JSON.stringify(value) : print(value);
}
/** Then JSON.stringify prints what RFC 8785 demands: numbers and strings alike are ECMAScript's own there. */
function inOrder(value: Json): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return (value as readonly Json[]).every(inOrder);
  let last: string | undefined;
  for (const key in value as JsonObject) {
    if (last !== undefined && !(last < key)) return false;
    if (!inOrder((value as JsonObject)[key] as Json)) return false;
    last = key;
  }
  return true;
}
function print(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(print).join(',')}]`;
  const object = value as JsonObject;
  let out = '{';
  for (const key of Object.keys(object).sort()) {
    if (out.length > 1) out += ',';
    out += `${JSON.stringify(key)}:${print(object[key] as Json)}`;
  }
  return `${out}}`;
}

/** wire.md §4: what an action token binds of its arguments. */
export const digest = (value: Json): Digest => `sha-256:${hash('sha256', canonical(value), 'base64url')}`;
/** Absent arguments are `{}` (wire.md §4). */
export const EMPTY_DIGEST: Digest = digest({});
export const isDigest = (text: unknown): text is Digest => typeof text === 'string' && /^sha-256:[A-Za-z0-9_-]{43}$/.test(text);
/** SHA-256 as base64url: `ath` (RFC 9449 §4.2), thumbprints, names of things that must not be stored. */
export const sha256 = (text: string): string => hash('sha256', text, 'base64url');
