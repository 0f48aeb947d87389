import { setImmediate as breathe } from 'node:timers/promises';
import { type DetailedError, policySetTextToParts, policyToJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Problem } from '../bundle/bundle.ts';
import { type Meaning, readAnnotations } from './policy-cedar-annotations.ts';
import { mentions, type Reads, readsOf } from './policy-cedar-reads.ts';
import { readScope, type Scope } from './policy-cedar-scope.ts';

/** One policy: its text, what its scope names, what it reads, what its annotations say. */
export interface Rule extends Meaning {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly text: string;
  readonly scope: Scope;
  readonly reads: Reads;
  /** In its conditions: its scope is the index's business. */
  readonly looksAtPrincipal: boolean;
  readonly source: Source;
}
export interface Source {
  readonly file: string;
  /** The line its text begins on. */
  readonly line: number;
  readonly text: string;
}

/**
 * The policies of one file. `@id` is not Cedar's policy id (that is the position): the text is cut here, so that every policy keeps its
 * place in the file, and each piece must be one whole policy to Cedar.
 */
export async function readPolicies(file: string, text: string, problems: Problem[]): Promise<Rule[]> {
  const pieces = cut(file, text);
  const rules: Rule[] = [];
  const before = problems.length;
  for (const [index, source] of pieces.entries()) {
    // Exchanges go on meanwhile.
    if (index % 20 === 19) await breathe();
    const rule = readPolicy(source, problems);
    if (rule) rules.push(rule);
  }
  // Were a comment or a string read differently there and here, a forbid could be lost between two pieces.
  const parts = policySetTextToParts(text);
  if (
    problems.length === before &&
    (parts.type !== 'success' || parts.policies.length !== pieces.length || parts.policy_templates.length > 0)
  ) {
    problems.push({
      file,
      text: 'the file cannot be taken apart safely',
      hint: 'look for unusual line ends or characters outside policies',
    });
  }
  return rules;
}

function readPolicy(source: Source, problems: Problem[]): Rule | undefined {
  const parsed = policyToJson(source.text);
  if (parsed.type !== 'success') {
    for (const error of parsed.errors) problems.push(problemOf(source, error));
    return undefined;
  }
  const { json } = parsed;
  const here = (text: string, hint?: string): void => {
    problems.push({ file: source.file, line: source.line, text, ...(hint !== undefined && { hint }) });
  };
  const read = readsOf(json.conditions);
  if (!read.ok) here(read.error, 'entities stand alone here: attributes are known of principal, resource and context only');
  const said = readAnnotations(json.effect, json.annotations ?? {}, here);
  if (!said || !read.ok) return undefined;
  const looksAtPrincipal = mentions(json.conditions, 'principal');
  return { ...said, effect: json.effect, text: source.text, scope: readScope(json), reads: read.value, looksAtPrincipal, source };
}

/** Pieces that end in `;` outside strings and comments; what is left after the last is a piece too, for Cedar to refuse. */
function cut(file: string, text: string): Source[] {
  const pieces: Source[] = [];
  let line = 1;
  let from: { readonly index: number; readonly line: number } | undefined;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\n') line++;
    else if (c === '/' && text[i + 1] === '/') {
      const end = text.indexOf('\n', i);
      i = (end < 0 ? text.length : end) - 1;
    } else if (c !== ' ' && c !== '\t' && c !== '\r') {
      from ??= { index: i, line };
      if (c === '"') {
        for (i++; i < text.length && text[i] !== '"'; i++) {
          if (text[i] === '\\') i++;
          if (text[i] === '\n') line++;
        }
      } else if (c === ';') {
        pieces.push({ file, line: from.line, text: text.slice(from.index, i + 1) });
        from = undefined;
      }
    }
  }
  if (from) pieces.push({ file, line: from.line, text: text.slice(from.index) });
  return pieces;
}

/** Cedar's own words at their place in the file. Its offsets count bytes of UTF-8 from the start of the piece. */
export function problemOf(source: Source, error: DetailedError): Problem {
  const start = error.sourceLocations?.[0]?.start ?? 0;
  const upTo = Buffer.from(source.text).subarray(0, start).toString();
  const label = error.sourceLocations?.[0]?.label;
  const hint = error.help ?? label;
  return {
    file: source.file,
    line: source.line + upTo.split('\n').length - 1,
    text: plain(error.message),
    ...(hint && { hint: plain(hint) }),
  };
}
export const plain = (text: string): string =>
  text
    .replace(/^for policy `[^`]*`, /, '')
    .replace(/^failed to parse (policy|schema) from (string|JSON): /, '')
    .replace(/^error parsing schema: /, '');
