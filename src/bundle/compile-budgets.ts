import type { Budget, Tool, ToolServer } from '../model.ts';
import { isObject, type JsonObject } from '../wire/json.ts';
import type { Files, Problem } from './bundle.ts';
import { type Formats, problemAt } from './formats.ts';
import { didYouMean } from './nearest.ts';

export const BUDGETS = 'budgets.yaml';

/** The budgets of the bundle; none where there is no file. Whatever could make one count what is not there is a problem. */
export function compileBudgets(files: Files, formats: Formats, servers: readonly ToolServer[], problems: Problem[]): readonly Budget[] {
  const content = files.get(BUDGETS);
  if (content === undefined) return [];
  const read = formats.budgets(BUDGETS, content);
  if (!read.ok) {
    problems.push(...read.error);
    return [];
  }
  const { value, lineOf } = read.value;
  const ids = new Set<string>();
  return value.budgets.map(({ on, sum, ...entry }, index) => {
    const problem = (key: string, text: string, hint?: string): void => {
      problems.push(problemAt(BUDGETS, lineOf(['budgets', index, key]), text, hint));
    };
    if (ids.has(entry.id)) problem('id', 'this budget stands twice');
    ids.add(entry.id);
    const server = servers.find(({ id }) => id === on.server);
    if (!server)
      problem(
        'on',
        `there is no server ${on.server}`,
        didYouMean(
          on.server,
          servers.map(({ id }) => id),
        ).hint,
      );
    else if (on.tool !== undefined && !server.tools.has(on.tool))
      problem('on', `${on.server} has no tool ${on.tool}`, didYouMean(on.tool, server.tools.keys()).hint);
    const tools = [...(server?.tools.values() ?? [])].filter(({ name }) => (on.tool ?? name) === name);
    for (const tool of tools) {
      if (sum !== undefined) flawsOfSum(tool, sum, (text, hint) => problem('sum', text, hint));
      for (const name of Object.keys(entry.where)) flawsOfWhere(tool, name, (text, hint) => problem('where', text, hint));
    }
    return Object.freeze({
      ...entry,
      on: Object.freeze({ server: on.server, ...(on.tool !== undefined && { tool: on.tool }) }),
      ...(sum !== undefined && { sum }),
    });
  });
}

type Tell = (text: string, hint?: string) => void;
/** Always there, whole, and never below zero: an action that gives back would buy the next one. */
function flawsOfSum(tool: Tool, name: string, tell: Tell): void {
  const schema = argument(tool, name, tell);
  if (!schema) return;
  if (schema['type'] !== 'integer') tell(`${tool.name}.${name} is no integer`, 'count in minor units');
  else if (!(typeof schema['minimum'] === 'number' && schema['minimum'] >= 0))
    tell(`${tool.name}.${name} may be below zero`, 'give it `minimum: 0` in the tool’s schema');
  if (!isRequired(tool, name) && schema['default'] === undefined)
    tell(`${tool.name}.${name} may be absent`, 'require it, or give it a default');
}
function flawsOfWhere(tool: Tool, name: string, tell: Tell): void {
  const schema = argument(tool, name, tell);
  if (schema && !isRequired(tool, name) && schema['default'] === undefined)
    tell(`${tool.name}.${name} may be absent, and then nothing is counted`, 'require it, or give it a default');
}
function argument(tool: Tool, name: string, tell: Tell): JsonObject | undefined {
  if (tool.hidden) {
    tell(`the arguments of ${tool.name} are hidden: nobody can count them`);
    return undefined;
  }
  const properties = isObject(tool.schema['properties']) ? tool.schema['properties'] : {};
  const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (isObject(schema)) return schema;
  tell(`${tool.name} has no argument ${name}`, didYouMean(name, Object.keys(properties)).hint);
  return undefined;
}
const isRequired = (tool: Tool, name: string): boolean => Array.isArray(tool.schema['required']) && tool.schema['required'].includes(name);
