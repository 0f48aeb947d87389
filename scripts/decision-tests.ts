/** Decision tests of a bundle: read from tests/*.yaml, asked through the same `decide` as an exchange. Pure; knows no folder and no clock. */
import { z } from 'zod';
import type { Files, Problem } from '../src/bundle/bundle.ts';
import { readYaml } from '../src/bundle/bundle-folder-yaml.ts';
import { sharesOf } from '../src/decide/budgets.ts';
import { decide } from '../src/decide/decide.ts';
import type { Refusal } from '../src/errors.ts';
import type { Action, Agent, Asked, Bundle, Decision, Draft, Facts, Person } from '../src/model.ts';
import { digest } from '../src/wire/digest.ts';
import type { JsonObject } from '../src/wire/json.ts';
import { SCOPE_LIST } from '../src/wire/oauth.ts';
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
  const asked = toAsked(bundle, test);
  if (!asked.ok) return asked;
  const { draft, facts } = draftAt(Date.parse(test.at) / 1000);
  const { action } = asked.value;
  const shares = sharesOf(asked.value, bundle);
  const stranger = Object.keys(test.spent).find((id) => !shares.some(({ budget }) => budget.id === id));
  if (stranger !== undefined) return no(`this action takes from no budget ${stranger}`);
  const sums = shares.map(({ budget }) => test.spent[budget.id] ?? 0);
  const wrong = action.kind === 'call' && action.call.arguments ? action.tool.check(action.call.arguments) : undefined;
  const decided: Result<Decision, Refusal> =
    wrong === undefined ? decide(asked.value, bundle, draft, shares, sums) : no({ reason: 'arguments_bad' });
  const policies = [...(facts().policies ?? [])].sort();
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

function toAsked(bundle: Bundle, test: Case): Result<Asked, string> {
  const [serverId = '', toolName = ''] = test.tool.split(/\/(.*)/s);
  const server = bundle.servers.byId(serverId);
  const tool = server?.tools.get(toolName);
  if (!server || (!tool && toolName !== SCOPE_LIST)) return no(`there is no tool ${test.tool}`);
  const chain: Agent[] = [];
  for (const id of [...test.via, test.agent]) {
    const agent = bundle.agents.byClient(id);
    if (!agent) return no(`there is no agent ${id}`);
    chain.push(agent);
  }
  const client = chain.at(-1) as Agent;
  const subject = test.for ? toPerson(test.for) : client;
  const action: Action = tool
    ? {
        kind: 'call',
        tool,
        call: {
          resource: server.resource,
          tool: toolName,
          digest: digest(test.arguments),
          ...(!tool.hidden && { arguments: test.arguments }),
        },
      }
    : { kind: 'list' };
  return ok({
    caller: { client },
    subject,
    actors: test.for ? chain : chain.slice(0, -1),
    server,
    action,
    kind: 'jwt',
    until: Number.MAX_SAFE_INTEGER,
    deferred: false,
  });
}
function toPerson({ sub, kind, ...attributes }: NonNullable<Case['for']>): Person {
  const colon = sub.indexOf(':');
  return {
    kind: kind ?? 'person',
    issuer: sub.slice(0, colon),
    subject: sub.slice(colon + 1),
    exp: Number.MAX_SAFE_INTEGER,
    attributes: attributes as JsonObject,
  };
}
function draftAt(now: number): { readonly draft: Draft; facts(): Facts } {
  let facts: Facts = {};
  const draft: Draft = {
    id: 'exc_test',
    now,
    signal: new AbortController().signal,
    late: false,
    turn: async (_kind, work) => work(),
    get facts() {
      return facts;
    },
    note: (more) => {
      facts = { ...facts, ...more };
    },
    spend: () => {},
  };
  return { draft, facts: () => facts };
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
