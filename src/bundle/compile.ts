/**
 * Texts in, bundle or problems out: names are unique, owners known, every problem told at once. May not read a file or a clock. YAML, JSON
 * Schema and Cedar are languages of back ends: they come in as `Formats` and `Engine`.
 */
import type { Agent, Bundle, Identity, Tool, ToolServer } from '../model.ts';
import { canonical } from '../wire/digest.ts';
import type { JsonObject } from '../wire/json.ts';
import { localKeys, readJwks } from '../wire/jwks.ts';
import { no, ok, type Result } from '../wire/result.ts';
import type { Engine, Files, Problem } from './bundle.ts';
import { hashBundle } from './manifest.ts';
import { didYouMean } from './nearest.ts';

type Path = readonly (string | number)[];
/** A file's content, of the right shape, and where in it things stand. */
export interface Read<T> {
  readonly value: T;
  lineOf(path: Path): number | undefined;
}
export type IdentityEntry = { readonly jwks: JsonObject } | { readonly issuer: string; readonly subject: string };
export interface AgentsFile {
  readonly people: readonly { readonly id: string; readonly name: string }[];
  readonly agents: readonly {
    readonly id: string;
    readonly name: string;
    readonly owner: string;
    readonly sponsor?: string | undefined;
    readonly purpose: string;
    readonly review: string;
    readonly suspended: boolean;
    readonly identity: IdentityEntry;
    readonly limits: { readonly maxTtlSeconds?: number | undefined };
  }[];
}
export interface ServerFile {
  readonly id: string;
  readonly name: string;
  readonly resource: string;
  readonly identity?: IdentityEntry | undefined;
  readonly tools: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly input: JsonObject;
        readonly recordable: readonly string[];
        readonly arguments: 'visible' | 'hidden';
      }
    >
  >;
}
/** What a JSON Schema becomes; `notes` warn, without which nothing would say that a keyword is not obeyed. */
export interface ArgumentRules extends Pick<Tool, 'check' | 'fill'> {
  readonly notes: readonly string[];
}
export interface Formats {
  agents(file: string, text: string): Result<Read<AgentsFile>, readonly Problem[]>;
  server(file: string, text: string): Result<Read<ServerFile>, readonly Problem[]>;
  /** Errors: what is wrong with the schema, in words. */
  schema(schema: JsonObject): Result<ArgumentRules, readonly string[]>;
}
export interface CompiledBundle {
  readonly bundle: Bundle;
  readonly warnings: readonly Problem[];
}

const SCHEMA = 'schema.cedarschema';
const AGENTS = 'agents.yaml';
const SERVER = /^servers\/([a-z][a-z0-9_]*)\.yaml$/;

/** Pure. `today` (ISO date) lets it warn of reviews that are due. Errors: every problem of every file. */
export async function compileBundle(
  files: Files,
  engine: Engine,
  formats: Formats,
  options: { readonly today?: string } = {},
): Promise<Result<CompiledBundle, readonly Problem[]>> {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  for (const file of files.keys()) {
    if (isKnown(file)) continue;
    problems.push({
      file,
      text: 'no file of this name belongs to a bundle',
      hint: `${SCHEMA}, ${AGENTS}, servers/<id>.yaml, *.cedar, tests/*.yaml`,
    });
  }
  const servers = compileServers(files, formats, problems, warnings);
  const complete = problems.length === 0;
  const agents = compileAgents(files, formats, options.today, servers, problems, warnings);

  const schema = files.get(SCHEMA);
  const policies = [...files].flatMap(([file, text]) => (file.endsWith('.cedar') ? [{ file, text }] : [])).sort(byFile);
  if (schema === undefined) problems.push({ file: SCHEMA, text: 'is missing' });
  if (policies.length === 0) problems.push({ file: '*.cedar', text: 'there is no policy file: nothing could ever be allowed' });
  // With a server left out, every policy that names its tools would be called wrong: those problems come first.
  if (schema === undefined || !complete) return no(sorted(problems));
  const engined = await engine({ schema: { file: SCHEMA, text: schema }, policies, servers });
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
  });
  return ok({ bundle, warnings: sorted(warnings) });
}

