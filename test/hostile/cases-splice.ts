/** Tokens that are each good, put together as nobody meant them: who delegates to whom, for whom, how deep, to which client. */
import { newKey } from '../support/keys.ts';
import { ACCESS_TOKEN, type Asking, ID_TOKEN, JWT_TYPE, type Part, type Rig } from '../support/rig.ts';
import type { Case } from './oracle.ts';
import { LOOK } from './tokens.ts';

const request = { status: 400, error: 'invalid_request' } as const;
const subjectBad = { ...request, reason: 'subject_bad' } as const;
const actorBad = { ...request, reason: 'actor_bad' } as const;
const gate = { ...request, reason: 'may_act_mismatch' } as const;
const denied = { status: 403, error: 'access_denied', reason: 'policy_denied' } as const;
const agent = (rig: Rig, sub: string, act?: object): object => ({ iss: rig.issuer, sub, ...(act && { act }) });
const by = (rig: Rig, id: string): Part => {
  const key = rig.agents[id];
  return { ...(key && { key }), claims: { iss: id, sub: id } };
};
const subject = (claims: object): Asking => ({ ...LOOK, subject: { claims } });
const alone = (claims: object): Asking => ({ entry: { identifier: 'list_orders' }, args: {}, subject: { claims } });
const access = (claims: object): Asking => ({
  form: { subject_token_type: ACCESS_TOKEN },
  subject: { header: { typ: 'at+jwt' }, claims },
});
const jag = (claims: object): Asking => ({
  form: { subject_token_type: 'urn:ietf:params:oauth:token-type:id-jag' },
  subject: { header: { typ: 'oauth-id-jag+jwt' }, claims },
});

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

  // The token of another client, held by this one.
  {
    name: 'an id token of the sub-agent’s client',
    asking: () => subject({ aud: 'triage-bot-app' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  { name: 'an id token for the broker', asking: (rig) => alone({ aud: rig.issuer }), ...subjectBad, detail: 'token_audience' },
  {
    name: 'an id token for the agent by its name here',
    asking: () => alone({ aud: 'refund-bot' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  {
    name: 'an id token given by the client to another',
    asking: () => alone({ azp: 'triage-bot-app' }),
    ...subjectBad,
    detail: 'token_client',
  },
  {
    name: 'an agent without a client there',
    asking: (rig) => ({ ...alone({}), assertion: by(rig, 'nightly-report') }),
    ...subjectBad,
    detail: 'client_unmapped',
  },
  { name: 'an access token without a client', asking: (rig) => access({ aud: rig.issuer }), ...subjectBad, detail: 'token_client' },
  {
    name: 'an access token whose azp is another’s',
    asking: (rig) => access({ aud: rig.issuer, client_id: 'refund-bot-app', azp: 'triage-bot-app' }),
    ...subjectBad,
    detail: 'token_client',
  },
  {
    name: 'an access token whose client_id is a list',
    asking: (rig) => access({ aud: rig.issuer, client_id: ['refund-bot-app'] }),
    ...subjectBad,
    detail: 'token_client',
  },
  {
    name: 'an access token for broker and tool server',
    asking: (rig) => access({ aud: [rig.issuer, 'http://127.0.0.1:9090/mcp'], client_id: 'refund-bot-app' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  {
    name: 'an access token for the token endpoint',
    asking: (rig) => access({ aud: `${rig.issuer}/token`, client_id: 'refund-bot-app' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  {
    name: 'an access token bound to the agent’s assertion key',
    asking: (rig) => access({ aud: rig.issuer, client_id: 'refund-bot-app', cnf: { jkt: rig.agent.jkt } }),
    ...request,
    reason: 'subject_binding',
    detail: 'cnf_unproven',
  },
  {
    name: 'an access token bound to a certificate',
    asking: (rig) => access({ aud: rig.issuer, client_id: 'refund-bot-app', cnf: { 'x5t#S256': 'x' } }),
    ...request,
    reason: 'subject_binding',
    detail: 'cnf_form',
  },
  {
    name: 'a bound access token for a base token without proof',
    asking: (rig) => ({
      ...access({ aud: rig.issuer, client_id: 'refund-bot-app', cnf: { jkt: rig.proofKey.jkt } }),
      details: null,
      proof: null,
    }),
    ...request,
    reason: 'subject_binding',
    detail: 'cnf_unproven',
  },
  {
    name: 'an ID-JAG of another client',
    asking: (rig) => jag({ aud: rig.issuer, client_id: 'triage-bot', jti: 'j1' }),
    ...subjectBad,
    detail: 'token_client',
  },
  {
    name: 'an ID-JAG by the client id there',
    asking: (rig) => jag({ aud: rig.issuer, client_id: 'refund-bot-app', jti: 'j1' }),
    ...subjectBad,
    detail: 'token_client',
  },
  { name: 'an ID-JAG without client', asking: (rig) => jag({ aud: rig.issuer, jti: 'j1' }), ...subjectBad, detail: 'token_claim' },
  {
    name: 'an ID-JAG without jti',
    asking: (rig) => jag({ aud: rig.issuer, client_id: 'refund-bot' }),
    ...subjectBad,
    detail: 'token_claim',
  },
  {
    name: 'an ID-JAG for another broker',
    asking: () => jag({ aud: 'https://other-broker.example', client_id: 'refund-bot', jti: 'j1' }),
    ...subjectBad,
    detail: 'token_audience',
  },
  {
    name: 'a person as a service',
    asking: (rig) => ({ form: { subject_token_type: JWT_TYPE }, subject: { claims: { aud: rig.issuer } } }),
    ...denied,
    detail: 'subject',
  },
  {
    name: 'the wrong type for the right token',
    asking: () => ({ form: { subject_token_type: ID_TOKEN.toUpperCase() } }),
    ...request,
    reason: 'type_unsupported',
    detail: 'subject_token_type',
  },

  // The key of another.
  {
    name: 'the assertion of one agent, the proof and claims of nobody',
    asking: () => ({ proof: { key: newKey(), claims: { htu: 'https://x.example/token' } } }),
    status: 400,
    error: 'invalid_dpop_proof',
    reason: 'proof_bad',
    detail: 'proof_htu',
  },
  {
    name: 'triage-bot’s claims under refund-bot’s key',
    asking: () => ({ assertion: { claims: { iss: 'triage-bot', sub: 'triage-bot' } } }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unauthenticated',
    detail: 'token_signature',
  },
  {
    name: 'refund-bot’s key under triage-bot’s kid',
    asking: (rig) => ({ assertion: { header: { kid: rig.agents['triage-bot']?.kid }, claims: { iss: 'triage-bot', sub: 'triage-bot' } } }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unauthenticated',
    detail: 'token_signature',
  },
  {
    name: 'a tool server’s key for an agent',
    asking: (rig) => ({ assertion: { key: rig.server } }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unauthenticated',
    detail: 'token_signature',
  },
  {
    name: 'the proof key for the assertion',
    asking: (rig) => ({ assertion: { key: rig.proofKey } }),
    status: 401,
    error: 'invalid_client',
    reason: 'client_unauthenticated',
    detail: 'token_signature',
  },
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
