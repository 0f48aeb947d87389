/** Tokens that are each good, put together as nobody meant them: who delegates to whom, for whom, how deep. */
import type { Asking, Part, Rig } from '../support/rig.ts';
import type { Case } from './oracle.ts';
import { LOOK } from './tokens.ts';

export const request = { status: 400, error: 'invalid_request' } as const;
export const subjectBad = { ...request, reason: 'subject_bad' } as const;
const actorBad = { ...request, reason: 'actor_bad' } as const;
const gate = { ...request, reason: 'may_act_mismatch' } as const;
export const denied = { status: 403, error: 'access_denied', reason: 'policy_denied' } as const;
const agent = (rig: Rig, sub: string, act?: object): object => ({ iss: rig.issuer, sub, ...(act && { act }) });
export const by = (rig: Rig, id: string): Part => {
  const key = rig.agents[id];
  return { ...(key && { key }), claims: { iss: id, sub: id } };
};
export const subject = (claims: object): Asking => ({ ...LOOK, subject: { claims } });
export const alone = (claims: object): Asking => ({ entry: { identifier: 'list_orders' }, args: {}, subject: { claims } });

export const spliceCases: readonly Case[] = [
  // The subject of one person, the delegation of another.
  {
    name: 'an act that is the other person',
    asking: (rig) => alone({ act: { iss: rig.idp.issuer, sub: 'u_alice' } }),
    ...subjectBad,
    detail: 'actor_unknown',
  },
  {
    name: 'an act that is the person itself',
    asking: (rig) => alone({ act: { iss: rig.idp.issuer, sub: 'u_bob' } }),
    ...subjectBad,
    detail: 'actor_unknown',
  },
  {
    name: 'an act of an agent’s name at the person’s issuer',
    asking: (rig) => alone({ act: { iss: rig.idp.issuer, sub: 'triage-bot' } }),
    ...subjectBad,
    detail: 'actor_unknown',
  },
  {
    name: 'an act of a client id of the issuer',
    asking: (rig) => alone({ act: { iss: rig.issuer, sub: 'refund-bot-app' } }),
    ...subjectBad,
    detail: 'actor_unknown',
  },
  { name: 'an act of a tool server', asking: (rig) => alone({ act: agent(rig, 'shop') }), ...subjectBad, detail: 'actor_unknown' },
  { name: 'an act of the broker', asking: (rig) => alone({ act: agent(rig, rig.issuer) }), ...subjectBad, detail: 'actor_unknown' },
  {
    name: 'an act at a stranger',
    asking: (_, trap) => alone({ act: { iss: trap.url, sub: 'triage-bot' } }),
    ...subjectBad,
    detail: 'actor_unknown',
  },
  { name: 'an act of the client itself', asking: (rig) => alone({ act: agent(rig, 'refund-bot') }), ...subjectBad, detail: 'actor_twice' },
  {
    name: 'an act of the sub-agent, which acts already',
    asking: (rig) => subject({ act: agent(rig, 'triage-bot') }),
    ...subjectBad,
    detail: 'actor_twice',
  },
  {
    name: 'an act of an agent without any mandate for people',
    asking: (rig) => alone({ act: agent(rig, 'nightly-report') }),
    ...denied,
    detail: 'actor',
  },
  {
    name: 'a good act, and below it one without mandate',
    asking: (rig) => alone({ act: agent(rig, 'triage-bot', agent(rig, 'nightly-report')) }),
    ...denied,
    detail: 'actor',
  },
  {
    name: 'a good act, and below it a stranger',
    asking: (rig) => alone({ act: agent(rig, 'triage-bot', agent(rig, 'ghost')) }),
    ...subjectBad,
    detail: 'actor_unknown',
  },
  {
    name: 'a good act, and below it something else',
    asking: (rig) => alone({ act: { ...agent(rig, 'triage-bot'), act: 'x' } }),
    ...subjectBad,
    detail: 'act_form',
  },
  {
    name: 'a refund with an act in the person’s token',
    asking: (rig) => ({ subject: { claims: { act: agent(rig, 'triage-bot') } } }),
    ...denied,
    detail: 'subject',
  },

  // The sub-agent's own word.
  {
    name: 'a sub-agent under an agent that knows nothing of people',
    asking: (rig) => ({ ...LOOK, actor: { claims: { act: agent(rig, 'nightly-report') } } }),
    ...denied,
    detail: 'actor',
  },
  {
    name: 'a sub-agent that is a person',
    asking: (rig) => ({ ...LOOK, actor: { claims: { act: { iss: rig.idp.issuer, sub: 'u_alice' } } } }),
    ...actorBad,
    detail: 'actor_unknown',
  },
  {
    name: 'a sub-agent that nests the client',
    asking: (rig) => ({ ...LOOK, actor: { claims: { act: agent(rig, 'refund-bot') } } }),
    ...actorBad,
    detail: 'actor_twice',
  },
  {
    name: 'a sub-agent that nests itself',
    asking: (rig) => ({ ...LOOK, actor: { claims: { act: agent(rig, 'triage-bot') } } }),
    ...actorBad,
    detail: 'actor_twice',
  },
  {
    name: 'an actor whose mandate is for itself alone',
    asking: (rig) => ({ ...LOOK, actor: by(rig, 'nightly-report') }),
    ...denied,
    detail: 'actor',
  },
  {
    name: 'an actor token of another agent’s making',
    asking: (rig) => ({ ...LOOK, actor: { ...by(rig, 'nightly-report'), claims: {} } }),
    ...actorBad,
    detail: 'token_signature',
  },
  {
    name: 'an actor that names another as its subject',
    asking: (rig) => ({ ...LOOK, actor: { ...by(rig, 'nightly-report'), claims: { iss: 'nightly-report', sub: 'triage-bot' } } }),
    ...actorBad,
    detail: 'token_claim',
  },
  {
    name: 'an actor at another broker',
    asking: () => ({ ...LOOK, actor: { claims: { aud: 'https://other-broker.example' } } }),
    ...actorBad,
    detail: 'token_audience',
  },
  {
    name: 'an actor at the tool server',
    asking: () => ({ ...LOOK, actor: { claims: { aud: 'http://127.0.0.1:9090/mcp' } } }),
    ...actorBad,
    detail: 'token_audience',
  },
  {
    name: 'an actor with client_credentials',
    asking: () => ({ ...LOOK, subject: null, form: { grant_type: 'client_credentials' } }),
    ...request,
    reason: 'request_malformed',
    detail: 'actor_token',
  },

  // Too deep: four links where three are the most, and far beyond.
  {
    name: 'a chain of four',
    asking: (rig) => ({
      ...LOOK,
      actor: { claims: { act: agent(rig, 'nightly-report') } },
      subject: { claims: { act: agent(rig, 'audit-bot') } },
    }),
    ...subjectBad,
    detail: 'actor_depth',
  },
  {
    name: 'a chain of four in one token',
    asking: (rig) => ({ ...LOOK, actor: { claims: { act: agent(rig, 'nightly-report', agent(rig, 'audit-bot')) } } }),
    ...actorBad,
    detail: 'actor_depth',
  },
  {
    name: 'sixty links of one name',
    asking: (rig) =>
      alone({ act: Array.from({ length: 60 }).reduce<object>((act) => agent(rig, 'triage-bot', act), agent(rig, 'triage-bot')) }),
    ...subjectBad,
    detail: 'actor_twice',
  },
  {
    name: 'seventy links',
    asking: (rig) =>
      alone({ act: Array.from({ length: 70 }).reduce<object>((act) => agent(rig, 'triage-bot', act), agent(rig, 'triage-bot')) }),
    ...subjectBad,
    detail: 'token_form',
  },

  // The gate in the subject token.
  { name: 'may_act for the client, while a sub-agent acts', asking: (rig) => subject({ may_act: agent(rig, 'refund-bot') }), ...gate },
  {
    name: 'may_act for the sub-agent, while the client acts alone',
    asking: (rig) => alone({ may_act: agent(rig, 'triage-bot') }),
    ...gate,
  },
  { name: 'may_act in another case', asking: (rig) => alone({ may_act: agent(rig, 'Refund-Bot') }), ...gate },
  { name: 'may_act at another issuer', asking: (rig) => alone({ may_act: { iss: rig.idp.issuer, sub: 'refund-bot' } }), ...gate },
  { name: 'may_act by the client id there', asking: (rig) => alone({ may_act: agent(rig, 'refund-bot-app') }), ...gate },
  { name: 'may_act of a list with the right one in it', asking: (rig) => alone({ may_act: [agent(rig, 'refund-bot')] }), ...gate },
  { name: 'may_act with a client_id alone', asking: () => alone({ may_act: { client_id: 'refund-bot' } }), ...gate },
  { name: 'may_act whose sub is a list', asking: (rig) => alone({ may_act: { iss: rig.issuer, sub: ['refund-bot'] } }), ...gate },
];
/** A fourth agent, with a mandate that no policy names: so that chains can be too deep without anybody in them twice. */
export const FOURTH_AGENT = `
  - id: audit-bot
    name: Audit
    owner: people:u_alice
    purpose: Stands in chains that are too deep.
    review: 2027-06-30
    identity: { issuer: "https://ci.example", subject: audit }
`;
