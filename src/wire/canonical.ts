/** RFC 8785 (JCS), for whoever holds a JSON value: the broker, the libraries, and the console in a browser, so nothing of Node stands here. */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };
export type Digest = `sha-256:${string}`;

/** The value has passed strict JSON: no lone surrogate, no number that prints otherwise elsewhere. */
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
