/** The operator API as its documents say: an answer that has what they do not tell, or lacks what they do, fails the test that asked. */
import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { type Answer, type OperatorClient, operatorClient } from '../../scripts/operator-client.ts';
import { OPERATOR_ROUTES, operatorDocs } from '../../src/http/documents-operator.ts';

interface Docs {
  readonly response: Readonly<Record<string, { readonly content: Readonly<Record<string, { readonly schema: object }>> }>>;
}
/** A document says what there is; here it also says that there is nothing else. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const same = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)]));
  return 'properties' in schema && !('additionalProperties' in schema) ? { ...same, additionalProperties: false } : same;
}
const ajv = new Ajv2020({ strict: false });
const routes = Object.keys(OPERATOR_ROUTES).map((name) => {
  const [method = '', path = ''] = name.split(' ');
  return { method, path, is: new RegExp(`^${path.replaceAll(/:[a-z]+/g, '[^/]+')}$`) };
});
const known = new Map<string, ValidateFunction | undefined>();

/** Fails where this route, or this status of it, is told nowhere, or told otherwise. */
export function documented(method: string, address: string, status: number, body: unknown): void {
  const [path = ''] = address.split('?');
  // What stands there word by word comes before what stands there for any word.
  const fit = routes.filter((one) => one.method === method && one.is.test(path));
  const route = fit.find((one) => one.path === path) ?? fit[0];
  if (!route || status === 404) return;
  const name = `${method} ${route.path} ${status}`;
  if (!known.has(name)) known.set(name, validatorOf(route, status));
  const validate = known.get(name);
  assert.ok(validate, `${name} is told nowhere`);
  assert.ok(validate(body), `${name}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body).slice(0, 2_000)}`);
}
function validatorOf({ method, path }: { readonly method: string; readonly path: string }, status: number): ValidateFunction | undefined {
  const docs = operatorDocs(method, path, []) as Docs | undefined;
  const schema = docs?.response[status]?.content['application/json']?.schema;
  return schema && ajv.compile(closed(schema) as object);
}
/** As scripts ask. */
export function documentedClient(socket: string): OperatorClient {
  const ask = operatorClient({ socket });
  return async (method, path, body): Promise<Answer> => {
    const answer = await ask(method, path, body);
    documented(method, path, answer.status, answer.body);
    return answer;
  };
}