function compileServers(files: Files, formats: Formats, problems: Problem[], warnings: Problem[]): ToolServer[] {
  const servers: ToolServer[] = [];
  const resources = new Map<string, string>();
  for (const [file, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const named = SERVER.exec(file)?.[1];
    if (named === undefined) continue;
    const read = formats.server(file, text);
    if (!read.ok) {
      problems.push(...read.error);
      continue;
    }
    const { value, lineOf } = read.value;
    const problem = (path: Path, what: string, hint?: string): void => {
      problems.push(problemAt(file, lineOf(path), what, hint));
    };
    if (value.id !== named) problem(['id'], 'the id is not the name of the file', `name the file servers/${value.id}.yaml`);
    const uri = new URL(value.resource);
    const other = resources.get(uri.href);
    if (other !== undefined) problem(['resource'], `the resource is that of ${other}`, 'a token for one would open the other');
    resources.set(uri.href, file);
    if (uri.protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(uri.hostname)) {
      warnings.push(problemAt(file, lineOf(['resource']), 'plain http beyond this machine: tokens can be read on the way'));
    }
    const identity = value.identity && compileIdentity(value.identity, (what, hint) => problem(['identity'], what, hint));
    const tools = new Map<string, Tool>();
    for (const [name, entry] of Object.entries(value.tools)) {
      const path = ['tools', name];
      const rules = formats.schema(entry.input);
      const known = Object.keys((entry.input['properties'] ?? {}) as JsonObject);
      for (const [index, field] of entry.recordable.entries()) {
        if (!known.includes(field)) {
          const { hint } = didYouMean(field, known);
          problem([...path, 'recordable', index], `recordable names no argument: ${field}`, hint);
        }
      }
      if (entry.arguments === 'hidden' && entry.recordable.length > 0)
        problem([...path, 'recordable'], 'hidden arguments cannot be recorded');
      if (!rules.ok) {
        for (const flaw of rules.error) problem([...path, 'input'], flaw);
        continue;
      }
      for (const note of rules.value.notes) warnings.push(problemAt(file, lineOf([...path, 'input']), note));
      tools.set(
        name,
        Object.freeze({
          name,
          description: entry.description,
          schema: entry.input,
          check: rules.value.check,
          fill: rules.value.fill,
          recordable: Object.freeze([...entry.recordable]),
          hidden: entry.arguments === 'hidden',
        }),
      );
    }
    servers.push(
      Object.freeze({
        kind: 'tool-server',
        id: value.id,
        name: value.name,
        resource: value.resource,
        ...(identity && { identity }),
        tools,
      }),
    );
  }
  if (servers.length === 0 && problems.length === 0) problems.push({ file: 'servers/', text: 'there is no tool server' });
  return servers;
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

const FLAWS = {
  jwks_form: 'the key set is not of RFC 7517',
  jwks_count: 'the key set has too many keys',
  jwks_private: 'the key set holds a private or symmetric key: replace that key everywhere, it is known now',
  jwks_weak: 'the key set holds an RSA key that is too weak',
  jwks_duplicate: 'two keys of the set have one kid',
} as const;
function compileIdentity(entry: IdentityEntry, problem: (what: string, hint?: string) => void): Identity | undefined {
  if ('issuer' in entry) return Object.freeze({ use: 'federated', issuer: entry.issuer, subject: entry.subject });
  const read = readJwks(entry.jwks);
  const keys = localKeys(entry.jwks);
  if (!read.ok || !keys.ok) {
    problem(read.ok ? FLAWS.jwks_form : FLAWS[read.error]);
    return undefined;
  }
  if (read.value.length === 0) {
    problem('the key set has no key to verify with', 'EC P-256 for ES256, RSA of 2048 bits or more for RS256');
    return undefined;
  }
  return Object.freeze({ use: 'jwks', keys: keys.value });
}

const isKnown = (file: string): boolean =>
  file === SCHEMA || file === AGENTS || SERVER.test(file) || file.endsWith('.cedar') || /^tests\/[^/]+\.yaml$/.test(file);
const pair = (who: { readonly issuer: string; readonly subject: string }): string => canonical([who.issuer, who.subject]);
const problemAt = (file: string, line: number | undefined, text: string, hint?: string): Problem => ({
  file,
  ...(line !== undefined && { line }),
  text,
  ...(hint !== undefined && { hint }),
});
const byFile = (a: { readonly file: string }, b: { readonly file: string }): number => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0);
const sorted = (problems: readonly Problem[]): readonly Problem[] =>
  [...problems].sort((a, b) => byFile(a, b) || (a.line ?? 0) - (b.line ?? 0));
