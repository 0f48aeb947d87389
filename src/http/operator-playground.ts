import type { FastifyInstance } from 'fastify';
import { refuse } from '../errors.ts';
import { ROLES } from '../operate/operator.ts';
import type { Playground, PlaygroundQuestion } from '../operate/playground.ts';
import { isObject, type Json, type JsonObject, parseJson } from '../wire/json.ts';
import { JSON_TYPE } from './documents.ts';
import { operatorRefusal } from './operator-answer.ts';

const MAX_NAME = 512;
const MAX_VIA = 8;

/** GET /operator/playground: what can be asked about. POST: one question, decided and forgotten. */
export function playgroundEndpoints(server: FastifyInstance, { playground }: { readonly playground: Playground }): void {
  // Whoever may see an agent's mandate sees these policies there.
  const roles = ROLES;
  server.get('/operator/playground', { config: { roles } }, async () => playground.stage());
  server.post('/operator/playground', { config: { roles, body: JSON_TYPE } }, async (request, reply) => {
    const question = questionOf(request.body);
    if (!question) return operatorRefusal(reply, refuse('request_malformed').error);
    const played = await playground.play(question);
    return played.ok ? played.value : operatorRefusal(reply, played.error);
  });
}

/** Closed: a name that is misspelt would be another question. */
function questionOf(body: unknown): PlaygroundQuestion | undefined {
  const parsed = parseJson(typeof body === 'string' ? body : '');
  if (!parsed.ok || !isObject(parsed.value)) return undefined;
  const { agent, via = [], for: supposed, server, tool, arguments: args = {}, ...rest } = parsed.value;
  if (!isName(agent) || !isName(server) || !isName(tool) || !isObject(args) || Object.keys(rest).length > 0) return undefined;
  if (!Array.isArray(via) || via.length > MAX_VIA || !via.every(isName)) return undefined;
  const person = supposed === undefined ? undefined : supposedOf(supposed);
  if (supposed !== undefined && !person) return undefined;
  return { agent, via, server, tool, arguments: args, ...(person && { for: person }) };
}
function supposedOf(value: Json): PlaygroundQuestion['for'] | undefined {
  if (!isObject(value)) return undefined;
  const { sub, kind = 'person', attributes = {}, ...rest } = value;
  if (typeof sub !== 'string' || !/^[a-z][a-z0-9-]{0,31}:\S{1,255}$/.test(sub) || Object.keys(rest).length > 0) return undefined;
  if ((kind !== 'person' && kind !== 'service') || !isObject(attributes)) return undefined;
  return { sub, kind, attributes: attributes as JsonObject };
}
const isName = (value: Json | undefined): value is string => typeof value === 'string' && value !== '' && value.length <= MAX_NAME;
