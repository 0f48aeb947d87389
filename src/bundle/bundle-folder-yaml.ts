import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { flawOf, type Json } from '../wire/json.ts';
import { no, ok, type Result } from '../wire/result.ts';
import type { Problem } from './bundle.ts';
import type { Read } from './formats.ts';
import { didYouMean } from './nearest.ts';

type Path = readonly PropertyKey[];

/**
 * YAML 1.2, one document, unique keys, no aliases, no tags, held to a strict schema. `known` are the keys that a misspelt one may have meant.
 * Errors: every problem with its line.
 */
export function readYaml<T>(
  file: string,
  text: string,
  schema: z.ZodType<T>,
  known: readonly string[],
): Result<Read<T>, readonly Problem[]> {
  const lines = new LineCounter();
  const doc = parseDocument(text, { version: '1.2', schema: 'core', stringKeys: true, prettyErrors: false, lineCounter: lines });
  const flaws = [...doc.errors, ...doc.warnings];
  if (flaws.length > 0) {
    return no(flaws.map((flaw) => ({ file, line: lines.linePos(flaw.pos[0]).line, text: flaw.message, ...yamlHint(flaw.code) })));
  }
  const lineOf = (path: Path): number | undefined => {
    const node = nodeAt(doc.contents, path);
    return node?.range ? lines.linePos(node.range[0]).line : undefined;
  };
  let value: unknown;
  try {
    value = doc.toJS({ maxAliasCount: 0 });
  } catch {
    return no([{ file, text: 'has an alias (*name): write it out' }]);
  }
  // What stands here becomes JSON Schema, key sets and Cedar: the same values must be read everywhere.
  const flaw = flawOf((value ?? null) as Json);
  if (flaw) return no([{ file, text: `has a value that strict JSON cannot hold: ${flaw}` }]);
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok({ value: parsed.data, lineOf });
  return no(parsed.error.issues.flatMap((issue) => problemsOf(issue, file, value, lineOf, known)));
}

function problemsOf(
  issue: z.core.$ZodIssue,
  file: string,
  value: unknown,
  lineOf: (path: Path) => number | undefined,
  known: readonly string[],
): readonly Problem[] {
  const at = (path: Path): { readonly line?: number } => {
    const line = lineOf(path);
    return line === undefined ? {} : { line };
  };
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ file, ...at([...issue.path, key]), text: `unknown key ${key}`, ...didYouMean(key, known) }));
  }
  // A record names the bad key in its path and says what is wrong with it one level deeper.
  const message = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  const name = issue.path.map(String).join('.') || 'the file';
  const missing = issue.code === 'invalid_type' && valueAt(value, issue.path) === undefined;
  return [{ file, ...at(issue.path), text: missing ? `${name} is missing` : `${name}: ${message}` }];
}

/** The key of a map's entry, else the value: as far down the path as there is something. */
function nodeAt(root: Node | null, path: Path): Node | undefined {
  let node: Node | null | undefined = root;
  let last: Node | undefined = root ?? undefined;
  for (const step of path) {
    if (isMap(node)) {
      const item = node.items.find((pair) => isScalar(pair.key) && pair.key.value === String(step));
      if (!item) return last;
      last = item.key as Node;
      node = item.value as Node | null;
    } else if (isSeq(node)) {
      node = node.items[Number(step)] as Node | undefined;
      last = node ?? last;
    } else return last;
    if (isAlias(node)) return last;
  }
  return last;
}
function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[step];
  }
  return at;
}
const yamlHint = (code: string): { readonly hint?: string } =>
  code === 'DUPLICATE_KEY' ? { hint: 'the second would replace the first' } : code === 'TAB_AS_INDENT' ? { hint: 'indent by spaces' } : {};
