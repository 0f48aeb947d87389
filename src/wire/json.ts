/** Strict JSON (wire.md §4): what two parsers could read differently is refused, so that policy and tool judge the same value. */
import type { Json, JsonObject } from './canonical.ts';
import { no, ok, type Result } from './result.ts';

export type { Json, JsonObject };
export type JsonFlaw =
  | 'json_syntax'
  | 'json_duplicate_key'
  | 'json_number'
  | 'json_surrogate'
  | 'json_depth'
  | 'json_size'
  | 'json_reserved_key';

export const MAX_JSON_BYTES = 256 * 1024;
export const MAX_JSON_DEPTH = 64;
/** `__proto__` changes an object's prototype; the others become entities and extension values inside Cedar. */
const RESERVED = new Set(['__proto__', '__entity', '__extn', '__expr']);

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Parses strictly. Errors: the first flaw met. `maxBytes` counts UTF-8. */
export function parseJson(text: string, maxBytes: number = MAX_JSON_BYTES): Result<Json, JsonFlaw> {
  if (text.length > maxBytes || (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes)) return no('json_size');
  // Without an escape no string holds a quote, so each `":` ends a key: as many keys read as written means that none stands twice.
  if (!text.includes('\\') && text.isWellFormed() && !/"[ \t\n\r]+:/.test(text)) {
    let value: Json;
    try {
      value = JSON.parse(text) as Json;
    } catch (fault) {
      return no(fault instanceof RangeError ? 'json_depth' : 'json_syntax');
    }
    const seen = { keys: 0 };
    const flaw = flawOf(value, 1, seen);
    if (flaw) return no(flaw);
    if (seen.keys === count(text, '":')) return ok(value);
  }
  return new Reader(text).read();
}

function count(text: string, part: string): number {
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) found++;
  return found;
}

/** What is wrong with a value that did not come from a text of ours (an SDK parsed it), if anything. Counts the keys it meets into `seen`. */
export function flawOf(value: Json, depth = 1, seen?: { keys: number }): JsonFlaw | undefined {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? undefined : 'json_surrogate';
    case 'number':
      return numberHolds(value) ? undefined : 'json_number';
    case 'boolean':
      return undefined;
    case 'object': {
      if (value === null) return undefined;
      if (depth > MAX_JSON_DEPTH) return 'json_depth';
      if (Array.isArray(value)) {
        for (const item of value as readonly Json[]) {
          const flaw = flawOf(item, depth + 1, seen);
          if (flaw) return flaw;
        }
        return undefined;
      }
      const keys = Object.keys(value);
      if (seen) seen.keys += keys.length;
      for (const key of keys) {
        if (RESERVED.has(key)) return 'json_reserved_key';
        if (!key.isWellFormed()) return 'json_surrogate';
        const flaw = flawOf((value as JsonObject)[key] as Json, depth + 1, seen);
        if (flaw) return flaw;
      }
      return undefined;
    }
    default:
      return 'json_syntax';
  }
}

const numberHolds = (n: number): boolean => Number.isFinite(n) && (!Number.isInteger(n) || Number.isSafeInteger(n));

/** RFC 8259 by hand, for texts with white space, escapes or unusual order: it sees the keys that JSON.parse forgets. */
class Reader {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text;
  }
  read(): Result<Json, JsonFlaw> {
    try {
      const value = this.#value(1);
      this.#space();
      return this.#at === this.#text.length ? ok(value) : no('json_syntax');
    } catch (flaw) {
      if (flaw instanceof Flaw) return no(flaw.code);
      throw flaw;
    }
  }
  #space(): void {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.#at++;
    }
  }
  #value(depth: number): Json {
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }
  #word<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw new Flaw('json_syntax');
    this.#at += word.length;
    return value;
  }
  #object(depth: number): JsonObject {
    if (depth > MAX_JSON_DEPTH) throw new Flaw('json_depth');
    const out: Record<string, Json> = {};
    const seen = new Set<string>();
    this.#at++;
    this.#space();
    if (this.#take('}')) return out;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') throw new Flaw('json_syntax');
      const key = this.#string();
      if (RESERVED.has(key)) throw new Flaw('json_reserved_key');
      if (seen.has(key)) throw new Flaw('json_duplicate_key');
      seen.add(key);
      this.#space();
      if (!this.#take(':')) throw new Flaw('json_syntax');
      out[key] = this.#value(depth + 1);
      this.#space();
    } while (this.#take(','));
    if (!this.#take('}')) throw new Flaw('json_syntax');
    return out;
  }
  #array(depth: number): Json[] {
    if (depth > MAX_JSON_DEPTH) throw new Flaw('json_depth');
    const out: Json[] = [];
    this.#at++;
    this.#space();
    if (this.#take(']')) return out;
    do {
      out.push(this.#value(depth + 1));
      this.#space();
    } while (this.#take(','));
    if (!this.#take(']')) throw new Flaw('json_syntax');
    return out;
  }
  #take(c: string): boolean {
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    return true;
  }
  #string(): string {
    const from = this.#at;
    for (let i = from + 1; i < this.#text.length; i++) {
      const c = this.#text.charCodeAt(i);
      if (c === 0x5c) i++;
      else if (c === 0x22) {
        this.#at = i + 1;
        const value = parsed(this.#text.slice(from, this.#at));
        if (typeof value !== 'string') throw new Flaw('json_syntax');
        if (!value.isWellFormed()) throw new Flaw('json_surrogate');
        return value;
      }
    }
    throw new Flaw('json_syntax');
  }
  #number(): number {
    const token = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    token.lastIndex = this.#at;
    const found = token.exec(this.#text);
    if (!found) throw new Flaw('json_syntax');
    this.#at = token.lastIndex;
    const value = Number(found[0]);
    if (!numberHolds(value)) throw new Flaw('json_number');
    // 9007199254740993 rounds to an even neighbour: the text must be beyond what was read in no case.
    if (/^-?\d+$/.test(found[0]) && !Number.isSafeInteger(value)) throw new Flaw('json_number');
    return value;
  }
}

class Flaw extends Error {
  readonly code: JsonFlaw;
  constructor(code: JsonFlaw) {
    super(code);
    this.code = code;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Flaw('json_syntax');
  }
}
