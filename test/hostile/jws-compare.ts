/** Ours and jose's verdict on a token, and what is stricter here. */
import assert from 'node:assert/strict';
import type { KeyObject } from 'node:crypto';
import { compactVerify } from 'jose';
import { parseDocument } from 'yaml';
import { readJws, signatureHolds } from '../../src/wire/jws.ts';
import { mutants } from './jws-mutants.ts';

export interface Compared {
  readonly accepted: ReadonlyMap<string, number>;
  readonly refused: ReadonlyMap<string, number>;
  /** By rule: what jose accepts and we do not. */
  readonly strictly: ReadonlyMap<string, number>;
}
/** `count` mutants of this seed. Ours is yes if and only if jose's is yes and no rule is stricter here. Throws AssertionError with the token. */
export async function compare(seed: number, count: number): Promise<Compared> {
  const [accepted, refused, strictly] = [new Map<string, number>(), new Map<string, number>(), new Map<string, number>()];
  const add = (to: Map<string, number>, name: string): void => void to.set(name, (to.get(name) ?? 0) + 1);
  let done = 0;
  for (const { kind, token, key } of mutants(seed)) {
    if (done++ === count) break;
    const [mine, theirs] = [ours(token, key), await joses(token, key)];
    const rule = theirs ? stricter(token) : undefined;
    assert.equal(mine, theirs && rule === undefined, `seed ${seed}, ${kind}, ${rule ?? 'no stricter rule'}: ${token}`);
    add(mine ? accepted : refused, kind);
    if (rule !== undefined) add(strictly, rule);
  }
  return { accepted, refused, strictly };
}

const TYP = ['JWT', undefined];
export function ours(token: string, key: KeyObject): boolean {
  const read = readJws(token, { typ: TYP });
  return read.ok && signatureHolds(read.value.header.alg, key, read.value.signed, read.value.signature);
}
export async function joses(token: string, key: KeyObject): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: ['ES256', 'RS256'] });
    return true;
  } catch {
    return false;
  }
}

const FORBIDDEN = ['jku', 'x5u', 'x5c', 'jwk', 'crit', 'b64', 'zip', 'enc'];
/** The rule that is stricter here than in jose, said once more by other means: undefined where there is none. */
export function stricter(token: string): string | undefined {
  if (token.length > 16_384) return 'too long';
  const segments = token.split('.');
  if (segments.length !== 3 || segments.some((part) => part === '' || Buffer.from(part, 'base64url').toString('base64url') !== part))
    return 'another spelling';
  const [header, payload] = segments.map((part) => strictObject(Buffer.from(part, 'base64url')));
  if (typeof header === 'string' || header === undefined) return `header ${header}`;
  if (typeof payload === 'string' || payload === undefined) return `claims ${payload}`;
  const forbidden = FORBIDDEN.find((name) => Object.hasOwn(header, name));
  if (forbidden !== undefined) return forbidden;
  const { kid, typ } = header;
  if (Object.hasOwn(header, 'kid') && (typeof kid !== 'string' || kid === '' || kid.length > 256)) return 'kid';
  return Object.hasOwn(header, 'typ') && !(typeof typ === 'string' && typ.toLowerCase() === 'jwt') ? 'typ' : undefined;
}
/** The object, or why it is none: JSON.parse with its sources looked at, and another library for keys that stand twice. */
function strictObject(bytes: Buffer): Readonly<Record<string, unknown>> | string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return 'is not UTF-8';
  }
  let flaw: string | undefined;
  let value: unknown;
  try {
    value = JSON.parse(text, (key, each: unknown) => {
      if (['__proto__', '__entity', '__extn', '__expr'].includes(key)) flaw = 'a reserved key';
      if (typeof each === 'number' && (!Number.isFinite(each) || (Number.isInteger(each) && !Number.isSafeInteger(each))))
        flaw = 'a number';
      if ((typeof each === 'string' && !each.isWellFormed()) || !key.isWellFormed()) flaw = 'a surrogate';
      return each;
    });
  } catch {
    return 'is not JSON';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is no object';
  if (flaw !== undefined) return flaw;
  if (depthOf(value) > 64) return 'too deep';
  // A key twice is the commonest text in which a value stands that JSON.parse forgets.
  if (parseDocument(text, { uniqueKeys: true, schema: 'json', version: '1.2' }).errors.some(({ code }) => code === 'DUPLICATE_KEY'))
    return 'a key twice';
  return value as Readonly<Record<string, unknown>>;
}
const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
