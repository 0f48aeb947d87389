import { checkParseSchema, type SchemaJson, schemaToJsonWithResolvedTypes } from '@cedar-policy/cedar-wasm/nodejs';
import type { Problem, Sources } from '../bundle/bundle.ts';
import { didYouMean } from '../bundle/nearest.ts';
import { SCOPE_LIST } from '../wire/oauth.ts';
import { DATETIME, type Fields, LONG, record, type Shape, STRING, sameShape, shapeOfArguments, toCedar } from './policy-cedar-shape.ts';
import { plain, problemOf } from './policy-cedar-source.ts';

/** Who can be a principal, and what is known of each. People's and services' attributes are the schema's own: their issuers bring them. */
export const AGENT_SHAPE = record({ name: STRING, owner: STRING, 'sponsor?': STRING });
export const SERVER_SHAPE = record({ name: STRING });
const OURS = { Agent: AGENT_SHAPE, Actor: AGENT_SHAPE, Server: SERVER_SHAPE } as const;
const PRINCIPALS = ['Person', 'Service', 'Agent', 'Actor'];

export interface Typed {
  /** For the validator alone. */
  readonly schema: SchemaJson<string>;
  readonly person: Fields;
  readonly service: Fields;
  /** Of each tool that has visible arguments, by server and tool. */
  input(server: string, tool: string): (Shape & { readonly is: 'record' }) | undefined;
  /** Of each tool that a budget may be about; each of them may be absent, since it may be about certain arguments alone. */
  budgets(server: string, tool: string): Shape | undefined;
}
/** What every rule can know beside the arguments. */
export const CONTEXT = record({
  subject: record({ id: STRING, kind: STRING, issuer: STRING }),
  'actor?': record({ id: STRING, owner: STRING, depth: LONG }),
  said: record({ 'purpose?': STRING, 'session?': STRING, 'trace?': STRING, 'model?': STRING }),
  now: DATETIME,
});

const BUDGET = record({ limit: LONG, left: LONG });

/** The schema's entity types, and one action per tool. Undefined where there is a problem. */
export function readSchema(
  sources: Pick<Sources, 'schema' | 'servers' | 'budgets'>,
  problems: Problem[],
  warnings: Problem[],
): Typed | undefined {
  const source = { file: sources.schema.file, line: 1, text: sources.schema.text };
  const parsed = schemaToJsonWithResolvedTypes(source.text);
  if (parsed.type !== 'success') {
    for (const error of parsed.errors) problems.push(problemOf(source, error));
    return undefined;
  }
  const before = problems.length;
  const entities = readEntities(parsed.json, source, problems);
  const inputs = new Map<string, Shape & { readonly is: 'record' }>();
  const budgets = new Map<string, Shape>();
  const schema: SchemaJson<string> = {
    '': { entityTypes: parsed.json['']?.entityTypes ?? {}, commonTypes: parsed.json['']?.commonTypes ?? {}, actions: {} },
  };
  for (const server of sources.servers) {
    const file = `servers/${server.id}.yaml`;
    const actions: SchemaJson<string>[string]['actions'] = { [SCOPE_LIST]: action(CONTEXT) };
    for (const tool of server.tools.values()) {
      const its = sources.budgets.filter(({ on }) => on.server === server.id && (on.tool ?? tool.name) === tool.name);
      const left = its.length === 0 ? undefined : record(Object.fromEntries(its.map(({ id }) => [`${id}?`, BUDGET])));
      if (left) budgets.set(`${server.id} ${tool.name}`, left);
      const known: Fields = left ? new Map([...CONTEXT.fields, ['budgets', { shape: left, required: true }]]) : CONTEXT.fields;
      if (tool.hidden) {
        actions[tool.name] = action({ is: 'record', fields: known });
        continue;
      }
      const fields = shapeOfArguments(tool.schema, 'input', (at, why) => {
        warnings.push({ file, text: `${tool.name}: policies cannot see ${at}: ${why}` });
      });
      const input = { is: 'record', fields } as const;
      inputs.set(`${server.id} ${tool.name}`, input);
      actions[tool.name] = action({ is: 'record', fields: new Map([...known, ['input', { shape: input, required: true }]]) });
    }
    schema[server.id] = { entityTypes: {}, actions };
    const alone = checkParseSchema({ '': schema[''], [server.id]: schema[server.id] } as SchemaJson<string>);
    if (problems.length === before && alone.type !== 'success') {
      problems.push({
        file,
        text: 'Cedar takes neither this id nor these names',
        hint: plain(alone.errors[0]?.message ?? ''),
      });
    }
  }
  if (problems.length > before) return undefined;
  const fieldsOf = (type: string): Fields => entities.get(type) ?? new Map();
  return {
    schema,
    person: fieldsOf('Person'),
    service: fieldsOf('Service'),
    input: (server, tool) => inputs.get(`${server} ${tool}`),
    budgets: (server, tool) => budgets.get(`${server} ${tool}`),
  };
}

