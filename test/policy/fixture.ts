/** A small bundle in memory, and questions to it. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { type Files, formatProblem } from '../../src/bundle/bundle.ts';
import { formats } from '../../src/bundle/bundle-folder-formats.ts';
import type { CompiledBundle } from '../../src/bundle/compile.ts';
import { compileBundle } from '../../src/bundle/compile.ts';
import { cedarEngine } from '../../src/decide/policy-cedar.ts';
import type { Slots } from '../../src/decide/policy-cedar-index.ts';
import type { Agent, Asked, Bundle, Person, Question, Verdict } from '../../src/model.ts';
import { EMPTY_DIGEST } from '../../src/wire/digest.ts';
import type { JsonObject } from '../../src/wire/json.ts';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const JWK = JSON.stringify(publicKey.export({ format: 'jwk' }));

export const SCHEMA = `entity Person = { groups: Set<String>, department?: String };
entity Service = {};
entity Agent = { name: String, owner: String, sponsor?: String };
entity Actor = { name: String, owner: String };
entity Server = { name: String };
`;
const agent = (id: string, more = ''): string =>
  `  - { id: ${id}, name: ${id}, owner: people:u_alice, purpose: test, review: 2030-01-01, identity: { jwks: { keys: [${JWK}] } }${more} }\n`;
export const AGENTS = `people:
  - { id: people:u_alice, name: Alice }
agents:
${agent('bot')}${agent('sub', ', limits: { maxTtlSeconds: 30 }')}${agent('third')}`;
export const SERVER = `id: shop
name: Shop
resource: https://shop.example/mcp
tools:
  pay:
    description: Pays.
    input:
      type: object
      required: [amount]
      properties:
        amount: { type: integer }
        note: { type: string }
        fast: { type: boolean, default: false }
        tags: { type: array, items: { type: string } }
        price: { type: number }
        place: { type: object, required: [country], properties: { country: { type: string }, lat: { type: number } } }
    recordable: [amount]
  look:
    description: Looks.
    input: { type: object }
  secret:
    description: Takes what nobody may see.
    input: { type: object, properties: { it: { type: string } } }
    arguments: hidden
`;
export const PAY = 'shop::Action::"pay"';
export const permit = (id: string, scope = 'principal, action, resource', when = ''): string =>
  `@id("${id}") permit (${scope})${when && ` when { ${when} }`};\n`;
export const forbid = (id: string, scope: string, when: string, also = ''): string =>
  `@id("${id}") ${also} forbid (${scope}) when { ${when} };\n`;
/** Any principal may do anything on the shop. */
export const ALL = permit('all');

export function files(policies: string, changed: Readonly<Record<string, string>> = {}): Files {
  return new Map(
    Object.entries({ 'schema.cedarschema': SCHEMA, 'agents.yaml': AGENTS, 'servers/shop.yaml': SERVER, 'p.cedar': policies, ...changed }),
  );
}
export async function compiled(policies: string, changed?: Readonly<Record<string, string>>, slots?: Slots): Promise<CompiledBundle> {
  const result = await compileBundle(files(policies, changed), cedarEngine(slots ? { slots } : {}), formats);
  assert.ok(result.ok, result.ok ? '' : result.error.map(formatProblem).join('\n'));
  return result.value;
}
/** Every problem as one line, as the operator reads it. */
export async function problems(policies: string, changed?: Readonly<Record<string, string>>, today?: string): Promise<readonly string[]> {
  const result = await compileBundle(files(policies, changed), cedarEngine(), formats, today === undefined ? {} : { today });
  return result.ok ? [] : result.error.map(formatProblem);
}

export const PERSON: Person = { kind: 'person', issuer: 'people', subject: 'u_alice', exp: 2e9, attributes: { groups: ['support'] } };
export const NOW = 1_795_176_000;
export interface Ask {
  readonly tool?: string;
  readonly args?: JsonObject;
  readonly subject?: Person | Agent;
  readonly actors?: readonly Agent[];
  readonly as?: 'subject' | 'actor';
}
export const agentOf = (bundle: Bundle, id: string): Agent => {
  const found = bundle.agents.byClient(id);
  assert.ok(found);
  return found;
};
export function asked(bundle: Bundle, ask: Ask = {}): Asked {
  const server = bundle.servers.byId('shop');
  assert.ok(server);
  const client = agentOf(bundle, 'bot');
  const tool = server.tools.get(ask.tool ?? 'pay');
  return {
    caller: { client },
    subject: ask.subject ?? PERSON,
    actors: ask.actors ?? [client],
    server,
    action: tool
      ? {
          kind: 'call',
          tool,
          call: {
            resource: server.resource,
            tool: tool.name,
            digest: EMPTY_DIGEST,
            ...(!tool.hidden && { arguments: ask.args ?? { amount: 1 } }),
          },
        }
      : { kind: 'list' },
    kind: 'jwt',
    until: 2e9,
    deferred: false,
  };
}
export function question(bundle: Bundle, ask: Ask = {}): Question {
  const all = asked(bundle, ask);
  return {
    principal: ask.as === 'actor' ? { as: 'actor', who: all.actors[0] ?? all.caller.client } : { as: 'subject', who: all.subject },
    asked: all,
    now: NOW,
  };
}
export const decideBy = (bundle: Bundle, ask: Ask = {}): Verdict => bundle.policy.decide(question(bundle, ask));
/** A verdict in short: `allow all` or `input input_missing p`. */
export const short = (verdict: Verdict): string =>
  (verdict.allow ? ['allow', ...verdict.policies] : [verdict.cause, verdict.code, ...verdict.policies]).join(' ');
