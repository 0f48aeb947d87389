/**
 * Texts in, bundle or problems out: names are unique, owners known, every problem told at once. May not read a file or a clock. YAML, JSON
 * Schema and Cedar are languages of back ends: they come in as `Formats` and `Engine`.
 */
import type { Agent, Bundle, ToolServer } from '../model.ts';
import { no, ok, type Result } from '../wire/result.ts';
import type { Credentials, Engine, Files, Problem } from './bundle.ts';
import { BUDGETS, compileBudgets } from './compile-budgets.ts';
import { compileIdentity, pair } from './compile-identity.ts';
import { compileServers, SERVER_FILE } from './compile-servers.ts';
import { type Formats, type Path, problemAt } from './formats.ts';
import { hashBundle } from './manifest.ts';
import { didYouMean } from './nearest.ts';

export interface CompiledBundle {
  readonly bundle: Bundle;
  readonly warnings: readonly Problem[];
}

const NO_CREDENTIALS: Credentials = { readers: new Map(), reserved: new Set() };
const SCHEMA = 'schema.cedarschema';
const AGENTS = 'agents.yaml';

/** Pure. `today` (ISO date) lets it warn of reviews that are due. Errors: every problem of every file. */
export async function compileBundle(
  files: Files,
  engine: Engine,
  formats: Formats,
  options: { readonly today?: string; readonly credentials?: Credentials } = {},
): Promise<Result<CompiledBundle, readonly Problem[]>> {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  for (const file of files.keys()) {
    if (isKnown(file)) continue;
    problems.push({
      file,
      text: 'no file of this name belongs to a bundle',
      hint: `${SCHEMA}, ${AGENTS}, ${BUDGETS}, servers/<id>.yaml, *.cedar, tests/*.yaml`,
    });
  }
  const servers = await compileServers(files, formats, options.credentials ?? NO_CREDENTIALS, problems, warnings);
  const complete = problems.length === 0;
  const agents = compileAgents(files, formats, options.today, servers, problems, warnings);

  const schema = files.get(SCHEMA);
  const policies = [...files].flatMap(([file, text]) => (file.endsWith('.cedar') ? [{ file, text }] : [])).sort(byFile);
  if (schema === undefined) problems.push({ file: SCHEMA, text: 'is missing' });
  if (policies.length === 0) problems.push({ file: '*.cedar', text: 'there is no policy file: nothing could ever be allowed' });
  // With a server left out, every policy that names its tools would be called wrong: those problems come first.
  if (schema === undefined || !complete) return no(sorted(problems));
  const budgets = compileBudgets(files, formats, servers, problems);
  const engined = await engine({ schema: { file: SCHEMA, text: schema }, policies, agents, servers, budgets });
  if (!engined.ok) problems.push(...engined.error);
  if (!engined.ok || problems.length > 0) return no(sorted(problems));
  warnings.push(...engined.value.warnings);

  const byClient = new Map(agents.map((agent) => [agent.id, agent]));
  const byIdentity = new Map(
    agents.flatMap((agent) => (agent.identity.use === 'federated' ? [[pair(agent.identity), agent] as const] : [])),
  );
  const byResource = new Map(servers.map((server) => [server.resource, server]));
  const byId = new Map(servers.map((server) => [server.id, server]));
  const bundle: Bundle = Object.freeze({
    hash: hashBundle(files),
    agents: Object.freeze({
      byClient: (id: string) => byClient.get(id),
      byIdentity: (issuer: string, subject: string) => byIdentity.get(pair({ issuer, subject })),
      all: Object.freeze(agents),
    }),
    servers: Object.freeze({
      byResource: (uri: string) => byResource.get(uri),
      byId: (id: string) => byId.get(id),
      all: Object.freeze(servers),
    }),
    policy: engined.value.policy,
    budgets: Object.freeze(budgets),
  });
  return ok({ bundle, warnings: sorted(warnings) });
}

function compileAgents(
  files: Files,
  formats: Formats,
  today: string | undefined,
  servers: readonly ToolServer[],
  problems: Problem[],
  warnings: Problem[],
): Agent[] {
  const text = files.get(AGENTS);
  if (text === undefined) {
    problems.push({ file: AGENTS, text: 'is missing' });
    return [];
  }
  const read = formats.agents(AGENTS, text);
  if (!read.ok) {
    problems.push(...read.error);
    return [];
  }
  const { value, lineOf } = read.value;
  const people = new Set<string>();
  for (const [index, person] of value.people.entries()) {
    if (people.has(person.id)) problems.push(problemAt(AGENTS, lineOf(['people', index, 'id']), 'this person stands twice'));
    people.add(person.id);
  }
  const ids = new Set<string>();
  const identities = new Set<string>();
  const agents: Agent[] = [];
  for (const [index, entry] of value.agents.entries()) {
    const at = (key: string): Path => ['agents', index, key];
    const problem = (key: string, what: string, hint?: string): void => {
      problems.push(problemAt(AGENTS, lineOf(at(key)), what, hint));
    };
    if (ids.has(entry.id)) problem('id', 'this agent stands twice');
    if (servers.some((server) => server.id === entry.id)) problem('id', 'a tool server has this id', 'both log in by it');
    ids.add(entry.id);
    const identity = compileIdentity(entry.identity, (what, hint) => problem('identity', what, hint));
    if (!identity) continue;
    if (identity.use === 'federated') {
      if (identities.has(pair(identity))) problem('identity', 'another agent has this issuer and subject');
      identities.add(pair(identity));
    }
    // Not a problem but a fact: were the bundle refused for it, the old one would stay in force and the agent alive.
    const owned = people.has(entry.owner);
    if (!owned) {
      const { hint } = didYouMean(entry.owner, people);
      warnings.push(problemAt(AGENTS, lineOf(at('owner')), `${entry.id} has no owner among people: it is refused`, hint));
    }
    if (today !== undefined && entry.review < today) {
      warnings.push(problemAt(AGENTS, lineOf(at('review')), `the review of ${entry.id} is due since ${entry.review}`));
    }
    const { maxTtlSeconds } = entry.limits;
    agents.push(
      Object.freeze({
        kind: 'agent',
        id: entry.id,
        name: entry.name,
        owner: entry.owner,
        owned,
        ...(entry.sponsor !== undefined && { sponsor: entry.sponsor }),
        purpose: entry.purpose,
        review: entry.review,
        suspended: entry.suspended,
        identity,
        limits: Object.freeze({ ...(maxTtlSeconds !== undefined && { maxTtlSeconds }) }),
      }),
    );
  }
  return agents;
}

const isKnown = (file: string): boolean =>
  file === SCHEMA ||
  file === AGENTS ||
  file === BUDGETS ||
  SERVER_FILE.test(file) ||
  file.endsWith('.cedar') ||
  /^tests\/[^/]+\.yaml$/.test(file);
const byFile = (a: { readonly file: string }, b: { readonly file: string }): number => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0);
const sorted = (problems: readonly Problem[]): readonly Problem[] =>
  [...problems].sort((a, b) => byFile(a, b) || (a.line ?? 0) - (b.line ?? 0));