const action = (context: Shape): SchemaJson<string>[string]['actions'][string] => ({
  appliesTo: { principalTypes: PRINCIPALS, resourceTypes: ['Server'], context: toCedar(context) },
});

function readEntities(
  json: SchemaJson<string>,
  source: { readonly file: string; readonly text: string },
  problems: Problem[],
): Map<string, Fields> {
  const shapes = new Map<string, Fields>();
  const problem = (word: string, text: string, hint?: string): void => {
    const line = source.text.split('\n').findIndex((each) => new RegExp(`\\b${word}\\b`).test(each.replace(/\/\/.*/, '')));
    problems.push({ file: source.file, ...(line >= 0 && { line: line + 1 }), text, ...(hint !== undefined && { hint }) });
  };
  for (const [name, namespace] of Object.entries(json)) {
    if (name !== '')
      problem('namespace', `namespace ${name} is not the schema's to declare`, 'namespaces and actions come from servers/*.yaml');
    else if (Object.keys(namespace.actions).length > 0)
      problem('action', 'actions are not the schema’s to declare', 'they come from servers/*.yaml');
  }
  const top = json['']?.entityTypes ?? {};
  const known = [...PRINCIPALS, 'Server'];
  for (const name of known) if (!top[name]) problems.push({ file: source.file, text: `entity ${name} is missing` });
  for (const [name, type] of Object.entries(top)) {
    if (!known.includes(name)) {
      problem(name, `entity ${name} never appears in a request`, didYouMean(name, known).hint ?? `there are ${known.join(', ')}`);
      continue;
    }
    if ('enum' in type || type.tags !== undefined || (type.memberOfTypes ?? []).length > 0) {
      // An entity handed over has no parents: a forbid on a group would hold for nobody.
      problem(name, `entity ${name} can have neither groups, tags nor fixed names`, 'write the group as an attribute: groups: Set<String>');
      continue;
    }
    const shape = type.shape ? fromCedar(type.shape, json['']?.commonTypes ?? {}, 0) : record({});
    if (shape?.is !== 'record') {
      problem(name, `entity ${name} has an attribute that nothing can fill`, 'String, Long, Bool, sets and records of these');
      continue;
    }
    const ours: Shape | undefined = OURS[name as keyof typeof OURS];
    if (ours?.is === 'record') {
      for (const [attribute, field] of shape.fields) {
        const its = ours.fields.get(attribute);
        const fits = its && sameShape(its.shape, field.shape) && (its.required || !field.required);
        if (!fits)
          problem(
            attribute,
            `${name}.${attribute} is not known of it`,
            `known are ${[...ours.fields].map(([n, f]) => (f.required ? n : `${n}?`)).join(', ')}: String`,
          );
      }
    }
    shapes.set(name, shape.fields);
  }
  return shapes;
}

/** Undefined for what no token claim can fill: entities, extension values, endless types. */
function fromCedar(type: object, common: Readonly<Record<string, object>>, depth: number): Shape | undefined {
  if (depth > 16) return undefined;
  const {
    type: kind,
    element,
    attributes,
  } = type as { type?: unknown; element?: object; attributes?: Record<string, object & { required?: boolean }> };
  const name = typeof kind === 'string' ? kind.replace(/^__cedar::/, '') : '';
  if (name === 'String') return STRING;
  if (name === 'Long') return LONG;
  if (name === 'Bool' || name === 'Boolean') return { is: 'bool' };
  if (name === 'Set') {
    const of = element && fromCedar(element, common, depth + 1);
    return of && { is: 'set', of };
  }
  if (name === 'Record') {
    const fields = new Map<string, { shape: Shape; required: boolean }>();
    for (const [attribute, its] of Object.entries(attributes ?? {})) {
      const shape = fromCedar(its, common, depth + 1);
      if (!shape) return undefined;
      fields.set(attribute, { shape, required: its.required ?? true });
    }
    return { is: 'record', fields };
  }
  const aliased = Object.hasOwn(common, name) ? common[name] : undefined;
  return aliased && fromCedar(aliased, common, depth + 1);
}
