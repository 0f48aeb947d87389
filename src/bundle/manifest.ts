/** What a bundle consists of: every file by its digest. A file cut short still parses, without its forbids; the manifest notices. */
import { hash } from 'node:crypto';
import { canonical } from '../wire/digest.ts';
import { isObject, parseJson } from '../wire/json.ts';
import { no, ok, type Result } from '../wire/result.ts';
import type { Files } from './bundle.ts';

export const MANIFEST = 'manifest.json';
/** SHA-256 in hex by path, as `sha256sum` prints it. */
export type Digests = ReadonlyMap<string, string>;

/** Files that decide something: none may lie in the folder unlisted. */
export const isBundleFile = (path: string): boolean => /\.(cedar|cedarschema|ya?ml)$/i.test(path);
/** Relative, `/`-separated, nothing hidden, nothing that climbs. */
const PATH = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$/;

export const digestFile = (content: string | Uint8Array): string => hash('sha256', content, 'hex');
const toDigests = (files: Files): Digests => new Map([...files].map(([path, text]) => [path, digestFile(text)]));

/** The bundle's name: SHA-256 over the manifest's content, however that is printed. */
export const hashBundle = (files: Files): string => digestFile(canonical({ files: Object.fromEntries(toDigests(files)) }));

export function formatManifest(digests: Digests): string {
  const files = Object.fromEntries([...digests].sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify({ files }, null, 2)}\n`;
}

/** Errors: what is wrong with it, in words. */
export function parseManifest(text: string): Result<Digests, string> {
  const parsed = parseJson(text, 1_048_576);
  if (!parsed.ok) return no('is not strict JSON');
  const files = isObject(parsed.value) ? parsed.value['files'] : undefined;
  if (!isObject(parsed.value) || Object.keys(parsed.value).length !== 1 || !isObject(files)) return no('is not {"files": {path: sha256}}');
  const digests = new Map<string, string>();
  for (const [path, digest] of Object.entries(files)) {
    if (!PATH.test(path)) return no('names a path that is absolute, hidden or climbs');
    if (typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest)) return no('has a digest that is not SHA-256 in hex');
    digests.set(path, digest);
  }
  return ok(digests);
}
