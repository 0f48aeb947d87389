/** Decision tests of a bundle: read from tests/*.yaml, asked through the same `decide` as an exchange. Pure; knows no folder and no clock. */
import { z } from 'zod';
import type { Files, Problem } from '../src/bundle/bundle.ts';
import { readYaml } from '../src/bundle/bundle-folder-yaml.ts';
import { sharesOf } from '../src/decide/budgets.ts';
import { type Rehearsal, rehearse, type Supposed, toAsked } from '../src/decide/rehearse.ts';
import type { Bundle, Decision } from '../src/model.ts';
import type { JsonObject } from '../src/wire/json.ts';
import { no, ok, type Result } from '../src/wire/result.ts';

const anyJson = z.custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be a mapping');
const testFile = z.strictObject({
  tests: z.array(
    z.strictObject({
      name: z.string().min(1),
      agent: z.string(),
      via: z.array(z.string()).default([]),
      for: z
        .looseObject({
          sub: z.string().regex(/^[a-z][a-z0-9-]*:\S+$/, 'must be <issuer id>:<sub>'),
          kind: z.enum(['person', 'service']).optional(),
        })
        .optional(),
      tool: z.string().regex(/^[a-z][a-z0-9_]*\/\S+$/, 'must be <server id>/<tool>'),
      arguments: anyJson.default({}),
      spent: z.record(z.string(), z.int().min(0)).default({}),
      at: z.iso.datetime().default('2026-01-01T12:00:00Z'),
      expect: z.strictObject({
        decision: z.enum(['allow', 'deny']),
        code: z.string().optional(),
        policies: z.array(z.string()).optional(),
        ttl: z.int().optional(),
        approval: z.array(z.string()).optional(),
      }),
    }),
  ),
});
type Case = z.output<typeof testFile>['tests'][number];
const KEYS = 'tests name agent via for tool arguments spent at expect decision code policies ttl approval sub kind'.split(' ');

/** One test and what came of it. `who` and `got` are for people. */
export interface Outcome {
  readonly file: string;
  readonly line: number | undefined;
  readonly name: string;
  readonly who: string;
  readonly tool: string;
  readonly expected: string;
  readonly got: string;
  readonly policies: readonly string[];
  readonly ok: boolean;
}

/** Errors: files that are no tests, or name what the bundle does not have. `progress` is told after each test. */
export function runDecisionTests(
  bundle: Bundle,
  files: Files,
  progress: (done: number) => void = () => {},
): Result<readonly Outcome[], readonly Problem[]> {
  const problems: Problem[] = [];
  const outcomes: Outcome[] = [];
  for (const [file, text] of files) {
    if (!file.startsWith('tests/')) continue;
    const read = readYaml(file, text, testFile, KEYS);
    if (!read.ok) {
      problems.push(...read.error);
      continue;
    }
    for (const [index, test] of read.value.value.tests.entries()) {
      const line = read.value.lineOf(['tests', index]);
      const outcome = runOne(bundle, test);
      if (outcome.ok) outcomes.push({ file, line, ...outcome.value });
      else problems.push({ file, ...(line !== undefined && { line }), text: outcome.error });
      progress(outcomes.length);
    }
  }
  return problems.length > 0 ? no(problems) : ok(outcomes);
}

function runOne(bundle: Bundle, test: Case): Result<Omit<Outcome, 'file' | 'line'>, string> {
  const asked = toAsked(bundle, toRehearsal(test));
  if (!asked.ok) return no(`there is no ${asked.error.lacks} ${asked.error.name}`);
  const shares = sharesOf(asked.value, bundle);
  const stranger = Object.keys(test.spent).find((id) => !shares.some(({ budget }) => budget.id === id));
  if (stranger !== undefined) return no(`this action takes from no budget ${stranger}`);
  const { decided, policies } = rehearse(bundle, asked.value, Date.parse(test.at) / 1000, ({ budget }) => test.spent[budget.id] ?? 0);
  const got = describe(
    decided.ok
      ? { decision: 'allow', ttl: decided.value.ttlSeconds, approval: demanded(decided.value) }
      : { decision: 'deny', code: decided.error.code ?? decided.error.reason },
  );
  const { expect } = test;
  const held =
    decided.ok === (expect.decision === 'allow') &&
    (expect.code === undefined || (!decided.ok && (decided.error.code ?? decided.error.reason) === expect.code)) &&
    (expect.policies === undefined || same(expect.policies, policies)) &&
    (expect.ttl === undefined || (decided.ok && decided.value.ttlSeconds === expect.ttl)) &&
    // A demand that the test does not speak of is a change that somebody must see.
    (!decided.ok || same(expect.approval ?? [], demanded(decided.value)));
  const chain = [test.agent, ...test.via.toReversed()].join(' → ');
  return ok({
    name: test.name,
    who: test.for ? `${chain} for ${test.for.sub}` : `${chain} for itself`,
    tool: test.tool,
    expected: describe(expect) + (expect.policies ? ` by ${expect.policies.join(', ') || 'none'}` : ''),
    got,
    policies,
    ok: held,
  });
}

function toRehearsal({ agent, via, for: whom, tool: name, arguments: args }: Case): Rehearsal {
  const [server = '', tool = ''] = name.split(/\/(.*)/s);
  return { agent, via, server, tool, arguments: args, ...(whom && { for: toPerson(whom) }) };
}
function toPerson({ sub, kind, ...attributes }: NonNullable<Case['for']>): Supposed {
  const colon = sub.indexOf(':');
  return { kind: kind ?? 'person', issuer: sub.slice(0, colon), subject: sub.slice(colon + 1), attributes: attributes as JsonObject };
}

const describe = (it: {
  readonly decision: string;
  readonly code?: string | undefined;
  readonly ttl?: number | undefined;
  readonly approval?: readonly string[] | undefined;
}): string =>
  [
    it.decision,
    it.code,
    it.ttl === undefined ? undefined : `${it.ttl}s`,
    it.approval?.length ? `if ${it.approval.join(', ')} agrees` : undefined,
  ]
    .filter((part) => part !== undefined)
    .join(' ');
/** Who must agree, in the words of a test: names, `confirm` for the person acted for, `passkey` where a signature is wanted. */
const demanded = ({ approval }: Decision): readonly string[] => [
  ...(approval?.who ?? []),
  ...(approval?.confirm ? ['confirm'] : []),
  ...(approval?.proof ? [approval.proof] : []),
];
const same = (a: readonly string[], b: readonly string[]): boolean => [...a].sort().join('\n') === [...b].sort().join('\n');
