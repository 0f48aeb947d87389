import { setImmediate as breathe } from 'node:timers/promises';
import type { Registration, Tool, ToolServer } from '../model.ts';
import type { JsonObject } from '../wire/json.ts';
import type { CredentialKind } from '../wire/oauth.ts';
import type { Credentials, Files, Problem } from './bundle.ts';
import { compileIdentity } from './compile-identity.ts';
import { type Formats, type Path, problemAt, type ServerFile } from './formats.ts';
import { didYouMean } from './nearest.ts';

export const SERVER_FILE = /^servers\/([a-z][a-z0-9_]*)\.yaml$/;

/** The tool servers that can be used; for the others `problems` says why not. */
export async function compileServers(
  files: Files,
  formats: Formats,
  credentials: Credentials,
  problems: Problem[],
  warnings: Problem[],
): Promise<ToolServer[]> {
  const servers: ToolServer[] = [];
  const resources = new Map<string, string>();
  for (const [file, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const named = SERVER_FILE.exec(file)?.[1];
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
    if (credentials.reserved.has(value.resource))
      problem(['resource'], 'the resource is the audience of our logins to a back end', 'a token for one would open the other');
    if (uri.protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(uri.hostname)) {
      warnings.push(problemAt(file, lineOf(['resource']), 'plain http beyond this machine: tokens can be read on the way'));
    }
    const identity = value.identity && compileIdentity(value.identity, (what, hint) => problem(['identity'], what, hint));
    const tools = new Map<string, Tool>();
    const register = (name: string, entry: ServerFile['tools'][string], path: Path): Tool['credentials'] => {
      const found = new Map<CredentialKind, Registration>();
      for (const [kind, { settings, ...given }] of Object.entries(entry.credentials)) {
        const at = [...path, 'credentials', kind];
        const reader = credentials.readers.get(kind);
        if (!reader) {
          const { hint } = didYouMean(kind, credentials.readers.keys());
          problem(at, `there is no such kind of credential: ${kind}`, hint);
          continue;
        }
        const tool = { name, schema: entry.input, hidden: entry.arguments === 'hidden' };
        const read = reader(settings, { server: value.id, tool });
        if (!read.ok) for (const flaw of read.error) problem(at, flaw);
        else {
          const { deliver, cap, ttlSeconds } = given;
          found.set(kind, Object.freeze({ kind, deliver, cap, ...(ttlSeconds !== undefined && { ttlSeconds }), ...read.value }));
        }
      }
      return found;
    };
    for (const [name, entry] of Object.entries(value.tools)) {
      const path = ['tools', name];
      // A schema takes milliseconds to compile: exchanges go on between two.
      await breathe();
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
          credentials: register(name, entry, path),
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
